"""What spans mean: their attributes become the RESOURCE and OPERATION rows that the store keeps.

Three steps, none of which loops over spans: fields.py turns attributes into codes; here the codes that apply to a
span are chosen by its kind and protocol; the distinct combinations, a few hundred in a batch, become text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tracelith.ingest.fields import Fields, FieldTable, distinct_rows, encode_text
from tracelith.ingest.memo import Memo, TextRow
from tracelith.ingest.naming import normalise_names
from tracelith.ingest.outcomes import span_outcomes, span_statuses
from tracelith.ingest.peers import PEER_COLUMNS, PROTOCOLS, choose_peers, operation_text
from tracelith.ingest.query_texts import QueryTexts, Statements, split_query_texts
from tracelith.ingest.sampling import adjusted_counts
from tracelith.model.schema import LINK, RESOURCE_TEXT, SPAN, RawSpans
from tracelith.model.semantic_conventions import RESOURCE_KEYS, SPAN_KEYS

__all__ = ["CLAMPED", "DescribedSpans", "describe"]

CLAMPED = 1
"""Bit of SPAN.defects: the span ended before it started and its duration was set to zero."""

_UNKNOWN_SERVICE = "unknown_service"
_MAX_ATTEMPT = 255
_SPAN_FIELDS = FieldTable(SPAN_KEYS)
_RESOURCE_FIELDS = FieldTable(RESOURCE_KEYS)


@dataclass(frozen=True, slots=True)
class DescribedSpans:
    """A batch of spans without codes yet.

    Attributes:
        spans: SPAN columns except resource and operation, and instead of them ``resource_row`` and ``operation_row``
            (UInt32), row numbers in resources and operations.
        links: LINK rows.
        resources: RESOURCE_TEXT rows. operations: OPERATION_TEXT rows. Few, but not necessarily distinct, and
            tuples because they are looked up one by one.
        details: DETAIL rows, one per span; None unless they are kept.
    """

    spans: pl.DataFrame
    links: pl.DataFrame
    resources: Sequence[TextRow]
    operations: Sequence[TextRow]
    details: pl.DataFrame | None = None


def describe(raw: RawSpans) -> DescribedSpans:
    """The batch with its known attributes as resources and operations, its outcomes, attempts and weights.

    Row order of spans is kept.
    """
    attributes, queries = split_query_texts(raw.span_attributes)
    fields = _SPAN_FIELDS.read(attributes, raw.spans.height)
    resources, resource_row = _resources(raw)
    operations, operation_row = _operations(raw.spans, fields, _QUERY_TEXTS.read(queries, fields))
    start, end = raw.spans["start_ns"].to_numpy(), raw.spans["end_ns"].to_numpy()
    status = span_statuses(raw.spans["status"].to_numpy(), fields)
    columns = {
        **{name: raw.spans[name] for name in ("trace_hi", "trace_lo", "span_id", "parent_id", "start_ns")},
        "duration_ns": np.maximum(end - start, 0),
        "resource_row": resource_row,
        "operation_row": operation_row,
        "status": status,
        "outcome": span_outcomes(status, fields),
        "attempt": np.clip(fields.numbers("resend_count"), 0, _MAX_ATTEMPT),
        "defects": np.where(end < start, CLAMPED, 0),
        "weight": adjusted_counts(raw.spans["trace_state"]),
    }
    types = dict(SPAN) | {"resource_row": pl.UInt32, "operation_row": pl.UInt32}
    spans = pl.DataFrame([pl.Series(name, column, dtype=types[name]) for name, column in columns.items()])
    return DescribedSpans(spans, _links(raw), resources, operations, raw.details)


def _links(raw: RawSpans) -> pl.DataFrame:
    """LINK rows."""
    if not raw.links.height:
        return LINK.to_frame()
    linking = raw.spans[raw.links["row"]].select("trace_hi", "trace_lo", "span_id", "start_ns")
    linked = raw.links.select(
        linked_trace_hi="trace_hi",
        linked_trace_lo="trace_lo",
        linked_span_id="span_id",
    )
    return pl.concat([linking, linked], how="horizontal").select(LINK.names())


# --- resources -----------------------------------------------------------------------------------------------------


def _resources(raw: RawSpans) -> tuple[list[TextRow], NDArray[np.int64]]:
    """RESOURCE_TEXT rows and the row of each span's resource."""
    fields = _RESOURCE_FIELDS.read(raw.resource_attributes, raw.resource_count)
    first, row = distinct_rows(list(fields.codes))
    given = zip(*(_texts(fields.values, codes[first]) for codes in fields.codes), strict=True)
    return _RESOURCE_TEXTS(list(given)), row[raw.spans["resource_row"].to_numpy()]


def _resource_text(given: Sequence[TextRow]) -> list[TextRow]:
    """RESOURCE_TEXT rows from rows of the fields of a resource."""
    named = pl.when(pl.col("service") == "").then(pl.lit(_UNKNOWN_SERVICE)).otherwise("service")
    spaced = pl.when(pl.col("namespace") == "").then(named).otherwise(pl.concat_str("namespace", named, separator="/"))
    text = pl.DataFrame(given, dict.fromkeys(_RESOURCE_FIELDS.names, pl.String), orient="row")
    return text.with_columns(service=spaced).select(RESOURCE_TEXT.names()).rows()


# --- operations ----------------------------------------------------------------------------------------------------


def _operations(spans: pl.DataFrame, fields: Fields, statements: Statements) -> tuple[list[TextRow], NDArray[np.int64]]:
    """OPERATION_TEXT rows and the row of each span's operation."""
    name_codes, names = encode_text(spans["name"])
    normal_codes, normal_names = encode_text(pl.Series(_NORMAL_NAMES(names.to_pylist())))
    scope_codes, scopes = encode_text(spans["scope"])
    kind = spans["kind"].to_numpy()
    peers = choose_peers(kind, fields)
    columns = (
        (normal_codes[name_codes], normal_names),
        (fields["http_method"], fields.values),
        (fields["http_route"], fields.values),
        (scope_codes, scopes),
        (statements.codes, statements.values),
        *((peers.codes[name], peers.values) for name in PEER_COLUMNS),
    )
    first, row = distinct_rows([kind.astype(np.int32), peers.protocol, *(codes for codes, _ in columns)])
    texts = (_texts(values, codes[first]) for codes, values in columns)
    given = zip(kind[first].tolist(), _texts(PROTOCOLS, peers.protocol[first]), *texts, strict=True)
    return _OPERATION_TEXTS(list(given)), row


def _operation_text(given: Sequence[TextRow]) -> list[TextRow]:
    return operation_text(pl.DataFrame(given, _GIVEN_OPERATION, orient="row")).rows()


def _texts(values: pa.LargeStringArray, codes: NDArray[np.int32]) -> list[str]:
    """The text behind each code; for few codes."""
    texts: list[str] = values.take(pa.array(codes)).to_pylist() if codes.any() else [""] * len(codes)
    return texts


_GIVEN_OPERATION = {"kind": pl.UInt8} | dict.fromkeys(
    ("protocol", "name", "http_method", "http_route", "scope", "statement", *PEER_COLUMNS), pl.String
)
_NORMAL_NAMES = Memo[str](lambda names: normalise_names(pl.Series(names)).to_list())
_QUERY_TEXTS = QueryTexts()
_RESOURCE_TEXTS = Memo(_resource_text)
_OPERATION_TEXTS = Memo(_operation_text)
