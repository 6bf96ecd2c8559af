"""What spans mean: their attributes become the RESOURCE and OPERATION rows that the store keeps.

Three steps, none of which loops over spans: fields.py turns attributes into codes; here the codes that apply to a
span are chosen by its kind and protocol; the distinct combinations, a few hundred in a batch, become text.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tracelith.ingest.fields import Fields, FieldTable, distinct_rows, encode_text
from tracelith.ingest.naming import normalise_names
from tracelith.ingest.outcomes import span_outcomes, span_statuses
from tracelith.ingest.peers import choose_peers, operation_text, protocol_names
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
        resources: RESOURCE_TEXT rows. operations: OPERATION_TEXT rows. Few, but not necessarily distinct.
        details: DETAIL rows, one per span; None unless they are kept.
    """

    spans: pl.DataFrame
    links: pl.DataFrame
    resources: pl.DataFrame
    operations: pl.DataFrame
    details: pl.DataFrame | None = None


def describe(raw: RawSpans) -> DescribedSpans:
    """The batch with its known attributes as resources and operations, its outcomes, attempts and weights.

    Row order of spans is kept.
    """
    fields = _SPAN_FIELDS.read(raw.span_attributes, raw.spans.height)
    resources, resource_row = _resources(raw)
    operations, operation_row = _operations(raw.spans, fields)
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


def _resources(raw: RawSpans) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """RESOURCE_TEXT rows and the row of each span's resource."""
    fields = _RESOURCE_FIELDS.read(raw.resource_attributes, raw.resource_count)
    first, row = distinct_rows(list(fields.codes))
    text = _frame({name: fields.texts(name, first) for name in fields.names})
    named = pl.when(pl.col("service") == "").then(pl.lit(_UNKNOWN_SERVICE)).otherwise("service")
    spaced = pl.when(pl.col("namespace") == "").then(named).otherwise(pl.concat_str("namespace", named, separator="/"))
    return text.with_columns(service=spaced).select(RESOURCE_TEXT.names()), row[raw.spans["resource_row"].to_numpy()]


# --- operations ----------------------------------------------------------------------------------------------------


def _operations(spans: pl.DataFrame, fields: Fields) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """OPERATION_TEXT rows and the row of each span's operation."""
    name_codes, names = encode_text(spans["name"])
    normal_codes, normal_names = encode_text(normalise_names(pl.Series(names)))
    scope_codes, scopes = encode_text(spans["scope"])
    kind = spans["kind"].to_numpy()
    peers = choose_peers(kind, fields)
    columns = {
        "name": (normal_codes[name_codes], normal_names),
        "http_method": (fields["http_method"], fields.values),
        "http_route": (fields["http_route"], fields.values),
        "scope": (scope_codes, scopes),
        **{name: (codes, peers.values) for name, codes in peers.codes.items()},
    }
    kinds = kind.astype(np.int32)
    first, row = distinct_rows([kinds, peers.protocol, *(codes for codes, _ in columns.values())])
    text = _frame(
        {
            "kind": pa.array(kind[first]),
            "protocol": protocol_names(peers.protocol[first]),
            **{name: values.take(pa.array(codes[first])) for name, (codes, values) in columns.items()},
        }
    )
    return operation_text(text), row


def _frame(columns: dict[str, pa.Array]) -> pl.DataFrame:
    """One conversion for all columns: for small frames it costs less than one per column."""
    frame = pl.from_arrow(pa.record_batch(columns))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - from_arrow returns a Series for arrays only; tells mypy
    return frame
