"""Rows in forest order: those of a trace together, each trace by start; what is near in the store stays near."""

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.view import Bool, Int32, Int64, UInt64

__all__ = ["number_traces", "order_rows"]

Keys = tuple[Int64, UInt64, Bool]
"""What rows of one trace are sorted by: start, span id, callee's side."""

_RUN = 32
"""So many rows are sorted by comparing each with each, in loops without branches; longer runs are merged."""


@compiled
def number_traces(hi: UInt64, lo: UInt64, start_ns: Int64, odd: np.uint64) -> tuple[Int32, Int64, Int64]:
    """The trace of each row, numbered as they come, and of each trace its first row and its earliest start.

    Args:
        hi, lo: of each row's trace id.
        odd: a number that nobody can foresee: clients choose trace ids, and could choose such as collide.
    """
    bits = 1
    while 1 << bits < 2 * lo.size:  # half of the slots stay free, so that a free one is never far
        bits += 1
    slots = np.full(1 << bits, -1, np.int32)
    trace = np.empty(lo.size, np.int32)
    first, earliest = np.empty(lo.size, np.int64), np.empty(lo.size, np.int64)
    found, count = -1, 0
    for row in range(lo.size):
        if found < 0 or lo[row] != lo[first[found]] or hi[row] != hi[first[found]]:  # else that of the row before
            slot = np.int64((hi[row] * odd + lo[row]) * odd >> np.uint64(64 - bits))
            found = slots[slot]
            while found >= 0 and (lo[row] != lo[first[found]] or hi[row] != hi[first[found]]):
                slot = (slot + 1) & (slots.size - 1)
                found = slots[slot]
            if found < 0:
                found = slots[slot] = count
                first[found] = row
                earliest[found] = start_ns[row]
                count += 1
        trace[row] = found
        earliest[found] = min(earliest[found], start_ns[row])
    return trace, first[:count], earliest[:count]


@compiled
def order_rows(group: Int32, place: Int32, places: int, keys: Keys) -> tuple[Int64, Int32]:
    """Rows sorted by the place of their group, then by keys; and where those of each place begin, one more at the end.

    Args:
        group: of each row.
        place: of each group, below ``places``; rows of groups at -1 are left out.
        keys: of each row.
    """
    first = np.zeros(places + 2, np.int32)
    for row in range(group.size):
        first[place[group[row]] + 2] += 1
    first[1] = 0  # so many were left out
    for at in range(2, places + 2):
        first[at] += first[at - 1]
    order = np.empty(first[places + 1], np.int64)
    for row in range(group.size):
        at = place[group[row]]
        if at >= 0:
            order[first[at + 1]] = row
            first[at + 1] += 1
    spare = np.empty(order.size + 2 * _RUN, np.int64)
    for at in range(places):
        _sort(order[first[at] : first[at + 1]], spare, keys)
    return order, first[: places + 1]


@compiled
def _sort(rows: Int64, spare: Int64, keys: Keys) -> None:
    """Sorts the rows of one trace in place, by merging ever longer runs."""
    for begin in range(0, rows.size, _RUN):
        _sort_few(rows[begin : begin + _RUN], spare, keys)
    length = _RUN
    while length < rows.size:
        for begin in range(0, rows.size - length, 2 * length):
            _merge(rows[begin : begin + 2 * length], length, spare, keys)
        length *= 2


@compiled
def _sort_few(rows: Int64, spare: Int64, keys: Keys) -> None:
    """Puts each row where as many come before it as precede it."""
    came, before = spare[: rows.size], spare[rows.size : 2 * rows.size]
    for at in range(rows.size):
        came[at] = rows[at]
        before[at] = at
        for other in range(at):
            precedes = _precedes(came[at], came[other], keys)
            before[other] += precedes
            before[at] -= precedes
    for at in range(rows.size):
        rows[before[at]] = came[at]


@compiled
def _merge(rows: Int64, half: int, spare: Int64, keys: Keys) -> None:
    """Merges the first ``half`` of the rows with the others; either part is sorted."""
    for at in range(half):
        spare[at] = rows[at]
    left, right = 0, half
    for at in range(rows.size):
        if left == half:
            break
        if right < rows.size and _precedes(rows[right], spare[left], keys):
            rows[at] = rows[right]
            right += 1
        else:
            rows[at] = spare[left]
            left += 1


@compiled
def _precedes(row: int, other: int, keys: Keys) -> bool:
    start_ns, span_id, callee = keys
    if start_ns[row] != start_ns[other]:
        return bool(start_ns[row] < start_ns[other])
    if span_id[row] != span_id[other]:
        return bool(span_id[row] < span_id[other])
    return bool(callee[row] < callee[other])
