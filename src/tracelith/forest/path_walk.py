"""The walk along critical paths: backwards in time through each chain, from its head into every span waited for."""

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.siblings import Siblings
from tracelith.forest.view import Int32, Int64

__all__ = ["walk_chains"]


@compiled
def walk_chains(
    head: Int32, parent: Int32, start: Int64, end: Int64, siblings: Siblings
) -> tuple[Int32, Int32, Int64, Int64, Int64]:
    """Chain, span, start and end of every segment, sorted by chain and start; and the drag of every span.

    The tree itself is the stack: each span knows its parent and the last child still to visit, and what is charged to
    it ends at its cursor, which moves backwards.

    Args:
        head: the span that heads each chain.
        parent: index of the parent or -1, acyclic; one per span, as are start and end.
        start, end: each span's interval.

    Source: metrics.md §5.2; drag: §5.3, after CRISP; the limits of ancestors: own.
    """
    last, spare = siblings.last.copy(), siblings.spare_ns.copy()
    cursor, own = end.copy(), np.zeros(end.size, np.int64)
    # A span has one segment after each of its children and one before them all: fewer than two for each span.
    free = 2 * end.size
    chains, spans = np.empty(free, np.int32), np.empty(free, np.int32)
    starts, ends = np.empty(free, np.int64), np.empty(free, np.int64)
    for chain in range(head.size - 1, -1, -1):
        at = head[chain]
        while at >= 0:
            child = last[at]
            until = start[at] if child < 0 else min(end[child], cursor[at])
            if until < cursor[at]:
                free -= 1
                chains[free], spans[free], starts[free], ends[free] = chain, at, until, cursor[at]
                own[at] += cursor[at] - until
            if child < 0:
                own[at] = min(own[at], spare[at])
                at = parent[at]
                continue
            last[at] = siblings.before[child]
            cursor[at] = min(cursor[at], start[child])
            if start[child] < until:
                cursor[child], spare[child] = until, min(spare[child], spare[at])
                at = child
    return chains[free:], spans[free:], starts[free:], ends[free:], own
