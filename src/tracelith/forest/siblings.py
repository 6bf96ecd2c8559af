"""The children of each span in the order in which their ends matter, each with the one waited for before it."""

from dataclasses import dataclass

import numpy as np

from tracelith.forest.arrays import grouped_order
from tracelith.forest.chain_tree import ChainTree
from tracelith.forest.intervals import Intervals
from tracelith.forest.view import Bool, Int32, Int64, TraceForest

__all__ = ["Siblings", "order_siblings"]

_TOUCHING = 100
"""Siblings that overlap by up to one hundredth of their parent still count as one after the other (metrics.md §5.2)."""


@dataclass(frozen=True, slots=True)
class Siblings:
    """Children that count, sorted by (parent, end descending, start descending, span id).

    Attributes:
        span, parent: int32[k]. first: bool[k], the last-finishing child of its parent.
        before: int32[k], position of the sibling that was waited for before this one began; -1 if none.
    """

    span: Int32
    parent: Int32
    first: Bool
    before: Int32


def order_siblings(forest: TraceForest, tree: ChainTree, intervals: Intervals) -> Siblings:
    """Children that count, each with the sibling before it."""
    span = np.flatnonzero(intervals.counts & (tree.parent >= 0)).astype(np.int32)
    parent = tree.parent[span]
    start, end = intervals.start_ns[span], intervals.end_ns[span]
    # Times count backwards from the end of the chain, so that sorting upwards sorts ends downwards.
    chain_end = intervals.end_ns[tree.head][tree.chain[span]]
    tolerance = (intervals.end_ns[parent] - intervals.start_ns[parent]) // _TOUCHING
    may_end = np.maximum(chain_end - start - tolerance, 0)
    ended, may_end = _small(chain_end - end, may_end, room=62 - int(parent.max(initial=0)).bit_length())
    order = grouped_order(parent, ended, -start, forest.span_id[span], span)
    span, parent, ended, may_end = span[order], parent[order], ended[order], may_end[order]

    bits = int(max(ended.max(initial=0), may_end.max(initial=0))).bit_length()
    group = parent.astype(np.int64) << bits
    before = np.searchsorted(group | ended, group | may_end)
    before = np.maximum(before, np.arange(1, span.size + 1))
    same = before < span.size
    same[same] = parent[before[same]] == parent[same]
    first = np.ones(span.size, np.bool_)
    first[1:] = parent[1:] != parent[:-1]
    return Siblings(span, parent, first, np.where(same, before, -1).astype(np.int32))


def _small(ended: Int64, may_end: Int64, room: int) -> tuple[Int64, Int64]:
    """Both as numbers of at most ``room`` bits that compare alike: as they are, or their ranks."""
    latest = int(ended.max(initial=0))
    if (latest + 1).bit_length() <= room:
        # Nothing ends later than the latest: a cap changes no comparison and bounds the number of bits.
        return ended, np.minimum(may_end, latest + 1)
    distinct = np.unique(ended)
    return np.searchsorted(distinct, ended), np.searchsorted(distinct, may_end)
