"""Exceedance, tail propagation and effective fan-out of edges."""

import math

import numpy as np
import pytest

from tracelith.analysis.statistics.histograms import bucket_of
from tracelith.analysis.tail.edges import (
    Cells,
    Counted,
    effective_fan_out,
    exceedance,
    fan_out_probability,
    propagation,
    tail_border,
)
from tracelith.model.findings import State


def histogram(durations: np.ndarray) -> Counted:
    bucket, count = np.unique(bucket_of(durations), return_counts=True)
    return Counted(bucket.astype(np.int64), count.astype(np.int64), count.astype(np.float64))


def requests(count: int) -> Counted:
    return Counted(np.zeros(1, dtype=np.int64), np.array([count]), np.array([float(count)]))


@pytest.mark.parametrize(("legs", "expected"), [(5, 0.04901), (10, 0.09562), (18, 0.16549), (100, 0.63397)])
def test_6_1_fan_out_law_oracle(legs: int, expected: float) -> None:
    assert fan_out_probability(0.01, legs) == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize(("observed", "expected"), [(0.30, 35.49), (0.20, 22.20)])
def test_6_1_effective_fan_out_oracle(observed: float, expected: float) -> None:
    assert effective_fan_out(observed, 0.01) == pytest.approx(expected, abs=5e-3)


def test_6_1_ten_independent_legs_amplify_and_shared_fate_does_less_oracle() -> None:
    random = np.random.default_rng(1)
    legs = random.lognormal(15, 1, (100_000, 10))
    together = np.where(random.random((100_000, 10)) < 0.5, random.lognormal(15, 1, (100_000, 1)), legs)

    apart = exceedance(histogram(legs.ravel()), histogram(legs.max(axis=1)), requests(100_000), 0.99, 1.0)
    shared = exceedance(histogram(together.ravel()), histogram(together.max(axis=1)), requests(100_000), 0.99, 1.0)

    assert apart.estimate.value == pytest.approx(9.54, abs=0.25)
    assert apart.fan_out == pytest.approx(10, abs=0.3)
    assert shared.estimate.value == pytest.approx(5.89, abs=0.25)
    assert shared.fan_out == pytest.approx(6.04, abs=0.3)


def test_6_3_one_call_per_request_amplifies_nothing() -> None:
    calls = np.random.default_rng(2).lognormal(15, 1, 5000)

    result = exceedance(histogram(calls), histogram(calls), requests(5000), 0.99, 1.0)

    assert result.estimate.value == pytest.approx(1.0)
    assert result.estimate.low is not None
    assert result.estimate.low < 1 < (result.estimate.high or 0)


def test_6_3_requests_that_skip_the_call_are_spared_its_tail() -> None:
    calls = np.random.default_rng(2).lognormal(15, 1, 5000)

    result = exceedance(histogram(calls), histogram(calls), requests(20_000), 0.99, 1.0)

    assert result.estimate.value == pytest.approx(0.25)


def in_blocks(durations: np.ndarray, block: np.ndarray, blocks: int) -> Counted:
    each = np.ones(durations.size, dtype=np.int64)
    return Counted(bucket_of(durations).astype(np.int64), each, each.astype(np.float64), block, blocks)


def test_an_exceedance_that_every_block_agrees_on_has_no_idle_interval() -> None:
    calls = np.random.default_rng(2).lognormal(15, 1, 5000)
    block = np.arange(5000) // 50

    blocked = in_blocks(calls, block, 100)
    result = exceedance(blocked, blocked, in_blocks(np.ones(5000), block, 100), 0.99, 1.0)

    assert (result.estimate.low, result.estimate.value, result.estimate.high) == (
        pytest.approx(1.0),
        pytest.approx(1.0),
        pytest.approx(1.0),
    )


