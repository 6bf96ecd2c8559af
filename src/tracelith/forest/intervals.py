"""The interval in which each span can have kept its chain waiting: clocks aligned, overhang cut off."""

from dataclasses import dataclass

import numpy as np

from tracelith.forest.arrays import fold_ancestors
from tracelith.forest.awaiting import tolerance_ns
from tracelith.forest.calls import CallGraph
from tracelith.forest.chain_tree import ChainTree
from tracelith.forest.view import Bool, Int64, TraceForest

__all__ = ["Intervals", "waiting_intervals"]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Attributes: start_ns, end_ns: int64[n] on the clock of the chain's head. counts: lies within all ancestors."""

    start_ns: Int64
    end_ns: Int64
    counts: Bool


def waiting_intervals(forest: TraceForest, graph: CallGraph, tree: ChainTree) -> Intervals:
    """Intervals of all spans, each inside those of its ancestors in the chain.

    A server on another host that sticks out of the client which awaited it, but is not longer, is centred in it and
    takes its subtree along; nothing else is moved. What then sticks out of an ancestor is cut off; what lies outside
    does not count, nor does anything below it.

    Source: metrics.md §1.4, §5.2.
    """
    shift = _shifts(forest, graph, tree)
    start = forest.start_ns + shift
    end = start + forest.duration_ns
    inside = tree.parent < 0
    inside |= (start >= start[tree.parent]) & (end <= end[tree.parent])
    if not inside.all():
        start = fold_ancestors(tree.parent, start, np.maximum)
        end = fold_ancestors(tree.parent, end, np.minimum)
    return Intervals(start, end, (tree.chain >= 0) & (start <= end))


def _shifts(forest: TraceForest, graph: CallGraph, tree: ChainTree) -> Int64:
    """By how much each span is moved, its ancestors' moves included."""
    shift = np.zeros(forest.parent.size, np.int64)
    calls, clock = graph.calls, graph.placement.clock
    rows = np.flatnonzero(graph.skewed)
    rows = rows[tree.arrives[calls.server[rows]]]
    client, server = calls.client[rows], calls.server[rows]
    client_ns, server_ns = forest.duration_ns[client], forest.duration_ns[server]
    fits = (server_ns <= client_ns + tolerance_ns(client_ns)) & (clock[client] != clock[server])
    centred = forest.start_ns[client] + np.maximum(client_ns - server_ns, 0) // 2 - forest.start_ns[server]
    shift[server[fits]] = centred[fits]
    return fold_ancestors(tree.parent, shift, np.add) if fits.any() else shift
