"""Error rates and power of the pair search on simulated organisations (metrics.md §7.2, §7.4, §7.7), fixed seeds."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from deployment_logs import HOUR_NS, WEEK_HOURS, cluster, independent, log_of, train
from tracelith.analysis.deployments.cochange import find_sessions
from tracelith.analysis.deployments.coincidence import DELTA_NS, DeploymentLog, pair_tests
from tracelith.analysis.deployments.curveball import curveball_p_values, trade
from tracelith.analysis.deployments.lockstep import lockstep, release_train, working_hours
from tracelith.analysis.deployments.pair_search import search_pairs

WEEKS = 26


def _logs(seed: int, make: Callable[[np.random.Generator], list], runs: int = 4) -> list[DeploymentLog]:
    random = np.random.default_rng(seed)
    return [log_of(*make(random), weeks=WEEKS) for _ in range(runs)]


def _train_of(share: float) -> Callable[[np.random.Generator], list]:
    return lambda random: train(random, independent(random), share)


def _all_pairs(log: DeploymentLog) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.triu_indices(len(log.services), 1)
    return first, second


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_7_7_both_bases_hold_their_error_rate_under_release_trains(share: float):
    logs = _logs(71, _train_of(share))

    tests = [pair_tests(log, *_all_pairs(log)) for log in logs]

    assert np.mean([test.p_calendar <= 0.05 for test in tests]) <= 0.03
    assert np.mean([test.p_activity <= 0.05 for test in tests]) <= 0.04


def test_7_7_a_wall_clock_null_model_would_accuse_the_train():
    log = _logs(72, _train_of(0.7), runs=1)[0]
    first, second = _all_pairs(log)

    by_chance = 1 - (1 - 2 * DELTA_NS / log.length_ns) ** log.counts[first]
    naive = stats.binom.sf(pair_tests(log, first, second).coincidences - 1, log.counts[second], by_chance)

    assert np.mean(naive <= 0.05) > 0.9


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_no_pair_of_a_healthy_system_is_coupled_whatever_its_release_train(share: float):
    logs = _logs(73, _train_of(share))

    coupled = [int(search_pairs(log).coupled.sum()) for log in logs]

    assert coupled == [0, 0, 0, 0]


def test_7_7_a_fortnightly_train_couples_no_pair():
    def fortnightly(random: np.random.Generator) -> list:
        services = independent(random)
        return [
            np.concatenate((times[:7], np.arange(1, 26, 2) * WEEK_HOURS + 34 + 0.4 * random.random(13)))
            for times in services
        ]

    coupled = [int(search_pairs(log).coupled.sum()) for log in _logs(74, fortnightly)]

    assert coupled == [0, 0, 0, 0]


def test_a_release_train_that_moves_with_the_clocks_couples_no_pair():
    def summer_time(random: np.random.Generator) -> list:
        services = train(random, independent(random), 0.7)
        return [np.where(times > 13 * WEEK_HOURS, times - 1, times) for times in services]

    logs = _logs(75, summer_time)

    unprotected = [float(np.mean(pair_tests(log, *_all_pairs(log)).p_calendar <= 0.05)) for log in logs]
    coupled = [int(search_pairs(log).coupled.sum()) for log in logs]

    assert max(unprotected) > 0.02  # the clock change alone makes pairs suspicious
    assert coupled == [0, 0, 0, 0]


def test_two_young_services_are_judged_in_the_weeks_in_which_both_existed():
    def young(random: np.random.Generator) -> list:
        services = independent(random, services=8)
        slots = 19 * WEEK_HOURS + np.arange(7) * WEEK_HOURS
        return [*services, *(slots + 34 + 0.4 * random.random(7) for _ in range(3))]

    searches = [search_pairs(log) for log in _logs(76, young)]

    assert [int(search.coupled.sum()) for search in searches] == [0, 0, 0, 0]
    assert {int(weeks) for search in searches for weeks in search.common_weeks[search.tests.a >= 8]} == {7}


def test_services_that_deploy_rarely_are_seldom_taken_for_young():
    logs = _logs(85, lambda random: independent(random, services=30, each=6), runs=5)

    shortened = [search_pairs(log).common_weeks < WEEKS for log in logs]

    assert np.mean(shortened) < 0.06


def test_deployments_within_one_week_are_no_evidence_of_six():
    burst = 100 + np.arange(6) * 4.0
    log = log_of(burst, burst + 0.1, np.arange(26) * WEEK_HOURS + 10.0, weeks=WEEKS)

    search = search_pairs(log)

    assert search.labels[0] == "untested"
    assert search.common_weeks[0] == 1


@pytest.mark.parametrize(("share", "found"), [(0.0, 6), (0.3, 6), (0.7, 3)])  # a full train hides what it carries
def test_7_2_a_planted_pair_is_found_beside_a_release_train(share: float, found: int):
    def planted(random: np.random.Generator) -> list:
        return cluster(random, train(random, independent(random), share), 2)

    searches = [search_pairs(log) for log in _logs(77, planted, runs=6)]

    assert sum(bool(search.confirmed[0]) for search in searches) >= found
    assert sum(int(search.coupled[1:].sum()) for search in searches) == 0
    assert all(search.labels[0] == "pair" for search in searches if search.coupled[0])


@pytest.mark.parametrize("size", [3, 4, 8])
def test_7_4_a_planted_cluster_is_found_whole(size: int):
    searches = [search_pairs(log) for log in _logs(78, lambda r: cluster(r, independent(r), size), runs=3)]

    assert [search.groups for search in searches] == [(tuple(range(size)),)] * 3


def irregular(random: np.random.Generator, services: list, share: float, departures: int = 13) -> list:
    """Those services with that share of their deployments on a train that leaves now and then at any time of work."""
    leaves = random.choice(WEEKS, departures, replace=False) * WEEK_HOURS + random.integers(0, 5, departures) * 24
    leaves = leaves + 9 + 8 * random.random(departures)
    moved = []
    for times in services:
        aboard = np.flatnonzero(random.random(len(times)) < share)[:departures]
        departs = random.choice(leaves, len(aboard), replace=False) + 0.4 * random.random(len(aboard))
        moved.append(np.concatenate((np.delete(times, aboard), departs)))
    return moved


@pytest.mark.parametrize("share", [0.3, 0.5, 1.0])
def test_7_4_departures_at_irregular_times_couple_no_pair(share: float):
    logs = _logs(79, lambda random: irregular(random, independent(random), share), runs=10)

    searches = [search_pairs(log) for log in logs]

    assert sum(int((search.tests.p_calendar <= 0.1).sum()) for search in searches) > 50  # the calendar alone accuses
    assert sum(bool(search.coupled.any()) for search in searches) <= 1  # one system in ten is the nominal rate
    assert sum(int(search.coupled.sum()) for search in searches) <= 1


def test_a_pair_is_found_beside_departures_at_irregular_times():
    logs = _logs(81, lambda random: cluster(random, irregular(random, independent(random), 0.5), 2, follow=0.9), runs=6)

    searches = [search_pairs(log) for log in logs]

    assert sum(bool(search.confirmed[0]) for search in searches) >= 5
    assert sum(int(search.coupled[1:].sum()) for search in searches) == 0


def test_the_excess_of_a_pair_beside_a_train_holds_the_share_that_was_planted():
    def planted(random: np.random.Generator) -> list:
        return cluster(random, train(random, independent(random, services=12), 0.3), 2, follow=0.6)

    tests = [search_pairs(log).tests for log in _logs(82, planted, runs=40)]

    held = sum(bool(test.excess_low[0] <= 0.6 <= test.excess_high[0]) for test in tests)
    assert held >= 35
    assert abs(np.mean([test.excess[0] for test in tests]) - 0.6) < 0.1


def test_a_single_false_pair_does_not_join_two_groups():
    random = np.random.default_rng(80)
    left, right = (cluster(random, independent(random, services=4), 4) for _ in range(2))
    left[0] = np.concatenate((left[0], right[0][:14] + 0.05))
    log = log_of(*left, *right, *independent(random, services=6), weeks=WEEKS)

    search = search_pairs(log)

    assert search.coupled[(search.tests.a == 0) & (search.tests.b == 4)].all()
    assert search.groups == ((0, 1, 2, 3), (4, 5, 6, 7))


def test_what_only_the_last_week_shows_is_not_confirmed():
    apart = np.arange(8) * 3 * WEEK_HOURS + 12.0
    last = 25 * WEEK_HOURS + np.arange(4) * 24 + 15.0
    log = log_of(
        np.concatenate((apart, last)),
        np.concatenate((apart + 50, last + 0.1)),
        *independent(np.random.default_rng(81), 6),
        weeks=26,
    )

    search = search_pairs(log)

    assert search.coupled[0]
    assert not search.confirmed[0]


@pytest.mark.parametrize(
    ("share", "solo", "index"),
    [(0.0, 0.74, 0.02), (0.3, 0.57, 0.07), (0.7, 0.26, 0.33), (0.95, 0.07, 0.54), (1.0, 0.03, 0.60)],
)
def test_7_2_lockstep_follows_the_share_of_the_release_train(share: float, solo: float, index: float):
    logs = _logs(82, _train_of(share), runs=3)

    results = [lockstep(log, find_sessions(log, DELTA_NS)) for log in logs]

    assert np.mean([result.solo_rate.value for result in results]) == pytest.approx(solo, abs=0.06)
    assert np.mean([result.index for result in results]) == pytest.approx(index, abs=0.2)
    assert all(result.excess.low <= result.excess.value <= result.excess.high for result in results)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_7_3_intervals_of_solo_rate_and_excess_hold_the_truth_and_are_not_wider_than_need_be(share: float):
    logs = _logs(83, _train_of(share), runs=100)

    found = [lockstep(log, find_sessions(log, DELTA_NS)) for log in logs]

    for estimates in ([one.solo_rate for one in found], [one.excess for one in found]):
        values = np.array([estimate.value for estimate in estimates])
        ends = np.array([(estimate.low, estimate.high) for estimate in estimates])
        held = np.mean((ends[:, 0] <= values.mean()) & (values.mean() <= ends[:, 1]))
        assert held >= 0.9
        assert np.mean(ends[:, 1] - ends[:, 0]) < max(0.2, 6 * values.std())


def test_7_3_working_hours_that_saw_no_deployment_yet_are_counted():
    few = _logs(84, lambda random: independent(random, services=6, each=15), runs=40)
    many = _logs(84, lambda random: independent(random, services=40, each=30), runs=1)

    seen = np.mean([len(np.unique(log.at_ns // HOUR_NS % WEEK_HOURS)) for log in few])
    assert seen < 40
    assert np.mean([working_hours(log) / WEEKS for log in few]) == pytest.approx(45, abs=2)
    assert working_hours(many[0]) / WEEKS == 45


def test_7_3_the_train_is_described_by_its_hour_and_batches():
    log = _logs(83, _train_of(0.95), runs=1)[0]

    seen = release_train(log, find_sessions(log, DELTA_NS))

    assert seen.top_hour == 34  # Tuesday 10:00
    assert seen.top_hour_share > 0.9
    assert seen.largest_batch >= 12


def test_7_6_trades_keep_deployments_per_service_and_batch_sizes():
    random = np.random.default_rng(84)
    tables = random.random((3, 9, 40)) < 0.3
    before = tables.copy()

    for _ in range(20):
        trade(tables, random)

    assert (tables.sum(axis=1) == before.sum(axis=1)).all()
    assert (tables.sum(axis=2) == before.sum(axis=2)).all()
    assert (tables != before).any()


def test_7_6_curveball_visits_all_tables_with_the_same_sums_equally_often():
    random = np.random.default_rng(85)
    tables = np.repeat(np.eye(3, dtype=np.bool_)[None], 4_000, axis=0)

    for _ in range(30):
        trade(tables, random)

    codes = tables.reshape(len(tables), -1) @ (1 << np.arange(9))
    _, counts = np.unique(codes, return_counts=True)
    assert len(counts) == 6  # the permutation matrices
    assert stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize(("share", "most"), [(0.0, 0.05), (0.3, 0.06), (0.7, 0.12)])
def test_7_7_curveball_error_rate_and_power(share: float, most: float):
    random = np.random.default_rng(86)
    log = log_of(*cluster(random, train(random, independent(random), share), 2), weeks=WEEKS)
    first, second = _all_pairs(log)

    p_values = curveball_p_values(find_sessions(log, DELTA_NS).incidence, first, second, random)

    assert p_values[0] <= 0.05
    assert np.mean(p_values[1:] <= 0.05) <= most
    assert p_values.min() >= 1 / 4_000


def test_7_3_a_late_rollback_now_and_then_makes_no_working_hour():
    (log,) = _logs(85, lambda random: independent(random, services=40, each=30), runs=1)
    hours = np.unique(log.at_ns // HOUR_NS % WEEK_HOURS)
    idle = np.setdiff1d(np.arange(WEEK_HOURS), hours)[:12]

    late = replace(log, at_ns=np.concatenate([log.at_ns[:-12], idle * HOUR_NS + HOUR_NS // 2]))

    assert working_hours(late) / WEEKS == pytest.approx(45, abs=2)


def test_7_3_independent_deployments_have_no_lockstep_however_many_they_are():
    logs = _logs(86, lambda random: independent(random, services=40, each=20), runs=40)

    found = [lockstep(log, find_sessions(log, DELTA_NS)).excess for log in logs]

    assert np.mean([excess.value for excess in found]) == pytest.approx(0, abs=0.02)
    assert np.mean([excess.low <= 0 <= excess.high for excess in found]) >= 0.9
