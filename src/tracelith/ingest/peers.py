"""The other side of a span: which datastore, broker or service it talks to, and in which protocol.

The same keys mean different things by kind. On a SERVER span ``server.address`` is the span's own host and
``net.peer.*`` the caller's, with a new port for every connection: such spans get no peer. On a span without a kind,
or an INTERNAL one, an address is only believed when the span is evidently a call to a datastore, a broker or a named
service.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tracelith.ingest.confidential import host_only, operation_word, table_name, without_credentials
from tracelith.ingest.fields import Codes, Fields, encode_text
from tracelith.ingest.statements import first_table, summary_statement
from tracelith.model.schema import OPERATION_TEXT, Kind, is_folded
from tracelith.model.semantic_conventions import DB_SYSTEM_RENAMES, MESSAGING_ACTION_RENAMES, MESSAGING_SYSTEM_RENAMES

__all__ = ["PEER_COLUMNS", "PROTOCOLS", "Peers", "choose_peers", "operation_text"]

Bool = NDArray[np.bool_]

PROTOCOLS = pa.array(["", "http", "rpc", "messaging", "db"], pa.large_string())
"""By number; of several that apply the last one counts: a query over HTTP is a query, a queue's API call a message."""

_HTTP, _RPC, _MESSAGING, _DB = range(1, 5)

PEER_COLUMNS = (
    "peer_system",
    "peer_address",
    "peer_port",
    "peer_service",
    "peer_service_namespace",
    "peer_namespace",
    "peer_object",
    "peer_action",
    "peer_summary",
    "consumer_group",
)
"""What is chosen per span; operation_text turns it into OPERATION_TEXT's peer columns."""

_AUTHORITY = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^@/?#]*@)?([^/?#]+)"
_UNKNOWN_SYSTEM = "unknown"

_DESTINATION_PATH = (
    r"^https?://[^/]+/[0-9]+/"  # of a queue's address
    r"|^arn:aws[a-z-]*:(?:sqs|sns|kinesis):[a-z0-9-]*:[0-9]*:(?:stream/)?"
    r"|^projects/[^/]+/(?:topics|subscriptions)/"
)
"""What some libraries put before the name of a queue or topic, and others, at its other end, do not."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Peers of spans as codes.

    Attributes:
        protocol: int32 per span, index into PROTOCOLS.
        codes: int32 per span for each of PEER_COLUMNS, index into values.
        values: distinct texts; the first is empty.
    """

    protocol: Codes
    codes: dict[str, Codes]
    values: pa.LargeStringArray


def choose_peers(kind: NDArray[np.uint8], fields: Fields) -> Peers:
    """Protocol and peer of each span."""
    protocol = _protocols(fields)
    db, messaging = protocol == _DB, protocol == _MESSAGING
    outgoing = (kind == Kind.CLIENT) | (kind == Kind.PRODUCER) | (kind == Kind.CONSUMER)
    evident = db | messaging | (fields["peer_service"] != 0)
    has_peer = (kind != Kind.SERVER) & (outgoing | evident)
    address, port = _where(has_peer, fields["peer_address"]), _where(has_peer, fields["peer_port"])
    values = fields.values
    from_url = (kind == Kind.CLIENT) & (address == 0) & (fields["http_url"] != 0)
    if from_url.any():
        address, port = address.copy(), _where(~from_url, port)
        address[from_url], values = _authorities(fields["http_url"][from_url], values)
    codes = {
        "peer_system": _either(db, fields["db_system"], messaging, fields["messaging_system"]),
        "peer_address": address,
        "peer_port": port,
        "peer_service": _where(has_peer, fields["peer_service"]),
        "peer_service_namespace": _where(has_peer, fields["peer_service_namespace"]),
        "peer_namespace": _where(db, fields["db_namespace"]),
        "peer_object": _either(db, fields["db_object"], messaging, fields["messaging_destination"]),
        "peer_action": _either(db, fields["db_action"], messaging, fields["messaging_action"]),
        "peer_summary": _where(db, fields["db_summary"]),
        "consumer_group": _where(messaging, fields["consumer_group"]),
    }
    return Peers(protocol, codes, values)


def _protocols(fields: Fields) -> Codes:
    """Number of the protocol family per span."""
    evidence = {
        _HTTP: ("http_method", "http_status", "http_url", "http_route"),
        _RPC: ("rpc_system", "rpc_method", "rpc_status"),
        _MESSAGING: ("messaging_system", "messaging_destination", "messaging_action"),
        _DB: ("db_system", "db_namespace", "db_object", "db_action", "db_summary"),
    }
    protocol = np.zeros(fields.codes.shape[1], np.int32)
    for number, names in evidence.items():
        for name in names:
            if (codes := fields[name]).any():
                protocol[codes != 0] = number
    return protocol


def _where(applies: Bool, codes: Codes) -> Codes:
    return np.where(applies, codes, 0) if codes.any() else codes


