"""The worked numbers of metrics.md §7, each a test named after its section."""

import numpy as np
import pytest
from scipy import stats

from deployment_logs import HOUR_NS, log_of
from tracelith.analysis.deployments.cochange import co_change
from tracelith.analysis.deployments.coincidence import calendar_base, coincidence_hits, pair_tests
from tracelith.analysis.deployments.lead_lag import lead_lag, matched, sign_flip_p, summarise_lags
from tracelith.analysis.deployments.lockstep import expected_solo_rates
from tracelith.analysis.statistics.intervals import wilson
from tracelith.analysis.statistics.multiplicity import adjusted_p_values, minimum_coincidences

WEEKLY = log_of((10, 178, 346), (10.2, 178.2, 514.1), weeks=4)
COUPLED = log_of((10, 60, 205, 300, 420, 500), (10.2, 60.3, 205.1, 300.4, 420.2, 650), weeks=4)
FIRST, SECOND = np.array([0]), np.array([1])


def test_7_3_expected_solo_rate_of_independent_services_oracle():
    counts = np.full(16, 20.0)

    expected = expected_solo_rates(counts, 26 * 45)

    assert expected == pytest.approx(0.772, abs=0.0005)
    assert 1 - 0.26 / expected[0] == pytest.approx(0.663, abs=0.0005)


def test_7_4_activity_base_oracle_1():
    near, far = ([10.1] * 10, 250.0 + np.arange(59))
    log = log_of((10, 60, 205, 300, 420, 500), (10.2, 60.3, 205.1, 330.4, 420.2, 500.2), near, far, weeks=4)

    tests = pair_tests(log, FIRST, SECOND)

    assert tests.activity_rate[0] == pytest.approx(0.15 + 1 / 70)  # 11 of 69: the one at 300 is near, too
    assert stats.binom.sf(4, 6, 0.15) == pytest.approx(0.000399, rel=0.002)
    assert tests.p_activity[0] == pytest.approx(stats.binom.sf(4, 6, 11.5 / 70))


@pytest.mark.parametrize(
    ("base", "p_value", "lift", "excess"), [(0.15, 0.000399, 5.56, 0.804), (0.60, 0.233, 1.39, 0.583)]
)
def test_7_4_excess_oracle_1(base: float, p_value: float, lift: float, excess: float):
    low = float(wilson(5, 6)[0])

    assert stats.binom.sf(4, 6, base) == pytest.approx(p_value, rel=0.002)
    assert 5 / 6 / base == pytest.approx(lift, abs=0.005)
    assert (5 / 6 - base) / (1 - base) == pytest.approx(excess, abs=0.0005)
    assert (low - 0.15) / 0.85 == pytest.approx(0.337, abs=0.0005)


def test_7_4_activity_base_needs_fifty_deployments_by_others():
    log = log_of((10, 60, 205, 300, 420, 500), (10.2, 60.3, 205.1, 300.4, 420.2, 650), np.arange(49.0) * 10, weeks=4)

    tests = pair_tests(log, FIRST, SECOND)

    assert np.isnan(tests.activity_rate[0])
    assert np.isnan(tests.p_activity[0])


