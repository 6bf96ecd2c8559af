"""Pairs judged deployment by deployment, in the weeks in which both services existed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.analysis.deployments.coincidence import DeploymentLog, Float64, Int64
from tracelith.analysis.deployments.rhythm import Activity, Trials, calendar_chances, directed_trials
from tracelith.analysis.deployments.surprise import excess_intervals, weighted_p_values

__all__ = ["CLOCK_CHANGE_NS", "Docket"]

MINUTE_NS = 60 * 10**9
CLOCK_CHANGE_NS = (-60 * MINUTE_NS, 0, 60 * MINUTE_NS)
"""A release train moves by an hour when the clocks change."""

Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Docket:
    """Pairs that are judged in the same weeks.

    Attributes:
        places: int64[p], of the pairs among all. log: those weeks. activity: in them.
        fewer: trials of the service with fewer deployments. of_a, of_b: trials of either.
        by_calendar: of fewer, of_a and of_b: the calendar chances.
    """

    places: Int64
    log: DeploymentLog
    activity: Activity
    fewer: Trials
    of_a: Trials
    of_b: Trials
    by_calendar: tuple[Float64, Float64, Float64]

    @classmethod
    def of(cls, log: DeploymentLog, places: Int64, a: Int64, b: Int64) -> "Docket":
        """The pairs a, b that stand at places among all, to be judged by this log."""
        activity = Activity.of(log)
        of_a, of_b = directed_trials(log, activity.near, b, a), directed_trials(log, activity.near, a, b)
        tried = np.where(_fewer(log)[a] < _fewer(log)[b], a, b)
        fewer = directed_trials(log, activity.near, np.where(tried == a, b, a), tried)
        chances = [calendar_chances(log, trials, CLOCK_CHANGE_NS) for trials in (fewer, of_a, of_b)]
        return cls(places, log, activity, fewer, of_a, of_b, (chances[0], chances[1], chances[2]))

    def p_calendar(self) -> Float64:
        """float64[p]."""
        return _p_values(self.fewer, self.by_calendar[0])

    def p_activity(self, known: Bool) -> Float64:
        """float64[p], NaN where too few services are left beside those known to be coupled."""
        return _p_values(self.fewer, self.activity.chances(self.log, self.fewer, known))

    def measured(self, known: Bool) -> dict[str, Float64 | Int64 | Bool]:
        """Columns of PairTests, of the direction with the smaller excess_low."""
        sides = [
            _excess(trials, by_calendar, self.activity.chances(self.log, trials, known))
            for trials, by_calendar in zip((self.of_a, self.of_b), self.by_calendar[1:], strict=True)
        ]
        of_b = sides[1]["excess_low"] <= sides[0]["excess_low"]
        return {name: np.where(of_b, sides[1][name], sides[0][name]) for name in sides[0]} | {"of_b": of_b}


def _fewer(log: DeploymentLog) -> Int64:
    """int64[S], ranks by number of deployments and then by their times, so that no name decides which side is tried."""
    order = np.lexsort((np.bincount(log.service, log.at_ns, len(log.services)), log.counts))
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks


def _p_values(trials: Trials, chance: Float64) -> Float64:
    return weighted_p_values(trials.pair, trials.hit, chance, len(trials.given))


def _excess(trials: Trials, by_calendar: Float64, by_activity: Float64) -> dict[str, Float64 | Int64 | Bool]:
    """Rates and excess of one direction; the excess is what is beyond both rhythms at each deployment."""
    chance = np.fmax(by_calendar, by_activity)
    excess, low, high = excess_intervals(trials.pair, trials.hit, chance, len(trials.given))
    return {
        "coincidences": trials.summed(trials.hit).astype(np.int64),
        "trials": np.bincount(trials.pair, minlength=len(trials.given)),
        "rate": trials.means(trials.hit),
        "base_rate": trials.means(by_calendar),
        "activity_rate": trials.means(by_activity),
        "excess": excess,
        "excess_low": low,
        "excess_high": high,
    }
