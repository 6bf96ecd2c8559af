"""The interval in which each span can have kept its chain waiting: clocks aligned, overhang cut off."""

from dataclasses import dataclass

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.arrays import sum_to_root
from tracelith.forest.awaiting import tolerance_ns
from tracelith.forest.calls import CallGraph
from tracelith.forest.chain_tree import ChainTree
from tracelith.forest.clock_offset import HostCalls, clock_offsets
from tracelith.forest.view import Int32, Int64, TraceForest
from tracelith.model.schema import Outcome

__all__ = ["Intervals", "waiting_intervals"]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Where and below what each span can have been waited for.

    Attributes:
        start_ns, end_ns: int64[n], on the clock of the chain's head.
        parent: int32[n], the parent within the chain; -1 for heads and for spans that lie outside an ancestor.
    """

    start_ns: Int64
    end_ns: Int64
    parent: Int32


def waiting_intervals(forest: TraceForest, graph: CallGraph, tree: ChainTree) -> Intervals:
    """Intervals of all spans, each inside those of its ancestors in the chain.

    Where a trace shows that the clocks of two hosts disagree, the servers of all its calls between the two are moved
    by one offset that suits all of them, so that they keep their order. Where no offset does, a server that sticks
    out of the client which awaited it, but is not longer, is centred in it. Either takes its subtree along; nothing
    else is moved. What then sticks out of an ancestor is cut off; what lies outside does not count, nor does
    anything below it. A question over a queue whose answer a listener took lasts until then.

    Source: metrics.md §1.4, §5.2.
    """
    shift = _shifts(forest, graph, tree)
    start = forest.start_ns + shift
    end = start + forest.duration_ns
    end[tree.asking] = np.maximum(end[tree.asking], tree.answered_ns + shift[tree.asking])
    return Intervals(start, end, _cut_to_ancestors(tree.parent, start, end, tree.top_down))


@compiled
def _cut_to_ancestors(parent: Int32, start: Int64, end: Int64, top_down: Int32) -> Int32:
    """Cuts each interval in place to what lies within all ancestors; the parents of spans of which anything does."""
    holding = parent.copy()
    for span in top_down:
        above = parent[span]
        if above >= 0:
            start[span] = max(start[span], start[above])
            end[span] = min(end[span], end[above])
            if start[span] > end[span]:
                holding[span] = -1
    return holding


def _shifts(forest: TraceForest, graph: CallGraph, tree: ChainTree) -> Int64:
    """By how much each span is moved, its ancestors' moves included."""
    shift = np.zeros(forest.parent.size, np.int64)
    rows = _calls_between_hosts(forest, graph, tree)
    if not rows.size:
        return shift
    client, server = graph.calls.client[rows], graph.calls.server[rows]
    client_ns, server_ns = graph.calls.duration_ns[rows], graph.served_ns[rows]
    offsets = clock_offsets(_host_calls(forest, graph, rows))
    fits = server_ns <= client_ns + tolerance_ns(client_ns)
    centred = forest.start_ns[client] + np.maximum(client_ns - server_ns, 0) // 2 - forest.start_ns[server]
    alone = np.where(graph.skewed[rows] & fits, centred, 0)
    shift[server] = np.where(offsets.confident, offsets.offset_ns, alone)
    return sum_to_root(tree.parent, shift, tree.top_down)


def _calls_between_hosts(forest: TraceForest, graph: CallGraph, tree: ChainTree) -> Int64:
    """Rows of awaited calls between two clocks with both sides, in traces where any such server sticks out."""
    calls, clock = graph.calls, graph.placement.clock
    if not graph.skewed.any():
        return np.empty(0, np.int64)
    disagrees = np.zeros(forest.trace_root.size, np.bool_)
    disagrees[forest.trace[calls.server[graph.skewed]]] = True
    two_sided = (calls.network_ns >= 0) | (calls.reply >= 0)
    rows = np.flatnonzero(two_sided & disagrees[forest.trace[calls.server]])
    client, server = calls.client[rows], calls.server[rows]
    between: Int64 = rows[tree.arrives[server] & (clock[client] != clock[server])]
    return between


def _host_calls(forest: TraceForest, graph: CallGraph, rows: Int64) -> HostCalls:
    client, server = graph.calls.client[rows], graph.calls.server[rows]
    trace = forest.trace[client]
    outcome = forest.outcome[client]
    return HostCalls(
        trace=trace,
        caller_clock=graph.placement.clock[client],
        callee_clock=graph.placement.clock[server],
        since_ns=forest.start_ns[client] - forest.start_ns[forest.trace_first[trace]],
        client_start_ns=forest.start_ns[client],
        client_ns=graph.calls.duration_ns[rows],
        server_start_ns=forest.start_ns[server],
        server_ns=graph.served_ns[rows],
        answered=(outcome != Outcome.FAILED) & (outcome != Outcome.CANCELLED),
    )
