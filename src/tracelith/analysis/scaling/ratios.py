"""Whether two rates keep their ratio, and by how many per cent one changes when the other changes by one.

Everything is a function of sums over days: leaving out days, or drawing them anew, gives the intervals, because the
hours of one day are not independent of each other.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tracelith.analysis.statistics.bootstrap import block_draws, percentiles
from tracelith.model.findings import Estimate, State

__all__ = ["Elasticity", "Variation", "elasticity", "log_steps", "orthogonal_slope", "ratio_cv", "ratio_variation"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

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


def ratio_variation(a: Float64, b: Float64, noise: Float64, day: Int64) -> Variation:
    """How much the ratio b / a varies from stretch to stretch.

    Args:
        a: float64[k], count of the first service per stretch, none of them 0. b: float64[k, s], those of others.
        noise: float64[k, s], squared coefficient of variation that each ratio has by chance alone.
        day: int64[k], day of each stretch.

    Source: metrics.md §12; noise is subtracted in quadrature, the interval is a jackknife over days.
    """
    ratio = b / a[:, None]
    days, place = np.unique(day, return_inverse=True)
    sums = np.zeros((4, len(days), b.shape[1]))
    for number, values in enumerate((np.ones_like(ratio), ratio, ratio**2, noise)):
        np.add.at(sums[number], place, values)
    whole = sums.sum(axis=1)
    square = _square(whole)
    if len(days) < _FEWEST_DAYS:
        nothing = np.full(b.shape[1], np.nan)
        return Variation(_root(square), nothing, nothing)
    without = _square(whole[:, None, :] - sums)
    count = len(days)
    error = np.sqrt((count - 1) / count * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    reach = stats.t.ppf(0.975, count - 1) * error
    return Variation(_root(square), _root(square - reach), _root(square + reach))


def _square(sums: Float64) -> Float64:
    """Squared coefficient of variation without noise, from count, sum, sum of squares and sum of noise."""
    count, first, second, noise = sums
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


def elasticity(
    steps: tuple[Float64, Float64], noise: tuple[Float64, Float64, Float64], day: Int64, random: np.random.Generator
) -> Elasticity:
    """How the steps of b follow those of a.

    Args:
        steps: of a and b, float64[k] each. noise: their variances and covariance by chance alone, float64[k] each.
        day: int64[k]. random: seeded by the pair.

    Source: metrics.md §12: first differences, total least squares (both rates are measured), days drawn anew. Noise is
    taken out of all three moments, as it flattens slopes and hides correlation.
    """
    x, y = steps
    days, place = np.unique(day, return_inverse=True)
    sums = np.zeros((len(days), 3))
    np.add.at(sums, place, np.column_stack([x * x - noise[0], x * y - noise[2], y * y - noise[1]]))
    xx, xy, yy = sums.sum(axis=0)
    if len(days) < _FEWEST_DAYS or min(xx, yy) <= 0:
        reason = "the rates do not change enough from one stretch of time to the next to tell it from chance"
        lacking = Estimate(None, n=len(x), n_eff=float(len(days)), state=State.NOT_IDENTIFIABLE, reason=reason)
        return Elasticity(lacking, None)
    drawn = block_draws(random, len(days), 400) @ sums
    replicates = np.where((drawn[:, 0] > 0) & (drawn[:, 2] > 0), orthogonal_slope(*drawn.T), np.nan)
    low, high = percentiles(replicates, len(days))
    slope = Estimate(float(orthogonal_slope(xx, xy, yy)), float(low), float(high), len(x), float(len(days)))
    return Elasticity(slope, min(1.0, xy**2 / (xx * yy)) if math.isfinite(xy) else None)
