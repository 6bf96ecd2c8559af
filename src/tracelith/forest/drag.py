"""Drag: how much a chain would gain at most if one span on its critical path took no time of its own."""

import numpy as np

from tracelith.forest.critical_path import Siblings
from tracelith.forest.intervals import Intervals
from tracelith.forest.view import CriticalPath, Int64

__all__ = ["drag_ns"]


def drag_ns(path: CriticalPath, siblings: Siblings, intervals: Intervals) -> Int64:
    """The saving to expect at most from each span, in nanoseconds.

    A span can shrink until the sibling that finishes next before it holds the parent up instead, and by no more than
    its own time on the path; that is all of its own time for an only child, the first to finish, and a head.

    Returns:
        int64[n], 0 for spans that are not on the path. Savings of several spans do not add up.

    Source: metrics.md §5.3, after CRISP.
    """
    drag = np.zeros(intervals.start_ns.size, np.int64)
    np.add.at(drag, path.span, path.end_ns - path.start_ns)
    follows = siblings.parent[1:] == siblings.parent[:-1]
    span, next_before = siblings.span[:-1][follows], siblings.span[1:][follows]
    limit = intervals.end_ns[span] - intervals.end_ns[next_before]
    drag[span] = np.minimum(drag[span], limit)
    return drag
