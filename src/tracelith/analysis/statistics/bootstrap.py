"""Deterministic bootstrap draws (metrics.md §0.4): whole time blocks, or whole traces when there are few blocks.

Requests of the same minute are not independent, so blocks of time are drawn with replacement. A draw is only a vector
of how often each block was taken; every statistic that is a function of sums follows from one matrix product.
"""

import math
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tracelith.model.schema import WINDOW_NS

__all__ = ["ENOUGH_BLOCKS", "REPLICATES", "block_draws", "block_length_ns", "count_draws", "generator", "percentiles"]

Float64 = NDArray[np.float64]

REPLICATES = 1000

ENOUGH_BLOCKS = 20
"""Below this many blocks the percentile interval of a block bootstrap is too short; traces are drawn as well."""

MOST_BLOCKS = 100
"""More blocks than this add work and no precision to an interval."""


def generator(*subject: str) -> np.random.Generator:
    """A random generator whose seed is the subject's name: the same evidence gives the same interval, always."""
    digest = blake2b("\x1f".join(subject).encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def block_length_ns(start_ns: int, end_ns: int) -> int:
    """Length of a block: one window, or as many as keep the period within MOST_BLOCKS blocks."""
    windows = max(1, -(-(end_ns - start_ns) // WINDOW_NS))
    return WINDOW_NS * -(-windows // MOST_BLOCKS)


def block_draws(random: np.random.Generator, blocks: int, replicates: int = REPLICATES) -> Float64:
    """How often each block is taken, float64[replicates, blocks]; each row sums to the number of blocks."""
    taken: Float64 = random.multinomial(blocks, np.full(blocks, 1 / blocks), size=replicates).astype(np.float64)
    return taken


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


def _outside(drawn: float) -> float:
    """Share of the replicates to leave out on either side."""
    if drawn < 2:
        return 0.0
    return float(stats.norm.cdf(-math.sqrt(drawn / (drawn - 1)) * stats.t.ppf(0.975, drawn - 1)))
