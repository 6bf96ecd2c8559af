"""Which pairs and groups of services deploy together: all pairs tested, the suspicious checked (metrics.md §7.11).

Every pair is tested against the calendar base of the whole period. Pairs that this makes suspicious must also survive
three changes that no coupling explains and that would otherwise accuse healthy services:

* the clock change: half a year always contains one; it moves a release train by an hour and halves the calendar base,
  so shifted deployments also count when they meet an hour earlier or later;
* a young service: two services that both began half way never meet when shifted into the time before, so a pair is
  judged in the weeks in which both existed;
* the last week: a finding must also hold without it, or it comes and goes.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

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
from tracelith.analysis.statistics.multiplicity import adjusted_p_values

__all__ = ["MINIMUM_PER_SERVICE", "MINIMUM_WEEKS", "WINDOWS_NS", "PairSearch", "search_pairs", "widest_windows"]

MINIMUM_PER_SERVICE = 5
MINIMUM_WEEKS = 6
"""Below these a pair is not tested (metrics.md §7.8)."""
MINUTE_NS = 60 * 10**9
CLOCK_CHANGE_NS = (-60 * MINUTE_NS, 0, 60 * MINUTE_NS)
WINDOWS_NS = {"10 min": 10 * MINUTE_NS, "30 min": DELTA_NS, "2 h": 120 * MINUTE_NS, "24 h": 1440 * MINUTE_NS}
"""Windows of the sensitivity label (metrics.md §7.11); the p-value always belongs to 30 minutes."""
SURPRISE = 0.05
"""A service began late if so long a silence before its first deployment has less than this chance."""
LINKED_SHARE = 0.5
"""Members of a group are on average coupled with at least this share of it; one false pair never joins two groups."""

Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PairSearch:
    """All pairs of the log's services.

    Attributes:
        tests: one row per pair, a < b; for suspicious pairs the numbers of the strictest check.
        common_weeks: int64[p], weeks in which both existed.
        eligible: bool[p], enough deployments and weeks. tested: bool[p], eligible and significance was reachable.
        q_value, q_activity: float64[p], false discovery rates against either base; NaN where not tested.
        coupled: bool[p], significant against the calendar base with excess_low > 0.
        confirmed: bool[p], coupled, and significant without the last week too.
        groups: members of each group of three or more services, largest first.
    """

    tests: PairTests
    common_weeks: Int64
    eligible: Bool
    tested: Bool
    q_value: Float64
    q_activity: Float64
    coupled: Bool
    confirmed: Bool
    groups: tuple[tuple[int, ...], ...]

    @property
    def labels(self) -> list[str]:
        """pair | group | calendar | none | untested for each pair (table of metrics.md §7.4)."""
        grouped = {(a, b) for group in self.groups for a in group for b in group}
        member = np.array([(int(a), int(b)) in grouped for a, b in zip(self.tests.a, self.tests.b, strict=True)], bool)
        beyond_others = self.q_activity <= ALPHA
        masked = np.isfinite(self.q_activity) & ~beyond_others
        return [
            str(label)
            for label in np.select(
                [~self.tested, self.coupled & (masked | (member & ~beyond_others)), self.coupled, beyond_others],
                ["untested", "group", "pair", "calendar"],
                "none",
            )
        ]


def search_pairs(log: DeploymentLog) -> PairSearch:
    """Tests every pair of services in the log."""
    a, b = (side.astype(np.int64) for side in np.triu_indices(len(log.services), 1))
    tests = pair_tests(log, a, b)
    began, ended = _active_weeks(log)
    first, last = np.maximum(began[a], began[b]), np.minimum(ended[a], ended[b])
    enough = log.counts >= MINIMUM_PER_SERVICE
    eligible = enough[a] & enough[b] & (last - first >= MINIMUM_WEEKS)
    suspicious = np.flatnonzero(eligible & tests.reachable & (tests.p_calendar <= ALPHA))
    tests, judged = _recheck(log, tests, suspicious, first, last)
    eligible[suspicious] &= judged
    tested = eligible & tests.reachable
    q_value = _adjusted(tests.p_calendar, tested)
    q_activity = _adjusted(tests.p_activity, tested & np.isfinite(tests.p_activity))
    coupled = (q_value <= ALPHA) & (tests.excess_low > 0)
    confirmed = coupled.copy()
    confirmed[coupled] = _without_last_week(log, a[coupled], b[coupled])
    groups = _groups(len(log.services), a[confirmed], b[confirmed])
    return PairSearch(
        tests,
        np.maximum(last - first, 0),
        eligible,
        tested,
        q_value,
        q_activity,
        coupled,
        confirmed,
        groups,
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


def _recheck(
    log: DeploymentLog, tests: PairTests, suspicious: Int64, first: Int64, last: Int64
) -> tuple[PairTests, Bool]:
    """The tests with suspicious pairs judged in their common weeks and across the clock change.

    Returns:
        The tests, and for each suspicious pair whether both services deployed often enough in those weeks.
    """
    columns = {field.name: getattr(tests, field.name).copy() for field in fields(tests)}
    judged = np.ones(len(suspicious), dtype=np.bool_)
    periods = np.stack((first[suspicious], last[suspicious]), axis=1)
    for begin, end in np.unique(periods, axis=0):
        here = (periods == (begin, end)).all(axis=1)
        pairs = suspicious[here]
        part = log.between_weeks(int(begin), int(end))
        enough = np.minimum(part.counts[tests.a[pairs]], part.counts[tests.b[pairs]]) >= MINIMUM_PER_SERVICE
        judged[here] = enough
        pairs = pairs[enough]
        strict = pair_tests(part, tests.a[pairs], tests.b[pairs], DELTA_NS, CLOCK_CHANGE_NS)
        for name, column in columns.items():
            column[pairs] = getattr(strict, name)
        columns["p_calendar"][pairs] = np.maximum(strict.p_calendar, tests.p_calendar[pairs])
        columns["reachable"][pairs] = True  # it was when the pair was chosen; the correction counts it
    return replace(tests, **columns), judged


def _without_last_week(log: DeploymentLog, a: Int64, b: Int64) -> Bool:
    """bool[p], whether the pairs are significant, one by one, in the period that ends a week earlier."""
    if log.weeks < 2 or not len(a):
        return np.zeros(len(a), dtype=np.bool_)
    earlier = log.between_weeks(0, log.weeks - 1)
    enough = np.minimum(earlier.counts[a], earlier.counts[b]) >= MINIMUM_PER_SERVICE
    significant = np.zeros(len(a), dtype=np.bool_)
    strict = pair_tests(earlier, a[enough], b[enough], DELTA_NS, CLOCK_CHANGE_NS)
    significant[enough] = (strict.p_calendar <= ALPHA) & (strict.excess_low > 0)
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
    cluster = fcluster(linkage(squareform(apart), "average"), LINKED_SHARE, criterion="distance")
    members = [tuple(int(place) for place in np.flatnonzero(cluster == number)) for number in np.unique(cluster)]
    return tuple(sorted((group for group in members if len(group) > 2), key=lambda group: (-len(group), group)))
