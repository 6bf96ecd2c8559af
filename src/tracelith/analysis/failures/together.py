"""Services that fail in the same stretches of time, each on its own account: more often than by chance?

Events that begin within a few minutes of each other coincide; stretches of one service soon after one another are one
event. Time is measured in requests, so that services which only ever run, and only ever fail, during working hours do
not coincide for that reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from tracelith.analysis.components import connected_sets
from tracelith.analysis.failures.request_clock import RequestClock
from tracelith.analysis.failures.stretches import Stretch
from tracelith.analysis.statistics.intervals import proportion_interval
from tracelith.analysis.statistics.multiplicity import adjusted_p_values
from tracelith.analysis.times import MINUTE_NS
from tracelith.model.findings import Estimate

__all__ = ["FailurePair", "failure_groups", "failure_pairs", "longest_in_common"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

CLOSE_NS = 5 * MINUTE_NS
FEW_REQUESTS = 5.0
"""Stretches that begin so close, in minutes or in requests of the system, begin together."""

ONE_EVENT_NS = 120 * MINUTE_NS
"""Stretches of one service nearer than this are one event. Counted each, six in one bad hour of two services would be
six coincidences: 25 of 60 simulated systems of twenty services that flap independently had a pair that way."""

FALSE_DISCOVERIES = 0.05
LEAST_OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class FailurePair:
    """Two services: how long each was in trouble, and both at once."""

    a: str
    b: str
    minutes_a: int
    minutes_b: int
    together: int
    overlap: Estimate
    expected: float
    q_value: float
    coinciding: int

    @property
    def coupled(self) -> bool:
        """Whether they fail together more than by chance, for most of the time."""
        return self.q_value <= FALSE_DISCOVERIES and (self.overlap.value or 0.0) >= LEAST_OVERLAP

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "a": self.a,
            "b": self.b,
            "bad_minutes_a": self.minutes_a,
            "bad_minutes_b": self.minutes_b,
            "together": self.together,
            "overlap": self.overlap.document(),
            "expected": self.expected,
            "q_value": self.q_value,
            "coupled": self.coupled,
        }


def failure_pairs(
    stretches: Mapping[str, Sequence[Stretch]], clock: RequestClock, period_ns: tuple[int, int]
) -> list[FailurePair]:
    """Every pair of services with stretches at the same time, the surest first.

    Work is bounded by the pairs of services and the stretches, and by the pairs that do coincide per event.

    Args:
        stretches: by node. clock: of requests from outside.
    """
    names = sorted(name for name, found in stretches.items() if found[0].kind == "service")
    if len(names) < 2:
        return []
    events = [_events(stretches[name]) for name in names]
    a, b = np.triu_indices(len(names), 1)
    coinciding, p_values = _coincidences(events, clock, a, b)
    q_values = adjusted_p_values(p_values)
    shared = _shared_minutes([stretches[name] for name in names])
    met = np.flatnonzero(shared[a, b])
    a, b, coinciding, q_values = a[met], b[met], coinciding[met], q_values[met]
    minutes = np.diagonal(shared)
    fewer, more = np.minimum(minutes[a], minutes[b]), np.maximum(minutes[a], minutes[b])
    # As sure as the number of events allows: minutes of one event are no evidence of their own.
    number = np.array([len(found) for found in events])
    trials = np.minimum(number[a], number[b])
    share = np.minimum(shared[a, b] / np.maximum(fewer, 1), 1.0)
    low, high = proportion_interval(share * trials, trials)
    expected = np.minimum(1.0, more / max((period_ns[1] - period_ns[0]) / MINUTE_NS, 1.0))
    told = [
        FailurePair(
            names[a[at]],
            names[b[at]],
            int(minutes[a[at]]),
            int(minutes[b[at]]),
            int(shared[a[at], b[at]]),
            Estimate(float(share[at]), float(low[at]), float(high[at]), int(trials[at]), float(trials[at])),
            float(expected[at]),
            float(q_values[at]),
            int(coinciding[at]),
        )
        for at in range(met.size)
    ]
    told.sort(key=lambda pair: (pair.q_value, -(pair.overlap.value or 0.0), pair.a, pair.b))
    return told


def longest_in_common(a: Sequence[Stretch], b: Sequence[Stretch]) -> tuple[int, int]:
    """Begin and end, ns, of the longest time that both were in trouble without a break."""
    common = ((max(one.start_ns, two.start_ns), min(one.end_ns, two.end_ns)) for one in a for two in b)
    return max(common, key=lambda bounds: (bounds[1] - bounds[0], -bounds[0]))


def failure_groups(pairs: Sequence[FailurePair]) -> list[tuple[str, ...]]:
    """Services that fail together, pairwise or through others, largest group first."""
    coupled = [pair for pair in pairs if pair.coupled]
    names = sorted({name for pair in coupled for name in (pair.a, pair.b)})
    groups = connected_sets(names, [(pair.a, pair.b) for pair in coupled])
    return sorted(groups, key=lambda one: (-len(one), one))


def _events(stretches: Sequence[Stretch]) -> Float64:
    """When each event began; stretches soon after one another are one event, a service that flaps had one trouble."""
    start = np.array([stretch.start_ns for stretch in stretches], dtype=np.int64)
    end = np.array([stretch.end_ns for stretch in stretches], dtype=np.int64)
    begins: Float64 = start[np.append(True, start[1:] - end[:-1] >= ONE_EVENT_NS)].astype(np.float64)
    return begins


def _coincidences(events: Sequence[Float64], clock: RequestClock, a: Int64, b: Int64) -> tuple[Int64, Float64]:
    """Of each pair: events of the one with fewer that begin with one of the other, and the chance of so many."""
    number = np.array([found.size for found in events])
    service = np.repeat(np.arange(number.size), number)
    start = np.concatenate(events)
    at = clock.read(start)
    near = np.maximum(at - clock.read(start - CLOSE_NS), clock.read(start + CLOSE_NS) - at)
    near = np.maximum(near, FEW_REQUESTS)
    met = _met(service, at, near, number.size)
    # How likely an event finds one of the other service near it by chance depends on how many that has.
    missed = 1 - np.minimum(1.0, 2 * near / clock.total)
    counts, of_count = np.unique(number, return_inverse=True)
    chance = 1 - missed[:, None] ** counts
    mean = np.add.reduceat(chance, np.cumsum(number) - number, axis=0) / number[:, None]
    few, many = np.where(number[a] <= number[b], a, b), np.where(number[a] <= number[b], b, a)
    found = met[few, many]
    p_values = np.where(found > 0, stats.binom.sf(found - 1, number[few], mean[few, of_count[many]]), 1.0)
    return found, p_values


def _met(service: Int64, at: Float64, near: Float64, services: int) -> Int64:
    """Events of each service that have one of another service near them, int64[services, services]."""
    order = np.argsort(at, kind="stable")
    first = np.searchsorted(at[order], at - near, side="left")
    length = np.searchsorted(at[order], at + near, side="right") - first
    event = np.repeat(np.arange(at.size), length)
    other = service[order][np.arange(event.size) - np.repeat(np.cumsum(length) - length - first, length)]
    once = np.unique(event * services + other)
    met: Int64 = np.bincount(service[once // services] * services + once % services, minlength=services**2)
    return met.reshape(services, services)


def _shared_minutes(found: Sequence[Sequence[Stretch]]) -> Int64:
    """Bad minutes that each two services have in common, int64[services, services]; their own on the diagonal."""
    service = np.repeat(np.arange(len(found)), [len(of_one) for of_one in found])
    start = np.array([stretch.start_ns for of_one in found for stretch in of_one], dtype=np.int64)
    end = np.array([stretch.end_ns for of_one in found for stretch in of_one], dtype=np.int64)
    # Between two neighbouring bounds nothing begins or ends.
    bounds = np.unique(np.concatenate([start, end]))
    first, last = np.searchsorted(bounds, start), np.searchsorted(bounds, end)
    pieces = last - first
    piece = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces - first, pieces)
    length = np.diff(bounds) // MINUTE_NS
    shape = (len(found), max(length.size, 1))
    places = (np.repeat(service, pieces), piece)
    bad = sparse.coo_array((np.ones(piece.size, dtype=np.int64), places), shape=shape).tocsr()
    weighted = sparse.coo_array((length[piece], places), shape=shape).tocsr()
    shared: Int64 = (weighted @ bad.T).toarray()
    return shared
