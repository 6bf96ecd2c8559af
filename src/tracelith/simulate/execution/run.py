"""One slice of a run's requests, from the outside in."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from tracelith.simulate import instrumentation
from tracelith.simulate.execution.calls import call, run_job, serve
from tracelith.simulate.execution.ledger import Ledger
from tracelith.simulate.execution.messaging import publish
from tracelith.simulate.execution.spans import Ints, OpenSpans, Recorder, SpanBlock
from tracelith.simulate.execution.walk import Progress, Walk
from tracelith.simulate.execution.world import FINE, World
from tracelith.simulate.flow import Entry, Job
from tracelith.simulate.latency import Micros
from tracelith.simulate.traffic import Arrivals

__all__ = ["Followed", "execute", "follow"]

_REQUESTS, _IDS = 3, 15  # independent random streams


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of the requests of a slice at one entry.

    Attributes:
        entry: its number in the system. at_us, end_us: when they came and were answered.
        status: HTTP status, or REFUSED where nobody listened, which leaves no span.
        ledger: where the time went.
    """

    entry: int
    at_us: Micros
    end_us: Micros
    status: Ints
    ledger: Ledger


def execute(world: World, arrivals: Arrivals, first: int, count: int) -> list[SpanBlock]:
    """All spans that ``count`` requests from number ``first`` on cause, deferred work included.

    A slice is part of the result: each has random streams of its own.
    """
    walk = _walk(world, arrivals, first, count, Recorder(np.random.default_rng([world.seed, _IDS, first])))
    for _, entry, at_us in _by_entry(world, arrivals, first, count):
        _ask(walk, entry, at_us)
    _migrations(walk)  # last, so that the requests draw what they draw in follow()
    return walk.recorder.blocks


def follow(world: World, arrivals: Arrivals, first: int, count: int) -> Iterator[Followed]:
    """The same requests without spans, but with a ledger."""
    walk = _walk(world, arrivals, first, count, Recorder(None))
    for number, entry, at_us in _by_entry(world, arrivals, first, count):
        walk.ledger = Ledger(at_us.size)
        end_us, status = _ask(walk, entry, at_us)
        yield Followed(number, at_us, end_us, status, walk.ledger)


def _walk(world: World, arrivals: Arrivals, first: int, count: int, recorder: Recorder) -> Walk:
    at_us = arrivals.at_us
    return Walk(
        world,
        np.random.default_rng([world.seed, _REQUESTS, first]),
        recorder,
        None,
        from_us=int(at_us[first]) if first else 0,
        until_us=int(at_us[first + count]) if first + count < at_us.size else np.iinfo(np.int64).max,
        call=call,
        publish=publish,
    )


def _by_entry(world: World, arrivals: Arrivals, first: int, count: int) -> Iterator[tuple[int, Entry, Micros]]:
    chosen = slice(first, first + count)
    entry_of, at_us = arrivals.entry[chosen], arrivals.at_us[chosen]
    for number, entry in enumerate(world.system.entries):
        asked = at_us[entry_of == number]
        if asked.size:
            yield number, entry, asked


def _ask(walk: Walk, entry: Entry, at_us: Micros) -> Progress:
    """Requests come in from outside."""
    outside = _outside(walk, at_us.size)
    operation = entry.operation
    if isinstance(operation, Job):
        return run_job(walk, operation, outside, at_us)
    return serve(walk, operation, outside, at_us)


def _outside(walk: Walk, count: int) -> OpenSpans:
    """Nobody's spans, from which requests come, each with a number of its own in its URLs and messages."""
    nothing, none = np.zeros(count, np.uint64), np.full(count, -1)
    number = walk.rng.integers(100_000, 1_000_000, count)
    high, low = walk.recorder.new_ids(count), walk.recorder.new_ids(count)
    return OpenSpans(
        service=None,
        awaited=True,
        hops=0,
        over_queue=False,
        request=np.arange(count),
        trace_hi=high,
        trace_lo=low,
        span_id=nothing,
        parent_id=nothing,
        instance=none,
        resource=none,
        number=number,
    )


def _migrations(walk: Walk) -> None:
    """The statements that hold table locks, each in a trace of its own: what a service runs when it starts."""
    for lock in walk.world.locks:
        begun = lock.starts_us[(lock.starts_us >= walk.from_us) & (lock.starts_us < walk.until_us)]
        if begun.size:
            about = lock.incident
            owner = walk.world.system.service(about.by)
            migrating = walk.accept(owner, _outside(walk, begun.size), begun)
            fine = np.full(begun.size, FINE)
            end_us = begun + lock.length_us
            job = Job(owner, "migrate", ())
            walk.recorder.emit(partial(instrumentation.job_shape, job), migrating, begun, end_us, fine)
            shape = partial(instrumentation.migration_shape, owner, about)
            walk.recorder.emit(shape, walk.inside(migrating), begun, end_us, fine)
