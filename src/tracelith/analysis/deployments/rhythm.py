"""The chance that a service deploys near one given moment by rhythm alone (own; after metrics.md §7.4).

Base rates pooled over all of a service's deployments weaken the test where rhythm is uneven: on a train nearly every
coincidence is explained, outside it hardly any. So each single deployment gets a chance of its own, twice:

* the *calendar* chance: in how many other weeks the other service deploys at the same time of the week;
* the *activity* chance: how many of the other services deploy near that moment. This is what explains departures at
  irregular times, release days and freezes. A moment is quiet, when everybody deploys independently, or part of a
  burst of any size; which it is follows from how many deploy near it, and the share of quiet moments from all of them.
  Without the two kinds a lone neighbour at a quiet moment would count as a small burst, or a burst's as chance.

A group of services is its own activity, so once services are shown to be coupled they are left out of the activity
around each other. The group must show itself in some pair first: one of nearly all services cannot be told from
irregular release days, and is not; the system's lockstep tells of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tracelith.analysis.deployments.coincidence import (
    DELTA_NS,
    WEEK_NS,
    DeploymentLog,
    Float64,
    Int64,
    near_deployments,
)
from tracelith.analysis.times import MINUTE_NS

__all__ = ["FEWEST_OTHERS", "Activity", "Trials", "calendar_chances", "directed_trials"]

WEEK_MINUTES = WEEK_NS // MINUTE_NS
FEWEST_OTHERS = 2
"""With fewer other services there is no activity to compare with."""
ROUNDS = 60
HAZARDS = np.concatenate(([0.0], np.geomspace(1e-4, 60, 400)))
"""From never to certainly; between two of them the curve of shares is read by interpolation."""

Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Trials:
    """The deployments of one service of each pair, and whether the other one deployed near them.

    Attributes:
        given: int64[p], the service that is looked for. service: int64[p], the one whose deployments are tried.
        pair: int64[t], index of the pair, ascending. event: int64[t], in the log's order. hit: bool[t].
    """

    given: Int64
    service: Int64
    pair: Int64
    event: Int64
    hit: Bool

    def summed(self, values: Float64 | Bool) -> Float64:
        """float64[p], sum of float64[t] values over each pair's trials."""
        sums: Float64 = np.bincount(self.pair, weights=values, minlength=len(self.given)).astype(np.float64)
        return sums

    def means(self, values: Float64 | Bool) -> Float64:
        """float64[p], mean over each pair's trials; each pair has one at least."""
        return self.summed(values) / np.bincount(self.pair, minlength=len(self.given))


def directed_trials(log: DeploymentLog, near: Bool, given: Int64, service: Int64) -> Trials:
    """The trials "is there a deployment of given near each deployment of service".

    Args:
        log: the deployments.
        near: bool[S, e], Activity.near of the same log.
        given, service: int64[p]; each service has a deployment at least.
    """
    sizes = log.counts[service]
    pair = np.repeat(np.arange(len(given)), sizes)
    place = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    event = log.first[service][pair] + place
    return Trials(given, service, pair, event, near[given[pair], event])


