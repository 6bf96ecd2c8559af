"""Cuts traces into synchronous chains: what a root, or the receiver of a deferred call, has to wait for."""

from dataclasses import dataclass

import numpy as np

from tracelith.forest.arrays import nearest_marked, parents_first, sum_to_root
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
    asking: Int32
    answered_ns: Int64


def cut_chains(forest: TraceForest, graph: CallGraph) -> ChainTree:
    """The chains of all complete traces.

    Chains are cut at every call that was not awaited, decided or not, and where a service consumes its own message:
    nobody is known to wait there. What answers over a queue goes on below the span in which its asker waited for it.
    """
    calls, parent = graph.calls, forest.parent
    received = np.zeros(parent.size, np.bool_)
    received[calls.server[~calls.awaited & (calls.server >= 0)]] = True
    by_parent = ~calls.linked & (calls.server >= 0)
    arrives = np.zeros(parent.size, np.bool_)
    arrives[calls.server[by_parent & calls.awaited]] = True
    cut = np.zeros(parent.size, np.bool_)
    cut[calls.server[by_parent & ~calls.awaited]] = True
    own_message = (forest.kind == Kind.CONSUMER) & (forest.kind[parent] == Kind.PRODUCER) & (parent >= 0)
    cut |= own_message
    replies = graph.replies
    cut[replies.answering] = False
    arrives[replies.answering] = True

    complete = forest.trace_complete[forest.trace]
    chain_parent: Int32 = np.where(cut | ~complete, np.int32(-1), parent)
    chain_parent = _below_receipts(forest, replies, chain_parent, complete)
    headed = complete & (chain_parent < 0)
    head = np.flatnonzero(headed).astype(np.int32)
    number = np.full(parent.size, -1, np.int32)
    number[head] = np.arange(head.size, dtype=np.int32)
    woken = replies.question[~replies.waited_in]
    top_down = parents_first(chain_parent) if replies.answering.size else forest.top_down
    above = nearest_marked(chain_parent, headed, top_down)
    return ChainTree(
        head=head,
        restarted=(cut | received | (forest.kind == Kind.CONSUMER))[head],
        chain=np.where(above >= 0, number[above], np.int32(-1)),
        parent=chain_parent,
        top_down=top_down,
        hops=sum_to_root(chain_parent, (arrives & (chain_parent >= 0)).astype(np.int32), top_down),
        arrives=arrives & (chain_parent >= 0),
        asking=calls.client[woken],
        answered_ns=forest.start_ns[replies.receipt[~replies.waited_in]],
    )


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
