"""Deterministic bootstrap draws (metrics.md §0.4): whole time blocks, or whole traces when there are few blocks.

Requests of the same minute are not independent, so blocks of time are drawn. A draw is only a vector of how much each
block counts; every statistic that is a function of sums follows from one matrix product. Counts of draws with
replacement do for statistics that are nearly normal. Tails are made in few blocks, and there how many such blocks a
period happens to hold is what is uncertain. Weighing blocks by exponential weights (Rubin's Bayesian bootstrap, 1981),
and adding one event that the period happened not to hold to the upper end, gives the exact limits of Garwood (1936) for
a number of like events: m of them vary as Gamma(m) below and Gamma(m + 1) above, where draws with replacement vary as
Poisson(m), too narrow on both sides. With a dozen incidents in four weeks plain percentiles held the truth .90 of the
time, these .97, at 1.2 times the width.
"""

import math
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tracelith.analysis.statistics.stretches import student
from tracelith.model.schema import WINDOW_NS

__all__ = [
    "ENOUGH_BLOCKS",
    "MOST_BLOCKS",
    "REPLICATES",
    "block_draws",
    "block_length_ns",
    "bounds",
    "count_draws",
    "exponential_weights",
    "generator",
    "percentiles",
]

Float64 = NDArray[np.float64]

REPLICATES = 1000

ENOUGH_BLOCKS = 20
"""Below this many blocks the percentile interval of a block bootstrap is too short; traces are drawn as well."""

MOST_BLOCKS = 184
"""The days of half a year. More blocks add work; fewer hide whether neighbours are slow together."""

_DAY_NS = 86_400_000_000_000
_HOUR_NS = _DAY_NS // 24
_LENGTHS_NS = (
    *(WINDOW_NS * windows for windows in (1, 2, 3, 4, 6)),
    *(_HOUR_NS * hours for hours in (1, 2, 3, 4, 6, 8, 12)),
    *(_DAY_NS * days for days in (1, 2, 3)),
)
"""Lengths that divide a day, or consist of whole ones: the same hours of different days are alike."""


def generator(*subject: str) -> np.random.Generator:
    """A random generator whose seed is the subject's name: the same evidence gives the same interval, always."""
    digest = blake2b("\x1f".join(subject).encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def block_length_ns(start_ns: int, end_ns: int) -> int:
    """Length of a block: the shortest that cuts the period into at most MOST_BLOCKS; whole weeks for years."""
    period_ns = end_ns - start_ns
    weeks_ns = 7 * _DAY_NS * -(-period_ns // (7 * _DAY_NS * MOST_BLOCKS))
    return next((length for length in _LENGTHS_NS if period_ns <= MOST_BLOCKS * length), weeks_ns)


def block_draws(random: np.random.Generator, blocks: int, replicates: int = REPLICATES) -> Float64:
    """How often each block is taken, float64[replicates, blocks]; each row sums to the number of blocks."""
    taken: Float64 = random.multinomial(blocks, np.full(blocks, 1 / blocks), size=replicates).astype(np.float64)
    return taken


def exponential_weights(random: np.random.Generator, blocks: int, replicates: int = REPLICATES) -> Float64:
    """How much each block counts, float64[replicates, blocks]: exponential, 1 on average."""
    return random.exponential(size=(replicates, blocks))


def count_draws(random: np.random.Generator, counts: Float64, size: float, replicates: int = REPLICATES) -> Float64:
    """Counts per bucket when ``size`` traces are drawn anew, scaled back to the original total.

    Args:
        random: the generator.
        counts: float64[k], weighted traces per bucket.
        size: effective number of traces.
        replicates: number of rows.
    """
    total = counts.sum()
    traces = max(1, round(size))
    drawn: Float64 = random.multinomial(traces, counts / total, size=replicates).astype(np.float64)
    drawn *= total / traces
    return drawn


def percentiles(replicates: Float64, drawn: float) -> tuple[Float64, Float64]:
    """The 95 % interval of each statistic, NaN replicates left out; NaN where none is left.

    With few things to draw from, plain percentiles are too close together, as the normal quantile is where Student's is
    due, so percentiles further out are taken (the expanded percentile interval of Hesterberg 2015).

    Args:
        replicates: float64[replicates, ...].
        drawn: how many blocks or traces each replicate draws.
    """
    empty = np.isnan(replicates).all(axis=0)
    filled = np.where(empty, 0.0, replicates)
    outside = 100 * _outside(drawn)
    low, high = np.nanpercentile(filled, [outside, 100 - outside], axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def bounds(
    replicates: Float64, below: Float64, above: Float64, random: np.random.Generator, degrees: Float64 | None = None
) -> tuple[Float64, Float64]:
    """The 95 % interval of each statistic from replicates by exponential_weights; NaN where no replicate has a number.

    Args:
        replicates: float64[replicates, s].
        below, above: float64[s], by how much an event that the period happened not to hold moves each statistic, down
            (at most 0) and up. It is weighed like a block.
        random: seeded by the subject.
        degrees: float64[s], degrees of freedom behind each; few of them take percentiles further out, as Student's
            quantile is. For statistics whose events are of very different size, means of times above all.
    """
    unseen = random.exponential(size=len(replicates))
    # The share of normal replicates beyond Student's quantile.
    beyond = np.full(len(below), 0.025) if degrees is None else stats.norm.cdf(-student(degrees))
    low, high = np.full(len(below), np.nan), np.full(len(below), np.nan)
    for column in np.flatnonzero(~np.isnan(replicates).all(axis=0)):
        outside = 100 * float(beyond[column])
        low[column] = np.nanpercentile(replicates[:, column] + unseen * below[column], outside)
        high[column] = np.nanpercentile(replicates[:, column] + unseen * above[column], 100 - outside)
    return low, high


def _outside(drawn: float) -> float:
    """Share of the replicates to leave out on either side."""
    if drawn < 2:
        return 0.0
    return float(stats.norm.cdf(-math.sqrt(drawn / (drawn - 1)) * stats.t.ppf(0.975, drawn - 1)))
