"""Services that fail in the same stretches of time, each on its own account: more often than by chance?

Stretches that begin within a few minutes of each other coincide. Time is measured in requests, so that services which
only ever run, and only ever fail, during working hours do not coincide for that reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tracelith.analysis.failures.request_clock import RequestClock
from tracelith.analysis.failures.stretches import Stretch
from tracelith.analysis.failures.tables import MINUTE_NS
from tracelith.analysis.statistics.intervals import proportion
from tracelith.analysis.statistics.multiplicity import adjusted_p_values
from tracelith.model.findings import Estimate

__all__ = ["FailurePair", "failure_groups", "failure_pairs"]

CLOSE_NS = 5 * MINUTE_NS
FEW_REQUESTS = 5.0
"""Stretches that begin so close, in minutes or in requests of the system, begin together."""

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
    """Every pair of services with stretches, the surest first.

    Args:
        stretches: by node. clock: of requests from outside.
    """
    names = sorted(name for name, found in stretches.items() if found[0].kind == "service")
    pairs = [(a, b) for number, a in enumerate(names) for b in names[number + 1 :]]
    tested = [_coincidences(stretches[a], stretches[b], clock) for a, b in pairs]
    q_values = adjusted_p_values([p_value for _, p_value in tested])
    minutes = (period_ns[1] - period_ns[0]) / MINUTE_NS
    told = [
        _pair(stretches[a], stretches[b], minutes, coinciding, float(q))
        for (a, b), (coinciding, _), q in zip(pairs, tested, q_values, strict=True)
    ]
    told = [pair for pair in told if pair.together]
    told.sort(key=lambda pair: (pair.q_value, -(pair.overlap.value or 0.0), pair.a, pair.b))
    return told


def failure_groups(pairs: Sequence[FailurePair]) -> list[tuple[str, ...]]:
    """Services that fail together, pairwise or through others, largest group first."""
    coupled = [pair for pair in pairs if pair.coupled]
    if not coupled:
        return []
    names = sorted({name for pair in coupled for name in (pair.a, pair.b)})
    rows, columns = ([names.index(name) for name in side] for side in zip(*((p.a, p.b) for p in coupled), strict=True))
    size = (len(names), len(names))
    count, group = connected_components(coo_array((np.ones(len(rows)), (rows, columns)), shape=size), directed=False)
    groups = [tuple(name for name, of in zip(names, group, strict=True) if of == number) for number in range(count)]
    return sorted(groups, key=lambda one: (-len(one), one))


def _coincidences(a: Sequence[Stretch], b: Sequence[Stretch], clock: RequestClock) -> tuple[int, float]:
    """Stretches of the one with fewer that begin when one of the other begins, and the chance of so many."""
    few, many = (a, b) if len(a) <= len(b) else (b, a)
    found, chances = 0, []
    for stretch in few:
        before, at, after = clock.read([stretch.start_ns - CLOSE_NS, stretch.start_ns, stretch.start_ns + CLOSE_NS])
        near = max(FEW_REQUESTS, after - at, at - before)
        begins = clock.read([other.start_ns for other in many])
        found += bool((np.abs(begins - at) <= near).any())
        chances.append(1 - (1 - min(1.0, 2 * near / clock.total)) ** len(many))
    if not found:
        return 0, 1.0
    return found, float(stats.binom.sf(found - 1, len(few), float(np.mean(chances))))


def _pair(a: Sequence[Stretch], b: Sequence[Stretch], minutes: float, coinciding: int, q_value: float) -> FailurePair:
    minutes_a, minutes_b = (sum(stretch.minutes for stretch in found) for found in (a, b))
    together = sum(
        max(0, min(one.end_ns, other.end_ns) - max(one.start_ns, other.start_ns)) for one in a for other in b
    )
    fewer, more = min(minutes_a, minutes_b), max(minutes_a, minutes_b)
    share = together / MINUTE_NS / max(fewer, 1)
    # As sure as the number of stretches allows: minutes of one stretch are no evidence of their own.
    stretches = min(len(a), len(b))
    overlap = proportion(min(share, 1.0) * stretches, stretches, n=stretches)
    return FailurePair(
        a[0].node,
        b[0].node,
        minutes_a,
        minutes_b,
        together // MINUTE_NS,
        overlap,
        min(1.0, more / max(minutes, 1.0)),
        q_value,
        coinciding,
    )
