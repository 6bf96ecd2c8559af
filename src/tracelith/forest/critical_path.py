"""The critical path: which span kept its chain waiting at each instant, without recursion."""

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.arrays import grouped_order, least_to_root
from tracelith.forest.calls import CallGraph
from tracelith.forest.chain_tree import ChainTree
from tracelith.forest.drag import drag_ns
from tracelith.forest.hops import label_hops
from tracelith.forest.intervals import Intervals, waiting_intervals
from tracelith.forest.siblings import Siblings, order_siblings
from tracelith.forest.view import Bool, CriticalPath, Int32, Int64, TraceForest

__all__ = ["find_critical_path"]


def find_critical_path(
    forest: TraceForest, graph: CallGraph, tree: ChainTree, *, in_flight: bool = False
) -> CriticalPath:
    """Segments that partition the interval of every chain's head.

    From the end of a span backwards: its last-finishing child was waited for, then the last sibling that had ended
    when that child began, and so on; what no child covers is the span's own time. The same inside each such child.
    Where siblings overlap within the tolerance, the earlier one is cut off at the start of the later.

    "Waited for" is a property of a span among its siblings, so it is found for all spans at once by following
    each sibling to the one before; a span is on the path if that holds for it and all its ancestors.

    Args:
        forest, graph, tree: the traces, their calls, and the chains they are cut into.
        in_flight: count a sibling that was still running when the later one began as waited for until then ("clip
            variant"). The road not taken: the parent began the later one without its answer, so it was not waiting
            for it, and a parent that starts many calls at once would wait for nearly all of them. Kept to measure
            how much a result depends on this choice.

    Source: metrics.md §5.2 (a combination of the rules of CRISP and the Jaeger UI); vectorisation: own.
    """
    intervals = waiting_intervals(forest, graph, tree)
    siblings = order_siblings(forest, tree, intervals)
    waited = np.zeros(forest.parent.size, np.bool_)
    waited[tree.head] = True
    counted = _in_flight(siblings, intervals) if in_flight else _waited_for(siblings.before, siblings.first)
    waited[siblings.span[counted]] = True
    on_path = _all_waited_for(tree.parent, waited, tree.top_down)
    span, start, end = _segments(tree, intervals, siblings, on_path)
    own_ns = np.zeros(forest.parent.size, np.int64)
    np.add.at(own_ns, span, end - start)
    chain = tree.chain[span]
    order = grouped_order(chain, start - intervals.start_ns[tree.head][chain])
    span, end = span[order], end[order]
    hops = label_hops(forest, graph, _on_their_way(graph, intervals, span, end))
    return CriticalPath(
        chain=chain[order],
        span=span,
        start_ns=start[order],
        end_ns=end,
        hop=hops.hop,
        hop_labels=hops.labels,
        hop_kinds=hops.kinds,
        hop_callers=hops.callers,
        hop_callees=hops.callees,
        drag_ns=drag_ns(tree, siblings, intervals, own_ns),
    )


@compiled
def _waited_for(before: Int32, first: Bool) -> Bool:
    """Siblings met when each first one is followed to the sibling before it, and so on."""
    met = first.copy()
    for place in range(before.size):
        if met[place] and before[place] >= 0:
            met[before[place]] = True  # it comes later
    return met


@compiled
def _all_waited_for(parent: Int32, waited: Bool, top_down: Int32) -> Bool:
    """Spans that were waited for themselves, and so were all above them."""
    on_path = waited.copy()
    for span in top_down:
        above = parent[span]
        if above >= 0 and not on_path[above]:
            on_path[span] = False
    return on_path


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


def _in_flight(siblings: Siblings, intervals: Intervals) -> Bool:
    """Siblings that had begun before all those that end later."""
    start = intervals.start_ns[siblings.span]
    before_later: Bool = start < _begun_after(siblings.parent, start, intervals.end_ns[siblings.parent])
    return before_later


def _segments(tree: ChainTree, intervals: Intervals, siblings: Siblings, on_path: Bool) -> tuple[Int32, Int64, Int64]:
    """Span, start and end of every segment, in no particular order."""
    kept = np.flatnonzero(on_path[siblings.span])
    child, parent = siblings.span[kept], siblings.parent[kept]
    start, end = intervals.start_ns, intervals.end_ns
    begun = _begun_after(parent, start[child], end[parent])
    limit = end.copy()
    limit[child] = np.minimum(end[child], begun)
    if (limit[child] < end[child]).any():
        limit = least_to_root(tree.parent, limit, tree.top_down)
    cursor = np.minimum(limit[parent], begun)
    earliest = limit.copy()
    closing = np.ones(child.size, np.bool_)
    closing[:-1] = parent[1:] != parent[:-1]
    earliest[parent[closing]] = np.minimum(cursor, start[child])[closing]
    spans = np.flatnonzero(on_path).astype(np.int32)
    span = np.concatenate([parent, spans])
    low = np.concatenate([limit[child], start[spans]])
    high = np.concatenate([cursor, earliest[spans]])
    positive = np.flatnonzero(high > low)
    return span[positive], low[positive], high[positive]


def _begun_after(parent: Int32, start: Int64, end: Int64) -> Int64:
    """For each of these children, when the earliest-starting of its siblings among them that come after it began.

    Siblings come latest first. A child that lies wholly inside the tolerance may start after the one that follows
    it; only then the running minimum is more than the neighbour's start.
    """
    begun = end.copy()
    same = parent[1:] == parent[:-1]
    begun[1:][same] = start[:-1][same]
    if (begun[1:][same] <= begun[:-1][same]).all():
        return begun
    group = np.concatenate([[0], np.cumsum(~same)])
    distinct, rank = np.unique(begun, return_inverse=True)
    # Later groups have lower keys, so that one running minimum over everything starts afresh in each.
    base = (group[-1] - group) * distinct.size
    running: Int64 = distinct[np.minimum.accumulate(rank + base) - base]
    return running