def test_7_4_a_weekly_slot_is_a_train_oracle_2():
    rows = np.array([0, 1])

    hits = [int(coincidence_hits(WEEKLY, rows, shift, HOUR_NS // 2)[0, 1]) for shift in range(4)]
    tests = pair_tests(WEEKLY, FIRST, SECOND)

    assert hits == [2, 3, 2, 2]
    assert calendar_base(WEEKLY, rows)[0, 1] == pytest.approx(0.75)
    assert tests.coincidences[0] == 2
    assert tests.p_calendar[0] == pytest.approx(0.84375)


def test_7_4_coincidences_in_irregular_weeks_are_coupling_oracle_3():
    tests = pair_tests(COUPLED, FIRST, SECOND)

    assert (tests.coincidences[0], tests.trials[0]) == (5, 6)
    assert tests.base_rate[0] == pytest.approx(0.07143, abs=1e-5)
    assert tests.p_calendar[0] == pytest.approx(1.049e-5, rel=1e-3)
    assert tests.excess_low[0] == pytest.approx(0.393, abs=0.0005)


def test_7_5_classical_measures_oracle():
    measures = co_change(60, 8, 6, 5)

    assert measures.lift == pytest.approx(6.25)
    assert measures.jaccard == pytest.approx(0.5556, abs=1e-4)
    assert (measures.confidence_ab, measures.confidence_ba) == (0.625, pytest.approx(0.8333, abs=1e-4))
    assert measures.degree == pytest.approx(0.7143, abs=1e-4)
    assert measures.phi == pytest.approx(0.6864, abs=1e-4)
    assert measures.support == pytest.approx(5 / 60)
    assert measures.odds_ratio == pytest.approx(53.95, abs=0.005)


def test_7_5_measures_without_a_denominator_are_absent():
    measures = co_change(3, 3, 0, 0)

    assert measures.confidence_ba is None
    assert measures.lift is None
    assert measures.phi is None
    assert measures.jaccard == 0


def test_7_8_minimum_coincidences_oracle():
    bases = np.array([0.02, 0.05, 0.10, 0.20, 0.40])
    trials = np.array([4, 6, 8, 10, 15, 20])

    table = minimum_coincidences(trials[:, None], bases[None, :], 0.01)

    assert table[0, :4].tolist() == [2, 3, 3, 4]
    assert table[0, 4] > 4  # no outcome of four deployments is significant against .4
    assert table[1:].tolist() == [[2, 3, 4, 5, 6], [3, 3, 4, 6, 7], [3, 4, 5, 6, 9], [3, 4, 6, 8, 11], [3, 5, 7, 9, 14]]


@pytest.mark.parametrize(
    ("trials", "powers"),
    [
        (4, (0.68, 0.70, 0.33, 0.0)),
        (6, (0.94, 0.80, 0.56, 0.30)),
        (8, (0.99, 0.96, 0.70, 0.56)),
        (12, (1.0, 1.0, 0.96, 0.63)),
        (20, (1.0, 1.0, 1.0, 0.95)),
    ],
)
def test_7_8_power_when_coupling_adds_seven_tenths_oracle(trials: int, powers: tuple[float, ...]):
    bases = np.array([0.05, 0.10, 0.20, 0.40])

    needed = minimum_coincidences(trials, bases, 0.01)
    reached = stats.binom.sf(needed - 1, trials, bases + 0.7 * (1 - bases))

    assert reached == pytest.approx(np.array(powers), abs=0.006)


def test_7_9_benjamini_hochberg_oracle():
    p_values = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205]

    adjusted = adjusted_p_values(p_values)
    strict = adjusted_p_values(p_values, dependent=True)

    assert adjusted == pytest.approx([0.008, 0.032, 0.0672, 0.0672, 0.0672, 0.08, 0.0846, 0.205], abs=5e-5)
    assert (adjusted <= 0.05).sum() == 2
    assert strict[0] / adjusted[0] == pytest.approx(2.718, abs=0.0005)


def test_7_10_lead_lag_oracle():
    minutes = np.array([12.0, 8, 15, -3, 20, 9])

    order = summarise_lags(minutes)

    assert order.lag_minutes.value == 10.5
    assert order.sign_p == pytest.approx(0.21875)
    assert order.sign_flip_p == pytest.approx(0.0625)
    assert order.direction == "undetermined"


def test_7_10_six_of_six_in_one_order_show_a_direction_and_five_never_do():
    six, five = summarise_lags(np.arange(1.0, 7)), summarise_lags(-np.arange(1.0, 6))

    assert (six.direction, six.sign_p) == ("a_first", pytest.approx(0.03125))
    assert (five.direction, five.sign_p) == ("undetermined", pytest.approx(0.0625))
    assert five.lag_minutes.low is None


def test_7_10_many_lags_are_flipped_at_random_and_agree_with_a_t_test():
    minutes = np.random.default_rng(4).normal(2.0, 4.0, 40)

    assert sign_flip_p(minutes) == pytest.approx(stats.ttest_1samp(minutes, 0).pvalue, abs=0.01)


def test_7_10_each_deployment_is_matched_once_nearest_first():
    log = log_of((10, 10.3, 50), (10.25, 50.4, 50.1), weeks=1)

    pairs = matched(log, 0, 1)

    assert [(log.at_ns[a] / HOUR_NS, log.at_ns[b] / HOUR_NS) for a, b in pairs] == [(10.3, 10.25), (50, 50.1)]


def test_7_10_the_order_of_overlapping_intervals_is_unknown():
    exact = log_of(*(np.arange(8) * 24 + shift for shift in (10, 10.1)), weeks=2)
    blurred = type(exact)(
        exact.services,
        exact.service,
        exact.at_ns,
        exact.at_ns - HOUR_NS // 4,
        exact.version,
        exact.start_ns,
        exact.weeks,
    )

    known, unknown = (lead_lag(log, matched(log, 0, 1)) for log in (exact, blurred))

    assert (known.direction, known.lag_minutes.value) == ("a_first", 6.0)
    assert (unknown.direction, unknown.sign_p, unknown.lag_minutes.value) == ("undetermined", None, 6.0)
