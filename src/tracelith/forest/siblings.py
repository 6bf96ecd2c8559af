"""The children that each span waited for, latest first, and what each of them could save at most."""

from typing import NamedTuple

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.view import Int32, Int64, UInt64

__all__ = ["Siblings", "order_siblings"]

_TOUCHING = 100
"""Siblings that overlap by up to one hundredth of their parent still count as one after the other (metrics.md §5.2)."""

_UNLIMITED_NS = np.iinfo(np.int64).max


class Siblings(NamedTuple):
    """Children by parent, as linked lists.

    Attributes:
        last: int32[n], the last-finishing child of each span; -1 if it waited for none.
        before: int32[n], the sibling that was waited for before each of these children; -1 if none.
        spare_ns: int64[n], by how much each child can shrink until the sibling that finishes next before it holds the
            parent up instead. The first to finish can shrink to nothing.
    """

    last: Int32
    before: Int32
    spare_ns: Int64


@compiled
def order_siblings(parent: Int32, start: Int64, end: Int64, span_id: UInt64, in_flight: bool) -> Siblings:
    """The children that each span waited for.

    Args:
        parent: index of the parent, or -1: such spans are no children. One per span, as are start, end and span_id.
        in_flight: the clip variant.
    """
    last, before = _children(parent)
    _sort_children(last, before, start, end, span_id)
    spare = np.full(parent.size, _UNLIMITED_NS, np.int64)
    for child in range(parent.size):
        if before[child] >= 0:
            spare[child] = end[child] - end[before[child]]
    _keep_waited_for(last, before, start, end, in_flight)
    return Siblings(last, before, spare)


@compiled
def _children(parent: Int32) -> tuple[Int32, Int32]:
    """The last child of each span in forest order, and the sibling before each child; -1 where there is none."""
    last, before = np.full(parent.size, -1, np.int32), np.full(parent.size, -1, np.int32)
    for span in range(parent.size):
        above = parent[span]
        if above >= 0:
            before[span] = last[above]
            last[above] = span
    return last, before


@compiled
def _sort_children(last: Int32, before: Int32, start: Int64, end: Int64, span_id: UInt64) -> None:
    """Sorts the children of each span, latest first."""
    line = np.empty(last.size, np.int32)
    for span in range(last.size):
        count, child = 0, last[span]
        while child >= 0:
            line[count] = child
            count, child = count + 1, before[child]
        if count > 1:
            _sort_latest_first(line[:count], start, end, span_id)
            last[span] = line[0]
            before[line[count - 1]] = -1
            for place in range(1, count):
                before[line[place - 1]] = line[place]


@compiled
def _sort_latest_first(spans: Int32, start: Int64, end: Int64, span_id: UInt64) -> None:
    """Sorts by (end descending, start descending, span id).

    Shell's sort: insertion, which suits the few children spans mostly have, but k^1.5 at worst where there are
    thousands.
    """
    gap = 1
    while gap < spans.size // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for place in range(gap, spans.size):
            span, hole = spans[place], place
            key = (end[span], start[span], ~span_id[span], -span)
            while hole >= gap:
                other = spans[hole - gap]
                if key < (end[other], start[other], ~span_id[other], -other):
                    break
                spans[hole] = other
                hole -= gap
            spans[hole] = span
        gap //= 3


@compiled
def _keep_waited_for(last: Int32, before: Int32, start: Int64, end: Int64, in_flight: bool) -> None:
    """Drops the children that their parent did not wait for."""
    for span in range(last.size):
        child, later = last[span], np.int32(-1)
        last[span] = -1
        begun, tolerance = end[span], (end[span] - start[span]) // _TOUCHING
        while child >= 0:
            following = before[child]
            # Taken off here, not added there: the end of time plus anything overflows.
            waited_for = start[child] < begun if in_flight else end[child] - tolerance <= begun
            if waited_for:
                if later < 0:
                    last[span] = child
                else:
                    before[later] = child
                before[child], later = -1, child
                begun = min(begun, start[child])  # inside the tolerance a child may start after the one that follows it
            child = following
