"""Customary methods, their worked numbers, and why no analysis rests on them."""

import numpy as np
import pytest
from scipy import stats

from tracelith.analysis.deployments.lead_lag import sign_flip_p
from tracelith.analysis.statistics.contrasts import (
    exponential_bucket,
    exponential_error,
    exponential_scale,
    hypergeometric_p,
    omitted_durations,
    poisson_coincidence_p,
    stratified_test,
)
from tracelith.analysis.statistics.histograms import ACCURACY, GAMMA, bucket_of, representative
from tracelith.analysis.tail.edges import fan_out_probability
from tracelith.analysis.tail.facts import CALL_FACTOR, LATENCY_FACTOR


def test_3_exponential_histogram_oracle() -> None:
    base = 2 ** (2.0**-5)

    index = exponential_bucket(100, 5)

    assert base == pytest.approx(1.021897, abs=5e-7)
    assert exponential_error(5) == pytest.approx(0.01083, abs=5e-6)
    assert index == 212
    assert (base**index, base ** (index + 1)) == (pytest.approx(98.7015, abs=5e-5), pytest.approx(100.8628, abs=5e-5))


@pytest.mark.parametrize("decades", [4, 5])
def test_3_160_exponential_buckets_are_too_coarse_oracle(decades: int) -> None:
    scale = exponential_scale(decades)

    assert scale == 3
    assert exponential_error(scale) == pytest.approx(0.0433, abs=5e-5)
    assert exponential_error(scale) > 2 * ACCURACY / (1 - ACCURACY)


def test_20_5_our_buckets_resolve_a_p99_that_a_rank_sketch_loses_in_the_maximum() -> None:
    latencies = np.sort(np.random.default_rng(1).lognormal(17, 1, 100_000))
    exact, rank_error = latencies[99_000], 0.0133

    from_buckets = np.sort(representative(bucket_of(latencies)))[99_000]
    within_rank_error = latencies[[round(len(latencies) * (0.99 - rank_error)), -1]]

    assert abs(from_buckets / exact - 1) <= ACCURACY
    assert within_rank_error[0] < 0.75 * exact
    assert within_rank_error[1] > 3 * exact


def test_20_5_a_coarse_bucket_is_never_wider_than_the_bands_it_serves() -> None:
    # Hop times are split by latency, calls at the border of the tail; bands of shares and lifts are factors of two.
    assert GAMMA**LATENCY_FACTOR < 1.1
    assert GAMMA**CALL_FACTOR < 1.2


def test_3_coordinated_omission_oracle() -> None:
    assert list(omitted_durations(100, 30)) == [100, 70, 40]
    assert list(omitted_durations(30, 30)) == [30]
    assert list(omitted_durations(60, 30)) == [60, 30]


def test_0_2_the_maximum_of_299_requests_exceeds_the_p99_oracle() -> None:
    assert fan_out_probability(0.01, 298) < 0.95 < fan_out_probability(0.01, 299)


@pytest.mark.parametrize(("legs", "budget"), [(5, 0.002008), (10, 0.0010045), (100, 0.0001005)])
def test_6_1_budget_per_leg_oracle(legs: int, budget: float) -> None:
    assert fan_out_probability(budget, legs) == pytest.approx(0.01, rel=5e-4)


def test_7_5_hypergeometric_oracle() -> None:
    p_value, mid_p = hypergeometric_p(60, 8, 6, 5)

    assert p_value == pytest.approx(5.872e-5, rel=5e-4)
    assert mid_p == pytest.approx(2.964e-5, rel=5e-4)


def test_7_10_sign_flips_agree_with_the_rank_test_oracle() -> None:
    minutes = np.array([12.0, 8, 15, -3, 20, 9])

    assert stats.wilcoxon(minutes).pvalue == pytest.approx(0.0625)
    assert sign_flip_p(minutes) == pytest.approx(0.0625)


def test_7_12_poisson_coincidence_oracle() -> None:
    assert poisson_coincidence_p(1, 6, 2, 2160, 1) == pytest.approx(0.005543, abs=5e-7)
    assert poisson_coincidence_p(8, 6, 2, 2160, 5) == pytest.approx(2.9e-10, rel=0.02)


def test_7_12_a_stratified_test_oracle() -> None:
    result = stratified_test([(3, 1, 1, 15), (2, 2, 0, 36)])

    assert result.chi_square == pytest.approx(17.15, abs=0.005)
    assert result.p_value == pytest.approx(3.5e-5, rel=0.02)
    assert result.odds_ratio == pytest.approx(81, abs=0.5)


def test_20_6_time_that_is_taken_for_even_accuses_two_services_that_share_only_office_hours() -> None:
    random = np.random.default_rng(3)
    weeks, per_service, slots = 26, 60, 45  # one deployment each hour of the office week, at most

    hours = [np.sort(random.choice(weeks * slots, per_service, replace=False)) for _ in range(40)]
    shared = [len(np.intersect1d(hours[2 * pair], hours[2 * pair + 1])) for pair in range(20)]
    even = [poisson_coincidence_p(per_service, per_service, 1, weeks * 168, k) for k in shared]
    office = [hypergeometric_p(weeks * slots, per_service, per_service, k)[0] for k in shared]

    assert np.mean(np.array(even) < 0.05) > 0.3
    assert np.mean(np.array(office) < 0.05) <= 0.1
