"""Whether a caller waited for a call: decided per instance, on raw clocks, before anything is corrected."""

import numpy as np

from tracelith.forest.peers import Peers
from tracelith.forest.placement import Placement
from tracelith.forest.sides import Sides
from tracelith.forest.view import Bool, Int32, Int64, TraceForest
from tracelith.model.schema import Kind, Outcome

__all__ = ["decide_awaited", "messages", "tolerance_ns"]

_LEAST_TOLERANCE_NS = 1_000_000
"""1 ms: what schedulers and millisecond exporters blur (metrics.md §1.3)."""


def tolerance_ns(duration_ns: Int64) -> Int64:
    """By how much a child may outlast a parent of this duration: 1 ms, or 1 % of it (metrics.md §1.3)."""
    return np.maximum(_LEAST_TOLERANCE_NS, duration_ns // 100)


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
    request = placement.request[sides.client]
    in_request = (request == sides.client) | _ends_within(forest, sides.client, request)
    answered = (sides.server < 0) | _answered(forest, placement, sides)
    paired = in_request & answered
    inside, undecided = _unpaired(forest, placement, sides)
    awaited = ~message & np.where(sides.paired, paired, inside)
    deferred = message | ~(awaited | (~sides.paired & undecided))
    return awaited, deferred


def messages(forest: TraceForest, peers: Peers, sides: Sides) -> Bool:
    """Which calls hand a message over instead of asking for an answer."""
    client_kind, server_kind = forest.kind[sides.client], forest.kind[sides.server]
    has_server = sides.server >= 0
    kindless_server = (server_kind == Kind.UNSPECIFIED) | (server_kind == Kind.INTERNAL)
    received = (server_kind == Kind.CONSUMER) | (kindless_server & peers.message[forest.operation[sides.server]])
    published: Bool = (client_kind == Kind.PRODUCER) | peers.publishes[forest.operation[sides.client]]
    message: Bool = sides.linked | (sides.paired & published) | (has_server & received)
    return message


def _ends_within(forest: TraceForest, inner: Int32, outer: Int32) -> Bool:
    inner_end = forest.start_ns[inner] + forest.duration_ns[inner]
    outer_ns = forest.duration_ns[outer]
    within: Bool = inner_end <= forest.start_ns[outer] + outer_ns + tolerance_ns(outer_ns)
    return within


def _fits(forest: TraceForest, inner: Int32, outer: Int32) -> Bool:
    outer_ns = forest.duration_ns[outer]
    fits: Bool = forest.duration_ns[inner] <= outer_ns + tolerance_ns(outer_ns)
    return fits


def _answered(forest: TraceForest, placement: Placement, sides: Sides) -> Bool:
    one_clock = placement.clock[sides.server] == placement.clock[sides.client]
    in_time = np.where(
        one_clock, _ends_within(forest, sides.server, sides.client), _fits(forest, sides.server, sides.client)
    )
    outcome = forest.outcome[sides.client]
    gave_up: Bool = (outcome == Outcome.FAILED) | (outcome == Outcome.CANCELLED)
    return gave_up | in_time


def _unpaired(forest: TraceForest, placement: Placement, sides: Sides) -> tuple[Bool, Bool]:
    request = placement.request[sides.client]
    slack = tolerance_ns(forest.duration_ns[request])
    begins_after = forest.start_ns[sides.server] >= forest.start_ns[request] - slack
    inside = begins_after & _ends_within(forest, sides.server, request)
    one_clock = placement.clock[sides.server] == placement.clock[sides.client]
    return inside, ~one_clock & _fits(forest, sides.server, request)
