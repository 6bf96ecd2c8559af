"""Which hops make slow requests slow: an exact split of the tail's excess time (metrics.md §6.3 b and c).

The times of the hops on the critical path add up to the latency, so the mean latency of the slowest requests, minus the
mean of ordinary ones, is the sum over hops of the same difference. For a sum of components this Euler allocation of
the expected shortfall is its Aumann-Shapley value; nothing needs to be permuted. Percentiles are never divided or
added up: p99/p50 falls with depth for independent hops, and a sum of p99s overstates the end-to-end p99.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIDDLE", "Attribution", "HopTimes", "attribute", "cohort", "slower_visits", "variance_shares"]

Float64 = NDArray[np.float64]

MIDDLE = (0.4, 0.6)
"""Ordinary requests: the middle fifth of the latencies."""


@dataclass(frozen=True, slots=True)
class HopTimes:
    """Requests of one entry operation, by latency bucket in ascending order.

    Attributes:
        counts: float64[k], weighted requests per bucket.
        times: float64[k, h], weighted time per bucket and hop.
        squares: float64[k, h], weighted sum of squared times, for the spread inside a bucket.
        visits: float64[k, h], weighted number of spans with time on the hop.
        block_counts: float64[b, k] and block_times: float64[b, k, h], the same per time block, in order of time.
        n_eff: effective number of requests.
    """

    counts: Float64
    times: Float64
    squares: Float64
    visits: Float64
    block_counts: Float64
    block_times: Float64
    n_eff: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """Mean times in the tail and in the middle, per hop.

    Attributes:
        tail, middle: float64[..., h].
    """

    tail: Float64
    middle: Float64

    @property
    def excess(self) -> Float64:
        """Δ of each hop: how much longer it takes in slow requests. Negative: it takes less."""
        return self.tail - self.middle

    @property
    def shares(self) -> Float64:
        """Each hop's share of the whole excess; NaN where slow requests are not slower."""
        whole = self.excess.sum(axis=-1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(whole > 0, self.excess / whole, np.nan)


def cohort(counts: Float64, low: float, high: float) -> Float64:
    """How much of each bucket lies between two quantiles, float64[..., k] in [0, 1].

    A bucket on the border counts in part, so the cohort always holds exactly (high - low) of the weight.
    """
    upper = np.cumsum(counts, axis=-1)
    total = upper[..., -1:]
    inside = np.minimum(upper, high * total) - np.maximum(upper - counts, low * total)
    return _each(np.clip(inside, 0, None), counts)


def attribute(counts: Float64, times: Float64, q: float) -> Attribution:
    """Mean time per hop among the slowest 1 - q of the requests, and in the middle.

    Args:
        counts: float64[..., k]; leading axes are replicates.
        times: float64[..., k, h].
        q: the quantile where the tail begins.
    """
    return Attribution(_mean(counts, times, q, 1.0), _mean(counts, times, *MIDDLE))


def _mean(counts: Float64, times: Float64, low: float, high: float) -> Float64:
    part = cohort(counts, low, high)
    weight = (part * counts).sum(axis=-1)
    spent: Float64 = np.einsum("...k,...kh->...h", part, times)
    mean: Float64 = spent / np.maximum(weight, np.finfo(np.float64).tiny)[..., None]
    return mean


def slower_visits(hops: HopTimes, split: Attribution, q: float) -> Float64:
    """How much of each hop's excess comes from visits that take longer, not from more visits, float64[h].

    Δ = (v_T - v_M)·(c_T + c_M)/2 + (v_T + v_M)/2·(c_T - c_M), with v visits per request and c time per visit in tail
    and middle (Shapley's split of the two causes); this is the second part. One name may stand for requests of
    different kinds, and those that call more often are slow without any hop being slow. Where ordinary requests never
    visit the hop, c_M is the mean of all visits.
    """
    visits = attribute(hops.counts, hops.visits, q)
    overall = _each(hops.times.sum(axis=0), hops.visits.sum(axis=0))
    ordinary = np.where(visits.middle > 0, _each(split.middle, visits.middle), overall)
    slow = np.where(visits.tail > 0, _each(split.tail, visits.tail), ordinary)
    longer: Float64 = (visits.tail + visits.middle) / 2 * (slow - ordinary)
    return longer


def _each(whole: Float64, count: Float64) -> Float64:
    part: Float64 = np.divide(whole, count, out=np.zeros_like(whole), where=count > 0)
    return part


def variance_shares(counts: Float64, times: Float64) -> Float64:
    """Cov(x_h, L) / Var(L) of each hop, float64[h]; sums to 1. Outliers rule it: for screening only."""
    total = counts.sum()
    latency = times.sum(axis=-1) / np.maximum(counts, np.finfo(np.float64).tiny)
    mean = times.sum(axis=0) / total
    covariance = (latency[:, None] * times).sum(axis=0) / total - mean * mean.sum()
    whole = covariance.sum()
    return covariance / whole if whole > 0 else np.full(len(mean), np.nan)
