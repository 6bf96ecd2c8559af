"""Span rows as arrays: sorted by trace, only those of the windows asked for, each span once."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.forest.arrays import grouped_order
from tracelith.forest.tables import TextTable
from tracelith.forest.view import Bool, Float64, Int32, Int64, UInt8, UInt64
from tracelith.model.schema import WINDOW_NS, Kind

__all__ = ["IdIndex", "SpanRows", "TraceRows", "drop_duplicates", "sorted_traces", "span_rows"]


@dataclass(frozen=True, slots=True)
class SpanRows:
    """Columns of SPAN rows as arrays of one length; text is replaced by rows of text tables.

    ``callee`` tells the side: SERVER and CONSUMER spans, which may share the id of their CLIENT or PRODUCER.
    """

    trace: Int32
    span_id: UInt64
    parent_id: UInt64
    start_ns: Int64
    duration_ns: Int64
    resource: Int32
    operation: Int32
    kind: UInt8
    callee: Bool
    status: UInt8
    outcome: UInt8
    attempt: UInt8
    defects: UInt8
    weight: Float64


@dataclass(frozen=True, slots=True)
class TraceRows:
    """What is known of each trace: its id and the window of its earliest span."""

    hi: UInt64
    lo: UInt64
    window: Int64


@dataclass(frozen=True, slots=True)
class IdIndex:
    """Rows sorted by (span id, trace, side), so that a span is found by its id.

    Attributes:
        order: row numbers in that order.
        ids: the span ids, distinct and ascending. first: where the rows of each begin in order, one more at the end.
    """

    order: Int64
    ids: UInt64
    first: Int64


def take(rows: SpanRows, index: NDArray[Any]) -> SpanRows:
    """The rows at these positions."""
    return SpanRows(**{field.name: getattr(rows, field.name)[index] for field in fields(rows)})


def span_rows(spans: pl.DataFrame, resources: TextTable, operations: TextTable) -> SpanRows:
    """SPAN rows as arrays; their traces are not numbered yet.

    An adjusted count below 1 is no adjusted count, so it reads as unknown.
    """
    operation = operations.rows_of(spans["operation"].to_numpy())
    kind = operations.column("kind")[operation] if len(spans) else np.empty(0, np.uint8)
    weight = spans["weight"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return SpanRows(
        trace=np.zeros(len(spans), np.int32),
        span_id=spans["span_id"].to_numpy(),
        parent_id=spans["parent_id"].to_numpy(),
        start_ns=spans["start_ns"].to_numpy(),
        duration_ns=spans["duration_ns"].to_numpy(),
        resource=resources.rows_of(spans["resource"].to_numpy()),
        operation=operation,
        kind=kind,
        callee=(kind == Kind.SERVER) | (kind == Kind.CONSUMER),
        status=spans["status"].to_numpy(),
        outcome=spans["outcome"].to_numpy(),
        attempt=spans["attempt"].to_numpy(),
        defects=spans["defects"].to_numpy(),
        weight=np.where((weight >= 0.999) & np.isfinite(weight), weight, np.nan),
    )


def sorted_traces(rows: SpanRows, hi: UInt64, lo: UInt64, windows: tuple[int, ...]) -> tuple[SpanRows, TraceRows]:
    """Rows in forest order, (trace, start, span id, side), without the traces that belong to other windows.

    Traces are numbered in ascending order of the low, then the high half of their id.

    Args:
        rows: in any order, traces not numbered yet.
        hi, lo: of each row's trace.
        windows: windows to keep; all traces are kept if empty.
    """
    trace, traces = _number(rows, hi, lo, windows)
    kept = np.flatnonzero(trace >= 0) if trace.size and int(trace.min()) < 0 else None
    if kept is not None:
        trace = trace[kept]
    start_ns = rows.start_ns if kept is None else rows.start_ns[kept]
    ties = (rows.span_id, rows.callee) if kept is None else (rows.span_id[kept], rows.callee[kept])
    order = grouped_order(trace, _since_trace_start(start_ns, trace, traces), *ties)
    sorted_rows = take(rows, order if kept is None else kept[order])
    return replace(sorted_rows, trace=trace[order]), traces


def _number(rows: SpanRows, hi: UInt64, lo: UInt64, windows: tuple[int, ...]) -> tuple[Int32, TraceRows]:
    """The trace of each row, -1 for those of other windows."""
    order = _trace_order(hi, lo)
    hi, lo = hi[order], lo[order]
    opens = np.ones(order.size, np.bool_)
    opens[1:] = (hi[1:] != hi[:-1]) | (lo[1:] != lo[:-1])
    first = np.flatnonzero(opens)
    if not first.size:
        return rows.trace, TraceRows(hi, lo, np.empty(0, np.int64))
    earliest = np.minimum.reduceat(rows.start_ns[order], first)
    window = earliest // WINDOW_NS * WINDOW_NS
    kept = np.isin(window, np.array(windows, np.int64)) if windows else np.ones(window.size, np.bool_)
    number = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
    trace = np.empty(order.size, np.int32)
    trace[order] = np.repeat(number, np.diff(first, append=order.size))
    return trace, TraceRows(hi[first][kept], lo[first][kept], window[kept])


def _since_trace_start(start_ns: Int64, trace: Int32, traces: TraceRows) -> Int64:
    """Start relative to an instant near the trace's first span: small numbers, so that sort keys pack."""
    # Clocks may lie anywhere in 64 bits; where differences could overflow, ranks keep the order of what is recorded.
    if start_ns.size and int(start_ns.max()) - int(start_ns.min()) < 2**62:
        return start_ns - traces.window[trace]
    return start_ns


