"""How strong a planted cause has to be so that it makes up a wanted share of a tail of a wanted length: by sampling.

Only for drawing systems. What is true of a drawn system is measured on its execution (accounting), which also knows
versions, failures, retries and timeouts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.flow import (
    Answer,
    Cached,
    Call,
    External,
    Operation,
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
from tracelith.simulate.latency import Latency

__all__ = ["Place", "Tail", "aimed_strength", "sampled_tail"]

Place = tuple[str, str]
"""A service and, where it waits for a peer, the peer's address; "" for the service's own time."""

Floats = NDArray[np.float64]

_REQUESTS = 6_000
_SLOWEST = 0.99  # what is called the tail
_STEPS = 128  # strengths tried between the weakest and the strongest
_HORIZON_US = 30 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Tail:
    """The slowest percent of requests beside the middle fifth.

    Attributes:
        share: of what they take longer, spent at the place that is looked at. slowdown: how many times as long they
            take.
    """

    share: float
    slowdown: float


@dataclass(frozen=True, slots=True)
class _Sampled:
    """Milliseconds per request: all of them, and those at the place that is looked at."""

    total: Floats
    there: Floats

    def __add__(self, other: "_Sampled") -> "_Sampled":
        return _Sampled(self.total + other.total, self.there + other.there)

    def where(self, chosen: NDArray[np.bool_]) -> "_Sampled":
        return _Sampled(np.where(chosen, self.total, 0.0), np.where(chosen, self.there, 0.0))


def aimed_strength(
    operation_at: Callable[[float], Operation],
    bounds: tuple[float, float],
    *,
    place: Place,
    least: Tail,
    network: Latency,
    seed: int,
) -> float:
    """The least strength between the bounds at which the tail is no smaller in either respect; the most if it never is.

    Args:
        operation_at: an entry operation with the cause at a strength.
    """
    grid = np.geomspace(*bounds, _STEPS)
    low, high = 0, _STEPS - 1
    while low < high:
        middle = (low + high) // 2
        tail = sampled_tail(operation_at(float(grid[middle])), place, network, seed)
        if tail.share < least.share or tail.slowdown < least.slowdown:
            low = middle + 1
        else:
            high = middle
    return float(grid[low])


def sampled_tail(operation: Operation, place: Place, network: Latency, seed: int) -> Tail:
    """The tail of an entry operation, and the part that a place has in it."""
    walk = _Walk(np.random.default_rng(seed), network, place, seed)
    sampled = walk.steps(operation.steps, operation.service.name)
    order = np.argsort(sampled.total, kind="stable")
    slow = order[int(_REQUESTS * _SLOWEST) :]
    middle = order[int(_REQUESTS * 0.4) : int(_REQUESTS * 0.6)]
    ordinary = sampled.total[middle].mean()
    longer = sampled.total[slow].mean() - ordinary
    share = (sampled.there[slow].mean() - sampled.there[middle].mean()) / longer
    return Tail(float(share), float((ordinary + longer) / ordinary))


@dataclass(frozen=True, slots=True)
class _Walk:
    """Walks steps for many requests at a time; each request is alone at a random moment."""

    rng: np.random.Generator
    network: Latency
    place: Place
    seed: int

    def steps(self, steps: tuple[Step, ...], service: str) -> _Sampled:
        nothing = np.zeros(_REQUESTS)
        sampled = _Sampled(nothing, nothing)
        for step in steps:
            sampled = sampled + self._step(step, service)
        return sampled

    def _step(self, step: Step, service: str) -> _Sampled:
        match step:
            case Work(time):
                sampled = self._spent(self._drawn(time), (service, ""))
            case Stall(waiting) | Wait(waiting):
                waits_us = waiting.wait_us(self.seed, self._instances(), self._moments())
                sampled = self._spent(waits_us / 1e3, (service, ""))
            case Query(peer, time=time) | Publish(peer, time=time):
                sampled = self._spent(self._drawn(time), (service, peer.address))
            case External(address, time=time):
                sampled = self._spent(self._drawn(time), (service, address))
            case Call(operation):
                between = self._spent(self._drawn(self.network) + self._drawn(self.network), ("", "network"))
                sampled = between + self.steps(operation.steps, operation.service.name)
            case _:
                sampled = self._around(step, service)
        return sampled

    def _around(self, step: Task | Sometimes | Cached | Repeat | Parallel | Answer, service: str) -> _Sampled:
        """Steps that hold others."""
        match step:
            case Task(_, steps):
                return self.steps(steps, service)
            case Sometimes(probability, steps):
                return self.steps(steps, service).where(self.rng.random(_REQUESTS) < probability)
            case Cached(cache, hit, time, steps):
                looked = self._spent(self._drawn(time), (service, cache.address))
                return looked + self.steps(steps, service).where(self.rng.random(_REQUESTS) >= hit)
            case Repeat(least, most, steps):
                times = self.rng.integers(least, most + 1, _REQUESTS)
                rounds = [self.steps(steps, service).where(times > done) for done in range(most)]
                return sum(rounds[1:], rounds[0])
            case Parallel(branches):
                return _slowest([self.steps(branch, service) for branch in branches])
            case Answer():
                return self.steps((), service)
            case _:
                assert_never(step)

    def _spent(self, time_ms: Floats, place: Place) -> _Sampled:
        return _Sampled(time_ms, time_ms if place == self.place else np.zeros(_REQUESTS))

    def _drawn(self, time: Latency) -> Floats:
        return time.draw_us(self.rng, _REQUESTS) / 1e3

    def _moments(self) -> NDArray[np.int64]:
        return self.rng.integers(0, _HORIZON_US, _REQUESTS)

    def _instances(self) -> NDArray[np.int64]:
        return self.rng.integers(0, 4, _REQUESTS)


def _slowest(branches: list[_Sampled]) -> _Sampled:
    """Of branches that run at once, the one that ends last in each request."""
    totals = np.array([branch.total for branch in branches])
    last = totals.argmax(axis=0)[np.newaxis]
    there = np.array([branch.there for branch in branches])
    return _Sampled(np.take_along_axis(totals, last, 0)[0], np.take_along_axis(there, last, 0)[0])
