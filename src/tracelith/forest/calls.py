"""Finds the calls that leave a service: both sides joined, attempts of one logical call numbered together."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelith.forest.arrays import pack_keys
from tracelith.forest.awaiting import decide_awaited, messages
from tracelith.forest.clock_offset import CLOCK_GRAIN_NS
from tracelith.forest.links import join_links
from tracelith.forest.peers import Peers, name_peers
from tracelith.forest.placement import Placement, place_spans
from tracelith.forest.replies import Replies, find_replies
from tracelith.forest.sides import Sides, match_sides
from tracelith.forest.view import Bool, Calls, Int32, Int64, TraceForest
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
    answered = sides.server >= 0
    both = sides.paired & answered & (sides.client >= 0) & awaited
    replies = find_replies(forest, placement, sides, message)
    awaited[replies.question], deferred[replies.question] = True, False
    reply = _assigned(sides, replies.question, replies.receipt)
    timed = np.where(sides.paired & (sides.client >= 0), sides.client, sides.server)
    callee: Int32 = np.where(answered, placement.service[sides.server], peers.node[forest.operation[sides.client]])
    ends = forest.start_ns + forest.duration_ns
    duration = np.where(reply >= 0, ends[reply] - forest.start_ns[timed], forest.duration_ns[timed])
    served = np.where(answered, forest.duration_ns[sides.server], np.int64(0))
    handled_in, answer = sides.server[replies.question], sides.client[replies.answer]
    served[replies.question] = forest.start_ns[answer] - forest.start_ns[handled_in]
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
        duration_ns=duration,
        network_ns=np.where(both, np.maximum(duration - forest.duration_ns[sides.server], 0), np.int64(-1)),
        linked=sides.linked,
        sent_ns=np.where(message, np.where(sides.client >= 0, ends[sides.client], sides.sent_ns), np.int64(-1)),
        reply=reply,
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
        served_ns=served,
        skewed=(both | (reply >= 0)) & _sticks_out(forest, placement, sides, duration, served),
        unpaired=~answered & answering[callee],
    )


def _assigned(sides: Sides, rows: Int64, values: NDArray[Any]) -> Int32:
    """One value for each call, -1 for those without."""
    assigned = np.full(sides.client.size, -1, np.int32)
    assigned[rows] = values
    return assigned


def _sticks_out(forest: TraceForest, placement: Placement, sides: Sides, waited_ns: Int64, served_ns: Int64) -> Bool:
    client, server = sides.client, sides.server
    asked, began = forest.start_ns[client], forest.start_ns[server]
    early = began < asked - CLOCK_GRAIN_NS
    late = began + served_ns > asked + waited_ns + CLOCK_GRAIN_NS
    two_clocks: Bool = placement.clock[client] != placement.clock[server]
    return two_clocks & (early | late)


def _logical_calls(forest: TraceForest, sides: Sides, callee: Int32) -> tuple[Int32, Bool]:
    """Numbers the logical calls and marks the last attempt of each (metrics.md §1.2).

    An attempt repeats the call before it under the same parent, to the same callee with the same operation name,
    if that one was over and had failed, or if the attempt itself counts resends.
    """
    count = sides.client.size
    attempt = _attempt_span(sides)
    repeatable = _repeatable(forest, sides, callee, attempt)
    order, repeats = _repeats(forest, sides, callee, attempt, repeatable)
    final = np.ones(count, np.bool_)
    final[order[:-1][repeats]] = False
    # The first attempt of each logical call, which is numbered like the call it is.
    opens = np.ones(order.size, np.bool_)
    opens[1:] = ~repeats
    first = np.arange(count, dtype=np.int32)
    first[order] = order[np.maximum.accumulate(np.where(opens, np.arange(order.size), 0))]
    number = np.cumsum(first == np.arange(count), dtype=np.int32) - np.int32(1)
    return number[first], final


def _repeatable(forest: TraceForest, sides: Sides, callee: Int32, attempt: Int64) -> Int64:
    """Calls that share parent and callee with another: all that can repeat or be repeated, and few others."""
    parent = forest.parent[attempt]
    own = sides.linked | (parent < 0)
    key, _ = pack_keys(np.where(own, 0, parent + 1), callee)
    order = np.argsort(key)
    ordered = key[order]
    same = ordered[1:] == ordered[:-1]
    shared = np.zeros(key.size, np.bool_)
    shared[order[1:][same]] = True
    shared[order[:-1][same]] = True
    repeatable: Int64 = np.flatnonzero(shared & ~own)
    return repeatable


def _repeats(forest: TraceForest, sides: Sides, callee: Int32, attempts: Int64, rows: Int64) -> tuple[Int64, Bool]:
    """These rows with attempts of one call together, first to last, and which of them repeats the one before it."""
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
    again = _failed(forest, sides, attempts)[rows[before]] | (forest.attempt[attempt[after]] >= 1)
    return rows[order], same & over & again


def _attempt_span(sides: Sides) -> Int64:
    """The span that times each attempt: the client, or the server where one client span made several attempts."""
    several = np.bincount(sides.client[sides.client >= 0], minlength=1)
    alone = sides.paired & (sides.client >= 0) & (several[np.maximum(sides.client, 0)] == 1)
    spans: Int64 = np.where(alone | (sides.server < 0), sides.client, sides.server).astype(np.int64)
    return spans


def _failed(forest: TraceForest, sides: Sides, attempt: Int64) -> Bool:
    lost = (int(Outcome.FAILED), int(Outcome.CANCELLED))
    failed: Bool = np.isin(forest.outcome[attempt], lost)
    failed |= (sides.server >= 0) & (forest.outcome[sides.server] == Outcome.FAILED)
    return failed
