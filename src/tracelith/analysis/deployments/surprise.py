"""How surprising hits are when each trial has a chance of its own: an exact test, and the share beyond chance (own).

Both compare "each trial hits with its chance c" with "a share x of the trials hits for another reason", where a trial
hits with c + x (1 − c).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["excess_intervals", "weighted_p_values"]

HIGHEST_SCORE = 8
RAREST = 0.01
"""A hit of this chance or less has the highest score."""
CELLS_AT_ONCE = 2_000_000
"""Complex numbers worked on in one array operation."""
HALF_CHI_SQUARE = 1.920729
"""Half the .95 quantile of chi-square with one degree of freedom: how far a likelihood interval reaches down."""
BISECTIONS = 40
LEAST_CHANCE = 1e-9
LEAST_P_VALUE = 1e-10
"""Smaller ones are lost in the rounding of sums of chances."""

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


def weighted_p_values(pair: Int64, hit: Bool, chance: Float64, pairs: int) -> Float64:
    """One-sided exact p-values of each pair's hits, where unlikely hits count more.

    A hit scores log(1 + 1/c), the most powerful weight against x = 1/2, rounded to 1 … HIGHEST_SCORE so that the sum
    is a whole number; its distribution is the product of the trials' characteristic functions.

    Args:
        pair: int64[t], ascending index of the pair that a trial belongs to.
        hit: bool[t]. chance: float64[t], in (0, 1); if one of a pair's is NaN so is its p-value.
        pairs: their number.

    Returns:
        float64[pairs], 1 for pairs without trials.
    """
    sizes = np.bincount(pair, minlength=pairs)
    p_values = np.ones(pairs)
    longest = np.argsort(sizes, kind="stable")[::-1]
    first = np.cumsum(sizes) - sizes
    start = 0
    while start < pairs and sizes[longest[start]]:
        trials = int(sizes[longest[start]])
        rows = longest[start : start + max(1, CELLS_AT_ONCE // (trials * HIGHEST_SCORE + 1))]
        rows = rows[sizes[rows] > 0]
        place = first[rows][:, None] + np.minimum(np.arange(trials), sizes[rows][:, None] - 1)
        filled = np.arange(trials) < sizes[rows][:, None]
        p_values[rows] = _tail(np.where(filled, chance[place], 0.0), hit[place] & filled)
        start += len(rows)
    return p_values


def _tail(chance: Float64, hit: Bool) -> Float64:
    """P(score ≥ observed) of each row of trials."""
    unlikely = np.log1p(1 / np.clip(chance, RAREST, 1.0)) / np.log1p(1 / RAREST)
    score = np.maximum(1, np.rint(HIGHEST_SCORE * np.nan_to_num(unlikely))).astype(np.int64)
    observed = (score * hit).sum(axis=1)
    length = chance.shape[1] * HIGHEST_SCORE + 1
    angles = np.arange(length // 2 + 1) * (2j * np.pi / length)
    turns = np.exp(-np.arange(HIGHEST_SCORE + 1)[:, None] * angles) - 1
    product = np.ones((len(chance), len(angles)), dtype=np.complex128)
    for trial in range(chance.shape[1]):
        product *= 1 + chance[:, trial, None] * turns[score[:, trial]]
    density = np.fft.irfft(product, n=length, axis=1)
    above = np.cumsum(density[:, ::-1], axis=1)[:, ::-1]
    tail: Float64 = np.clip(above[np.arange(len(chance)), observed], LEAST_P_VALUE, 1.0)
    return np.where(observed == 0, 1.0, tail)


def excess_intervals(pair: Int64, hit: Bool, chance: Float64, pairs: int) -> tuple[Float64, Float64, Float64]:
    """The share x of trials that hit for another reason than chance, with its 95 % likelihood interval.

    Args:
        pair, hit, chance, pairs: as for weighted_p_values, without NaN.

    Returns:
        float64[pairs] each: the most likely x, and the ends of its interval, all in [0, 1]; 0, 0 and 1 without trials.
    """
    chance = np.clip(chance, LEAST_CHANCE, 1 - LEAST_CHANCE)

    def slope(share: Float64) -> Float64:
        x = share[pair]
        return _summed(pair, np.where(hit, (1 - chance) / (chance + x * (1 - chance)), -1 / (1 - x)), pairs)

    def likelihood(share: Float64) -> Float64:
        x = share[pair]
        return _summed(pair, np.log(np.where(hit, chance + x * (1 - chance), (1 - chance) * (1 - x))), pairs)

    nothing, everything = np.zeros(pairs), np.full(pairs, 1 - LEAST_CHANCE)
    best = _bisected(nothing, everything, lambda share: slope(share) > 0)
    least = likelihood(best) - HALF_CHI_SQUARE
    low = _bisected(nothing, best, lambda share: likelihood(share) < least)
    high = _bisected(best, everything, lambda share: likelihood(share) > least)
    return _snapped(best), _snapped(low), _snapped(high)


def _summed(pair: Int64, values: Float64, pairs: int) -> Float64:
    sums: Float64 = np.bincount(pair, values, pairs).astype(np.float64)
    return sums


def _bisected(low: Float64, high: Float64, goes_up: Callable[[Float64], Bool]) -> Float64:
    """Where goes_up turns from true to false between low and high, or the end nearest to it."""
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        up = goes_up(middle)
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return (low + high) / 2


def _snapped(share: Float64) -> Float64:
    """The ends themselves, where bisection only came close."""
    return np.where(share < 1e-6, 0.0, np.where(share > 1 - 1e-6, 1.0, share))
