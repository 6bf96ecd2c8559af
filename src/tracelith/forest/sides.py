"""The two sides of each call by parent: which spans leave a service, which answer, and which belong together."""

from typing import NamedTuple

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.peers import Peers
from tracelith.forest.placement import Placement
from tracelith.forest.view import Bool, Int32, Int64, TraceForest, UInt8
from tracelith.model.schema import Kind

__all__ = ["Sides", "match_sides", "take_sides"]

# What a span tells of whether it is a client span: it is; it is as a leaf; it is as a leaf in no other client span;
# it has no kind, so that its child may tell; it speaks of a database or of messages.
_CALLS = 1
_CALLS_AS_LEAF = 2
_CALLS_IF_ALONE = 4
_KINDLESS = 8
_SPECIFIC = 16


class Sides(NamedTuple):
    """Calls as pairs of spans, sorted by (client, server, caller); a tuple, for compiled functions take no dataclass.

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
    caller = _callers(forest.parent, placement.service, placement.above)
    around = _client_spans(forest.parent, placement.within, forest.top_down, caller, _hints(forest, placement, peers))
    calls_inside, busy = _inside(forest.parent, placement.within, caller, around)
    client, server, paired = _joined(caller, around, calls_inside, busy)
    return Sides(
        client=client,
        server=server,
        caller=placement.service.take(client),
        paired=paired,
        linked=np.zeros(client.size, np.bool_),
        sent_ns=np.full(client.size, -1, np.int64),
    )


def take_sides(sides: Sides, rows: Bool | Int64) -> Sides:
    """The calls in these rows, or where a mask says so."""
    return Sides._make(column[rows] for column in sides)


def _hints(forest: TraceForest, placement: Placement, peers: Peers) -> UInt8:
    """What each span tells of whether it is a client span."""
    kind = forest.operations["kind"].to_numpy()
    kindless = kind == Kind.UNSPECIFIED
    named = peers.datastore | (kindless & (peers.publishes | (peers.named & ~peers.message)))
    told = np.zeros(kind.size, np.uint8)
    told[(kind == Kind.CLIENT) | (kind == Kind.PRODUCER)] |= _CALLS
    # Within a request, receiving a message is waiting for it; older instrumentation says CONSUMER for that.
    told[(kind == Kind.CONSUMER) & peers.receives] |= _CALLS_AS_LEAF
    told[(kindless | (kind == Kind.INTERNAL)) & named] |= _CALLS_IF_ALONE
    told[kindless] |= _KINDLESS
    told[peers.datastore | peers.message] |= _SPECIFIC
    hints: UInt8 = told.take(forest.operation)
    hints[placement.proxy] = 0
    hints[placement.inward] &= ~np.uint8(_CALLS)
    return hints


@compiled
def _callers(parent: Int32, service: Int32, above: Int32) -> Int32:
    """The span that calls each span from another service, that of a sidecar left out; -1 without one."""
    caller = np.full(parent.size, -1, np.int32)
    for span in range(parent.size):
        at = parent[span]
        if at >= 0 and service[span] != service[at]:
            caller[span] = above[at] if above[at] >= 0 else at
    return caller


@compiled
def _client_spans(parent: Int32, within: Int32, top_down: Int32, caller: Int32, hints: UInt8) -> Int32:
    """The nearest client span of the same request at or above each span, -1 without one."""
    children = np.zeros(parent.size, np.int32)
    left = np.zeros(parent.size, np.bool_)
    for span in range(parent.size):
        if parent[span] >= 0:
            children[parent[span]] += 1
        if caller[span] >= 0:
            left[caller[span]] = True

    around = np.empty(parent.size, np.int32)
    for span in top_down:
        outer = around[within[span]] if within[span] >= 0 else -1
        hint, leaf = hints[span], children[span] == 0
        calls = (hint & _CALLS) != 0
        if within[span] >= 0 and leaf:
            calls |= (hint & _CALLS_AS_LEAF) != 0 or ((hint & _CALLS_IF_ALONE) != 0 and outer < 0)
        elif within[span] >= 0 and children[span] == 1:
            calls |= (hint & _KINDLESS) != 0 and left[span]
        if calls and leaf and outer >= 0 and (hint & _SPECIFIC) == 0:
            # A database or messaging client often carries its message over an instrumented transport: one call.
            calls = (hints[outer] & _SPECIFIC) == 0
        around[span] = span if calls else outer
    return around


@compiled
def _inside(parent: Int32, within: Int32, caller: Int32, around: Int32) -> tuple[Int32, Bool]:
    """How many other services are called inside each client span, and inside which spans anything at all is called."""
    calls = np.zeros(parent.size, np.int32)
    busy = np.zeros(parent.size, np.bool_)
    for span in range(parent.size):
        outer = -1
        if caller[span] >= 0:
            outer = around[caller[span]]
            if outer >= 0:
                calls[outer] += 1
        elif within[span] < 0:
            outer = parent[span]
        elif around[span] == span:
            outer = around[within[span]]
        if outer >= 0:
            busy[outer] = True
    return calls, busy


@compiled
def _joined(caller: Int32, around: Int32, calls_inside: Int32, busy: Bool) -> tuple[Int32, Int32, Bool]:
    """Client and server of each call, and whether they are paired; sorted by client, then server."""
    client_of = np.full(caller.size, -1, np.int32)
    first = np.zeros(caller.size + 1, np.int32)
    for span in range(caller.size):
        if caller[span] >= 0:
            outer = around[caller[span]]
            client_of[span] = outer if outer >= 0 and calls_inside[outer] == 1 else caller[span]
            first[client_of[span] + 1] += 1
        if around[span] == span and not busy[span]:
            first[span + 1] += 1
    for span in range(caller.size):
        first[span + 1] += first[span]

    calls = first[-1]
    client, server, paired = np.empty(calls, np.int32), np.full(calls, -1, np.int32), np.ones(calls, np.bool_)
    for span in range(caller.size):
        if client_of[span] >= 0:
            at = first[client_of[span]]
            first[client_of[span]] += 1
            client[at], server[at] = client_of[span], span
            paired[at] = around[client_of[span]] == client_of[span]
        if around[span] == span and not busy[span]:
            client[first[span]] = span
    return client, server, paired
