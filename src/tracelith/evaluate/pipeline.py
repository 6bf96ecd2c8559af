"""One case through the whole pipeline: OTLP bytes are decoded, described, stored, analysed and concluded.

The same functions as in the server, from the bytes of a request on; only the transport is left out. A case lives in a
database of its own in memory.
"""

import polars as pl

from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.evaluate.claims import DEPLOYMENTS, SPANS, Evidence
from tracelith.evaluate.naming import service_names
from tracelith.forest.peers import name_peers
from tracelith.forest.tables import operation_table
from tracelith.ingest.commit import SpanWriter
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import describe
from tracelith.model.document import AnalysisDocument
from tracelith.model.errors import AnalysisFailed
from tracelith.model.schema import DEPLOYMENT, Kind, Outcome
from tracelith.simulate import Deployment, Simulation
from tracelith.store import Store

__all__ = ["observe"]

REQUESTS_PER_COMMIT = 8
"""Requests decoded and stored together: about what a busy receiver puts together."""


def observe(simulation: Simulation, *, with_spans: bool = True) -> Evidence:
    """What methods see of a run: its spans and deployments, and what our own pipeline concludes from them.

    Args:
        with_spans: False leaves ``spans`` empty, where nobody asks for them.

    Raises:
        AnalysisFailed: one of our own analyses did; its claims would be missing without anybody noticing.
    """
    names = service_names(simulation.system)
    start_ns, end_ns = (at_us * 1_000 for at_us in simulation.period_us)
    with Store.open(None) as store:
        engine = Engine(store, registered_analyses(), now=lambda: simulation.end)
        _receive(store, simulation)
        store.add_deployments(_told(simulation.deployments))
        spans = _spans(store, store.stale_windows(0.0)) if with_spans else pl.DataFrame(schema=SPANS)
        engine.analyse_stale(0.0)
        document = _concluded(engine, start_ns, end_ns)
    return Evidence(
        spans=spans,
        deployments=pl.DataFrame(
            [(names[row.service], row.at_us * 1_000) for row in simulation.deployments],
            schema=DEPLOYMENTS,
            orient="row",
        ),
        start_ns=start_ns,
        end_ns=end_ns,
        document=document,
    )


def _receive(store: Store, simulation: Simulation) -> None:
    writer = SpanWriter(store)
    waiting: list[bytes] = []

    def commit() -> None:
        writer.write([describe(decode_requests(waiting).raw)])
        waiting.clear()

    for payload in simulation.payloads():
        waiting.append(payload)
        if len(waiting) >= REQUESTS_PER_COMMIT:
            commit()
    if waiting:
        commit()


def _told(deployments: tuple[Deployment, ...]) -> pl.DataFrame:
    """The deployments as an import of deployments.csv stores them: to the second."""
    rows = [
        (row.service, "", row.version, at_ns, at_ns, "csv")
        for row in deployments
        for at_ns in [row.at_us // 1_000_000 * 1_000_000_000]
    ]
    return pl.DataFrame(rows, schema=DEPLOYMENT, orient="row")


def _concluded(engine: Engine, start_ns: int, end_ns: int) -> AnalysisDocument:
    document = engine.conclude(None, start_ns, end_ns)
    for analysis in document["analyses"]:
        if analysis["error"]:
            raise AnalysisFailed(f"{analysis['name']}: {analysis['error']}")
    return document


def _spans(store: Store, windows: list[int]) -> pl.DataFrame:
    """Rows of SPANS: everything that is stored in these windows."""
    read = store.read_windows(windows)
    services = read.resources.select("resource", "service")
    operations = _operations(read.operations, tuple(services["service"].unique().sort()))
    return (
        read.spans.lazy()
        .join(services.lazy(), on="resource")
        .join(operations.lazy(), on="operation")
        .with_columns(
            trace_id=_hex("trace_hi") + _hex("trace_lo"),
            failed=pl.col("outcome") == int(Outcome.FAILED),
            weight=pl.col("weight").cast(pl.Float64),
        )
        .sort("trace_id", "start_ns", "span_id")
        .select(list(SPANS))
        .collect()
    )


def _operations(operations: pl.DataFrame, services: tuple[str, ...]) -> pl.DataFrame:
    """Operations with their kind and the peer they name, unless that is another service."""
    texts = operation_table(operations)
    peers = name_peers(texts.texts, services)
    node = peers.node
    named = texts.texts.select("name", "kind").with_columns(
        peer=pl.Series([peers.names[one] for one in node], dtype=pl.String),
        peer_kind=pl.Series([peers.kinds[one] for one in node], dtype=pl.String),
        said=pl.Series(peers.named),
    )
    outgoing = pl.col("kind").is_in([int(Kind.CLIENT), int(Kind.PRODUCER), int(Kind.CONSUMER)])
    foreign = outgoing & pl.col("said") & (pl.col("peer_kind") != "service")
    named = named.with_columns(pl.when(foreign).then(pl.col("peer", "peer_kind")))
    rows = pl.DataFrame({"operation": texts.codes, "row": texts.rows}).cast({"row": pl.UInt32})
    columns = named.select("name", "kind", "peer", "peer_kind").with_row_index("row")
    return rows.join(columns, on="row").drop("row")


def _hex(column: str) -> pl.Expr:
    """An unsigned 64-bit number as 16 hexadecimal digits."""
    # Halves, as Polars formats numbers as text in decimal only; 65,536 texts are looked up four times.
    digits = pl.lit(_QUADS)
    parts = [digits.gather(((pl.col(column) // 2**shift) % 65_536).cast(pl.UInt32)) for shift in (48, 32, 16, 0)]
    return pl.concat_str(parts)


_QUADS = pl.Series([f"{number:04x}" for number in range(65_536)])
