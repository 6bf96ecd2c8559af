"""How slow calls of an edge reach its callers: exceedance, propagation, effective fan-out (metrics.md §6.1, §6.3).

Thresholds are borders between histogram buckets, so each probability is divided by the one that was really
observed beyond the border, not by the nominal 1 - q. Slow calls come together in time, so intervals go by how much
time blocks differ. An exceedance is a ratio whose two sides move together: with one call per request it is 1 in every
block, and the interval of the numerator alone (Wilson's, ± 20 % with 10,000 requests) would be idle.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.analysis.statistics.intervals import proportion, proportion_in_time
from tracelith.analysis.statistics.stretches import apart, degrees_of_freedom, student, summed
from tracelith.model.findings import Estimate, State

__all__ = [
    "Cells",
    "Counted",
    "Exceedance",
    "Propagation",
    "effective_fan_out",
    "exceedance",
    "fan_out_probability",
    "propagation",
    "tail_border",
]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

NEEDED_REQUESTS = 1000
NEEDED_SLOW = 30
"""Traces with a slow call (or slow traces) below which their share is not reported."""

MOST_REACH = 10.0
"""Logarithm of the largest factor between an exceedance and its bounds, so that they stay finite."""

LARGEST_MISFIT = 3.0
"""A border that leaves three times more or less than 1 - q beyond it does not describe that quantile."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A histogram: bucket numbers in any order, repeated ones too, with observations and weight.

    block is the number of the time block of each, of ``blocks`` in all; without it there is only one.
    """

    bucket: Int64
    count: Int64
    weight: Float64
    block: Int64 | None = None
    blocks: int = 1

    def beyond(self, border: int) -> tuple[int, float]:
        """Observations and weight in the buckets from the border on."""
        far = self.bucket >= border
        return int(self.count[far].sum()), float(self.weight[far].sum())

    def by_block(self, chosen: NDArray[np.bool_] | None = None) -> Float64:
        """Weight per time block, float64[blocks]; of the chosen entries only if told."""
        block = np.zeros(self.bucket.size, dtype=np.int64) if self.block is None else self.block
        weight = self.weight if chosen is None else np.where(chosen, self.weight, 0.0)
        found: Float64 = np.bincount(block, weights=weight, minlength=self.blocks).astype(np.float64)
        return found


@dataclass(frozen=True, slots=True)
class Cells:
    """A two-dimensional histogram of traces: per cell the bucket of their latency, and of their slowest call."""

    latency: Int64
    slowest: Counted


@dataclass(frozen=True, slots=True)
class Exceedance:
    """EA: how many times more often a caller's request meets a slow call than a call is slow; and the fan-out of
    independent calls that would explain it."""

    estimate: Estimate
    fan_out: float | None


@dataclass(frozen=True, slots=True)
class Propagation:
    """π: share of requests that are slow given a slow call; lift over chance; τ: share of slow requests with one."""

    propagated: Estimate
    lift: float | None
    explained: Estimate


def fan_out_probability(slow: float, legs: int) -> float:
    """P(at least one of n independent legs is slow) = 1 - (1 - p)^n."""
    return -math.expm1(legs * math.log1p(-slow))


def effective_fan_out(observed: float, slow: float) -> float | None:
    """Independent legs that give the observed probability: ln(1 - P) / ln(1 - p). Far below the number of calls: they
    are slow together, which is itself a sign of something shared. None outside (0, 1)."""
    if not (0 < observed < 1 and 0 < slow < 1):
        return None
    return math.log1p(-observed) / math.log1p(-slow)


def tail_border(histogram: Counted, q: float) -> tuple[int, float] | None:
    """First bucket of the tail and the share of the weight from there on, closest to 1 - q; None if none is close."""
    total = histogram.weight.sum()
    if not total > 0:
        return None
    buckets, place = np.unique(histogram.bucket, return_inverse=True)
    share = np.cumsum(np.bincount(place, weights=histogram.weight)[::-1])[::-1] / total
    misfit = np.abs(np.log(share / (1 - q)))
    best = int(np.argmin(misfit))
    if misfit[best] > math.log(LARGEST_MISFIT):
        return None
    return int(buckets[best]), float(share[best])


def exceedance(calls: Counted, slowest: Counted, requests: Counted, q: float, design: float) -> Exceedance:
    """Exceedance amplification of an edge.

    Args:
        calls: durations of its calls.
        slowest: requests of the caller that used it, by their slowest call.
        requests: all requests of the caller (one bucket).
        q: which calls count as slow.
        design: effective over real number of traces, 1 when all weigh the same.
    """
    n, weight = int(requests.count.sum()), float(requests.weight.sum())
    border = tail_border(calls, q)
    if n < NEEDED_REQUESTS or border is None or weight <= 0:
        enough = n >= NEEDED_REQUESTS
        state = State.NOT_IDENTIFIABLE if enough else State.INSUFFICIENT_DATA
        reason = (
            "calls hardly differ" if enough else f"{NEEDED_REQUESTS:,} requests of the caller are needed, {n:,} came"
        )
        return Exceedance(Estimate(None, n=n, n_eff=n * design, state=state, reason=reason), None)
    first, slow_share = border
    _, met = slowest.beyond(first)
    observed = met / weight
    low, high = _amplified(calls, slowest, requests, first) or _of_requests(observed, slow_share, n * design)
    estimate = Estimate(observed / slow_share, low, high, n, n * design)
    return Exceedance(estimate, effective_fan_out(observed, slow_share))


def _of_requests(observed: float, slow_share: float, size: float) -> tuple[float, float]:
    """Bounds as far as requests are independent and the share of slow calls is known: Wilson's of the numerator."""
    share = proportion(observed * size, size)
    return (share.low or 0.0) / slow_share, (1.0 if share.high is None else share.high) / slow_share


