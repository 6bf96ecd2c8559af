"""What rhythm makes of single deployments, and how surprising hits are that have a chance each."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployment_logs import WEEK_HOURS, independent, log_of, train
from tracelith.analysis.deployments.coincidence import calendar_base
from tracelith.analysis.deployments.rhythm import Activity, calendar_chances, directed_trials
from tracelith.analysis.deployments.surprise import excess_intervals, weighted_p_values

WEEKS = 26
HOUR = 3_600 * 10**9

trials = st.lists(st.tuples(st.booleans(), st.floats(0.001, 0.95)), min_size=1, max_size=9)


def p_value(hits: list[bool], chances: list[float]) -> float:
    pair = np.zeros(len(hits), dtype=np.int64)
    return float(weighted_p_values(pair, np.array(hits), np.array(chances), 1)[0])


def scores(chances: list[float]) -> list[int]:
    return [max(1, round(8 * np.log1p(1 / max(chance, 0.01)) / np.log1p(100))) for chance in chances]


@given(trials)
def test_the_p_value_is_the_chance_of_every_outcome_that_scores_as_much(rows: list[tuple[bool, float]]):
    hits, chances = [hit for hit, _ in rows], [chance for _, chance in rows]
    observed = sum(score for score, hit in zip(scores(chances), hits, strict=True) if hit)

    as_much = 0.0
    for outcome in product((False, True), repeat=len(rows)):
        if sum(score for score, hit in zip(scores(chances), outcome, strict=True) if hit) >= observed:
            as_much += float(np.prod([c if hit else 1 - c for hit, c in zip(outcome, chances, strict=True)]))

    assert p_value(hits, chances) == pytest.approx(as_much, abs=1e-9)


def test_an_unlikely_hit_proves_more_than_a_likely_one():
    chances = [0.9, 0.9, 0.02, 0.02]

    assert p_value([False, False, True, True], chances) < p_value([True, True, False, False], chances) / 100


def test_pairs_of_any_number_of_trials_are_judged_as_if_alone():
    random = np.random.default_rng(1)
    sizes = random.integers(0, 40, 300)
    pair = np.repeat(np.arange(300), sizes)
    chance = random.uniform(0.01, 0.9, len(pair))
    hit = random.random(len(pair)) < chance

    together = weighted_p_values(pair, hit, chance, 300)

    alone = [p_value(hit[pair == place].tolist(), chance[pair == place].tolist()) for place in range(0, 300, 7)]
    assert np.allclose(together[::7], alone, atol=1e-9)
    assert (together[sizes == 0] == 1).all()


def test_the_error_rate_is_held_when_chances_are_right():
    random = np.random.default_rng(2)
    pair = np.repeat(np.arange(4_000), 15)
    chance = random.choice([0.02, 0.1, 0.7], len(pair))

    p_values = weighted_p_values(pair, random.random(len(pair)) < chance, chance, 4_000)

    assert np.mean(p_values <= 0.05) <= 0.06
    assert np.mean(p_values <= 0.01) <= 0.014


def test_without_a_chance_there_is_no_p_value():
    assert np.isnan(p_value([True, False], [0.5, np.nan]))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_the_interval_of_the_excess_holds_it_nineteen_times_in_twenty(share: float):
    random = np.random.default_rng(3)
    pair = np.repeat(np.arange(2_000), 20)
    chance = random.choice([0.03, 0.6], len(pair))
    hit = (random.random(len(pair)) < chance) | (random.random(len(pair)) < share)

    best, low, high = excess_intervals(pair, hit, chance, 2_000)

    assert 0.92 <= np.mean((low <= share) & (share <= high)) <= 0.99
    assert abs(best.mean() - share) < 0.06
    assert ((low <= best) & (best <= high)).all()


def test_all_hits_are_an_excess_of_one_and_none_of_nought():
    best, low, high = excess_intervals(np.array([0] * 8 + [1] * 8), np.arange(16) < 8, np.full(16, 0.1), 3)

    assert best.tolist() == [1, 0, 0]
    assert 0.6 < low[0] < 0.9
    assert high[0] == 1
    assert low[1] == 0
    assert 0 < high[1] < 0.3
    assert (low[2], high[2]) == (0, 1)


def test_a_weekly_slot_is_likely_and_any_other_time_is_not():
    random = np.random.default_rng(4)
    slots = np.arange(WEEKS) * WEEK_HOURS + 34.0
    log = log_of(slots[::2], np.concatenate((slots[1::2], [100.0, 900.0])), weeks=WEEKS)
    every_week = log_of(slots + 0.1 * random.random(WEEKS), np.append(slots, 100.0), weeks=WEEKS)

    def chances(of):
        return calendar_chances(of, directed_trials(of, Activity.of(of).near, np.array([0]), np.array([1])))

    assert np.all(chances(every_week)[[0, *range(2, 27)]] > 0.95)
    assert chances(every_week)[1] < 0.05
    assert np.all((chances(log)[1:-1] > 0.4) | (chances(log)[1:-1] < 0.1))


def test_chances_by_the_calendar_agree_on_average_with_its_pooled_base():
    log = log_of(*train(np.random.default_rng(5), independent(np.random.default_rng(6), services=4), 0.5), weeks=WEEKS)
    a, b = (side.astype(np.int64) for side in np.triu_indices(4, 1))

    found = directed_trials(log, Activity.of(log).near, a, b)

    pooled = calendar_base(log, np.arange(4))[a, b]
    assert np.allclose(found.means(calendar_chances(log, found)), pooled, atol=0.02)


def test_company_in_a_burst_is_likely_and_at_a_quiet_moment_is_not():
    random = np.random.default_rng(7)
    services = independent(random, services=20)
    burst = [
        np.append(times, 24.0 + 0.3 * random.random()) if place < 12 else times for place, times in enumerate(services)
    ]
    log = log_of(*burst, weeks=WEEKS)
    activity = Activity.of(log)

    tried = directed_trials(log, activity.near, np.array([1]), np.array([0]))
    chances = activity.chances(log, tried, np.zeros((20, 20), dtype=np.bool_))

    in_burst = np.abs(log.at_ns[tried.event] - 24 * HOUR) < HOUR
    assert 0.4 < chances[in_burst][0] < 0.7  # 10 of the 18 others
    assert np.median(chances[~in_burst]) == pytest.approx(1 - (1 - 1 / 45 / 26) ** 20, abs=0.01)


def test_coupled_services_are_no_activity_around_each_other():
    random = np.random.default_rng(8)
    services = independent(random, services=12)
    together = [services[0] + 0.2 * random.random(20) for _ in range(4)]
    log = log_of(*together, *services[4:], weeks=WEEKS)
    activity = Activity.of(log)
    tried = directed_trials(log, activity.near, np.array([0]), np.array([1]))
    known = np.zeros((12, 12), dtype=np.bool_)
    known[0, 2] = known[2, 0] = known[1, 3] = known[3, 1] = True

    before = activity.chances(log, tried, np.zeros_like(known))
    after = activity.chances(log, tried, known)

    assert before.mean() > 0.15
    assert after.mean() < 0.05


def test_two_other_services_are_the_fewest_that_make_an_activity():
    log = log_of(*independent(np.random.default_rng(9), services=4), weeks=WEEKS)
    activity = Activity.of(log)
    tried = directed_trials(log, activity.near, np.array([0]), np.array([1]))
    known = np.zeros((4, 4), dtype=np.bool_)
    known[0, 2] = known[2, 0] = True

    assert np.isfinite(activity.chances(log, tried, np.zeros_like(known))).all()
    assert np.isnan(activity.chances(log, tried, known)).all()