def test_an_exceedance_that_blocks_differ_on_says_so() -> None:
    random = np.random.default_rng(8)
    block = np.arange(20_000) // 200
    # In half of the blocks the two calls of a request are slow together, in the others each on its own.
    together = (block % 2 == 0)[:, None]
    legs = random.lognormal(15, 1, (20_000, 2))
    legs = np.where(together, legs[:, :1], legs)

    calls, slowest = in_blocks(legs.ravel(), np.repeat(block, 2), 100), in_blocks(legs.max(axis=1), block, 100)
    result = exceedance(calls, slowest, in_blocks(np.ones(20_000), block, 100), 0.99, 1.0)

    assert result.estimate.value == pytest.approx(1.5, abs=0.15)
    assert result.estimate.low is not None
    assert result.estimate.high is not None
    assert result.estimate.low < 1.5 < result.estimate.high
    assert result.estimate.high - result.estimate.low > 0.1


def test_slow_calls_that_come_together_explain_the_tail_less_surely() -> None:
    latency, call = np.full(10_000, 1e6), np.full(10_000, 1e5)
    latency[:100], call[:60], call[5000:5040] = 1e9, 1e8, 1e8

    def told(block: np.ndarray) -> tuple[float, float]:
        slowest = in_blocks(call, block, 100)
        cells = Cells(bucket_of(latency).astype(np.int64), slowest)
        explained = propagation(in_blocks(latency, block, 100), slowest, cells, 0.99, 1.0).explained
        return explained.low or 0.0, explained.high or 0.0

    apart = told(np.random.default_rng(1).permutation(10_000) % 100)
    together = told(np.minimum(np.arange(10_000) // 30, 99))

    # One by one nearly Wilson's interval (.502 to .691), though the tail is then the same in every block.
    assert apart[1] - apart[0] == pytest.approx(0.19, abs=0.05)
    assert together[1] - together[0] > 2 * (apart[1] - apart[0])


def test_19_exceedance_needs_a_thousand_requests() -> None:
    calls = np.random.default_rng(2).lognormal(15, 1, 999)

    result = exceedance(histogram(calls), histogram(calls), requests(999), 0.99, 1.0)

    assert result.estimate.state is State.INSUFFICIENT_DATA
    assert result.estimate.value is None


def test_6_3_tail_propagation_oracle() -> None:
    latency = np.full(10_000, 1e6)
    latency[:100] = 1e9
    call = np.full(10_000, 1e5)
    call[:60] = 1e8
    call[5000:5040] = 1e8
    counts = np.ones(10_000, dtype=np.int64)
    slowest = Counted(bucket_of(call).astype(np.int64), counts, counts.astype(np.float64))
    cells = Cells(bucket_of(latency).astype(np.int64), slowest)

    result = propagation(histogram(latency), histogram(call), cells, 0.99, 1.0)

    assert result.propagated.value == pytest.approx(0.60)
    assert result.propagated.low == pytest.approx(0.502, abs=5e-4)
    assert result.propagated.high == pytest.approx(0.691, abs=5e-4)
    assert result.lift == pytest.approx(60)
    assert result.explained.value == pytest.approx(0.60)


def test_durations_that_hardly_differ_have_no_tail_to_propagate() -> None:
    even = np.full(5000, 1e6)
    counts = np.ones(5000, dtype=np.int64)
    slowest = Counted(bucket_of(even).astype(np.int64), counts, counts.astype(np.float64))

    result = propagation(histogram(even), histogram(even), Cells(slowest.bucket, slowest), 0.99, 1.0)

    assert tail_border(histogram(even), 0.99) is None
    assert result.propagated.state is State.NOT_IDENTIFIABLE
    assert result.lift is None


def test_6_2_a_ratio_of_percentiles_falls_with_depth_and_a_sum_of_percentiles_overstates() -> None:
    """Why neither appears anywhere: ten independent lognormal hops look calmer than one, or 2.6 times worse."""
    hops = np.random.default_rng(4).lognormal(size=(400_000, 10))

    ratio = [np.quantile(part, 0.99) / np.median(part) for part in (hops[:, 0], hops.sum(axis=1))]
    overstated = sum(np.quantile(hops[:, i], 0.99) for i in range(10)) / np.quantile(hops.sum(axis=1), 0.99)

    assert ratio == pytest.approx([10.1, 2.60], rel=0.04)
    assert overstated == pytest.approx(2.6, abs=0.1)
    assert math.isclose(ratio[0], math.exp(2.326), rel_tol=0.04)
