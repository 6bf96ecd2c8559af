"""How often two services deploy within minutes of each other, against what rhythm alone would give (metrics.md §7.4).

Two base rates answer two doubts. The *calendar* base moves one service's deployments by whole weeks, which keeps
working hours, weekdays and weekly or fortnightly trains. The *activity* base asks how often any other service's
deployment falls near one, which covers irregular release days and freezes. Moving by whole weeks and not by arbitrary
amounts is essential: working hours alone make wall-clock shifts err in 13 % of healthy pairs, a train in 97 % (§7.7).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tracelith.analysis.statistics.intervals import wilson
from tracelith.analysis.statistics.multiplicity import minimum_coincidences

__all__ = [
    "ALPHA",
    "DELTA_NS",
    "MINIMUM_OTHERS",
    "WEEK_NS",
    "DeploymentLog",
    "PairTests",
    "calendar_base",
    "coincidence_hits",
    "near_deployments",
    "pair_tests",
]

WEEK_NS = 7 * 24 * 3_600 * 10**9
DELTA_NS = 30 * 60 * 10**9
"""Two deployments at most this far apart coincide (metrics.md §7.4)."""
MINIMUM_OTHERS = 50
"""Deployments by other services below which the activity base says nothing (metrics.md §7.4)."""
ALPHA = 0.10
"""The tolerated rate of false discoveries; also the p-value that a pair must be able to reach (metrics.md §7.9)."""

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DeploymentLog:
    """Deployments in a period of whole weeks, packed by service.

    Attributes:
        services: sorted names, each with at least one deployment.
        service: int64[e], index into services, ascending.
        at_ns: int64[e], time since start_ns, ascending within a service, in [0, weeks).
        earliest_ns: int64[e], the deployment happened in [earliest_ns, at_ns].
        version: int64[e], equal where two deployments brought the same version text, −1 where none was given.
        start_ns: beginning of the period. weeks: its length.
    """

    services: tuple[str, ...]
    service: Int64
    at_ns: Int64
    earliest_ns: Int64
    version: Int64
    start_ns: int
    weeks: int

    @property
    def length_ns(self) -> int:
        """Length of the period."""
        return self.weeks * WEEK_NS

    @property
    def counts(self) -> Int64:
        """int64[S], deployments per service."""
        return np.bincount(self.service, minlength=len(self.services)).astype(np.int64)

    @property
    def first(self) -> Int64:
        """int64[S + 1], events of service s are first[s]:first[s + 1]."""
        return np.concatenate(([0], np.cumsum(self.counts)))

    def events_of(self, service: int) -> slice:
        """Where the events of a service are."""
        low, high = np.searchsorted(self.service, (service, service + 1))
        return slice(int(low), int(high))

    def only(self, services: Int64) -> "DeploymentLog":
        """The log of these services (ascending indices), numbered anew."""
        kept = np.isin(self.service, services)
        return DeploymentLog(
            tuple(self.services[service] for service in services),
            np.searchsorted(services, self.service[kept]),
            self.at_ns[kept],
            self.earliest_ns[kept],
            self.version[kept],
            self.start_ns,
            self.weeks,
        )

    def between_weeks(self, first: int, last: int) -> "DeploymentLog":
        """The weeks ``first <= week < last`` of the log; services without deployments there keep their index."""
        kept = (self.at_ns >= first * WEEK_NS) & (self.at_ns < last * WEEK_NS)
        moved = first * WEEK_NS
        return DeploymentLog(
            self.services,
            self.service[kept],
            self.at_ns[kept] - moved,
            self.earliest_ns[kept] - moved,
            self.version[kept],
            self.start_ns + moved,
            last - first,
        )


@dataclass(frozen=True, slots=True)
class PairTests:
    """One row per pair. Of its two directions the one with the smaller excess_low is shown; p-values are the larger.

    Attributes:
        a, b: int64[p], index into the log's services.
        of_b: bool[p], trials are the deployments of b (which service is "one" below); otherwise of a.
        coincidences, trials: int64[p], deployments of one service near one of the other, and all of its deployments.
        rate: float64[p], coincidences / trials. base_rate: float64[p], calendar base.
        activity_rate: float64[p], activity base, NaN with fewer than MINIMUM_OTHERS deployments by others.
        excess: float64[p], (rate − base) / (1 − base), at most 1. excess_low, excess_high: the same from rate's Wilson
            bounds.
        p_calendar, p_activity: float64[p], p_activity is NaN where activity_rate is.
        reachable: bool[p], some outcome could have been significant at ALPHA (Tarone).
    """

    a: Int64
    b: Int64
    of_b: NDArray[np.bool_]
    coincidences: Int64
    trials: Int64
    rate: Float64
    base_rate: Float64
    activity_rate: Float64
    excess: Float64
    excess_low: Float64
    excess_high: Float64
    p_calendar: Float64
    p_activity: Float64
    reachable: NDArray[np.bool_]


def coincidence_hits(
    log: DeploymentLog, rows: Int64, weeks: int, delta_ns: int, offsets_ns: Sequence[int] = (0,)
) -> Int64:
    """How many deployments of each service fall within ±delta of one of each row service, after a shift in time.

    Args:
        log: the deployments.
        rows: int64[r], services whose deployments stay where they are.
        weeks: the others are moved by so many weeks, wrapping around at the end of the period.
        delta_ns: half width of the coincidence window.
        offsets_ns: a deployment also counts if it is near after one of these further moves.

    Returns:
        int64[r, S].
    """
    near = near_deployments(log, rows, weeks, delta_ns, offsets_ns)
    first = log.first
    running = np.zeros((len(rows), len(log.at_ns) + 1), dtype=np.int64)
    np.cumsum(near, axis=1, out=running[:, 1:])
    hits: Int64 = running[:, first[1:]] - running[:, first[:-1]]
    return hits


def near_deployments(
    log: DeploymentLog, rows: Int64, weeks: int = 0, delta_ns: int = DELTA_NS, offsets_ns: Sequence[int] = (0,)
) -> NDArray[np.bool_]:
    """Which deployments fall within ±delta of one of each row service, after a shift in time; arguments as above.

    Returns:
        bool[r, e], without a shift true of a row's own deployments. Without a shift the ends of the period do not
        touch, so nothing coincides across them.
    """
    length = log.length_ns
    wrap = np.int64(length if weeks else 2 * length + delta_ns)
    first = log.first
    moved = [(log.at_ns + weeks * WEEK_NS + offset) % length for offset in offsets_ns]
    near = np.zeros((len(rows), len(log.at_ns)), dtype=np.bool_)
    for row, service in enumerate(rows):  # one small search per service, not per pair
        own = log.at_ns[first[service] : first[service + 1]]
        if own.size:
            around = np.concatenate((own[-1:] - wrap, own, own[:1] + wrap))
            for times in moved:
                right = np.searchsorted(around, times).clip(1, len(around) - 1)
                near[row] |= np.minimum(times - around[right - 1], around[right] - times) <= delta_ns
    return near


def calendar_base(
    log: DeploymentLog, rows: Int64, delta_ns: int = DELTA_NS, offsets_ns: Sequence[int] = (0,)
) -> Float64:
    """Chance that a deployment falls near one of a row service by weekly or fortnightly rhythm alone.

    Returns:
        float64[r, S], the larger of the averages over all weekly and over all fortnightly shifts. Half a hit is added,
        so it is an estimate of a probability, never 0, and free of the 1/weeks floor of a permutation p-value.
    """
    weekly = np.zeros((len(rows), len(log.services)))
    fortnightly = weekly.copy()
    for shift in range(1, log.weeks):
        hits = coincidence_hits(log, rows, shift, delta_ns, offsets_ns)
        weekly += hits
        if shift % 2 == 0:
            fortnightly += hits
    shifts = log.weeks - 1
    per_week = (weekly + 0.5) / (shifts * log.counts + 1)
    if shifts < 2:
        return per_week
    return np.maximum(per_week, (fortnightly + 0.5) / (shifts // 2 * log.counts + 1))


def pair_tests(
    log: DeploymentLog, a: Int64, b: Int64, delta_ns: int = DELTA_NS, offsets_ns: Sequence[int] = (0,)
) -> PairTests:
    """Tests of the given pairs in both directions.

    Args:
        log: deployments of all services, also those in no pair: they make the activity base.
        a, b: int64[p], the pairs; each service needs at least one deployment in the log.
        delta_ns: half width of the coincidence window.
        offsets_ns: see coincidence_hits; (−1 h, 0, 1 h) makes the calendar base immune to daylight saving time.
    """
    rows = np.unique(np.concatenate((a, b)))
    observed = coincidence_hits(log, rows, 0, delta_ns)
    base = calendar_base(log.only(rows), np.arange(len(rows)), delta_ns, offsets_ns)
    row_a, row_b = np.searchsorted(rows, a), np.searchsorted(rows, b)
    near = observed.sum(axis=1)
    forward = _one_direction(log, observed[row_a, b], near[row_a], base[row_a, row_b], given=a, service=b)
    backward = _one_direction(log, observed[row_b, a], near[row_b], base[row_b, row_a], given=b, service=a)
    shown = forward.excess_low <= backward.excess_low
    return PairTests(
        a=a,
        b=b,
        of_b=shown,
        coincidences=np.where(shown, forward.coincidences, backward.coincidences),
        trials=np.where(shown, forward.trials, backward.trials),
        rate=np.where(shown, forward.rate, backward.rate),
        base_rate=np.where(shown, forward.base_rate, backward.base_rate),
        activity_rate=np.where(shown, forward.activity_rate, backward.activity_rate),
        excess=np.where(shown, forward.excess, backward.excess),
        excess_low=np.where(shown, forward.excess_low, backward.excess_low),
        excess_high=np.where(shown, forward.excess_high, backward.excess_high),
        p_calendar=np.maximum(forward.p_calendar, backward.p_calendar),
        p_activity=np.maximum(forward.p_activity, backward.p_activity),
        reachable=forward.reachable & backward.reachable,
    )


def _one_direction(
    log: DeploymentLog, hits: Int64, near_given: Int64, c_calendar: Float64, *, given: Int64, service: Int64
) -> PairTests:
    """Tests of "service deploys near given".

    Args:
        log: all deployments.
        hits: int64[p], deployments of service near one of given. near_given: int64[p], the same of all services.
        c_calendar: float64[p], calendar base.
        given, service: int64[p], the pairs.
    """
    counts = log.counts
    trials = counts[service]
    others = counts.sum() - counts[given] - trials
    near_others = near_given - counts[given] - hits
    c_activity = np.where(others >= MINIMUM_OTHERS, (near_others + 0.5) / (others + 1), np.nan)
    rate = hits / trials
    low, high = wilson(hits, trials)
    return PairTests(
        given,
        service,
        np.ones(len(hits), dtype=np.bool_),
        hits,
        trials,
        rate,
        c_calendar,
        c_activity,
        (rate - c_calendar) / (1 - c_calendar),
        (low - c_calendar) / (1 - c_calendar),
        (high - c_calendar) / (1 - c_calendar),
        stats.binom.sf(hits - 1, trials, c_calendar),
        stats.binom.sf(hits - 1, trials, c_activity),
        minimum_coincidences(trials, c_calendar, ALPHA) <= trials,
    )
