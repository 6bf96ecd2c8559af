"""The steps that a service takes within a request."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate import instrumentation
from tracelith.simulate.execution.ledger import Ledger, Place
from tracelith.simulate.execution.spans import Ints, OpenSpans, Recorder
from tracelith.simulate.execution.world import FAILED, FINE, World
from tracelith.simulate.flow import (
    Answer,
    Cached,
    Call,
    External,
    Parallel,
    Publish,
    Query,
    Repeat,
    Sometimes,
    Stall,
    Step,
    Task,
    Wait,
    Work,
)
from tracelith.simulate.instrumentation import TIMED_OUT, SpanShape
from tracelith.simulate.latency import Latency, Micros
from tracelith.simulate.topology import Database, Service

__all__ = ["Progress", "Walk", "give_up", "handle", "own_time", "take_steps", "wait_for_slowest"]

Progress = tuple[Micros, Ints]
"""When each request goes on, and with which HTTP status (or TIMED_OUT, REFUSED)."""

_FAILS_AFTER = Latency(0.6, 3)  # what a broken service needs to answer 500


@dataclass(slots=True)
class Walk:
    """One slice of requests on its way through a system.

    Attributes:
        rng: decides what happens. recorder: keeps spans. ledger: keeps where time goes; None if nobody asks.
        from_us, until_us: the slice holds the requests that arrive in this half-open time.
        call, publish: how steps go on that leave the service; given, as those modules walk steps in turn.
        slow_messages: group stalls that have found the message that brought them about.
    """

    world: World
    rng: np.random.Generator
    recorder: Recorder
    ledger: Ledger | None
    from_us: int
    until_us: int
    call: Callable[["Walk", Call, OpenSpans, Micros], Progress]
    publish: Callable[["Walk", Publish, OpenSpans, Micros], Progress]
    slow_messages: set[tuple[int, int]] = field(default_factory=set)

    def accept(self, service: Service, above: OpenSpans, at_us: Micros) -> OpenSpans:
        """Spans of a random running instance of the service, opened below spans of somebody else."""
        instance = self.world.instance(service, self.rng, at_us)
        opened = replace(
            above.below(self.recorder.new_ids(at_us.size)),
            service=service,
            hops=above.hops + (above.service is not None and above.service.name != service.name),
            instance=instance,
            resource=self.world.fleet.running(service, instance, at_us),
        )
        if self.ledger is not None:
            self.ledger.arrive(opened, at_us)
        return opened

    def new_traces(self, messages: OpenSpans) -> OpenSpans:
        """Traces of their own for what is done with these messages."""
        count = messages.count
        high, low = self.recorder.new_ids(count), self.recorder.new_ids(count)
        return replace(messages, trace_hi=high, trace_lo=low, span_id=np.zeros(count, np.uint64))

    def inside(self, within: OpenSpans) -> OpenSpans:
        """Spans that the same process opens below its own."""
        return within.below(self.recorder.new_ids(within.count))

    def spend(self, place: Callable[[], Place], within: OpenSpans, start_us: Micros, end_us: Micros) -> None:
        """Tells the ledger, if there is one."""
        if self.ledger is not None:
            self.ledger.spend(place(), within, start_us, end_us)

    def shape(self, key: tuple[object, ...], make: Callable[[int], SpanShape]) -> Callable[[int], SpanShape]:
        """Makes a shape once per status. The key names step and owner: what else the shape depends on."""
        shapes = self.world.shapes

        def made(status: int) -> SpanShape:
            found = shapes.get((*key, status))
            if found is None:
                found = shapes[(*key, status)] = make(status)
            return found

        return made


def handle(
    walk: Walk, steps: tuple[Step, ...], requests: OpenSpans, at_us: Micros, broken: NDArray[np.bool_] | None = None
) -> Progress:
    """A service handles requests that it accepted at at_us; broken ones fail at once."""
    slower_us = walk.world.slower_us(requests.owner, walk.rng, at_us)
    if slower_us is not None:
        at_us = own_time(walk, requests, at_us, slower_us)
    if broken is None:
        return take_steps(walk, steps, requests, at_us)
    end_us, status = at_us.copy(), np.where(broken, FAILED, FINE)
    for rows, taken in ((np.flatnonzero(broken), None), (np.flatnonzero(~broken), steps)):
        some, begun_us = requests.take(rows), at_us[rows]
        if taken is None:
            end_us[rows] = own_time(walk, some, begun_us, _FAILS_AFTER.draw_us(walk.rng, rows.size))
        elif rows.size:
            end_us[rows], status[rows] = take_steps(walk, taken, some, begun_us)
    return end_us, status


def own_time(walk: Walk, within: OpenSpans, at_us: Micros, taken_us: Micros | int) -> Micros:
    """The service itself takes so long; returns when it is over."""
    end_us = at_us + taken_us
    walk.spend(lambda: Place("service", within.owner.name, within.owner.name), within, at_us, end_us)
    return end_us


def take_steps(walk: Walk, steps: tuple[Step, ...], within: OpenSpans, start_us: Micros) -> Progress:
    """One step after another; requests that fail (4xx or 5xx) leave the others out."""
    at_us, status = start_us, np.full(start_us.size, FINE)
    for step in steps:
        rows = np.flatnonzero(status < 400)
        if rows.size == status.size:
            at_us, status = _take(walk, step, within, at_us)
        elif rows.size:
            at_us, status = at_us.copy(), status.copy()
            at_us[rows], status[rows] = _take(walk, step, within.take(rows), at_us[rows])
    return at_us, status


def give_up(
    walk: Walk, within: OpenSpans, since: tuple[int, int], end_us: Micros, given_up_us: Micros
) -> tuple[Micros, NDArray[np.intp]]:
    """Nobody waits longer than that, whatever goes on elsewhere.

    Args:
        since: the ledger's mark from which on time was waited for. end_us: when it would be over.
        given_up_us: when the patience is.

    Returns:
        When it is over, and the requests that gave up.
    """
    late = np.flatnonzero(end_us > given_up_us)
    if late.size:
        end_us = np.minimum(end_us, given_up_us)
        if walk.ledger is not None:
            walk.ledger.cut(since, within, late, given_up_us[late])
    return end_us, late


def wait_for_slowest(
    walk: Walk, within: OpenSpans, start_us: Micros, branches: tuple[Callable[[], Progress], ...]
) -> Progress:
    """Branches that start together. The worst status counts; of equally slow ones the first is the one waited for."""
    marks = [(0, 0)]
    ends, statuses = [start_us], [np.full(start_us.size, FINE)]
    for branch in branches:
        if walk.ledger is not None:
            marks.append(walk.ledger.mark())
        end_us, status = branch()
        ends.append(end_us)
        statuses.append(status)
    if walk.ledger is not None:
        last = np.argmax(ends[1:], axis=0)
        marks.append(walk.ledger.mark())
        for number in range(len(branches)):
            losers = np.flatnonzero(last != number)
            walk.ledger.drop(marks[number + 1], marks[number + 2], within, losers)
    return np.max(ends, axis=0), np.max(statuses, axis=0)


def _take(walk: Walk, step: Step, within: OpenSpans, at_us: Micros) -> Progress:
    """One step."""
    status = np.full(at_us.size, FINE)
    match step:
        case Work() | Stall() | Wait():
            moved = own_time(walk, within, at_us, _taken_us(walk, step, within, at_us)), status
        case Answer():
            moved = at_us, np.where(walk.rng.random(at_us.size) < step.probability, step.status, FINE)
        case Sometimes():
            rows = np.flatnonzero(walk.rng.random(at_us.size) < step.probability)
            moved = _some(walk, step.steps, within, rows, at_us)
        case Repeat():
            moved = _repeat(walk, step, within, at_us)
        case Parallel():
            runs = tuple(partial(take_steps, walk, branch, within, at_us) for branch in step.branches)
            moved = wait_for_slowest(walk, within, at_us, runs)
        case Task():
            moved = _task(walk, step, within, at_us)
        case Query() | Cached() | External() | Call() | Publish():
            moved = _leave(walk, step, within, at_us)
        case _:
            assert_never(step)
    return moved


def _taken_us(walk: Walk, step: Work | Stall | Wait, within: OpenSpans, at_us: Micros) -> Micros:
    match step:
        case Work():
            taken_us = step.time.draw_us(walk.rng, at_us.size)
        case Stall():
            taken_us = step.episodes.wait_us(walk.world.seed_of(within.owner), within.instance, at_us)
        case Wait():
            seed = walk.world.seed_of(within.owner) if step.queue.per_instance else walk.world.seed
            taken_us = step.queue.wait_us(seed, within.instance, at_us)
        case _:
            assert_never(step)
    return taken_us


def _leave(walk: Walk, step: Query | Cached | External | Call | Publish, within: OpenSpans, at_us: Micros) -> Progress:
    """A step that leaves the service."""
    match step:
        case Query():
            moved = _query(walk, step, within, at_us)
        case Cached():
            moved = _cached(walk, step, within, at_us)
        case External():
            moved = _external(walk, step, within, at_us)
        case Call():
            moved = walk.call(walk, step, within, at_us)
        case Publish():
            moved = walk.publish(walk, step, within, at_us)
        case _:
            assert_never(step)
    return moved


def _some(walk: Walk, steps: tuple[Step, ...], within: OpenSpans, rows: NDArray[np.intp], at_us: Micros) -> Progress:
    """Only some of the requests take the steps; the others go on at once."""
    end_us, status = at_us.copy(), np.full(at_us.size, FINE)
    if rows.size:
        end_us[rows], status[rows] = take_steps(walk, steps, within.take(rows), at_us[rows])
    return end_us, status


def _repeat(walk: Walk, step: Repeat, within: OpenSpans, at_us: Micros) -> Progress:
    times = walk.rng.integers(step.least, step.most + 1, at_us.size)
    end_us, status = at_us.copy(), np.full(at_us.size, FINE)
    for round_number in range(step.most):
        rows = np.flatnonzero((times > round_number) & (status < 400))
        if not rows.size:
            break
        end_us[rows], status[rows] = take_steps(walk, step.steps, within.take(rows), end_us[rows])
    return end_us, status


def _task(walk: Walk, step: Task, within: OpenSpans, at_us: Micros) -> Progress:
    inside = walk.inside(within)
    end_us, status = take_steps(walk, step.steps, inside, at_us)
    shape = walk.shape((id(step), within.owner.name), partial(instrumentation.task_shape, within.owner, step))
    walk.recorder.emit(shape, inside, at_us, end_us, status)
    return end_us, status


def _query(walk: Walk, step: Query, within: OpenSpans, at_us: Micros) -> Progress:
    end_us = at_us + step.time.draw_us(walk.rng, at_us.size)
    status = np.where(walk.rng.random(at_us.size) < step.failure, FAILED, FINE)
    locked = walk.world.locked_us(step, at_us)
    if locked is not None:
        waits_us, gives_up = locked
        end_us = np.where(gives_up, at_us, end_us) + waits_us
        status = np.where(gives_up, TIMED_OUT, status)
    shape = walk.shape((id(step), within.owner.name), partial(instrumentation.query_shape, within.owner, step))
    walk.recorder.emit(shape, walk.inside(within), at_us, end_us, status)
    walk.spend(partial(_at_database, within.owner, step.database), within, at_us, end_us)
    return end_us, np.minimum(status, FAILED)


def _cached(walk: Walk, step: Cached, within: OpenSpans, at_us: Micros) -> Progress:
    looked_us = at_us + step.time.draw_us(walk.rng, at_us.size)
    shape = walk.shape((id(step), within.owner.name), partial(instrumentation.cache_shape, within.owner, step))
    walk.recorder.emit(shape, walk.inside(within), at_us, looked_us, np.full(at_us.size, FINE))
    walk.spend(partial(_at_database, within.owner, step.cache), within, at_us, looked_us)
    missed = np.flatnonzero(walk.rng.random(at_us.size) >= step.hit)
    return _some(walk, step.steps, within, missed, looked_us)


def _external(walk: Walk, step: External, within: OpenSpans, at_us: Micros) -> Progress:
    end_us = at_us + step.time.draw_us(walk.rng, at_us.size)
    status = np.full(at_us.size, FINE)
    shape = walk.shape((id(step), within.owner.name), partial(instrumentation.external_shape, within.owner, step))
    walk.recorder.emit(shape, walk.inside(within), at_us, end_us, status)
    walk.spend(lambda: Place("external", within.owner.name, step.address), within, at_us, end_us)
    return end_us, status


def _at_database(caller: Service, database: Database) -> Place:
    return Place("datastore", caller.name, f"{database.system} {database.namespace or database.address}")
