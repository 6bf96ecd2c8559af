"""Cuts traces into synchronous chains: what a root, or the receiver of a deferred call, has to wait for."""

from dataclasses import dataclass

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.arrays import parents_first
from tracelith.forest.calls import CallGraph
from tracelith.forest.parents import cut_cycles
from tracelith.forest.replies import Replies
from tracelith.forest.view import Bool, Int32, Int64, TraceForest
from tracelith.model.schema import Kind

__all__ = ["ChainTree", "cut_chains"]


@dataclass(frozen=True, slots=True)
class ChainTree:
    """Chains of complete traces as trees of spans.

    Attributes:
        head: int32[c], the span that heads each chain, ascending.
        restarted: bool[c], that span received a deferred call.
        chain: int32[n], chain of each span; -1 outside complete traces.
        parent: int32[n], the parent within the chain; -1 for heads and outside complete traces.
        top_down: int32[n], all spans in an order in which each comes after its parent.
        hops: int32[n], awaited service hops between the head and the span.
        arrives: bool[n], the span answers an awaited call of another service: one hop more than its parent.
        landing: int32[n], where the visit to the service of each span began: the nearest head or arrival at or above.
        asking, answered_ns: int32[k], int64[k], questions over queues whose answer a listener took, and when: the
            request waited inside the span for so long.
    """

    head: Int32
    restarted: Bool
    chain: Int32
    parent: Int32
    top_down: Int32
    hops: Int32
    arrives: Bool
    landing: Int32
    asking: Int32
    answered_ns: Int64


def cut_chains(forest: TraceForest, graph: CallGraph) -> ChainTree:
    """The chains of all complete traces.

    Chains are cut at every call that was not awaited, decided or not, and where a service consumes its own message:
    nobody is known to wait there. What answers over a queue goes on below the span in which its asker waited for it.
    """
    calls, replies, kind = graph.calls, graph.replies, forest.kind
    received, arrives, cut = _handled(calls.server, calls.awaited, calls.linked, kind.size)
    consumer = np.flatnonzero((kind == Kind.CONSUMER) & (forest.parent >= 0))
    cut[consumer[kind[forest.parent[consumer]] == Kind.PRODUCER]] = True
    cut[replies.answering] = False
    arrives[replies.answering] = True

    complete = forest.trace_complete.take(forest.trace)
    parent: Int32 = np.where(cut | ~complete, np.int32(-1), forest.parent)
    parent = _below_receipts(forest, replies, parent, complete)
    arrives &= parent >= 0
    top_down = parents_first(parent) if replies.answering.size else forest.top_down
    head = np.flatnonzero(complete & (parent < 0)).astype(np.int32)
    chain, hops, landing = _follow_chains(head, parent, arrives, top_down)
    woken = replies.question[~replies.waited_in]
    return ChainTree(
        head=head,
        restarted=received[head] | (kind[head] == Kind.CONSUMER),
        chain=chain,
        parent=parent,
        top_down=top_down,
        hops=hops,
        arrives=arrives,
        landing=landing,
        asking=calls.client[woken],
        answered_ns=forest.start_ns[replies.receipt[~replies.waited_in]],
    )


@compiled
def _handled(server: Int32, awaited: Bool, linked: Bool, spans: int) -> tuple[Bool, Bool, Bool]:
    """Spans that received a call nobody awaited, that answer an awaited call of their parent's, or one it did not."""
    received, arrives, cut = np.zeros(spans, np.bool_), np.zeros(spans, np.bool_), np.zeros(spans, np.bool_)
    for call in range(server.size):
        span = server[call]
        if span >= 0 and awaited[call]:
            arrives[span] |= not linked[call]
        elif span >= 0:
            received[span] = True
            cut[span] |= not linked[call]
    return received, arrives, cut


@compiled
def _follow_chains(head: Int32, parent: Int32, arrives: Bool, top_down: Int32) -> tuple[Int32, Int32, Int32]:
    """The chain of each span, its hops, and where the visit to its service began."""
    chain, hops, landing = np.full(parent.size, -1, np.int32), np.zeros(parent.size, np.int32), parent.copy()
    for number in range(head.size):
        chain[head[number]] = number
    for span in top_down:
        above = parent[span]
        if above >= 0:
            chain[span] = chain[above]
            hops[span] = hops[above] + arrives[span]
        landing[span] = span if above < 0 or arrives[span] else landing[above]
    return chain, hops, landing


def _below_receipts(forest: TraceForest, replies: Replies, parent: Int32, complete: Bool) -> Int32:
    """Parents of a chain, with what answers over a queue below the span in which its asker waited."""
    kept = complete[replies.answering]
    if not kept.any():
        return parent
    moved = parent.copy()
    moved[replies.answering[kept]] = replies.under[kept]
    if (forest.parent[replies.answering[kept]] >= 0).all():
        return moved
    # Span links can claim that two requests waited for each other.
    return cut_cycles(moved)[0]