def drop_duplicates(rows: SpanRows) -> tuple[SpanRows, IdIndex, Int32]:
    """Each span once, an index by id, and the traces of the rows dropped.

    Rows of one trace, id and side describe the same span. Which one stays depends on what they say, not on when they
    came: the longest, then the earliest, then the one that sorts first by content.
    """
    index = _id_index(rows)
    same = _same_span(rows, index.order)
    if not same.any():
        return rows, index, np.empty(0, np.int32)
    group = np.concatenate([[0], np.cumsum(~same)])
    crowded = np.bincount(group)[group] > 1
    members, group = index.order[crowded], group[crowded]
    part = take(rows, members)
    content = (part.weight, part.defects, part.attempt, part.outcome, part.status, part.parent_id, part.resource)
    best_first = np.lexsort((*content, part.operation, part.start_ns, -part.duration_ns, group))
    repeated = np.concatenate([[False], group[best_first][1:] == group[best_first][:-1]])
    dropped = members[best_first[repeated]]
    keep = np.ones(rows.trace.size, np.bool_)
    keep[dropped] = False
    kept = take(rows, np.flatnonzero(keep))
    return kept, _id_index(kept), rows.trace[dropped]


def _trace_order(hi: UInt64, lo: UInt64) -> Int64:
    order: Int64 = np.argsort(lo)
    ordered_lo, ordered_hi = lo[order], hi[order]
    mixed = (ordered_lo[1:] == ordered_lo[:-1]) & (ordered_hi[1:] != ordered_hi[:-1])
    return np.lexsort((hi, lo)) if mixed.any() else order


def _id_index(rows: SpanRows) -> IdIndex:
    order = np.argsort(rows.span_id)
    ids = rows.span_id[order]
    again = np.concatenate([[False], ids[1:] == ids[:-1]]) if ids.size else np.empty(0, np.bool_)
    if again.any():
        tied = np.flatnonzero(again | np.concatenate([again[1:], [False]]))
        members = order[tied]
        order[tied] = members[np.lexsort((rows.callee[members], rows.trace[members], ids[tied]))]
    first = np.flatnonzero(~again)
    return IdIndex(order, ids[first], np.append(first, ids.size))


def _same_span(rows: SpanRows, order: Int64) -> Bool:
    trace, span_id, callee = rows.trace[order], rows.span_id[order], rows.callee[order]
    same: Bool = (span_id[1:] == span_id[:-1]) & (trace[1:] == trace[:-1]) & (callee[1:] == callee[:-1])
    return same
