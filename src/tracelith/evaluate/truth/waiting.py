"""Who waits without end: calls behind which something hangs and that nobody gives up, from a system's description."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tracelith.evaluate.claims import Truth, edge_subject
from tracelith.evaluate.naming import service_names
from tracelith.evaluate.truth.steps import requests_by_entry, steps_taken
from tracelith.simulate import Simulation
from tracelith.simulate.flow import Cached, Call, Operation, Parallel, Repeat, Sometimes, Step, Task, Work
from tracelith.simulate.incidents import TableLock

__all__ = ["waiting_truths"]

ENDLESS_MS = 30_000.0
"""A call beyond this has no limit that protects anybody."""
NOBODY_OVERLOOKS, HARDLY_ANY = 10.0, 0.1
"""Calls that last so long in a run."""


def waiting_truths(simulation: Simulation, sampling: float) -> Iterator[Truth]:
    """Every edge between services, and whether calls on it last far longer than anybody should wait."""
    names, requests = service_names(simulation.system), requests_by_entry(simulation)
    endless: defaultdict[tuple[str, str], float] = defaultdict(float)
    for taken in steps_taken(simulation.system):
        step = taken.step
        if isinstance(step, Call) and step.operation.service.name != taken.where.service:
            times = taken.mean * requests[taken.where.entry] * sampling
            endless[taken.where.service, step.operation.service.name] += times * _waited_for(step)
    # A lock lets whoever needs its table wait too, each as long as its own patience lasts.
    locked = any(isinstance(happens.incident, TableLock) for happens in simulation.occurrences)
    for (caller, callee), times in sorted(endless.items()):
        positive = True if times >= NOBODY_OVERLOOKS else False if times < HARDLY_ANY and not locked else None
        yield Truth("missing-timeout", edge_subject(names[caller], names[callee]), positive, times)


def _waited_for(step: Call) -> float:
    """Share of such calls that last without end."""
    if step.timeout_ms is not None and step.timeout_ms < ENDLESS_MS:
        return 0.0
    return _hanging(step.operation)


def _hanging(operation: Operation) -> float:
    return min(1.0, _in_steps(operation.steps))


def _in_steps(steps: Sequence[Step]) -> float:
    """Share of the requests that hang in one of these; small, so that they may be added."""
    share = 0.0
    for step in steps:
        match step:
            case Work(time):
                share += time.median_ms >= ENDLESS_MS
            case Call():
                share += _waited_for(step)
            case Sometimes() | Cached():
                taken = step.probability if isinstance(step, Sometimes) else 1 - step.hit
                share += taken * _in_steps(step.steps)
            case Task():
                share += _in_steps(step.steps)
            case Repeat():
                share += _in_steps(step.steps) * (step.least + step.most) / 2
            case Parallel():
                share += sum(_in_steps(branch) for branch in step.branches)
            case _:
                pass
    return share
