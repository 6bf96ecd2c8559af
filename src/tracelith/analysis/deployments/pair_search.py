"""Which pairs and groups of services deploy together: all pairs tested, the suspicious judged (metrics.md §7.11).

Every pair is compared with the calendar base of the whole period. Pairs that this leaves open are judged deployment by
deployment (rhythm, surprise): their coincidences must be more than the calendar *and* more than everybody's activity at
those very moments explain. Pooled base rates alone called 34 % of what they accused rightly when a third of the
deployments left with a train at irregular times, and 7 % with seven tenths; judged like this it is 97 % and more, and
what a weekly train hides is found more often. Judging also survives three changes that no coupling explains:

* the clock change: half a year always contains one; it moves a release train by an hour and halves the calendar base,
  so another week also counts when the two meet an hour earlier or later in it;
* a young service: two services that both began half way never meet when compared with the time before, so a pair is
  judged in the weeks in which both existed;
* the last week: a finding must also hold without it, or it comes and goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy import cluster, spatial

from tracelith.analysis.deployments.coincidence import (
    ALPHA,
    DELTA_NS,
    WEEK_NS,
    DeploymentLog,
    Float64,
    Int64,
    PairTests,
    pair_tests,
)
from tracelith.analysis.deployments.docket import CLOCK_CHANGE_NS, Docket
from tracelith.analysis.deployments.rhythm import FEWEST_OTHERS
from tracelith.analysis.statistics.multiplicity import adjusted_p_values
from tracelith.analysis.times import MINUTE_NS

__all__ = [
    "FEWEST_SERVICES",
    "MINIMUM_PER_SERVICE",
    "MINIMUM_WEEKS",
    "WINDOWS_NS",
    "PairSearch",
    "search_pairs",
    "widest_windows",
]

MINIMUM_PER_SERVICE = 5
MINIMUM_WEEKS = 6
"""Below these a pair is not tested (metrics.md §7.8)."""
WINDOWS_NS = {"10 min": 10 * MINUTE_NS, "30 min": DELTA_NS, "2 h": 120 * MINUTE_NS, "24 h": 1440 * MINUTE_NS}
"""Windows of the sensitivity label (metrics.md §7.11); the p-value always belongs to 30 minutes."""
SURPRISE = 0.01
"""A service began late if so long a silence before its first deployment has less than this chance. At .05 every tenth
service that always existed was judged in too few weeks, which hid a quarter of the rare pairs beside a weekly train."""
OPEN = 0.5
"""Pairs with a larger p-value against the pooled calendar base, or a single coincidence, are not looked at again: no
weight would make them significant, and a p-value that large changes nothing in the correction of the others."""
FEWEST_COINCIDENCES = 2
MOST_ROUNDS = 4
"""How often coupled services are left out of the activity around each other; the second time hardly adds a pair."""
LINKED_SHARE = 0.5
"""Members of a group are on average coupled with at least this share of it; one false pair never joins two groups."""

Bool = NDArray[np.bool_]


FEWEST_SERVICES = FEWEST_OTHERS + 2
"""With fewer nobody is left whose rhythm could explain a pair: every service of an irregular train looked bound."""


@dataclass(frozen=True, slots=True)
class PairSearch:
    """All pairs of the log's services.

    Attributes:
        tests: one row per pair, a < b; of judged pairs the numbers of the judgement.
        common_weeks: int64[p], weeks in which both existed.
        eligible: bool[p], enough deployments and weeks. tested: bool[p], eligible and significance was reachable.
        judged: bool[p], tested and not cleared by the pooled calendar base.
        q_value: float64[p], false discovery rate; NaN where not tested.
        coupled: bool[p], significant with excess_low > 0. masked: bool[p], only with the rest of their group left out.
        confirmed: bool[p], coupled, and significant without the last week too.
        groups: members of each group of three or more services, largest first.
    """

    tests: PairTests
    common_weeks: Int64
    eligible: Bool
    tested: Bool
    judged: Bool
    q_value: Float64
    coupled: Bool
    masked: Bool
    confirmed: Bool
    groups: tuple[tuple[int, ...], ...]

    @property
    def labels(self) -> list[str]:
        """pair | group | calendar | none | untested for each pair; calendar: one of the two rhythms explains it."""
        by_one = self.judged & (np.fmin(self.tests.p_calendar, self.tests.p_activity) <= ALPHA)
        return [
            str(label)
            for label in np.select(
                [~self.tested, self.masked, self.coupled, by_one], ["untested", "group", "pair", "calendar"], "none"
            )
        ]


def search_pairs(log: DeploymentLog) -> PairSearch:
    """Tests every pair of services in the log."""
    a, b = (side.astype(np.int64) for side in np.triu_indices(len(log.services), 1))
    tests = pair_tests(log, a, b)
    began, ended = _active_weeks(log)
    first, last = np.maximum(began[a], began[b]), np.minimum(ended[a], ended[b])
    enough = log.counts >= MINIMUM_PER_SERVICE
    eligible = enough[a] & enough[b] & (last - first >= MINIMUM_WEEKS) & (len(log.services) >= FEWEST_SERVICES)
    seems_so = (tests.p_calendar <= OPEN) & (tests.coincidences >= FEWEST_COINCIDENCES)
    suspicious = np.flatnonzero(eligible & tests.reachable & seems_so)
    bench = _bench(log, a[suspicious], b[suspicious], suspicious, np.stack((first, last), axis=1)[suspicious])
    judged = np.zeros(len(a), dtype=np.bool_)
    for docket in bench:
        judged[docket.places] = True
    eligible[suspicious] &= judged[suspicious]
    tested = eligible & tests.reachable
    known = np.zeros((len(log.services),) * 2, dtype=np.bool_)
    tests, q_value, coupled, masked = _judge(tests, bench, tested, known)
    confirmed = coupled.copy()
    confirmed[coupled] = _without_last_week(log, a[coupled], b[coupled], known)
    return PairSearch(
        tests,
        np.maximum(last - first, 0),
        eligible,
        tested,
        judged,
        q_value,
        coupled,
        masked,
        confirmed,
        _groups(len(log.services), a[confirmed], b[confirmed]),
    )


def widest_windows(log: DeploymentLog, a: Int64, b: Int64) -> list[str]:
    """For each pair the window of WINDOWS_NS that shows the largest excess_low; a label, never a p-value."""
    if not len(a):
        return []
    lows = [pair_tests(log, a, b, window, CLOCK_CHANGE_NS).excess_low for window in WINDOWS_NS.values()]
    names = list(WINDOWS_NS)
    return [names[int(place)] for place in np.argmax(np.stack(lows), axis=0)]


def _active_weeks(log: DeploymentLog) -> tuple[Int64, Int64]:
    """int64[S] each: the weeks begin <= w < end in which a service existed, as far as its deployments tell.

    n deployments at random leave the first share x of the period empty with probability (1 − x)^n. A longer silence
    than SURPRISE allows means that the service was not there yet, or not there any more.
    """
    first = log.first
    opening, closing = log.at_ns[first[:-1]], log.at_ns[first[1:] - 1]
    silence = 1 - SURPRISE ** (1 / log.counts)
    late = opening / log.length_ns > silence
    early = (log.length_ns - closing) / log.length_ns > silence
    began: Int64 = np.where(late, opening // WEEK_NS, 0)
    ended: Int64 = np.where(early, closing // WEEK_NS + 1, log.weeks)
    return began, ended


def _bench(log: DeploymentLog, a: Int64, b: Int64, places: Int64, periods: Int64) -> list[Docket]:
    """Pairs by the weeks (int64[p, 2], begin and end) they share, without those that deployed too rarely in them."""
    bench = []
    for begin, end in np.unique(periods, axis=0):
        part = log.between_weeks(int(begin), int(end))
        enough = np.minimum(part.counts[a], part.counts[b]) >= MINIMUM_PER_SERVICE
        pairs = np.flatnonzero((periods == (begin, end)).all(axis=1) & enough)
        if len(pairs):
            bench.append(Docket.of(part, places[pairs], a[pairs], b[pairs]))
    return bench


def _judge(
    tests: PairTests, bench: Sequence[Docket], tested: Bool, known: Bool
) -> tuple[PairTests, Float64, Bool, Bool]:
    """Judges the pairs on the bench until no further pair is coupled.

    Args:
        tests: of all pairs. bench: those to be judged. tested: bool[p].
        known: bool[S, S], set to true for coupled services, round by round.

    Returns:
        The tests with the judgement in them, q-values, who is coupled, and who only with its group left out.
    """
    columns = {field.name: getattr(tests, field.name).copy() for field in fields(tests)}
    p_values = np.ones(len(tested))
    coupled, masked = np.zeros(len(tested), dtype=np.bool_), np.zeros(len(tested), dtype=np.bool_)
    q_value = np.full(len(tested), np.nan)
    for docket in bench:
        columns["p_calendar"][docket.places] = docket.p_calendar()
    for turn in range(MOST_ROUNDS):
        for docket in bench:
            _ease(columns["p_activity"], docket.places, docket.p_activity(known), first=turn == 0)
            p_values[docket.places] = np.fmax(*(columns[name][docket.places] for name in ("p_calendar", "p_activity")))
        q_value = _adjusted(p_values, tested)
        found = (q_value <= ALPHA) & ~coupled
        if not found.any():
            break
        masked |= found & (turn > 0)
        coupled |= found
        known[tests.a[coupled], tests.b[coupled]] = known[tests.b[coupled], tests.a[coupled]] = True
    for docket in bench:
        for name, values in docket.measured(known).items():
            columns[name][docket.places] = values
    coupled &= columns["excess_low"] > 0
    return replace(tests, **columns), q_value, coupled, masked & coupled


def _ease(p_activity: Float64, places: Int64, p_values: Float64, *, first: bool) -> None:
    """Sets the p-values of the first round; later ones only where smaller: leaving services out never acquits."""
    p_activity[places] = p_values if first else np.fmin(p_activity[places], p_values)


def _without_last_week(log: DeploymentLog, a: Int64, b: Int64, known: Bool) -> Bool:
    """bool[p], whether the pairs are significant, one by one, in the period that ends a week earlier."""
    significant = np.zeros(len(a), dtype=np.bool_)
    if log.weeks < 2 or not len(a):
        return significant
    earlier = log.between_weeks(0, log.weeks - 1)
    enough = np.flatnonzero(np.minimum(earlier.counts[a], earlier.counts[b]) >= MINIMUM_PER_SERVICE)
    if len(enough):
        docket = Docket.of(earlier, enough, a[enough], b[enough])
        p_values = np.fmax(docket.p_calendar(), docket.p_activity(known))
        significant[enough] = (p_values <= ALPHA) & (docket.measured(known)["excess_low"] > 0)
    return significant


def _adjusted(p_values: Float64, tested: Bool) -> Float64:
    q_values = np.full(len(p_values), np.nan)
    q_values[tested] = adjusted_p_values(p_values[tested])
    return q_values


def _groups(services: int, a: Int64, b: Int64) -> tuple[tuple[int, ...], ...]:
    """Clusters of three or more services by average linkage over "is coupled"."""
    if len(a) < 2:
        return ()
    apart = np.ones((services, services))
    apart[a, b] = apart[b, a] = 0
    np.fill_diagonal(apart, 0)
    tree = cluster.hierarchy.linkage(spatial.distance.squareform(apart), "average")
    group = cluster.hierarchy.fcluster(tree, LINKED_SHARE, criterion="distance")
    members = [tuple(int(place) for place in np.flatnonzero(group == number)) for number in np.unique(group)]
    return tuple(sorted((some for some in members if len(some) > 2), key=lambda some: (-len(some), some)))
