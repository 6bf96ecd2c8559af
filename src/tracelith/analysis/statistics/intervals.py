"""Confidence intervals of proportions (metrics.md §0.1), for one count or for whole arrays of them.

Wilson's interval is the default; where no observation or every observation is a success it is too short on the
closed side, and Jeffreys' takes over. Wald's interval is never used: it collapses to a point at 0 and 1.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tracelith.analysis.statistics.stretches import worth
from tracelith.model.findings import Estimate, State

__all__ = ["Z", "clopper_pearson", "jeffreys", "proportion", "proportion_in_time", "proportion_interval", "wilson"]

Float64 = NDArray[np.float64]

Z = 1.959964
"""Standard normal quantile of a 95 % interval."""


def wilson(successes: ArrayLike, trials: ArrayLike, z: ArrayLike = Z) -> tuple[Float64, Float64]:
    """Wilson's 95 % interval.

    Args:
        successes: k, not below 0. Need not be whole: weighted evidence enters as (share * n_eff, n_eff).
        trials: n; the interval is [0, 1] where it is 0.
        z: quantile of the standard normal distribution, or of Student's where the trials are known badly.

    Returns:
        Lower and upper bounds, arrays of the broadcast shape.

    Source: Wilson 1927.
    """
    k, n = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64))
    known = n > 0
    size = np.where(known, n, 1.0)
    share = k / size
    z2 = np.asarray(z, dtype=np.float64) ** 2
    spread = np.sqrt(z2 * (np.maximum(share * (1 - share), 0) / size + z2 / (4 * size**2)))
    centre, scale = share + z2 / (2 * size), 1 + z2 / size
    low = np.where(known, np.clip((centre - spread) / scale, 0, 1), 0.0)
    return low, np.where(known, np.clip((centre + spread) / scale, 0, 1), 1.0)


def jeffreys(successes: ArrayLike, trials: ArrayLike) -> tuple[Float64, Float64]:
    """Jeffreys' 95 % interval: equal tails of Beta(k + 1/2, n - k + 1/2).

    The lower bound is 0 for k = 0 and the upper bound 1 for k = n, as Brown, Cai and DasGupta 2001 advise.
    """
    k, n = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64))
    low = stats.beta.ppf(0.025, k + 0.5, n - k + 0.5)
    high = stats.beta.ppf(0.975, k + 0.5, n - k + 0.5)
    return np.where(k <= 0, 0.0, low), np.where(k >= n, 1.0, high)


def clopper_pearson(successes: int, trials: int) -> tuple[float, float]:
    """The exact (conservative) 95 % interval: a yardstick for tests, not shown to users."""
    interval = stats.binomtest(successes, trials).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)


def proportion_interval(successes: ArrayLike, trials: ArrayLike) -> tuple[Float64, Float64]:
    """The interval to use: Jeffreys' where k = 0 or k = n, Wilson's elsewhere, [0, 1] where n = 0."""
    k, n = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64))
    low, high = wilson(k, n)
    extreme = (n > 0) & ((k <= 0) | (k >= n))
    if extreme.any():
        jeffreys_low, jeffreys_high = jeffreys(k, n)
        low, high = np.where(extreme, jeffreys_low, low), np.where(extreme, jeffreys_high, high)
    return low, high


def proportion(
    successes: float, trials: float, *, n: int | None = None, minimum: int = 1, reason: str = "no observations"
) -> Estimate:
    """A proportion with its 95 % interval.

    Args:
        successes, trials: k and n; for weighted evidence share * n_eff and n_eff.
        n: number of observations when it differs from trials.
        minimum: with fewer observations there is no number, only the reason.
        reason: what is missing, used below the minimum.
    """
    count = round(trials) if n is None else n
    if count < minimum or trials <= 0:
        return Estimate(None, n=count, n_eff=float(trials), state=State.INSUFFICIENT_DATA, reason=reason)
    low, high = proportion_interval(successes, trials)
    return Estimate(successes / trials, float(low), float(high), count, float(trials))


def proportion_in_time(
    part: Float64, whole: Float64, size: float, *, n: int, minimum: int = 1, reason: str = "no observations"
) -> Estimate:
    """A proportion with its 95 % interval, where observations of the same stretch of time are alike.

    Args:
        part, whole: float64[b], weight of the successes and of the trials per time block, in order.
        size: effective number of trials if all were independent. n: number of trials.
        minimum, reason: as in proportion.

    Limits: independent trials and daily cycles are held as promised (in .96 of simulated periods). Where two or three
    incidents in 168 blocks make most successes, about .9 are, as nobody knows how many there might have been; where
    each of half a dozen releases sets another level until the next, .7 to .8. That takes a longer period, no formula.
    """
    total = float(whole.sum())
    share = float(part.sum()) / total if total > 0 else 0.0
    estimate = proportion(share * size, size, n=n, minimum=minimum, reason=reason)
    if estimate.value is None or len(whole) < 2:
        return estimate
    if share <= 0 or share >= 1:
        # Nothing differs between blocks, so each may have decided once for all of its trials.
        fewer = min(size, total**2 / float((whole**2).sum()))
        low, high = proportion_interval(share * fewer, fewer)
    else:
        moved = (part - share * whole) / total
        fewer_each, z = worth(moved[:, None], np.array([share]), size)
        fewer, (low, high) = float(fewer_each[0]), wilson(share * fewer_each[0], fewer_each[0], z[0])
    return replace(estimate, low=float(low), high=float(high), n_eff=fewer)
