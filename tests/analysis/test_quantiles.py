"""Quantiles, their intervals, and when there is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.analysis.statistics.quantiles import (
    WeightedValues,
    block_weights,
    in_time,
    minimum_observations,
    order_statistic_ranks,
    quantile,
)
from tracelith.model.findings import State


@pytest.mark.parametrize(
    ("n", "q", "ranks"),
    [(1000, 0.99, (983, 997)), (10_000, 0.99, (9880, 9920)), (500, 0.95, (465, 485)), (200, 0.95, (184, 197))],
)
def test_0_2_order_statistic_ranks_oracle(n: int, q: float, ranks: tuple[int, int]) -> None:
    assert order_statistic_ranks(n, q) == ranks


@pytest.mark.parametrize(("q", "needed"), [(0.99, 1000), (0.95, 200), (0.5, 20)])
def test_0_2_minimum_data_rule(q: float, needed: int) -> None:
    enough = WeightedValues.of(np.arange(needed), np.ones(needed))
    short = WeightedValues.of(np.arange(needed - 1), np.ones(needed - 1))

    assert minimum_observations(q) == needed
    assert quantile(enough, q, "requests").state is State.OK
    refused = quantile(short, q, "requests")
    assert refused.value is None
    assert f"needs {needed:,} requests" in refused.reason


def test_4_weighted_depth_oracle() -> None:
    sample = WeightedValues.of([1, 1, 2, 2, 2, 3, 5], [10, 10, 5, 5, 5, 2, 1])

    assert sample.weight.sum() == 38
    assert sample.at(0.5) == 1
    assert sample.at(0.95) == 3


def test_the_interval_of_a_plain_sample_is_its_order_statistics() -> None:
    sample = WeightedValues.of(np.arange(1, 1001), np.ones(1000))

    estimate = quantile(sample, 0.99, "requests")

    assert (estimate.value, estimate.low, estimate.high) == (990, 983, 997)


def test_unequal_weights_widen_the_interval_and_count_for_the_minimum() -> None:
    values = np.arange(400)
    weights = np.where(values % 2 == 0, 9.0, 1.0)
    weighted = WeightedValues.of(values, weights, n=400, weight_squares=weights**2)
    plain = WeightedValues.of(values, np.ones(400))

    wide, narrow = quantile(weighted, 0.5, "requests"), quantile(plain, 0.5, "requests")

    assert wide.n_eff == pytest.approx(400 * 25 / 41)
    assert wide.high - wide.low > narrow.high - narrow.low
    assert quantile(weighted, 0.96, "requests").state is State.INSUFFICIENT_DATA


def test_requests_that_are_slow_together_widen_the_interval() -> None:
    values = np.concatenate([np.full(950, 1.0), np.full(50, 9.0)])
    sample = WeightedValues.of(values, np.ones(1000))
    in_one_block, _ = block_weights(sample, values, np.ones(1000), np.arange(1000) // 50)

    alone = quantile(sample, 0.94, "requests")
    together = in_time(alone, sample, 0.94, in_one_block)

    assert together.value == alone.value == 1.0
    assert together.high == 9.0
    assert together.low <= alone.low


def test_requests_that_are_slow_one_by_one_keep_nearly_the_interval_of_independent_ones() -> None:
    values = np.random.default_rng(4).exponential(size=8000)
    sample = WeightedValues.of(values, np.ones(8000))
    by_block, _ = block_weights(sample, values, np.ones(8000), np.arange(8000) % 160)

    alone = quantile(sample, 0.95, "requests")
    in_blocks = in_time(alone, sample, 0.95, by_block)

    assert in_blocks.high - in_blocks.low == pytest.approx(alone.high - alone.low, rel=0.2)


@given(st.lists(st.integers(0, 12), min_size=20, max_size=200), st.randoms(use_true_random=False))
def test_the_order_of_observations_changes_nothing(values: list[int], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a hypothesis Random

    first = quantile(WeightedValues.of(values, np.ones(len(values))), 0.5, "requests")
    second = quantile(WeightedValues.of(shuffled, np.ones(len(values))), 0.5, "requests")

    assert first == second


def test_a_95_percent_interval_holds_the_truth_about_95_times_in_100() -> None:
    random = np.random.default_rng(7)
    truth = -np.log(0.05)
    held = 0

    for _ in range(400):
        estimate = quantile(WeightedValues.of(random.exponential(size=300), np.ones(300)), 0.95, "requests")
        held += estimate.low <= truth <= estimate.high

    assert 0.92 <= held / 400 <= 0.99
