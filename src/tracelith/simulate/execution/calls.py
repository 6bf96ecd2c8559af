"""Requests between services: attempts, timeouts, refused connections, and what the caller makes of failures."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate import instrumentation
from tracelith.simulate.execution.ledger import Place
from tracelith.simulate.execution.spans import OpenSpans
from tracelith.simulate.execution.walk import Progress, Walk, give_up, handle, own_time, take_steps
from tracelith.simulate.execution.world import FAILED
from tracelith.simulate.flow import Call, Job, Operation
from tracelith.simulate.instrumentation import REFUSED, TIMED_OUT
from tracelith.simulate.latency import Micros

__all__ = ["call", "run_job", "serve"]

_ANSWERED_AS = {TIMED_OUT: 504, REFUSED: 503}


def call(walk: Walk, step: Call, within: OpenSpans, at_us: Micros) -> Progress:
    """The caller asks, again if need be, and answers for what is left of the failures."""
    end_us, status = _attempt(walk, step, within, at_us, 0)
    for attempt in range(1, step.attempts):
        rows = np.flatnonzero(status >= 500)
        if not rows.size:
            break
        end_us, status, again = end_us.copy(), status.copy(), within.take(rows)
        pause_us = round(step.backoff_ms * 1_000) * 2 ** (attempt - 1)
        begun_us = own_time(walk, again, end_us[rows], pause_us)
        end_us[rows], status[rows] = _attempt(walk, step, again, begun_us, attempt)
    return _answer_for(walk, step, within, (end_us, status))


def serve(walk: Walk, operation: Operation, callers: OpenSpans, at_us: Micros) -> Progress:
    """Requests reach a service, if it is there; refused ones are back at once and leave no span."""
    fate = walk.world.fate(operation.service, walk.rng, at_us)
    if fate is None:
        return _operate(walk, operation, callers, at_us, None)
    rows = np.flatnonzero(fate != REFUSED)
    end_us = at_us.copy()
    if rows.size:
        broken = fate[rows] == FAILED
        end_us[rows], fate[rows] = _operate(walk, operation, callers.take(rows), at_us[rows], broken)
    return end_us, fate


def run_job(walk: Walk, job: Job, outside: OpenSpans, at_us: Micros) -> Progress:
    """A service begins work by itself, if it is there."""
    fate = walk.world.fate(job.service, walk.rng, at_us)
    broken = np.zeros(at_us.size, bool) if fate is None else fate == FAILED
    rows = np.arange(at_us.size) if fate is None else np.flatnonzero(fate != REFUSED)
    end_us, status = at_us.copy(), np.full(at_us.size, REFUSED)
    if rows.size:
        runs = walk.accept(job.service, outside.take(rows), at_us[rows])
        end_us[rows], status[rows] = handle(walk, job.steps, runs, at_us[rows], broken[rows])
        shape = walk.shape((id(job),), partial(instrumentation.job_shape, job))
        walk.recorder.emit(shape, runs, at_us[rows], end_us[rows], status[rows])
    return end_us, status


def _operate(
    walk: Walk, operation: Operation, callers: OpenSpans, at_us: Micros, broken: NDArray[np.bool_] | None
) -> Progress:
    requests = walk.accept(operation.service, callers, at_us)
    end_us, status = handle(walk, operation.steps, requests, at_us, broken)
    root = callers.service is None
    shape = walk.shape((id(operation), root), partial(instrumentation.server_shape, operation, root=root))
    walk.recorder.emit(shape, requests, at_us, end_us, status)
    return end_us, status


def _attempt(walk: Walk, step: Call, within: OpenSpans, at_us: Micros, attempt: int) -> Progress:
    """One request and its answer; the raw status, with TIMED_OUT and REFUSED."""
    operation, network = step.operation, walk.world.system.network
    between = partial(Place, "network", within.owner.name, operation.service.name)
    calls = walk.inside(within)
    since = walk.ledger.mark() if walk.ledger is not None else (0, 0)
    arrived_us = at_us + network.draw_us(walk.rng, at_us.size)
    walk.spend(between, within, at_us, arrived_us)
    answered_us, status = serve(walk, operation, calls, arrived_us)
    end_us = answered_us + network.draw_us(walk.rng, at_us.size)
    walk.spend(between, within, answered_us, end_us)
    if step.timeout_ms is not None:
        end_us, late = give_up(walk, within, since, end_us, at_us + round(step.timeout_ms * 1_000))
        if late.size:
            status = status.copy()
            status[late] = TIMED_OUT
    make = partial(instrumentation.client_shape, within.owner, operation, resend=attempt)
    walk.recorder.emit(walk.shape((id(step), within.owner.name, attempt), make), calls, at_us, end_us, status)
    return end_us, status


def _answer_for(walk: Walk, step: Call, within: OpenSpans, called: Progress) -> Progress:
    """What the caller makes of failed calls: it goes on without them, or fails too."""
    end_us, status = called
    rows = np.flatnonzero(status >= 400)
    if not rows.size:
        return called
    status = status.copy()
    for raw, answered in _ANSWERED_AS.items():
        status[status == raw] = answered
    rows = rows[walk.rng.random(rows.size) < step.tolerated] if step.tolerated else rows[:0]
    if rows.size:
        end_us = end_us.copy()
        end_us[rows], status[rows] = take_steps(walk, step.fallback, within.take(rows), end_us[rows])
    return end_us, status
