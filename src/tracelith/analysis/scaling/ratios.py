"""Whether two rates keep their ratio, and by how many per cent one changes when the other changes by one.

Everything is a function of sums over days: leaving out days, or drawing them anew, gives the intervals, because the
hours of one day are not independent of each other.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tracelith.analysis.statistics.bootstrap import block_draws, generator, percentiles
from tracelith.model.findings import Estimate, State

__all__ = ["Elasticity", "Variation", "elasticity", "log_steps", "orthogonal_slope", "ratio_cv", "ratio_variation"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

_DRAWS = 400
_FEWEST_DAYS = 4
"""Below, the spread between days says nothing."""


@dataclass(frozen=True, slots=True)
class Variation:
    """Coefficient of variation of the ratio of a rate to that of each of s services, float64[s] each.

    Attributes:
        cv: what is left after the noise of sampling and of single requests. low, high: 95 % interval. NaN where there
            are too few stretches.
    """

    cv: Float64
    low: Float64
    high: Float64


@dataclass(frozen=True, slots=True)
class Elasticity:
    """Attributes: slope: by how many per cent b changes when a changes by one. r_squared: noise taken out."""

    slope: Estimate
    r_squared: float | None


def ratio_cv(rates_a: Float64, rates_b: Float64) -> float:
    """Standard deviation of b / a over its mean (metrics.md §12), nothing taken out."""
    ratio = rates_b / rates_a
    return float(ratio.std(ddof=1) / ratio.mean())


def ratio_variation(a: Float64, b: Float64, noise: tuple[Float64, Float64], day: Int64) -> Variation:
    """How much the ratio b / a varies from stretch to stretch.

    Args:
        a: float64[k], count of the first service per stretch, none of them 0. b: float64[k, s], those of others.
        noise: float64[k] and float64[s]; their product is the squared coefficient of variation that each ratio has by
            chance alone.
        day: int64[k], day of each stretch, in order.

    Source: metrics.md §12; noise is subtracted in quadrature, the interval is a jackknife over days.
    """
    ratio = b / a[:, None]
    days = _begins(day)
    count, chance = (np.add.reduceat(values, days)[:, None] for values in (np.ones(len(a)), noise[0]))
    sums = (count, np.add.reduceat(ratio, days), np.add.reduceat(ratio**2, days), chance * noise[1])
    whole = [part.sum(axis=0) for part in sums]
    square = _square(*whole)
    if len(days) < _FEWEST_DAYS:
        nothing = np.full(b.shape[1], np.nan)
        return Variation(_root(square), nothing, nothing)
    without = _square(*(total - part for total, part in zip(whole, sums, strict=True)))
    number = len(days)
    error = np.sqrt((number - 1) / number * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    reach = stats.t.ppf(0.975, number - 1) * error
    return Variation(_root(square), _root(square - reach), _root(square + reach))


def _begins(day: Int64) -> Int64:
    """Where each day begins."""
    return np.flatnonzero(np.concatenate([[True], day[1:] != day[:-1]]))


def _square(count: Float64, first: Float64, second: Float64, noise: Float64) -> Float64:
    """Squared coefficient of variation without noise, from count, sum, sum of squares and sum of noise."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = first / count
        spread = (second - count * mean**2) / (count - 1) / mean**2
        square: Float64 = np.where((count > 1) & (mean > 0), spread - noise / count, np.nan)
    return square


def _root(square: Float64) -> Float64:
    root: Float64 = np.sqrt(np.maximum(square, 0))
    return root


def log_steps(counts: Float64, lengths: Float64) -> Float64:
    """Change of the logarithm of the rate from each stretch to the next, float64[k - 1]; no request counts as half."""
    steps: Float64 = np.diff(np.log(np.maximum(counts, 0.5) / lengths))
    return steps


def orthogonal_slope(xx: Float64, xy: Float64, yy: Float64) -> Float64:
    """Slope through the origin of the line with the least squared distance from all points (total least squares).

    Args:
        xx, xy, yy: sums of squares and products.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        slope: Float64 = (yy - xx + np.sqrt((yy - xx) ** 2 + 4 * xy**2)) / (2 * xy)
    return slope


def elasticity(steps: tuple[Float64, Float64], noise: tuple[Float64, Float64, Float64], day: Int64) -> Elasticity:
    """How the steps of b follow those of a.

    Args:
        steps: of a and b, float64[k] each. noise: their variances and covariance by chance alone, float64[k] each.
        day: int64[k], in order.

    Source: metrics.md §12: first differences, total least squares (both rates are measured), days drawn anew. Noise is
    taken out of all three moments, as it flattens slopes and hides correlation.
    """
    x, y = steps
    if not len(x):
        return _untold(0, 0)
    days = _begins(day)
    sums = np.add.reduceat(np.column_stack([x * x - noise[0], x * y - noise[2], y * y - noise[1]]), days)
    xx, xy, yy = sums.sum(axis=0)
    if len(days) < _FEWEST_DAYS or min(xx, yy) <= 0:
        return _untold(len(x), len(days))
    drawn = _draws(len(days)) @ sums
    replicates = np.where((drawn[:, 0] > 0) & (drawn[:, 2] > 0), orthogonal_slope(*drawn.T), np.nan)
    low, high = percentiles(replicates, len(days))
    slope = Estimate(float(orthogonal_slope(xx, xy, yy)), float(low), float(high), len(x), float(len(days)))
    return Elasticity(slope, min(1.0, xy**2 / (xx * yy)) if math.isfinite(xy) else None)


def _untold(steps: int, days: int) -> Elasticity:
    reason = "the rates do not change enough from one stretch of time to the next to tell it from chance"
    slope = Estimate(None, n=steps, n_eff=float(days), state=State.NOT_IDENTIFIABLE, reason=reason)
    return Elasticity(slope, None)


@cache
def _draws(days: int) -> Float64:
    """How often each day is drawn, the same for all pairs: they are compared with each other."""
    return block_draws(generator("days"), days, _DRAWS)
