"""The two sides of each call by parent: which spans leave a service, which answer, and which belong together."""

from dataclasses import dataclass

import numpy as np

from tracelith.forest.arrays import nearest_marked
from tracelith.forest.peers import Peers
from tracelith.forest.placement import Placement
from tracelith.forest.view import Bool, Int32, Int64, TraceForest
from tracelith.model.schema import Kind

__all__ = ["Sides", "match_sides", "take_sides"]


@dataclass(frozen=True, slots=True)
class Sides:
    """Calls as pairs of spans.

    Attributes:
        client: span on the caller's side; -1 if it lies in another window. server: entry span of the callee, or -1.
        caller: service that calls.
        paired: the client span describes the call; otherwise it is what the caller was doing meanwhile.
        linked: joined by a span link instead of a parent.
        sent_ns: when a producer in another trace had handed over the message; -1 for all other calls.
    """

    client: Int32
    server: Int32
    caller: Int32
    paired: Bool
    linked: Bool
    sent_ns: Int64


def match_sides(forest: TraceForest, placement: Placement, peers: Peers) -> Sides:
    """Calls between services by parent, and calls to peers without spans.

    A change of service from parent to child is a call. Its client side is the parent if that is a client span; else
    the client span around the parent, if nothing else is called inside it; else the call has no client side. A
    client span without a call inside it goes to a peer that sent no spans.

    Where kinds are missing, a span whose only child runs in another service is a client span, and so is a leaf whose
    attributes name a database, a message handed over, or another peer.
    """
    server = np.flatnonzero(placement.entry & (forest.parent >= 0)).astype(np.int32)
    above = forest.parent[server]
    crossing = placement.service[server] != placement.service[above]
    looped, server, above = above[~crossing], server[crossing], above[crossing]
    caller: Int32 = np.where(placement.above[above] >= 0, placement.above[above], above)

    calling = _client_spans(forest, placement, peers, caller)
    around = nearest_marked(placement.within, calling, forest.top_down)
    client = around[caller]
    inside = np.bincount(client[client >= 0], minlength=forest.parent.size)
    paired = (client >= 0) & ((client == caller) | (inside[client] == 1))
    client = np.where(paired, client, caller)

    busy = np.zeros(forest.parent.size, np.bool_)
    busy[around[caller][around[caller] >= 0]] = True
    busy[looped] = True
    nested = np.flatnonzero(calling & (placement.within >= 0))
    outer = around[placement.within[nested]]
    busy[outer[outer >= 0]] = True
    alone = np.flatnonzero(calling & ~busy).astype(np.int32)
    client = np.concatenate([client, alone])
    return Sides(
        client=client,
        server=np.concatenate([server, np.full(alone.size, -1, np.int32)]),
        caller=placement.service[client],
        paired=np.concatenate([paired, np.ones(alone.size, np.bool_)]),
        linked=np.zeros(client.size, np.bool_),
        sent_ns=np.full(client.size, -1, np.int64),
    )


def take_sides(sides: Sides, rows: Bool | Int64) -> Sides:
    """The calls in these rows, or where a mask says so."""
    return Sides(
        client=sides.client[rows],
        server=sides.server[rows],
        caller=sides.caller[rows],
        paired=sides.paired[rows],
        linked=sides.linked[rows],
        sent_ns=sides.sent_ns[rows],
    )


def _client_spans(forest: TraceForest, placement: Placement, peers: Peers, caller: Int32) -> Bool:
    kind, operation = forest.kind, forest.operation
    calling: Bool = ((kind == Kind.CLIENT) | (kind == Kind.PRODUCER)) & ~placement.proxy & ~placement.inward
    children = np.bincount(forest.parent[forest.parent >= 0], minlength=kind.size)
    inner = ~placement.entry & ~placement.proxy
    # Within a request, receiving a message is waiting for it; older instrumentation says CONSUMER for that.
    calling |= (kind == Kind.CONSUMER) & inner & (children == 0) & peers.receives[operation]
    kindless = (kind == Kind.UNSPECIFIED) & inner
    calling[caller[kindless[caller] & (children[caller] == 1)]] = True

    # A database or messaging client often carries its message over an instrumented transport: one call, not two.
    specific = (peers.datastore | peers.message)[operation]
    around = nearest_marked(placement.within, calling, forest.top_down)
    has_outer = (placement.within >= 0) & calling
    outer = np.where(has_outer, around[placement.within], -1)
    calling[(outer >= 0) & specific[outer] & ~specific & (children == 0)] = False

    leaf = inner & (children == 0) & ((kind == Kind.UNSPECIFIED) | (kind == Kind.INTERNAL)) & (around < 0)
    named = (peers.publishes | (peers.named & ~peers.message))[operation]
    calling |= leaf & (peers.datastore[operation] | (kindless & named))
    return calling
