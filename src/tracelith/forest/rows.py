"""Span rows as arrays: sorted by trace, only those of the windows asked for, each span once."""

import secrets
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.forest.parents import first_alike
from tracelith.forest.tables import TextTable
from tracelith.forest.trace_order import number_traces, order_rows
from tracelith.forest.view import Bool, Int32, Int64, UInt8, UInt64
from tracelith.model.schema import WINDOW_NS, Kind

__all__ = ["UNFORESEEN", "SpanRows", "TraceRows", "drop_duplicates", "sorted_traces", "span_rows"]

UNFORESEEN = np.uint64(secrets.randbits(64) | 1)
"""Scatters ids; where each is found differs from process to process, what is found does not."""


@dataclass(frozen=True, slots=True)
class SpanRows:
    """Columns of SPAN rows as arrays of one length; text is replaced by rows of text tables."""

    span_id: UInt64
    parent_id: UInt64
    start_ns: Int64
    duration_ns: Int64
    resource: Int32
    operation: Int32
    kind: UInt8
    outcome: UInt8
    attempt: UInt8
    defects: UInt8
    weight: NDArray[np.float32]

    @property
    def callee(self) -> Bool:
        """The side: SERVER and CONSUMER spans may share the id of their CLIENT or PRODUCER."""
        # As plain numbers: next to a member of an enumeration, NumPy makes 64 bits of the other side first.
        callee: Bool = (self.kind == int(Kind.SERVER)) | (self.kind == int(Kind.CONSUMER))
        return callee


@dataclass(frozen=True, slots=True)
class TraceRows:
    """What is known of each trace.

    Attributes:
        hi, lo: its id. window: that of its earliest span.
        first: where its rows begin, one more at the end.
    """

    hi: UInt64
    lo: UInt64
    window: Int64
    first: Int32

    def of_rows(self) -> Int32:
        """The trace of each row."""
        return np.repeat(np.arange(self.lo.size, dtype=np.int32), np.diff(self.first))


def take(rows: SpanRows, index: NDArray[Any]) -> SpanRows:
    """The rows at these positions."""
    return SpanRows(**{field.name: getattr(rows, field.name).take(index) for field in fields(rows)})


def span_rows(spans: pl.DataFrame, resources: TextTable, operations: TextTable) -> SpanRows:
    """SPAN rows as arrays, as they come; unknown weights are NaN."""
    operation = operations.rows_of(spans["operation"].to_numpy())
    return SpanRows(
        span_id=spans["span_id"].to_numpy(),
        parent_id=spans["parent_id"].to_numpy(),
        start_ns=spans["start_ns"].to_numpy(),
        duration_ns=spans["duration_ns"].to_numpy(),
        resource=resources.rows_of(spans["resource"].to_numpy()),
        operation=operation,
        kind=operations.column("kind").take(operation) if len(spans) else np.empty(0, np.uint8),
        outcome=spans["outcome"].to_numpy(),
        attempt=spans["attempt"].to_numpy(),
        defects=spans["defects"].to_numpy(),
        weight=spans["weight"].fill_null(np.nan).to_numpy(),
    )


def sorted_traces(rows: SpanRows, hi: UInt64, lo: UInt64, windows: tuple[int, ...]) -> tuple[SpanRows, TraceRows]:
    """Rows in forest order, (trace, start, span id, side), without the traces that belong to other windows.

    Traces are numbered in ascending order of the low, then the high half of their id.

    Args:
        rows: in any order.
        hi, lo: of each row's trace.
        windows: windows to keep; all traces are kept if empty.
    """
    met, example, earliest = number_traces(hi, lo, rows.start_ns, UNFORESEEN)
    window = earliest // WINDOW_NS * WINDOW_NS
    kept = _ascending(hi[example], lo[example])
    if windows:
        kept = kept[np.isin(window[kept], np.array(windows, np.int64))]
    place = np.full(window.size, -1, np.int32)
    place[kept] = np.arange(kept.size, dtype=np.int32)
    order, first = order_rows(met, place, kept.size, (rows.start_ns, rows.span_id, rows.callee))
    return take(rows, order), TraceRows(hi[example[kept]], lo[example[kept]], window[kept], first)


def _ascending(hi: UInt64, lo: UInt64) -> Int64:
    """Positions of trace ids in ascending order; the low half is random and nearly always decides."""
    order = np.argsort(lo)
    return np.lexsort((hi, lo)) if (np.diff(lo[order]) == 0).any() else order


def drop_duplicates(rows: SpanRows, traces: TraceRows) -> tuple[SpanRows, TraceRows, Int32]:
    """Each span once, and how many rows of each trace were dropped.

    Rows of one trace, id and side describe the same span. Which one stays depends on what they say, not on when they
    came: the longest, then the earliest, then the one that sorts first by content.
    """
    alike = first_alike(traces.first, rows.span_id, rows.callee, UNFORESEEN)
    repeated = alike != np.arange(alike.size)
    if not repeated.any():
        return rows, traces, np.zeros(traces.lo.size, np.int32)
    several = repeated.copy()
    several[alike[repeated]] = True
    members = np.flatnonzero(several)
    part, alike = take(rows, members), alike[members]
    content = (part.weight, part.defects, part.attempt, part.outcome, part.parent_id, part.resource, part.operation)
    best_first = np.lexsort((*content, part.start_ns, -part.duration_ns, alike))
    dropped = members[best_first[1:][np.diff(alike[best_first]) == 0]]
    keep = np.ones(repeated.size, np.bool_)
    keep[dropped] = False
    counts = np.bincount(traces.of_rows()[dropped], minlength=traces.lo.size).astype(np.int32)
    first = traces.first - np.concatenate([[0], np.cumsum(counts, dtype=np.int32)])
    return take(rows, np.flatnonzero(keep)), replace(traces, first=first.astype(np.int32)), counts
