"""How many independent stretches of time speak in a statistic.

An interval from time blocks promises too much in two cases. Blocks shorter than an incident are not independent: they
are merged until neighbours no longer move a statistic together. And a statistic may depend on a handful of blocks,
those with the incidents, however many there are; the spread between blocks is then itself known badly, and Student's
quantile is due, with as many degrees of freedom as the contributions of the blocks are worth.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["FEWEST_STRETCHES", "apart", "degrees_of_freedom", "student", "summed", "unseen", "worth"]

Float64 = NDArray[np.float64]

FEWEST_STRETCHES = 10
"""Blocks are not merged into fewer: correlation could no longer be told from chance."""

_TOLERATED = 1.0
"""Correlation of neighbours, in its standard errors, that still counts as none. Merging in vain costs little width,
missing a correlation costs coverage; at 1.6 queues that stay full for hours were held .02 less often."""

_MANY = 1e6
"""Degrees of freedom at which Student's distribution is the normal one."""

_UNSEEN_DEGREES = 20.0
"""Below so many degrees of freedom a stretch that the period happened not to hold is reckoned with in full; with more
it matters less and less, and made the intervals of independent log-normal hops a fifth wider for nothing."""


def apart(influence: Float64) -> tuple[int, bool]:
    """How many neighbouring blocks have to be merged until stretches of time are independent.

    Args:
        influence: float64[b, s], how much each block moves each of several statistics of one unit.

    Returns:
        The number of blocks (a power of two), and whether neighbours are independent then; False if stretches would
        have to be longer than a FEWEST_STRETCHES-th of the time.
    """
    factor = 1
    while True:
        stretches = summed(influence, factor)
        together = (stretches[1:] * stretches[:-1]).sum()
        spread = (stretches**2).sum()
        if together <= _TOLERATED * spread / math.sqrt(len(stretches)):
            return factor, True
        if len(influence) < 2 * factor * FEWEST_STRETCHES:
            return factor, False
        factor *= 2


def summed(rows: Float64, factor: int) -> Float64:
    """Rows of blocks added up, ``factor`` neighbours to one; the last may consist of fewer."""
    stretches: Float64 = np.add.reduceat(rows, np.arange(0, len(rows), factor), axis=0)
    return stretches


def degrees_of_freedom(influence: Float64) -> Float64:
    """Degrees of freedom of the variance that stretches say a statistic has, float64[s].

    Their number if all matter alike (normally distributed), twice the number of those that matter if only a few do.

    Args:
        influence: float64[g, s], see apart.

    Source: own; Satterthwaite's (1946) matching of the variance of Σ u², which is estimated by that of the u².
    """
    squares = influence**2
    total = squares.sum(axis=0)
    variance = ((squares - squares.mean(axis=0)) ** 2).sum(axis=0)
    degrees: Float64 = np.divide(2 * total**2, variance, out=np.full_like(total, np.inf), where=variance > 0)
    return degrees


def unseen(influence: Float64, degrees: Float64) -> tuple[Float64, Float64]:
    """By how much an event that the period happened not to hold may move each statistic, down and up, float64[s] each.

    Taken to be like the most influential stretch in that direction, as far as few of them decide.
    """
    scale = np.minimum(1.0, _UNSEEN_DEGREES / degrees)
    return np.minimum(influence.min(axis=0), 0) * scale, np.maximum(influence.max(axis=0), 0) * scale


def student(degrees: Float64) -> Float64:
    """Student's quantile of a 95 % interval, of the shape of degrees."""
    quantile: Float64 = stats.t.ppf(0.975, np.clip(degrees, 1.0, _MANY))
    return quantile


def worth(moved: Float64, share: Float64, most: float, judged: int = 0) -> tuple[Float64, Float64]:
    """How many independent observations shares are worth, and Student's quantile for their intervals, float64[s] each.

    Args:
        moved: float64[b, s], how much each block moves each share; each column adds up to 0.
        share: float64[s].
        most: number of observations; correlation never makes them worth more.
        judged: the column that says how long independent stretches are.
    """
    factor, _ = apart(moved[:, judged : judged + 1])
    stretches = summed(moved, factor)
    count = len(stretches)
    variance = (stretches**2).sum(axis=0) * count / max(count - 1, 1)
    size = np.divide(share * (1 - share), variance, out=np.full_like(share, most), where=variance > 0)
    return np.minimum(size, most), student(degrees_of_freedom(stretches))
