"""By how much longer requests take per time until their answer: least squares from sums, and a robust second opinion.

A request that waits for an answer takes exactly so much longer as the answer does: slope 1. One that does not wait has
slope 0, however often fast answers happen to lie within it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tracelith.analysis.statistics.bootstrap import block_draws, percentiles
from tracelith.model.findings import Estimate, State

__all__ = ["LEAST_INSTANCES", "Slope", "chance_of_containment", "fit", "spread_out", "sums_of", "theil_sen"]

Float64 = NDArray[np.float64]

LEAST_INSTANCES = 30
"""Fewer messages decide nothing (metrics.md §10.1)."""

_ENOUGH_BLOCKS = 10
"""Fewer blocks of time say too little about the spread between them; the residuals then speak alone."""

_MOST_POINTS = 300
"""Points for the robust slope: it compares each with each."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope with its interval, and the share of the spread that it explains (None where nothing spreads)."""

    estimate: Estimate
    r_squared: float | None


def sums_of(answer_ms: ArrayLike, rest_ms: ArrayLike) -> Float64:
    """What fit needs of single observations: n, Σw, Σt, Σw², Σwt, Σt² with w until the answer and t until the end."""
    w, t = np.asarray(answer_ms, np.float64), np.asarray(rest_ms, np.float64)
    return np.array([[w.size, w.sum(), t.sum(), (w**2).sum(), (w * t).sum(), (t**2).sum()]])


def fit(blocks: Float64, random: np.random.Generator, minimum: int = LEAST_INSTANCES) -> Slope:
    """The slope of time left in the request on time until the answer.

    The interval is the wider one of what residuals say and what blocks of time, drawn anew, say: requests of a minute
    are alike.

    Args:
        blocks: float64[b, 6], sums_of the observations of each block of time.

    Source: ordinary least squares; metrics.md §10.1.
    """
    total = blocks.sum(axis=0)
    count = round(float(total[0]))
    if count < max(minimum, 3):
        reason = f"{max(minimum, 3)} messages with a known answer are needed, seen {count}"
        return Slope(Estimate(None, n=count, n_eff=count, state=State.INSUFFICIENT_DATA, reason=reason), None)
    slope, r_squared, error = (float(value[0]) for value in _least_squares(total[None]))
    if not np.isfinite(slope):
        reason = "all answers took equally long: whether requests depend on them cannot be told"
        return Slope(Estimate(None, n=count, n_eff=count, state=State.NOT_IDENTIFIABLE, reason=reason), None)
    margin = float(stats.t.ppf(0.975, count - 2)) * error
    low, high = slope - margin, slope + margin
    if len(blocks) >= _ENOUGH_BLOCKS:
        drawn = _least_squares(block_draws(random, len(blocks)) @ blocks)[0]
        drawn_low, drawn_high = percentiles(drawn[:, None], len(blocks))
        low, high = np.nanmin([low, drawn_low[0]]), np.nanmax([high, drawn_high[0]])
    return Slope(Estimate(slope, float(low), float(high), count, count), r_squared)


def _least_squares(sums: Float64) -> tuple[Float64, Float64, Float64]:
    """Slope, R² and standard error of each row of sums; NaN where nothing spreads."""
    n, w, t, ww, wt, tt = sums.T
    size = np.maximum(n, 1)
    spread_w, spread_t = ww - w**2 / size, np.maximum(tt - t**2 / size, 0)
    together = wt - w * t / size
    # What is left of a difference of large sums is rounding.
    spreads = spread_w > 1e-9 * np.maximum(ww, 1e-300)
    slope = np.divide(together, spread_w, out=np.full_like(w, np.nan), where=spreads)
    explained = np.divide(slope * together, spread_t, out=np.zeros_like(w), where=spread_t > 0)
    r_squared = np.clip(explained, 0, 1)
    left = np.maximum(spread_t * (1 - r_squared), 0) / np.maximum(n - 2, 1)
    error = np.sqrt(np.divide(left, spread_w, out=np.full_like(w, np.nan), where=spreads))
    return slope, r_squared, error


def theil_sen(answer_ms: ArrayLike, rest_ms: ArrayLike) -> tuple[float, float, float]:
    """The median of the slopes between all pairs with its 95 % interval; NaN where no two answers differ.

    One request in which everything stood still decides a least-squares slope, and does not move this one.

    Source: Theil 1950, Sen 1968.
    """
    w, t = np.asarray(answer_ms, np.float64), np.asarray(rest_ms, np.float64)
    if np.unique(w).size < 2:
        return float("nan"), float("nan"), float("nan")
    told = stats.theilslopes(t, w, 0.95)
    return float(told.slope), float(told.low_slope), float(told.high_slope)


def spread_out(count: ArrayLike, *values: ArrayLike) -> tuple[Float64, ...]:
    """At most 300 points that stand for weighted ones: each value so often as its count asks, evenly over all."""
    weight = np.asarray(count, np.float64)
    points = int(min(weight.sum(), _MOST_POINTS))
    place = (np.arange(points) + 0.5) / max(points, 1) * weight.sum()
    at = np.searchsorted(np.cumsum(weight), place)
    return tuple(np.asarray(value, np.float64)[at] for value in values)


def chance_of_containment(answer: ArrayLike, answers: ArrayLike, rest: ArrayLike, rests: ArrayLike) -> float | None:
    """Share of all pairs of any answer with any request in which the answer would be there before the request is over.

    Args:
        answer, answers: times until answers, and how often each. rest, rests: the same for what was left of requests.

    Source: metrics.md §10.1 (random pairing).
    """
    c, m = np.asarray(answer, np.float64), np.asarray(answers, np.float64)
    r, n = np.asarray(rest, np.float64), np.asarray(rests, np.float64)
    if not m.sum() or not n.sum():
        return None
    return float(m @ (c[:, None] <= r) @ n / (m.sum() * n.sum()))
