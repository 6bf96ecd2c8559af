"""Intervals of proportions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.analysis.statistics.intervals import clopper_pearson, jeffreys, proportion, proportion_interval, wilson
from tracelith.model.findings import State


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(5, 6, 0.4365, 0.9699), (5, 8, 0.3057, 0.8632), (34, 40, 0.7093, 0.9294), (12, 960, 0.00716, 0.02172)],
)
def test_0_1_wilson_oracle(k: int, n: int, low: float, high: float) -> None:
    bounds = wilson(k, n)

    assert bounds[0] == pytest.approx(low, abs=5e-5)
    assert bounds[1] == pytest.approx(high, abs=5e-5)


def test_0_1_jeffreys_and_clopper_pearson_oracle() -> None:
    assert jeffreys(5, 6) == (pytest.approx(0.4419, abs=5e-5), pytest.approx(0.9814, abs=5e-5))
    assert clopper_pearson(5, 6) == (pytest.approx(0.3588, abs=5e-5), pytest.approx(0.9958, abs=5e-5))


def test_1_3_awaited_share_oracle() -> None:
    low, _ = wilson(97, 100)

    assert low == pytest.approx(0.915, abs=5e-4)


def test_an_interval_of_nothing_is_everything() -> None:
    low, high = proportion_interval(0, 0)

    assert (low, high) == (0.0, 1.0)


def test_all_successes_leave_room_below_and_none_above() -> None:
    low, high = proportion_interval([20, 0], [20, 20])

    assert high[0] == 1.0
    assert 0.85 < low[0] < 0.95
    assert low[1] == 0.0
    assert 0.05 < high[1] < 0.15


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_always_holds_the_proportion(counts: tuple[int, int]) -> None:
    k, n = counts

    low, high = proportion_interval(k, n)

    assert 0 <= low <= k / n <= high <= 1


@given(st.integers(1, 200), st.integers(2, 50))
def test_more_of_the_same_evidence_narrows_the_interval(k: int, factor: int) -> None:
    low, high = wilson(np.array([k, k * factor]), np.array([2 * k, 2 * k * factor]))

    assert high[1] - low[1] < high[0] - low[0]


def test_a_proportion_without_enough_observations_has_a_reason_and_no_number() -> None:
    estimate = proportion(4, 5, minimum=10, reason="10 calls are needed, 5 came")

    assert estimate.value is None
    assert estimate.state is State.INSUFFICIENT_DATA
    assert estimate.reason == "10 calls are needed, 5 came"
