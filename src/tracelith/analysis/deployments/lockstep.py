"""Do services ever deploy alone? Solo rate, lockstep index and excess, release trains (metrics.md §7.3).

The pairwise tests cannot see a system that always deploys everything at once, since then no pair stands out; these can.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tracelith.analysis.deployments.cochange import Sessions
from tracelith.analysis.deployments.coincidence import DELTA_NS, WEEK_NS, DeploymentLog, near_deployments
from tracelith.analysis.statistics.intervals import Z, wilson
from tracelith.analysis.times import HOUR_NS
from tracelith.model.findings import Estimate, State

__all__ = [
    "MINIMUM_DEPLOYMENTS",
    "MINIMUM_SERVICES",
    "MINIMUM_WEEKS",
    "Lockstep",
    "Train",
    "company",
    "expected_solo_rates",
    "hours_to_meet",
    "lockstep",
    "release_train",
    "working_hours",
]

MINIMUM_DEPLOYMENTS = 30
MINIMUM_SERVICES = 4
MINIMUM_WEEKS = 6
"""Below these the lockstep excess is not reported (metrics.md §19)."""

LEAST_EXPECTED = 0.1
"""Where independent services would deploy alone less often than this, sheer number hides lockstep (own)."""

WEEK_HOURS = 168
MONDAY_OFFSET_HOURS = 72
"""1970-01-01 was a Thursday: three days after a Monday."""
FEWEST_WORKING_HOURS = 40
"""Working hours per week are at least these (own). Without a floor a train that squeezes every deployment into one hour
would count that hour as all the working time there is, and so explain itself away."""

DENSE_HOURS = 3
"""From so many deployments in an ordinary hour of the week on, hours that saw none are idle, not unlucky (own)."""

LEAST_OF_A_DAY = 0.05
"""A day of the week with a smaller share of all deployments is no working day (own)."""

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lockstep:
    """How much of the system deploys in company.

    Attributes:
        alone: int64[S], deployments of each service with no other service within ±delta.
        expected: float64[S], share that independent deployments in working hours would have alone.
        solo_rate: mean over services of the share deployed alone.
        expected_solo_rate: mean of expected.
        excess: 1 − solo rate / expected: 0 independent, 1 never alone; negative if services avoid each other.
        index: mean share of the other services that deploy along; None with one service.
        state, reason: whether the excess may be read.
    """

    alone: Int64
    expected: Float64
    solo_rate: Estimate
    expected_solo_rate: float | None
    excess: Estimate
    index: float | None
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class Train:
    """What the sessions look like. top_hour is an hour of the week in UTC, 0 is Monday 00:00."""

    sessions: int
    median_batch: float | None
    largest_batch: int
    top_hour_share: float | None
    top_hour: int | None


def company(log: DeploymentLog, delta_ns: int = DELTA_NS) -> Int64:
    """int64[e], how many other services deploy within ±delta of each deployment."""
    near = near_deployments(log, np.arange(len(log.services)), delta_ns=delta_ns)
    beside: Int64 = near.sum(axis=0, dtype=np.int64) - 1
    return beside


def working_hours(log: DeploymentLog) -> float:
    """Hours in which this organisation deploys, of the whole period: so many of ordinary busyness as there are.

    An hour of the week counts in full from half the deployments of an ordinary hour on, which is the median of those
    that saw any, and below by its part of them: an hour that saw a single late rollback in half a year is no working
    hour, and a train's hour is only one. With few deployments an hour often saw none by chance; how many such there are
    follows from how many saw one or two, as the number of unseen species does (Chao 1984).
    """
    per_hour = np.bincount(_hours_of_week(log), minlength=WEEK_HOURS)
    seen = per_hour[per_hour > 0]
    ordinary = float(np.median(seen)) if seen.size else 0.0
    if ordinary >= DENSE_HOURS:
        full, numbers = ordinary / 2, np.arange(math.ceil(ordinary / 2))
        lacking = float((full - numbers) @ stats.poisson.pmf(numbers, ordinary))  # of an ordinary hour, by chance
        hours = min(float(np.minimum(seen, full).sum()) / (full - lacking), float(seen.size))
    else:
        once, twice = int((per_hour == 1).sum()), int((per_hour == 2).sum())
        hours = seen.size + min(once * (once - 1) / (2 * (twice + 1)), seen.size)
    return log.weeks * min(max(FEWEST_WORKING_HOURS, hours), WEEK_HOURS)


def hours_to_meet(log: DeploymentLog, delta_ns: int = DELTA_NS) -> float:
    """Working hours as they count for meetings: at the ends of a day part of ±delta lies where nobody deploys."""
    hours = working_hours(log)
    per_day = np.bincount(_hours_of_week(log) // 24, minlength=7)
    days = int((per_day >= LEAST_OF_A_DAY * per_day.sum()).sum())
    day_hours = max(hours / log.weeks / max(days, 1), 2 * delta_ns / HOUR_NS)
    return hours / (1 - delta_ns / HOUR_NS / (2 * day_hours))


def expected_solo_rates(counts: Float64, hours: float, delta_ns: int = DELTA_NS) -> Float64:
    """Share of each service's deployments that would be alone if all deployed independently.

    Args:
        counts: float64[..., S], deployments per service.
        hours: working hours they spread over, of the whole period.
        delta_ns: half width of the coincidence window.

    Returns:
        float64[..., S]: the product over the other services x of max(0, 1 − 2 delta n_x / hours).
    """
    missed = np.maximum(1 - 2 * delta_ns / HOUR_NS * counts / hours, 1e-300)
    logs = np.log(missed)
    alone: Float64 = np.exp(logs.sum(axis=-1, keepdims=True) - logs)
    return alone


def lockstep(log: DeploymentLog, sessions: Sessions, delta_ns: int = DELTA_NS) -> Lockstep:
    """Lockstep of the whole system with 95 % intervals.

    How much a rate would differ in other weeks follows from what each week adds to it (linearised), half way between
    weeks that are independent and fortnights that are: a fortnightly train makes weeks alternate, which whole weeks
    read as noise, and there are few fortnights. The interval is Wilson's with as many deployments as would vary like
    that, at most all of them; with all alone or none, as many as there are release sessions. Percentiles of resampled
    weeks, widened to Wilson's interval of the sessions, held the truth .99 of the time and were a quarter wider.
    """
    beside = company(log, delta_ns)
    alone = np.bincount(log.service, weights=beside == 0, minlength=len(log.services)).astype(np.int64)
    hours = hours_to_meet(log, delta_ns)
    expected = expected_solo_rates(log.counts.astype(np.float64), hours, delta_ns)
    state, reason = _enough(log, float(expected.mean()) if expected.size else 0.0)
    if state is not State.OK:
        blank = Estimate(None, n=len(log.at_ns), n_eff=float(len(log.at_ns)), state=state, reason=reason)
        return Lockstep(alone, expected, blank, None, blank, None, state, reason)
    influences = _weekly_influences(log, alone, beside, expected, 2 * delta_ns / HOUR_NS / hours)
    solo, excess = _excess_estimates(log, alone, float(expected.mean()), influences, sessions.incidence.shape[1])
    index = float(beside.mean()) / (len(log.services) - 1)
    return Lockstep(alone, expected, solo, float(expected.mean()), excess, index, state, reason)


def release_train(log: DeploymentLog, sessions: Sessions) -> Train:
    """Size of release batches and how much of the deploying happens in one hour of the week."""
    if not len(log.at_ns):
        return Train(0, None, 0, None, None)
    batches = sessions.batch_sizes
    per_hour = np.bincount(_hours_of_week(log), minlength=WEEK_HOURS)
    return Train(
        len(batches),
        float(np.median(batches)),
        int(batches.max()),
        float(per_hour.max() / per_hour.sum()),
        int(per_hour.argmax()),
    )


def _hours_of_week(log: DeploymentLog) -> Int64:
    return ((log.start_ns + log.at_ns) // HOUR_NS + MONDAY_OFFSET_HOURS) % WEEK_HOURS


def _enough(log: DeploymentLog, expected: float) -> tuple[State, str]:
    seen = len(log.at_ns), len(log.services), log.weeks
    if not seen[0]:
        return (
            State.INSUFFICIENT_DATA,
            "no deployment is known; let spans carry a service.version that changes with each release, "
            "or import past deployments",
        )
    if seen[0] >= MINIMUM_DEPLOYMENTS and seen[1] >= MINIMUM_SERVICES and seen[2] >= MINIMUM_WEEKS:
        if expected < LEAST_EXPECTED:
            return State.NOT_IDENTIFIABLE, "there are so many deployments that even independent ones are rarely alone"
        return State.OK, ""
    return (
        State.INSUFFICIENT_DATA,
        f"needs {MINIMUM_DEPLOYMENTS} deployments of {MINIMUM_SERVICES} services in {MINIMUM_WEEKS} weeks, "
        f"seen {seen[0]} of {seen[1]} in {seen[2]}; observe longer, or import past deployments",
    )


def _excess_estimates(
    log: DeploymentLog, alone: Int64, expected: float, influences: tuple[Float64, Float64], sessions: int
) -> tuple[Estimate, Estimate]:
    """Solo rate and lockstep excess, where ``expected`` would be alone."""
    n = len(log.at_ns)
    solo = float(np.mean(alone / log.counts))
    of_solo, of_ratio = influences
    most = n if 0 < solo < 1 else sessions
    size, size_of_ratio = (_effective(solo, influence, most) for influence in (of_solo, of_ratio * expected))
    low, high = (float(bound) for bound in wilson(solo * size, size))
    ratio_low, ratio_high = (float(bound) / expected for bound in wilson(solo * size_of_ratio, size_of_ratio))
    return (
        Estimate(solo, low, high, n, size),
        Estimate(1 - solo / expected, 1 - ratio_high, 1 - ratio_low, n, size_of_ratio),
    )


def _weekly_influences(
    log: DeploymentLog, alone: Int64, beside: Int64, expected: Float64, width: float
) -> tuple[Float64, Float64]:
    """float64[weeks] each: what each week adds to the solo rate, and to its ratio to the expected one.

    Args:
        width: of the window of a coincidence, as a share of the hours in which deployments can meet.
    """
    counts = log.counts
    shape = (log.weeks, len(log.services))
    cell = (log.at_ns // WEEK_NS) * shape[1] + log.service
    deployed = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    lone = np.bincount(cell, weights=beside == 0, minlength=shape[0] * shape[1]).reshape(shape)
    of_solo = ((lone - alone / counts * deployed) / counts).mean(axis=1)
    more = (deployed - counts / log.weeks) * (width / np.maximum(1 - width * counts, 1e-9))
    of_expected = (expected * (more - more.sum(axis=1, keepdims=True))).mean(axis=1)
    mean = float(expected.mean())
    solo = float(np.mean(alone / counts))
    return of_solo, of_solo / mean - solo * of_expected / mean**2


def _effective(solo: float, influence: Float64, most: int) -> float:
    """Number of independent deployments whose solo rate would vary as the weeks' influences tell, at most ``most``."""
    weeks = len(influence)
    if weeks < 2:
        return 1.0
    if not 0 < solo < 1:  # weeks that are all alike tell nothing of how much others would differ
        return float(most)
    variance = float((influence**2).sum() + (influence[1:] * influence[:-1]).sum() / 2) * weeks / (weeks - 1)
    few = float(stats.t.ppf(0.975, weeks - 1)) / Z  # weeks, not deployments, are what there are few of
    return float(np.clip(solo * (1 - solo) / max(variance * few**2, 1e-12), 1, most))