def _amplified(calls: Counted, slowest: Counted, requests: Counted, border: int) -> tuple[float, float] | None:
    """Bounds from the spread between time blocks, on a logarithmic scale; None without blocks or slow calls."""
    met, asked = slowest.by_block(slowest.bucket >= border), requests.by_block()
    slow, called = calls.by_block(calls.bucket >= border), calls.by_block()
    if len(asked) < 2 or not met.sum() > 0:
        return None
    moved = (met / met.sum() - asked / asked.sum() - slow / slow.sum() + called / called.sum())[:, None]
    stretches = summed(moved, apart(moved)[0])
    error = math.sqrt(float((stretches**2).sum()) * len(stretches) / max(len(stretches) - 1, 1))
    reach = math.exp(min(error * float(student(degrees_of_freedom(stretches))[0]), MOST_REACH))
    value = (met.sum() / asked.sum()) / (slow.sum() / called.sum())
    return value / reach, value * reach


def propagation(latencies: Counted, calls: Counted, cells: Cells, q: float, design: float) -> Propagation:
    """Tail propagation of an edge.

    Args:
        latencies: all traces of the entry operation by latency.
        calls: durations of the edge's calls.
        cells: traces that used the edge, by latency and slowest call.
        q: which calls and which traces count as slow.
        design: effective over real number of traces.
    """
    late, slow = tail_border(latencies, q), tail_border(calls, q)
    if late is None or slow is None:
        nothing = Estimate(None, state=State.NOT_IDENTIFIABLE, reason="durations hardly differ")
        return Propagation(nothing, None, nothing)
    slow_traces, _ = cells.slowest.beyond(slow[0])
    late_traces, _ = latencies.beyond(late[0])
    far = cells.slowest.bucket >= slow[0]
    both = cells.slowest.by_block(far & (cells.latency >= late[0]))
    propagated = _share(both, cells.slowest.by_block(far), slow_traces, design, "traces with a slow call")
    explained = _share(both, latencies.by_block(latencies.bucket >= late[0]), late_traces, design, "slow traces")
    lift = None if propagated.value is None else propagated.value / late[1]
    return Propagation(propagated, lift, explained)


def _share(part: Float64, whole: Float64, traces: int, design: float, what: str) -> Estimate:
    reason = f"{NEEDED_SLOW} {what} are needed, {traces} came"
    return proportion_in_time(part, whole, traces * design, n=traces, minimum=NEEDED_SLOW, reason=reason)