def calendar_chances(
    log: DeploymentLog, trials: Trials, offsets_ns: Sequence[int] = (0,), delta_ns: int = DELTA_NS
) -> Float64:
    """Chance of a hit by weekly or by fortnightly rhythm, whichever explains more of the pair's coincidences.

    For each trial the share of the other weeks (or of the other weeks of the same parity) in which the given service
    deploys within delta of the same time of the week, to the minute; one week's worth of the pair's mean is added, so
    that no chance is 0. In offsets_ns further times of the week that count as the same: clock changes.

    Returns:
        float64[t].
    """
    minute = log.at_ns[trials.event] // MINUTE_NS
    week, time = minute // WEEK_MINUTES, minute % WEEK_MINUTES
    weekly, fortnightly = np.zeros(len(minute)), np.zeros(len(minute))
    for given in np.unique(trials.given):
        mine = np.flatnonzero(trials.given[trials.pair] == given)
        occupied = _occupied(log, int(given), offsets_ns, delta_ns)
        here = occupied[week[mine], time[mine]]
        even, odd = occupied[::2].sum(axis=0), occupied[1::2].sum(axis=0)
        alike = np.where(week[mine] % 2 == 0, even[time[mine]], odd[time[mine]])
        weekly[mine] = even[time[mine]] + odd[time[mine]] - here
        fortnightly[mine] = alike - here
    of_parity = np.where(week % 2 == 0, (log.weeks + 1) // 2, log.weeks // 2) - 1
    by_week, pooled_week = _smoothed(trials, weekly, np.full(len(minute), log.weeks - 1))
    by_fortnight, pooled_fortnight = _smoothed(trials, fortnightly, of_parity)
    chances: Float64 = np.where((pooled_week >= pooled_fortnight)[trials.pair], by_week, by_fortnight)
    return chances


def _occupied(log: DeploymentLog, service: int, offsets_ns: Sequence[int], delta_ns: int) -> NDArray[np.int64]:
    """int64[weeks, minutes of the week], 1 where a deployment of the service is within delta, at the latest after an
    offset; the period's ends touch."""
    centres = [(log.at_ns[log.events_of(service)] - offset) // MINUTE_NS for offset in offsets_ns]
    reach = np.arange(-delta_ns // MINUTE_NS, delta_ns // MINUTE_NS + 1)
    occupied = np.zeros(log.weeks * WEEK_MINUTES, dtype=np.int64)
    occupied[(np.concatenate(centres)[:, None] + reach).ravel() % len(occupied)] = 1
    return occupied.reshape(log.weeks, WEEK_MINUTES)


def _smoothed(trials: Trials, hits: Float64, weeks: Int64) -> tuple[Float64, Float64]:
    """float64[t], float64[p]: hits per week of each trial, drawn to the pair's mean, and that mean."""
    pooled = (trials.summed(hits) + 0.5) / (trials.summed(weeks.astype(np.float64)) + 1)
    return (hits + pooled[trials.pair]) / (weeks + 1), pooled


@dataclass(frozen=True, slots=True)
class Activity:
    """Who deploys near whom in a log, and how that comes about.

    Attributes:
        near: bool[S, e], whether each service deploys within delta of each deployment; true of its own.
        beside: int64[e], how many other services do. present: services with a deployment in the log.
        rates: float64[S], deployments of each relative to the mean. shares: float64[h], the share of services that
            deploy at a moment of each hazard in HAZARDS.
        quiet: chance that one service deploys near a quiet moment. bursts: share of deployments in bursts.
    """

    near: Bool
    beside: Int64
    present: int
    rates: Float64
    shares: Float64
    quiet: float
    bursts: float

    @classmethod
    def of(cls, log: DeploymentLog, delta_ns: int = DELTA_NS) -> "Activity":
        """The activity in a log."""
        near = near_deployments(log, np.arange(len(log.services)), delta_ns=delta_ns)
        beside = near.sum(axis=0) - 1
        present = int((log.counts > 0).sum())
        rates = log.counts / log.counts[log.counts > 0].mean()
        shares = (1 - np.exp(-np.outer(HAZARDS, rates[rates > 0]))).mean(axis=1)
        quiet, bursts = _quiet_and_bursts(beside, max(1, present - 1))
        return cls(near, beside, present, rates, shares, quiet, bursts)

    def chances(self, log: DeploymentLog, trials: Trials, left_out: Bool) -> Float64:
        """Chance of a hit at each trial's moment, from the services other than the pair's two.

        Args:
            log: the log that this is the activity of.
            trials: of that log.
            left_out: bool[S, S], true where services are known to be coupled: who is, to either of a pair, is none of
                its others.

        Returns:
            float64[t], NaN where fewer than FEWEST_OTHERS services are left.
        """
        beside = (self.beside[trials.event] - trials.hit).astype(np.int64)
        others = np.full(len(trials.given), self.present - 2)
        excluded = left_out[trials.given] | left_out[trials.service]
        rows = np.arange(len(trials.given))
        excluded[rows, trials.given] = excluded[rows, trials.service] = False
        excluded &= (log.counts > 0)[None, :]
        others -= excluded.sum(axis=1)
        first = np.searchsorted(trials.pair, np.arange(len(trials.given) + 1))
        for pair in np.flatnonzero(excluded.any(axis=1)):  # pairs with a coupled service: few
            mine = slice(first[pair], first[pair + 1])
            beside[mine] -= self.near[np.ix_(excluded[pair], trials.event[mine])].sum(axis=0)
        return self._chance(beside, others[trials.pair], self.rates[trials.given[trials.pair]])

    def _chance(self, beside: Int64, others: Int64, rate: Float64) -> Float64:
        """Chance that a service of this rate deploys where ``beside`` of so many others do."""
        known = others >= FEWEST_OTHERS
        size = np.where(known, others, FEWEST_OTHERS)
        count = np.minimum(beside, size)
        by_chance = stats.binom.pmf(count, size, self.quiet) * (1 - self.bursts)
        in_burst = self.bursts / (size + 1)
        calm = by_chance / (by_chance + in_burst)
        share = calm * self.quiet + (1 - calm) * (count + 1) / (size + 2)
        hazard = np.interp(share, self.shares, HAZARDS)
        return np.where(known, 1 - np.exp(-rate * hazard), np.nan)


def _quiet_and_bursts(beside: Int64, others: int) -> tuple[float, float]:
    """Fits "binomial at quiet moments, anything from 0 to all equally likely in bursts" to the counts (EM)."""
    quiet, bursts = max(float(np.median(beside)) / others / 2, 0.2 / others), 0.3
    for _ in range(ROUNDS):
        by_chance = stats.binom.pmf(beside, others, quiet) * (1 - bursts)
        calm = by_chance / (by_chance + bursts / (others + 1))
        quiet = float(((calm * beside).sum() + 0.5) / (calm.sum() * others + others))
        bursts = float(np.clip((1 - calm).mean(), 0.01, 0.99))
    return quiet, bursts
