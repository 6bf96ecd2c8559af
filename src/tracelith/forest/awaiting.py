"""Whether a caller waited for a call: decided per instance, on raw clocks, before anything is corrected."""

from typing import NamedTuple, TypeVar

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.peers import Peers
from tracelith.forest.placement import Placement
from tracelith.forest.sides import Sides
from tracelith.forest.view import Bool, Int32, Int64, TraceForest, UInt8
from tracelith.model.schema import Kind, Outcome

T = TypeVar("T", Int64, np.int64)

__all__ = ["decide_awaited", "messages", "tolerance_ns"]

_LEAST_TOLERANCE_NS = 1_000_000
"""1 ms: what schedulers and millisecond exporters blur (metrics.md §1.3)."""


@compiled
def tolerance_ns(duration_ns: T) -> T:
    """By how much a child may outlast a parent of this duration: 1 ms, or 1 % of it (metrics.md §1.3)."""
    tolerance: T = np.maximum(_LEAST_TOLERANCE_NS, duration_ns // 100)
    return tolerance


def decide_awaited(forest: TraceForest, placement: Placement, sides: Sides, message: Bool) -> tuple[Bool, Bool]:
    """For each call, whether it was awaited and whether it was deferred; neither if its spans cannot tell.

    A message is deferred, and so is what a span link joins. A request is awaited if its client span ends within the
    caller's request and the server within the client span. Client and caller share a clock, so that comparison is
    safe; client and server often do not, and then their durations decide: an answer cannot take longer than the wait
    for it. A client that gave up (failed or cancelled) has waited, however long the server went on.

    Without a client side only the server's own clock is left. Inside the caller's request it is awaited, longer than
    it is deferred; sticking out of it is deferred on one clock and not decidable on two.

    Source: metrics.md §1.3, §1.4.
    """
    return _decide(_Spans(forest.start_ns, forest.duration_ns, forest.outcome), placement, sides, message)


def messages(forest: TraceForest, peers: Peers, sides: Sides) -> Bool:
    """Which calls hand a message over instead of asking for an answer."""
    kind = forest.operations["kind"].to_numpy()
    kindless = (kind == Kind.UNSPECIFIED) | (kind == Kind.INTERNAL)
    received = (kind == Kind.CONSUMER) | (kindless & peers.message)
    published = (kind == Kind.PRODUCER) | peers.publishes
    return _handed_over(forest.operation, sides, published, received)


@compiled
def _handed_over(operation: Int32, sides: Sides, published: Bool, received: Bool) -> Bool:
    message = sides.linked.copy()
    for call in range(message.size):
        if not message[call]:  # so that there is a client
            server = sides.server[call]
            message[call] = (sides.paired[call] and published[operation[sides.client[call]]]) or (
                server >= 0 and received[operation[server]]
            )
    return message


class _Spans(NamedTuple):
    """What spans say of themselves."""

    start_ns: Int64
    duration_ns: Int64
    outcome: UInt8


@compiled
def _decide(spans: _Spans, placement: Placement, sides: Sides, message: Bool) -> tuple[Bool, Bool]:
    awaited, deferred = np.zeros(message.size, np.bool_), message.copy()
    for call in range(message.size):
        if message[call]:  # as is every call without a client
            continue
        client, server = sides.client[call], sides.server[call]
        request = placement.request[client]
        one_clock = server >= 0 and placement.clock[server] == placement.clock[client]
        if sides.paired[call]:
            in_request = request == client or _ends_within(spans, client, request)
            awaited[call] = in_request and (server < 0 or _answered(spans, client, server, one_clock))
            deferred[call] = not awaited[call]
        else:
            slack = tolerance_ns(spans.duration_ns[request])
            begins_after = spans.start_ns[server] >= spans.start_ns[request] - slack
            awaited[call] = begins_after and _ends_within(spans, server, request)
            deferred[call] = not awaited[call] and (one_clock or not _fits(spans, server, request))
    return awaited, deferred


@compiled
def _answered(spans: _Spans, client: int, server: int, one_clock: bool) -> bool:
    if spans.outcome[client] == Outcome.FAILED or spans.outcome[client] == Outcome.CANCELLED:  # it gave up
        return True
    return _ends_within(spans, server, client) if one_clock else _fits(spans, server, client)


@compiled
def _ends_within(spans: _Spans, inner: int, outer: int) -> bool:
    inner_end = spans.start_ns[inner] + spans.duration_ns[inner]
    outer_ns = spans.duration_ns[outer]
    # Taken off here, not added there: the end of time plus anything overflows.
    within: bool = inner_end - tolerance_ns(outer_ns) <= spans.start_ns[outer] + outer_ns
    return within


@compiled
def _fits(spans: _Spans, inner: int, outer: int) -> bool:
    outer_ns = spans.duration_ns[outer]
    fits: bool = spans.duration_ns[inner] - tolerance_ns(outer_ns) <= outer_ns
    return fits
