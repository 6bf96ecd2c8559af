"""How often requests take each step of a system on average, from its description alone; nothing fails by itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tracelith.simulate import Simulation
from tracelith.simulate.flow import (
    Answer,
    Cached,
    Call,
    Consumer,
    Job,
    Operation,
    Parallel,
    Publish,
    Repeat,
    Sometimes,
    Step,
    Task,
)
from tracelith.simulate.topology import System

__all__ = ["Taken", "Where", "requests_by_entry", "requests_within", "steps_taken"]

Ends = Callable[[Step], bool]


@dataclass(frozen=True, slots=True)
class Where:
    """In the middle of what a service does.

    Attributes:
        entry: place of the system's entry whose requests come here. service, operation: names; jobs and consumers have
            names too. answers: it is an operation that somebody asked, no job and no consumer.
        path: services that wait for each other from the entry, or from the message that nobody waits for, to here.
    """

    entry: int
    service: str
    operation: str
    answers: bool
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """A step somewhere in the tree of an entry. mean: how often a request of the entry takes it there."""

    where: Where
    step: Step
    mean: float


@dataclass(frozen=True, slots=True)
class _Tour:
    """Collects steps. ends: after such a step a request goes no further."""

    system: System
    ends: Ends
    found: list[Taken]

    def visit(self, taken_in: Operation | Job | Consumer, within: Where, mean: float) -> float:
        """Walks what is done there; returns how many requests come back in good order."""
        answers, name = isinstance(taken_in, Operation), _name(taken_in)
        service = taken_in.service.name
        inside = replace(within, service=service, operation=name, answers=answers, path=(*within.path, service))
        return self.walk(taken_in.steps, inside, mean)

    def walk(self, steps: tuple[Step, ...], where: Where, mean: float) -> float:
        """One step after another; returns how many requests are left."""
        for step in steps:
            self.found.append(Taken(where, step, mean))
            mean = 0.0 if self.ends(step) else self._left(step, where, mean)
        return mean

    def _left(self, step: Step, where: Where, mean: float) -> float:
        left = mean
        match step:
            case Answer():
                left = mean * (1 - step.probability) if step.status >= 400 else mean
            case Sometimes() | Cached():
                share = step.probability if isinstance(step, Sometimes) else 1 - step.hit
                left = mean * (1 - share) + self.walk(step.steps, where, mean * share)
            case Repeat():
                self.walk(step.steps, where, mean * (step.least + step.most) / 2)
            case Task():
                left = self.walk(step.steps, where, mean)
            case Parallel():
                shares = [self.walk(branch, where, mean) / mean if mean else 0.0 for branch in step.branches]
                left = mean * float(np.prod(shares))
            case Call():
                failed = mean - self.visit(step.operation, where, mean)
                left = mean - failed * (1 - step.tolerated)
            case Publish():
                taking = [consumer for consumer in self.system.consumers if consumer.topic == step.topic]
                for consumer in taking:
                    sharing = sum(other.group == consumer.group for other in taking)
                    self.visit(consumer, where if step.awaits_reply else replace(where, path=()), mean / sharing)
            case _:
                pass
        return left


def steps_taken(system: System, ends: Ends = lambda _step: False) -> list[Taken]:
    """Every step in every place from which requests of an entry reach it.

    Args:
        ends: steps after which requests fail.
    """
    tour = _Tour(system, ends, [])
    for number, entry in enumerate(system.entries):
        tour.visit(entry.operation, Where(number, "", "", answers=False, path=()), 1.0)
    return [taken for taken in tour.found if taken.mean > 0]


def requests_by_entry(simulation: Simulation) -> list[int]:
    """How many requests of the run each entry gets."""
    return requests_within(simulation, simulation.period_us)


def requests_within(simulation: Simulation, between_us: tuple[int, int]) -> list[int]:
    """The same of a stretch of time, in microseconds since 1970, half open."""
    arrivals = simulation.arrivals
    first, last = np.searchsorted(arrivals.at_us, between_us)
    counts = np.bincount(arrivals.entry[first:last], minlength=len(simulation.system.entries))
    return [int(count) for count in counts]


def _name(taken_in: Operation | Job | Consumer) -> str:
    return f"process {taken_in.topic.destination}" if isinstance(taken_in, Consumer) else taken_in.name