def _either(first: Bool, first_codes: Codes, second: Bool, second_codes: Codes) -> Codes:
    chosen = _where(first, first_codes)
    return np.where(second, second_codes, chosen) if second_codes.any() else chosen


def _authorities(url_codes: Codes, values: pa.LargeStringArray) -> tuple[Codes, pa.LargeStringArray]:
    """Codes of the host (and port) in each URL, and the values with those hosts added."""
    distinct, number = np.unique(url_codes, return_inverse=True)
    urls = pl.Series(values.take(pa.array(distinct)))
    hosts, texts = encode_text(urls.str.extract(_AUTHORITY))
    codes = np.where(hosts > 0, hosts + np.int32(len(values) - 1), 0).astype(np.int32)
    return codes[number], pa.concat_arrays([values, texts.slice(1)])


# --- as text -------------------------------------------------------------------------------------------------------


def operation_text(operations: pl.DataFrame) -> pl.DataFrame:
    """OPERATION_TEXT rows from rows with PEER_COLUMNS and the statement of a query text: one spelling for one thing."""
    operations = _names_only(operations)
    action, address = pl.col("peer_action"), pl.col("peer_address")
    is_db, is_messaging = pl.col("protocol") == "db", pl.col("protocol") == "messaging"
    service, namespace = pl.col("peer_service"), pl.col("peer_service_namespace")
    chosen = {
        "http_method": pl.col("http_method").str.to_uppercase(),
        "peer_system": pl.when((is_db | is_messaging) & (pl.col("peer_system") == ""))
        .then(pl.lit(_UNKNOWN_SYSTEM))
        .when(is_db)
        .then(pl.col("peer_system").str.to_lowercase().replace(DB_SYSTEM_RENAMES))
        .when(is_messaging)
        .then(pl.col("peer_system").str.to_lowercase().replace(MESSAGING_SYSTEM_RENAMES))
        .otherwise(pl.col("peer_system").str.to_lowercase()),
        "peer_address": _joined_address(address, pl.col("peer_port")),
        "peer_service": pl.when((service == "") | (namespace == ""))
        .then(service)
        .otherwise(pl.concat_str(namespace, service, separator="/")),
        "peer_object": pl.when(is_messaging)
        .then(without_credentials(pl.col("peer_object").str.replace(_DESTINATION_PATH, "")))
        .otherwise("peer_object"),
        "peer_action": pl.when(is_messaging)
        .then(action.str.to_lowercase().replace(MESSAGING_ACTION_RENAMES))
        .otherwise("peer_action"),
    }
    return _with_statements(operations.with_columns(**chosen)).select(OPERATION_TEXT.names())


def _names_only(operations: pl.DataFrame) -> pl.DataFrame:
    is_db = pl.col("protocol") == "db"
    named = ("peer_service", "peer_namespace", "consumer_group")
    return operations.with_columns(
        host_only(pl.col("peer_address")),
        *(without_credentials(pl.col(name)) for name in named),
        pl.when(is_db).then(table_name(pl.col("peer_object"))).otherwise("peer_object").alias("peer_object"),
        pl.when(is_db).then(operation_word(pl.col("peer_action"))).otherwise("peer_action").alias("peer_action"),
    )


def _with_statements(operations: pl.DataFrame) -> pl.DataFrame:
    """Datastore calls with their statement, and with its action and table where the attributes name none.

    A summary is believed before the parsed text, that before a single table: it cannot tell of a join.
    """
    is_db = operations["protocol"] == "db"
    names = ("peer_system", "peer_summary", "statement", "peer_action", "peer_object")
    statements, actions, objects = (
        [""] * len(is_db),
        operations["peer_action"].to_list(),
        operations["peer_object"].to_list(),
    )
    for row in is_db.arg_true():
        system, summary, parsed, action, table = (operations[row, name] for name in names)
        statement = (
            parsed if parsed and not summary else summary_statement(summary or action, table=table, system=system)
        )
        statements[row] = statement
        actions[row] = action or ("" if is_folded(statement) else statement.split(" ", 1)[0])
        objects[row] = table or ("" if is_folded(statement) else first_table(statement))
    return operations.with_columns(
        pl.Series("peer_statement", statements, pl.String),
        pl.Series("peer_action", actions, pl.String),
        pl.Series("peer_object", objects, pl.String),
    )


def _joined_address(address: pl.Expr, port: pl.Expr) -> pl.Expr:
    """``host:port``; just the host if the port is unknown or already there; IPv6 addresses in brackets."""
    is_bare_ipv6 = address.str.count_matches(":", literal=True) > 1
    host = pl.when(is_bare_ipv6 & ~address.str.starts_with("[")).then(pl.concat_str(pl.lit("["), address, pl.lit("]")))
    complete = (address == "") | (port == "") | address.str.contains(r"^[^:]+:[0-9]+$|\]:[0-9]+$")
    bracketed = host.otherwise(address)
    return pl.when(complete).then(bracketed).otherwise(pl.concat_str(bracketed, port, separator=":"))
