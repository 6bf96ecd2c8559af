"""Which of two services that deploy together goes first, and by how much (metrics.md §7.10)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tracelith.analysis.deployments.coincidence import DELTA_NS, DeploymentLog
from tracelith.analysis.statistics.quantiles import order_statistic_ranks
from tracelith.analysis.times import MINUTE_NS
from tracelith.model.findings import Estimate, State

__all__ = ["FEWEST_FOR_DIRECTION", "LeadLag", "lead_lag", "matched", "sign_flip_p", "summarise_lags"]

FEWEST_FOR_DIRECTION = 6
"""Six coincidences all in one order have p = .031; with fewer no order can be shown at .05 (metrics.md §7.10)."""
SIGNIFICANCE = 0.05
EXACT_LAGS = 12


@dataclass(frozen=True, slots=True)
class LeadLag:
    """Order within coincidences.

    Attributes:
        lag_minutes: median of time of b minus time of a, positive when b follows.
        direction: a_first or b_first if a sign test shows it, else undetermined.
        sign_p: two-sided exact sign test over the coincidences whose order is known; None without any.
        sign_flip_p: the same question asked of the mean lag; None without coincidences.
    """

    lag_minutes: Estimate
    direction: Literal["a_first", "b_first", "undetermined"]
    sign_p: float | None
    sign_flip_p: float | None


def matched(log: DeploymentLog, a: int, b: int, delta_ns: int = DELTA_NS) -> NDArray[np.int64]:
    """int64[k, 2], events of a and b that coincide, each used once, nearest first; sorted by time."""
    of_a, of_b = log.events_of(a), log.events_of(b)
    times_a, times_b = log.at_ns[of_a], log.at_ns[of_b]
    apart = np.abs(times_a[:, None] - times_b[None, :])
    rows, columns = np.nonzero(apart <= delta_ns)
    taken_a, taken_b, pairs = set[int](), set[int](), list[tuple[int, int]]()
    for place in np.argsort(apart[rows, columns], kind="stable"):  # a few coincidences of one pair
        left, right = int(rows[place]), int(columns[place])
        if left not in taken_a and right not in taken_b:
            taken_a.add(left)
            taken_b.add(right)
            pairs.append((of_a.start + left, of_b.start + right))
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def lead_lag(log: DeploymentLog, pairs: NDArray[np.int64]) -> LeadLag:
    """Lags of matched deployments. Where the times within which they happened overlap, the order is not known."""
    left, right = pairs[:, 0], pairs[:, 1]
    minutes = (log.at_ns[right] - log.at_ns[left]) / MINUTE_NS
    later = log.earliest_ns[right] > log.at_ns[left]
    earlier = log.earliest_ns[left] > log.at_ns[right]
    exact = (log.earliest_ns[right] == log.at_ns[right]) & (log.earliest_ns[left] == log.at_ns[left])
    signs = np.where(exact, np.sign(minutes), later.astype(np.int64) - earlier.astype(np.int64))
    return summarise_lags(minutes, signs)


def summarise_lags(minutes: NDArray[np.float64], signs: NDArray[np.float64] | None = None) -> LeadLag:
    """Median lag with its order-statistic interval, and the sign test.

    Args:
        minutes: float64[k], lag of each coincidence.
        signs: −1, 0 or 1 for each; 0 where the order is unknown. The sign of the lag unless told.
    """
    order = np.sign(minutes) if signs is None else signs
    first_a, first_b = int((order > 0).sum()), int((order < 0).sum())
    known = first_a + first_b
    sign_p = float(stats.binomtest(first_a, known).pvalue) if known else None
    direction: Literal["a_first", "b_first", "undetermined"] = "undetermined"
    if sign_p is not None and sign_p <= SIGNIFICANCE:
        direction = "a_first" if first_a > first_b else "b_first"
    return LeadLag(_median(np.sort(minutes)), direction, sign_p, sign_flip_p(minutes) if len(minutes) else None)


def sign_flip_p(minutes: NDArray[np.float64]) -> float:
    """Two-sided p-value of the mean lag if each lag could as well have the other sign.

    Exact up to EXACT_LAGS lags, from that many sign patterns drawn at random above.
    """
    n = len(minutes)
    if n <= EXACT_LAGS:
        flipped = np.arange(2**n)[:, None] >> np.arange(n) & 1
    else:
        flipped = np.random.default_rng(n).integers(0, 2, size=(2**EXACT_LAGS, n))
        flipped[0] = 0  # the order observed is one of the possible ones, so p is never 0
    sums = np.abs((1 - 2 * flipped) @ minutes)
    return float(np.mean(sums >= abs(minutes.sum()) - 1e-9))


def _median(minutes: NDArray[np.float64]) -> Estimate:
    n = len(minutes)
    if not n:
        return Estimate(None, state=State.INSUFFICIENT_DATA, reason="no coincident deployments to compare")
    low, high = order_statistic_ranks(n, 0.5)
    bounded = n >= FEWEST_FOR_DIRECTION and low >= 1 and high <= n
    return Estimate(
        round(float(np.median(minutes)), 2),
        round(float(minutes[low - 1]), 2) if bounded else None,
        round(float(minutes[high - 1]), 2) if bounded else None,
        n,
        float(n),
    )
