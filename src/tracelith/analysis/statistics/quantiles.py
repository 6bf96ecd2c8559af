"""Quantiles of weighted values with distribution-free intervals and a refusal to guess (metrics.md §0.2, §0.3).

Values come as a merged table (value, observations, weight, squared weights): depths as they are, durations as the
representatives of their buckets.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tracelith.analysis.statistics.intervals import wilson
from tracelith.analysis.statistics.stretches import worth
from tracelith.analysis.statistics.weights import effective_size
from tracelith.model.findings import Estimate, State

__all__ = ["WeightedValues", "block_weights", "in_time", "minimum_observations", "order_statistic_ranks", "quantile"]

Float64 = NDArray[np.float64]

TAIL_OBSERVATIONS = 10
"""A quantile is reported only with ten observations expected beyond it: p99 needs 1,000, p95 200, the median 20."""


@dataclass(frozen=True, slots=True)
class WeightedValues:
    """Distinct values in ascending order and what was observed at each.

    Attributes:
        values: float64[k]. weight: float64[k], sum of adjusted counts. n: observations in all.
        n_eff: Kish's effective number of observations.
    """

    values: Float64
    weight: Float64
    n: int
    n_eff: float

    @classmethod
    def of(
        cls, values: ArrayLike, weight: ArrayLike, *, n: int | None = None, weight_squares: ArrayLike | None = None
    ) -> "WeightedValues":
        """From values in any order, repeated ones added up; without squares every observation weighs the same."""
        distinct, position = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)
        weights = np.asarray(weight, dtype=np.float64)
        total: Float64 = np.bincount(position, weights=weights, minlength=len(distinct)).astype(np.float64)
        count = round(float(weights.sum())) if n is None else n
        size = float(count) if weight_squares is None else effective_size(weights, weight_squares)
        return cls(distinct, total, count, size)

    def at(self, q: float | Float64) -> Float64:
        """Smallest value whose cumulative share reaches q."""
        share = np.cumsum(self.weight) / self.weight.sum()
        position = np.searchsorted(share, np.asarray(q) - 1e-12, side="left")
        return np.asarray(self.values[np.minimum(position, len(self.values) - 1)], dtype=np.float64)


def minimum_observations(q: float) -> int:
    """Observations below which the quantile is not reported: 1,000 for .99, 200 for .95, 20 for .5."""
    return math.ceil(round(TAIL_OBSERVATIONS / min(q, 1 - q), 6))


def order_statistic_ranks(n: int, q: float) -> tuple[int, int]:
    """Ranks (from 1) of the order statistics that enclose the quantile with 95 % confidence.

    The upper rank may be n + 1 and the lower one 0 when the sample is too small to bound that side.
    """
    return int(stats.binom.ppf(0.025, n, q)), int(stats.binom.ppf(0.975, n, q)) + 1


def quantile(sample: WeightedValues, q: float, what: str, *, minimum: int | None = None) -> Estimate:
    """The q-quantile with its 95 % interval, or why there is none.

    Equal weights use order-statistic ranks, unequal ones Woodruff's inversion with Kish's effective size.

    Args:
        sample: what was observed.
        q: between 0 and 1.
        what: what is counted ("requests"), for the reason.
        minimum: observations needed, minimum_observations(q) unless told.
    """
    needed = minimum_observations(q) if minimum is None else minimum
    if sample.n < needed or sample.n_eff + 1e-9 < needed:
        seen = f"{sample.n:,}" if sample.n < needed else f"{sample.n_eff:,.0f} effective (after weighting)"
        reason = f"p{q * 100:g} needs {needed:,} {what}, seen {seen}; analyse a longer period"
        return Estimate(None, n=sample.n, n_eff=sample.n_eff, state=State.INSUFFICIENT_DATA, reason=reason)
    low, high = sample.at(np.array(_rank_shares(sample, q)))
    return Estimate(float(sample.at(q)), float(low), float(high), sample.n, sample.n_eff)


def _rank_shares(sample: WeightedValues, q: float) -> tuple[float, float]:
    if abs(sample.n_eff - sample.n) < 1e-6 * sample.n:
        low, high = order_statistic_ranks(sample.n, q)
        return max(low, 1) / sample.n, min(high, sample.n) / sample.n
    share_low, share_high = wilson(q * sample.n_eff, sample.n_eff)
    return float(share_low), float(share_high)


def block_weights(
    sample: WeightedValues, values: ArrayLike, weight: ArrayLike, block: ArrayLike
) -> tuple[Float64, NDArray[np.int64]]:
    """Weight of each of the sample's values in each time block.

    Returns:
        float64[blocks, k] for the k values of the sample, and the blocks in order.
    """
    blocks, row = np.unique(np.asarray(block, dtype=np.int64), return_inverse=True)
    column = np.searchsorted(sample.values, np.asarray(values, dtype=np.float64))
    table = np.zeros((len(blocks), len(sample.values)))
    np.add.at(table, (row, column), np.asarray(weight, dtype=np.float64))
    return table, blocks


def in_time(estimate: Estimate, sample: WeightedValues, q: float, by_block: Float64) -> Estimate:
    """The estimate with its interval as wide as the spread between time blocks says (metrics.md §0.3, §0.4).

    Requests of the same minute are not independent. For every value v the share of requests up to v has a variance that
    the blocks show, merged into independent stretches where neighbours agree; it makes the observations worth fewer
    independent ones, never more. The interval holds all v whose share up to v may be q: Woodruff's inversion, with
    Student's quantile in Wilson's interval where few stretches decide.

    Args:
        estimate: from quantile(); returned as it is when it has no value or there is only one block.
        sample: what was observed. q: the quantile.
        by_block: float64[blocks, k], from block_weights, in order of time.

    Source: Woodruff 1952; Francisco and Fuller 1991 for inverting tests of every value.
    """
    if estimate.value is None or len(by_block) < 2:
        return estimate
    share, size, z = _shares_in_time(sample, q, by_block)
    low, high = wilson(share * size, size, z)
    first = int(np.searchsorted(high, q - 1e-12, side="left"))
    last = int(np.searchsorted(low, q + 1e-12, side="left"))
    return replace(
        estimate,
        low=float(sample.values[min(first, len(share) - 1)]),
        high=float(sample.values[min(last, len(share) - 1)]),
    )


def _shares_in_time(sample: WeightedValues, q: float, by_block: Float64) -> tuple[Float64, Float64, Float64]:
    """Share of requests up to each value, the independent observations behind it, and Student's quantile for it."""
    upto = np.cumsum(by_block, axis=1)
    whole = upto[:, -1:]
    share = upto.sum(axis=0) / whole.sum()
    moved = (upto - share * whole) / whole.sum()
    at = min(int(np.searchsorted(share, q - 1e-12)), len(share) - 1)
    return share, *worth(moved, share, sample.n_eff, at)
