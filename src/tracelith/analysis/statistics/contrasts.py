"""What customary methods would say: kept to show, by numbers, why the analyses use others (metrics.md §3, §7.5, §7.12).

None of these decides a finding. The tests of deployments take time for even, and working hours and release trains are
not; exponential histograms and rank sketches are too coarse for a p99.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = [
    "Stratified",
    "exponential_bucket",
    "exponential_error",
    "exponential_scale",
    "hypergeometric_p",
    "omitted_durations",
    "poisson_coincidence_p",
    "stratified_test",
]

MOST_SCALE = 20
"""The finest scale of the OpenTelemetry SDK's exponential histogram."""

CONTINUITY = 0.5


@dataclass(frozen=True, slots=True)
class Stratified:
    """Association of two indicators with the strata held apart: chi-square (corrected), p-value, common odds ratio."""

    chi_square: float
    p_value: float
    odds_ratio: float


def hypergeometric_p(
    sessions: int, with_a: ArrayLike, with_b: ArrayLike, with_both: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probability of at least so many sessions in common if both chose theirs freely, and its mid-p value."""
    law, both = stats.hypergeom(sessions, with_a, with_b), np.asarray(with_both)
    p_value = np.asarray(law.sf(both - 1), dtype=np.float64)
    return p_value, np.asarray(p_value - law.pmf(both) / 2)


def poisson_coincidence_p(
    events_a: ArrayLike, events_b: ArrayLike, window: float, period: float, coincidences: ArrayLike
) -> NDArray[np.float64]:
    """Probability that so many of a's events or more have one of b's in their window, if b's fell evenly.

    Args:
        events_a, events_b: how many events each has in the period.
        window, period: in the same unit.
        coincidences: events of a with one of b in the window.

    Source: Donges et al. 2016, without lag.
    """
    chance = 1.0 - (1.0 - min(1.0, window / period)) ** np.asarray(events_b, np.float64)
    return np.asarray(stats.binom.sf(np.asarray(coincidences) - 1, events_a, chance), dtype=np.float64)


def stratified_test(tables: ArrayLike) -> Stratified:
    """Cochran, Mantel and Haenszel's test over 2 × 2 tables.

    Args:
        tables: [strata, 4] counts: both, only a, only b, neither.
    """
    both, only_a, only_b, neither = np.asarray(tables, dtype=np.float64).T
    n, with_a, with_b = both + only_a + only_b + neither, both + only_a, both + only_b
    expected = (with_a * with_b / n).sum()
    variance = (with_a * (n - with_a) * with_b * (n - with_b) / (n**2 * (n - 1))).sum()
    chi_square = float(max(0.0, abs(both.sum() - expected) - CONTINUITY) ** 2 / variance)
    odds_ratio = float((both * neither / n).sum() / (only_a * only_b / n).sum())
    return Stratified(chi_square, float(stats.chi2.sf(chi_square, 1)), odds_ratio)


def exponential_bucket(value: float, scale: int) -> int:
    """Index i of the exponential histogram's bucket (b^i, b^(i+1)] with b = 2^(2^-scale)."""
    return math.ceil(math.log2(value) * 2.0**scale) - 1


def exponential_error(scale: int) -> float:
    """Largest relative error of the values that stand for an exponential histogram's buckets: (b - 1) / (b + 1)."""
    base: float = 2 ** (2.0**-scale)
    return (base - 1) / (base + 1)


def exponential_scale(decades: float, buckets: int = 160) -> int:
    """The finest scale at which so many buckets cover so many powers of ten."""
    return min(MOST_SCALE, math.floor(math.log2(buckets / (decades * math.log2(10)))))


def omitted_durations(duration: float, interval: float) -> NDArray[np.float64]:
    """What a load generator that waits for each answer fails to measure: the duration, and what requests due every
    ``interval`` meanwhile would have taken. Traces of production have no such interval and are not corrected."""
    return np.arange(duration, interval - 1e-9, -interval) if duration > interval else np.array([duration])
