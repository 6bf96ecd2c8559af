"""Finds the calls that leave a service: both sides joined, attempts of one logical call numbered together."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelith.compiled import compiled
from tracelith.forest.attempts import number_attempts
from tracelith.forest.awaiting import decide_awaited, messages
from tracelith.forest.clock_offset import CLOCK_GRAIN_NS
from tracelith.forest.links import join_links
from tracelith.forest.peers import Peers, name_peers
from tracelith.forest.placement import Placement, place_spans
from tracelith.forest.replies import Replies, find_replies
from tracelith.forest.sides import Sides, match_sides
from tracelith.forest.view import Bool, Calls, Int32, Int64, TraceForest
from tracelith.model.ports import WindowSpans

__all__ = ["CallGraph", "find_calls"]


@dataclass(frozen=True, slots=True)
class CallGraph:
    """Calls with what paths and data quality need besides.

    Attributes:
        calls: what analyses see. paired: bool[m], the client span describes the call.
        placement: where each span runs. peers: nodes, and the peer of each operation.
        replies: answers over queues. served_ns: int64[m], how long the server needed until its answer, 0 without one.
        skewed: bool[m], awaited, but by the clocks of two hosts the server began before or ended after its client.
        unpaired: bool[m], a client span that no server answered, though services and the like could have.
    """

    calls: Calls
    paired: Bool
    placement: Placement
    peers: Peers
    replies: Replies
    served_ns: Int64
    skewed: Bool
    unpaired: Bool


def find_calls(forest: TraceForest, window: WindowSpans) -> CallGraph:
    """The calls of all traces, complete or not, sorted by (client, server).

    Calls inside a service are no calls. A message handed over by span link is a call whose client is -1 if its
    producer lies in another window.

    Source: metrics.md §1.2, §1.3.
    """
    placement = place_spans(forest)
    peers = name_peers(forest.operations, forest.services)
    sides = join_links(forest, window, placement, match_sides(forest, placement, peers))
    message = messages(forest, peers, sides)
    awaited, deferred = decide_awaited(forest, placement, sides, message)
    replies = find_replies(forest, placement, sides, message)
    times = _times(forest, placement, sides, awaited, replies)
    awaited[replies.question], deferred[replies.question] = True, False
    request, callee = _requests_and_callees(placement, forest.operation, peers.node, sides)
    logical, final = number_attempts(forest, sides, callee)
    calls = Calls(
        client=sides.client,
        server=sides.server,
        request=request,
        caller=sides.caller,
        callee=callee,
        node_names=peers.names,
        node_kinds=peers.kinds,
        awaited=awaited,
        deferred=deferred,
        logical=logical,
        final=final,
        duration_ns=times.duration_ns,
        network_ns=times.network_ns,
        linked=sides.linked,
        sent_ns=_sent_ns(forest, sides, message),
        reply=_assigned(sides, replies.question, replies.receipt),
        answers=_assigned(sides, replies.answer, replies.question),
        span_request=placement.request,
        span_service=placement.service,
    )
    answering = np.array([kind in ("service", "external") for kind in peers.kinds], np.bool_)
    return CallGraph(
        calls=calls,
        paired=sides.paired,
        placement=placement,
        peers=peers,
        replies=replies,
        served_ns=times.served_ns,
        skewed=times.skewed,
        unpaired=(sides.server < 0) & answering.take(callee),
    )


@compiled
def _requests_and_callees(placement: Placement, operation: Int32, node: Int32, sides: Sides) -> tuple[Int32, Int32]:
    request, callee = np.full(sides.client.size, -1, np.int32), np.empty(sides.client.size, np.int32)
    for call in range(callee.size):
        client, server = sides.client[call], sides.server[call]
        if client >= 0:
            request[call] = placement.request[client]
        callee[call] = placement.service[server] if server >= 0 else node[operation[client]]
    return request, callee


def _assigned(sides: Sides, rows: Int64, values: NDArray[Any]) -> Int32:
    """One value for each call, -1 for those without."""
    assigned = np.full(sides.client.size, -1, np.int32)
    assigned[rows] = values
    return assigned


def _sent_ns(forest: TraceForest, sides: Sides, message: Bool) -> Int64:
    sent = np.full(message.size, -1, np.int64)
    rows = np.flatnonzero(message)
    client = sides.client[rows]
    sent[rows] = np.where(client >= 0, forest.start_ns[client] + forest.duration_ns[client], sides.sent_ns[rows])
    return sent


@dataclass(frozen=True, slots=True)
class _Times:
    """Columns of Calls and CallGraph."""

    duration_ns: Int64
    network_ns: Int64
    served_ns: Int64
    skewed: Bool


def _times(forest: TraceForest, placement: Placement, sides: Sides, awaited: Bool, replies: Replies) -> _Times:
    """How long calls took on either side.

    Args:
        awaited: without the questions over queues that ``replies`` tells of: none of these has a network time.
    """
    start, asked = forest.start_ns, replies.question
    duration, served, network = _durations(forest.duration_ns, sides, awaited)
    asker = np.where(sides.paired[asked], sides.client[asked], sides.server[asked])
    duration[asked] = start[replies.receipt] + forest.duration_ns[replies.receipt] - start[asker]
    served[asked] = start[sides.client[replies.answer]] - start[sides.server[asked]]
    waited = network >= 0
    waited[asked] = True
    return _Times(duration, network, served, waited & _sticking_out(start, placement.clock, sides, duration, served))


@compiled
def _durations(duration_ns: Int64, sides: Sides, awaited: Bool) -> tuple[Int64, Int64, Int64]:
    """How long each call took as its caller saw it, how long its server took, and the difference where it tells."""
    calls = awaited.size
    duration, served, network = np.empty(calls, np.int64), np.zeros(calls, np.int64), np.full(calls, -1, np.int64)
    for call in range(calls):
        client, server = sides.client[call], sides.server[call]
        by_client = client >= 0 and sides.paired[call]
        duration[call] = duration_ns[client if by_client else server]
        if server >= 0:
            served[call] = duration_ns[server]
            if by_client and awaited[call]:
                network[call] = max(duration[call] - served[call], 0)
    return duration, served, network


@compiled
def _sticking_out(start_ns: Int64, clock: Int32, sides: Sides, waited_ns: Int64, served_ns: Int64) -> Bool:
    """Which servers began before or ended after their client, by the clocks of two hosts."""
    out = np.zeros(sides.client.size, np.bool_)
    for call in range(out.size):
        client, server = sides.client[call], sides.server[call]
        if client >= 0 and server >= 0 and clock[client] != clock[server]:
            asked, began = start_ns[client], start_ns[server]
            early = began < asked - CLOCK_GRAIN_NS
            out[call] = early or began + served_ns[call] > asked + waited_ns[call] + CLOCK_GRAIN_NS
    return out
