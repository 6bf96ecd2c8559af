"""Runs requests through a system's flows: many requests at a time, one array operation per step.

A flow is a small tree; it is walked once per slice of requests, and each step works on the arrays of all requests that
are still running when it comes. What comes out are blocks of spans of one shape.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate import instrumentation
from tracelith.simulate.flow import (
    Answer,
    Call,
    Consumer,
    Entry,
    External,
    Job,
    Operation,
    Parallel,
    Publish,
    Query,
    Sometimes,
    Stall,
    Step,
    Task,
    Work,
)
from tracelith.simulate.instrumentation import SpanShape
from tracelith.simulate.latency import Micros
from tracelith.simulate.rollouts import Fleet
from tracelith.simulate.topology import Service, System

__all__ = ["SpanBlock", "World", "execute"]

Ids = NDArray[np.uint64]
Ints = NDArray[np.int64]

_FINE, _FAILED = 200, 500


@dataclass(frozen=True, slots=True)
class SpanBlock:
    """Spans of one shape. Every array has one entry per span.

    Attributes:
        trace_hi, trace_lo, span_id, parent_id: ids; parent_id is 0 for roots.
        start_us, end_us: microseconds since 1970. resource: number in the fleet.
        number, partition: fill the placeholders of the shape's attributes.
        linked_hi, linked_lo, linked_span: target of the span link, 0 unless shape.linked.
    """

    shape: SpanShape
    trace_hi: Ids
    trace_lo: Ids
    span_id: Ids
    parent_id: Ids
    start_us: Micros
    end_us: Micros
    resource: Ints
    number: Ints
    partition: Ints
    linked_hi: Ids
    linked_lo: Ids
    linked_span: Ids

    def take(self, rows: Ints) -> "SpanBlock":
        """Only these spans of the block."""
        columns = [getattr(self, field.name)[rows] for field in fields(self)[1:]]
        return SpanBlock(self.shape, *columns)


@dataclass(frozen=True, slots=True)
class World:
    """What all requests of a run share; episode_seed fixes when instances stall."""

    system: System
    fleet: Fleet
    episode_seed: int


@dataclass(frozen=True, slots=True)
class _Spans:
    """One open span in each of many traces: what is done next hangs below it.

    service is None outside the system, where span_id is 0 and instance and resource mean nothing.
    """

    service: Service | None
    trace_hi: Ids
    trace_lo: Ids
    span_id: Ids
    parent_id: Ids
    instance: Ints
    resource: Ints
    number: Ints

    def take(self, rows: Ints) -> "_Spans":
        columns = [getattr(self, field.name)[rows] for field in fields(self)[1:]]
        return _Spans(self.service, *columns)

    def below(self, span_id: Ids) -> "_Spans":
        """New spans of the same process, children of these."""
        return replace(self, span_id=span_id, parent_id=self.span_id)


def execute(world: World, rng: np.random.Generator, entry: Entry, at_us: Micros) -> list[SpanBlock]:
    """All spans that the requests arriving at at_us at one entry cause, deferred work included."""
    run = _Run(world.system, world.fleet, rng, world.episode_seed, [])
    outside = run.new_traces(rng.integers(100_000, 1_000_000, at_us.size))
    operation = entry.operation
    if isinstance(operation, Job):
        run.job(operation, outside, at_us)
    else:
        run.serve(operation, outside, at_us)
    return run.blocks


@dataclass(slots=True)
class _Run:
    """One walk; collects the blocks. Every step function returns when its requests go on and with which status."""

    system: System
    fleet: Fleet
    rng: np.random.Generator
    episode_seed: int
    blocks: list[SpanBlock]

    def new_ids(self, count: int) -> Ids:
        return self.rng.integers(1, 2**64, count, dtype=np.uint64)

    def new_traces(self, number: Ints) -> _Spans:
        count, nothing = number.size, np.zeros(number.size, np.uint64)
        none = np.full(count, -1)
        return _Spans(None, self.new_ids(count), self.new_ids(count), nothing, nothing, none, none, number)

    def serve(self, operation: Operation, callers: _Spans, start_us: Micros) -> tuple[Micros, Ints]:
        requests = self._accept(operation.service, callers, start_us)
        end_us, status = self._steps(operation.steps, requests, start_us)
        root = callers.service is None
        self._emit(partial(instrumentation.server_shape, operation, root=root), requests, start_us, end_us, status)
        return end_us, status

    def job(self, job: Job, outside: _Spans, start_us: Micros) -> None:
        runs = self._accept(job.service, outside, start_us)
        end_us, status = self._steps(job.steps, runs, start_us)
        self._emit(partial(instrumentation.job_shape, job), runs, start_us, end_us, status)

    def _accept(self, service: Service, above: _Spans, start_us: Micros) -> _Spans:
        """Spans of a random instance of service, opened below spans of somebody else."""
        instance = self.rng.integers(0, service.instances, start_us.size)
        opened = above.below(self.new_ids(start_us.size))
        resource = self.fleet.running(service, instance, start_us)
        return replace(opened, service=service, instance=instance, resource=resource)

    def _steps(self, steps: tuple[Step, ...], within: _Spans, start_us: Micros) -> tuple[Micros, Ints]:
        at_us = start_us.copy()
        status = np.full(at_us.size, _FINE)
        for step in steps:
            rows = np.flatnonzero(status < 400)
            if not rows.size:
                break
            at_us[rows], status[rows] = self._step(step, within.take(rows), at_us[rows])
        return at_us, status

    def _step(self, step: Step, within: _Spans, at_us: Micros) -> tuple[Micros, Ints]:
        moved = at_us, np.full(at_us.size, _FINE)
        match step:
            case Work(time):
                moved = at_us + time.draw_us(self.rng, at_us.size), moved[1]
            case Stall(episodes):
                moved = at_us + episodes.wait_us(self.episode_seed, within.instance, at_us), moved[1]
            case Answer(probability, status):
                moved = at_us, np.where(self.rng.random(at_us.size) < probability, status, _FINE)
            case Sometimes():
                moved = self._sometimes(step, within, at_us)
            case Parallel(branches):
                ends = [self._steps(branch, within, at_us) for branch in branches]
                moved = np.max([end for end, _ in ends], axis=0), np.max([status for _, status in ends], axis=0)
            case Task():
                moved = self._task(step, within, at_us)
            case Query():
                moved = self._query(step, within, at_us)
            case Call(operation):
                moved = self._call(operation, within, at_us)
            case External():
                moved = self._external(step, within, at_us)
            case Publish():
                moved = self._publish(step, within, at_us)
        return moved

    def _sometimes(self, step: Sometimes, within: _Spans, at_us: Micros) -> tuple[Micros, Ints]:
        end_us, status = at_us.copy(), np.full(at_us.size, _FINE)
        rows = np.flatnonzero(self.rng.random(at_us.size) < step.probability)
        end_us[rows], status[rows] = self._steps(step.steps, within.take(rows), at_us[rows])
        return end_us, status

    def _task(self, step: Task, within: _Spans, at_us: Micros) -> tuple[Micros, Ints]:
        inside = within.below(self.new_ids(at_us.size))
        end_us, status = self._steps(step.steps, inside, at_us)
        self._emit(partial(instrumentation.task_shape, _owner(within), step), inside, at_us, end_us, status)
        return end_us, status

    def _query(self, step: Query, within: _Spans, at_us: Micros) -> tuple[Micros, Ints]:
        queries = within.below(self.new_ids(at_us.size))
        end_us = at_us + step.time.draw_us(self.rng, at_us.size)
        status = np.where(self.rng.random(at_us.size) < step.failure, _FAILED, _FINE)
        self._emit(partial(instrumentation.query_shape, _owner(within), step), queries, at_us, end_us, status)
        return end_us, status

    def _call(self, operation: Operation, within: _Spans, at_us: Micros) -> tuple[Micros, Ints]:
        calls = within.below(self.new_ids(at_us.size))
        arrive_us = at_us + self.system.network.draw_us(self.rng, at_us.size)
        served_us, status = self.serve(operation, calls, arrive_us)
        end_us = served_us + self.system.network.draw_us(self.rng, at_us.size)
        self._emit(partial(instrumentation.client_shape, _owner(within), operation), calls, at_us, end_us, status)
        return end_us, status

    def _external(self, step: External, within: _Spans, at_us: Micros) -> tuple[Micros, Ints]:
        calls = within.below(self.new_ids(at_us.size))
        end_us = at_us + step.time.draw_us(self.rng, at_us.size)
        status = np.full(at_us.size, _FINE)
        self._emit(partial(instrumentation.external_shape, _owner(within), step), calls, at_us, end_us, status)
        return end_us, status

    def _publish(self, step: Publish, within: _Spans, at_us: Micros) -> tuple[Micros, Ints]:
        messages = within.below(self.new_ids(at_us.size))
        end_us = at_us + step.time.draw_us(self.rng, at_us.size)
        status = np.full(at_us.size, _FINE)
        partition = messages.number % step.topic.partitions
        shape = partial(instrumentation.producer_shape, _owner(within), step)
        self._emit(shape, messages, at_us, end_us, status, partition=partition)
        for consumer in self.system.consumers:
            if consumer.topic == step.topic:
                self._consume(consumer, messages, end_us, partition)
        return end_us, status

    def _consume(self, consumer: Consumer, messages: _Spans, sent_us: Micros, partition: Ints) -> None:
        start_us = sent_us + consumer.delay.draw_us(self.rng, sent_us.size)
        above = self.new_traces(messages.number) if consumer.own_trace else messages
        handled = self._accept(consumer.service, above, start_us)
        end_us, status = self._steps(consumer.steps, handled, start_us)
        shape = partial(instrumentation.consumer_shape, consumer)
        link = messages if consumer.own_trace else None
        self._emit(shape, handled, start_us, end_us, status, partition=partition, link=link)

    def _emit(
        self,
        shape_of: Callable[[int], SpanShape],
        spans: _Spans,
        start_us: Micros,
        end_us: Micros,
        status: Ints,
        *,
        partition: Ints | None = None,
        link: _Spans | None = None,
    ) -> None:
        """One block per status that occurs."""
        for code in np.unique(status):
            rows = np.flatnonzero(status == code)
            chosen = spans.take(rows)
            nothing = np.zeros(rows.size, np.uint64)
            target = link.take(rows) if link is not None else None
            self.blocks.append(
                SpanBlock(
                    shape_of(int(code)),
                    chosen.trace_hi,
                    chosen.trace_lo,
                    chosen.span_id,
                    chosen.parent_id,
                    start_us[rows],
                    end_us[rows],
                    chosen.resource,
                    chosen.number,
                    np.zeros(rows.size, np.int64) if partition is None else partition[rows],
                    nothing if target is None else target.trace_hi,
                    nothing if target is None else target.trace_lo,
                    nothing if target is None else target.span_id,
                )
            )


def _owner(spans: _Spans) -> Service:
    if spans.service is None:
        raise ValueError("a step needs a service that takes it")
    return spans.service
