"""Pairs judged deployment by deployment, in the weeks in which both services existed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.analysis.deployments.coincidence import DeploymentLog, Float64, Int64
from tracelith.analysis.deployments.rhythm import Activity, Trials, calendar_chances, directed_trials
from tracelith.analysis.deployments.surprise import excess_intervals, weighted_p_values
from tracelith.analysis.times import MINUTE_NS

__all__ = ["CLOCK_CHANGE_NS", "Docket"]

CLOCK_CHANGE_NS = (-60 * MINUTE_NS, 0, 60 * MINUTE_NS)
"""A release train moves by an hour when the clocks change."""

Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Docket:
    """Pairs that are judged in the same weeks.

    Which deployments are tried is settled before looking at coincidences: choosing the side that looks better, or
    worse, would bend p-values and intervals.

    Attributes:
        places: int64[p], of the pairs among all. log: those weeks. activity: in them.
        fewer: trials of the service with fewer deployments, for the test: the other's many say little.
        more: trials of the one with more, for the excess: what is told of a pair is the lesser of its two shares.
        more_of_b: bool[p], whether that is b. calendar_fewer, calendar_more: float64[t], their calendar chances.
    """

    places: Int64
    log: DeploymentLog
    activity: Activity
    fewer: Trials
    more: Trials
    more_of_b: Bool
    calendar_fewer: Float64
    calendar_more: Float64

    @classmethod
    def of(cls, log: DeploymentLog, places: Int64, a: Int64, b: Int64) -> "Docket":
        """The pairs a, b that stand at places among all, to be judged by this log."""
        activity, rank = Activity.of(log), _ranks(log)
        more_of_b = rank[b] > rank[a]
        more, fewer = np.where(more_of_b, b, a), np.where(more_of_b, a, b)
        of_fewer = directed_trials(log, activity.near, given=more, service=fewer)
        of_more = directed_trials(log, activity.near, given=fewer, service=more)
        calendars = [calendar_chances(log, trials, CLOCK_CHANGE_NS) for trials in (of_fewer, of_more)]
        return cls(places, log, activity, of_fewer, of_more, more_of_b, *calendars)

    def p_calendar(self) -> Float64:
        """float64[p]."""
        return _p_values(self.fewer, self.calendar_fewer)

    def p_activity(self, known: Bool) -> Float64:
        """float64[p], NaN where too few services are left beside those known to be coupled."""
        return _p_values(self.fewer, self.activity.chances(self.log, self.fewer, known))

    def measured(self, known: Bool) -> dict[str, Float64 | Int64 | Bool]:
        """Columns of PairTests; the excess is what is beyond both rhythms at each deployment."""
        by_activity = self.activity.chances(self.log, self.more, known)
        chance = np.fmax(self.calendar_more, by_activity)
        excess, low, high = excess_intervals(self.more.pair, self.more.hit, chance, len(self.places))
        return {
            "of_b": self.more_of_b,
            "coincidences": self.more.summed(self.more.hit).astype(np.int64),
            "trials": np.bincount(self.more.pair, minlength=len(self.places)),
            "rate": self.more.means(self.more.hit),
            "base_rate": self.more.means(self.calendar_more),
            "activity_rate": self.more.means(by_activity),
            "excess": excess,
            "excess_low": low,
            "excess_high": high,
        }


def _ranks(log: DeploymentLog) -> Int64:
    """int64[S], ranks by number of deployments and then by their times, so that no name decides."""
    order = np.lexsort((np.bincount(log.service, log.at_ns, len(log.services)), log.counts))
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks


def _p_values(trials: Trials, chance: Float64) -> Float64:
    return weighted_p_values(trials.pair, trials.hit, chance, len(trials.given))
