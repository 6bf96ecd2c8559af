"""The critical path: which span kept its chain waiting at each instant, and where it spent that time."""

import numpy as np

from tracelith.forest.calls import CallGraph
from tracelith.forest.chain_tree import ChainTree
from tracelith.forest.hops import label_hops
from tracelith.forest.intervals import Intervals, waiting_intervals
from tracelith.forest.path_walk import walk_chains
from tracelith.forest.siblings import order_siblings
from tracelith.forest.view import CriticalPath, Int32, Int64, TraceForest

__all__ = ["find_critical_path"]


def find_critical_path(
    forest: TraceForest, graph: CallGraph, tree: ChainTree, *, in_flight: bool = False
) -> CriticalPath:
    """Segments that partition the interval of every chain's head.

    From the end of a span backwards: its last-finishing child was waited for, then the last sibling that had ended
    when that child began, and so on; what no child covers is the span's own time. The same inside each such child.
    Where siblings overlap within the tolerance, the earlier one is cut off at the start of the later.

    Drag is the saving to expect at most from each span on the path. It can shrink until the sibling that finishes next
    before it holds the parent up instead, and by no more than its own time on the path; that is all of its own time
    for an only child, the first to finish, and a head. What it saves reaches the head only as far as each of its
    ancestors could shrink, too.

    Args:
        forest, graph, tree: the traces, their calls, and the chains they are cut into.
        in_flight: count a sibling that was still running when the later one began as waited for until then ("clip
            variant"). The road not taken: the parent began the later one without its answer, so it was not waiting
            for it, and a parent that starts many calls at once would wait for nearly all of them. Kept to measure
            how much a result depends on this choice.

    Source: metrics.md §5.2 (a combination of the rules of CRISP and the Jaeger UI), §5.3.
    """
    intervals = waiting_intervals(forest, graph, tree)
    start, end = intervals.start_ns, intervals.end_ns
    siblings = order_siblings(intervals.parent, start, end, forest.span_id, in_flight)
    chain, span, start_ns, end_ns, drag_ns = walk_chains(tree.head, tree.parent, start, end, siblings)
    hops = label_hops(forest, graph, _on_their_way(graph, intervals, span, end_ns))
    return CriticalPath(
        chain=chain,
        span=span,
        start_ns=start_ns,
        end_ns=end_ns,
        hop=hops.hop,
        hop_labels=hops.labels,
        hop_kinds=hops.kinds,
        hop_callers=hops.callers,
        hop_callees=hops.callees,
        drag_ns=drag_ns,
    )


def _on_their_way(graph: CallGraph, intervals: Intervals, span: Int32, end: Int64) -> Int32:
    """Spans to name the hops of segments after: until the question is taken from its queue, its client.

    The receipt of an answer lasts from the question on; what it does not spend waiting for the other service it waits
    for the question's queue, and then for the answer's.
    """
    inside = graph.replies.waited_in
    if not inside.any():
        return span
    receipt, question = graph.replies.receipt[inside], graph.replies.question[inside]
    client, taken_ns = np.full(intervals.end_ns.size, -1, np.int32), intervals.start_ns.copy()
    client[receipt] = graph.calls.client[question]
    np.maximum.at(taken_ns, receipt, intervals.start_ns[graph.calls.server[question]])
    asked: Int32 = np.where((client[span] >= 0) & (end <= taken_ns[span]), client[span], span)
    return asked
