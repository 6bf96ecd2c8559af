"""Drag: how much a chain would gain at most if one span on its critical path took no time of its own."""

import numpy as np

from tracelith.forest.arrays import least_to_root
from tracelith.forest.chain_tree import ChainTree
from tracelith.forest.intervals import Intervals
from tracelith.forest.siblings import Siblings
from tracelith.forest.view import Int64

__all__ = ["drag_ns"]

_UNLIMITED_NS = np.iinfo(np.int64).max


def drag_ns(tree: ChainTree, siblings: Siblings, intervals: Intervals, own_ns: Int64) -> Int64:
    """The saving to expect at most from each span, in nanoseconds.

    A span can shrink until the sibling that finishes next before it holds the parent up instead, and by no more than
    its own time on the path; that is all of its own time for an only child, the first to finish, and a head. What it
    saves reaches the head only as far as each of its ancestors could shrink, too.

    Args:
        tree, siblings, intervals: of the same forest.
        own_ns: int64[n], time on the critical path charged to each span itself.

    Returns:
        int64[n], 0 for spans that are not on the path. Savings of several spans do not add up.

    Source: metrics.md §5.3, after CRISP; the limits of ancestors: own.
    """
    limit = np.full(own_ns.size, _UNLIMITED_NS, np.int64)
    follows = siblings.parent[1:] == siblings.parent[:-1]
    span, next_before = siblings.span[:-1][follows], siblings.span[1:][follows]
    limit[span] = intervals.end_ns[span] - intervals.end_ns[next_before]
    drag: Int64 = np.minimum(own_ns, least_to_root(tree.parent, limit, tree.top_down))
    return drag
