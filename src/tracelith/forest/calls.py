"""Finds the calls that leave a service: both sides joined, attempts of one logical call numbered together."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelith.compiled import compiled
from tracelith.forest.arrays import pack_keys
from tracelith.forest.awaiting import decide_awaited, messages
from tracelith.forest.clock_offset import CLOCK_GRAIN_NS
from tracelith.forest.links import join_links
from tracelith.forest.peers import Peers, name_peers
from tracelith.forest.placement import Placement, place_spans
from tracelith.forest.replies import Replies, find_replies
from tracelith.forest.sides import Sides, match_sides
from tracelith.forest.view import Bool, Calls, Int32, Int64, TraceForest, UInt8
from tracelith.model.ports import WindowSpans
from tracelith.model.schema import Outcome

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
    answered = sides.server >= 0
    callee: Int32 = np.where(answered, placement.service[sides.server], peers.node[forest.operation[sides.client]])
    logical, final = _logical_calls(forest, sides, callee)
    calls = Calls(
        client=sides.client,
        server=sides.server,
        request=np.where(sides.client >= 0, placement.request[sides.client], np.int32(-1)),
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
        unpaired=~answered & answering[callee],
    )


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


def _logical_calls(forest: TraceForest, sides: Sides, callee: Int32) -> tuple[Int32, Bool]:
    """Numbers the logical calls and marks the last attempt of each (metrics.md §1.2).

    An attempt repeats the call before it under the same parent, to the same callee with the same operation name,
    if that one was over and had failed, or if the attempt itself counts resends.
    """
    count = sides.client.size
    attempt = _attempt_spans(sides)
    failed = _failed(forest.outcome, sides, attempt)
    order, repeats = _repeats(forest, sides, callee, attempt, failed)
    final = np.ones(count, np.bool_)
    final[order[:-1][repeats]] = False
    # The first attempt of each logical call, which is numbered like the call it is.
    opens = np.ones(order.size, np.bool_)
    opens[1:] = ~repeats
    first = np.arange(count, dtype=np.int32)
    first[order] = order[np.maximum.accumulate(np.where(opens, np.arange(order.size), 0))]
    number = np.cumsum(first == np.arange(count), dtype=np.int32) - np.int32(1)
    return number[first], final


def _repeatable(forest: TraceForest, sides: Sides, callee: Int32, attempt: Int32, failed: Bool) -> Int64:
    """Calls that share parent and callee with another, where any under that parent is one that is tried again."""
    parent = np.where(sides.linked, np.int32(-1), forest.parent[attempt])
    tried_again = np.zeros(forest.parent.size, np.bool_)
    tried_again[parent[(failed | (forest.attempt[attempt] >= 1)) & (parent >= 0)]] = True
    rows = np.flatnonzero(tried_again[parent] & (parent >= 0))
    key, _ = pack_keys(parent[rows], callee[rows])
    order = np.argsort(key)
    ordered = key[order]
    same = ordered[1:] == ordered[:-1]
    shared = np.zeros(key.size, np.bool_)
    shared[order[1:][same]] = True
    shared[order[:-1][same]] = True
    repeatable: Int64 = rows[shared]
    return repeatable


def _repeats(forest: TraceForest, sides: Sides, callee: Int32, attempts: Int32, failed: Bool) -> tuple[Int64, Bool]:
    """Rows with attempts of one call together, first to last, and which of them repeats the one before it."""
    rows = _repeatable(forest, sides, callee, attempts, failed)
    attempt = attempts[rows]
    names = forest.operations["name"].rank("dense").to_numpy()
    start, duration = forest.start_ns[attempt], forest.duration_ns[attempt]
    keys = (names[forest.operation[attempt]], callee[rows], forest.parent[attempt])
    order = np.lexsort((sides.server[rows], attempt, start, *keys))
    before, after = order[:-1], order[1:]
    same = np.ones(before.size, np.bool_)
    for key in keys:
        same &= key[before] == key[after]
    over = start[after] - start[before] >= duration[before]
    again = failed[rows[before]] | (forest.attempt[attempt[after]] >= 1)
    return rows[order], same & over & again


@compiled
def _attempt_spans(sides: Sides) -> Int32:
    """The span that times each attempt: the client, or the server where one client span made several attempts."""
    client, calls = sides.client, sides.client.size
    attempt = client.copy()
    for call in range(calls):
        several = (call > 0 and client[call - 1] == client[call]) or (
            call + 1 < calls and client[call + 1] == client[call]
        )
        if sides.server[call] >= 0 and (several or client[call] < 0 or not sides.paired[call]):
            attempt[call] = sides.server[call]
    return attempt


@compiled
def _failed(outcome: UInt8, sides: Sides, attempt: Int32) -> Bool:
    """Which attempts failed: by the span that times them, or by their server."""
    failed = np.zeros(attempt.size, np.bool_)
    for call in range(attempt.size):
        span, server = attempt[call], sides.server[call]
        lost = outcome[span] == Outcome.FAILED or outcome[span] == Outcome.CANCELLED
        failed[call] = lost or (server >= 0 and outcome[server] == Outcome.FAILED)
    return failed
