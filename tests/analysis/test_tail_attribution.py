"""The exact split of the tail's excess among hops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.analysis.statistics.bootstrap import generator
from tracelith.analysis.tail.attribution import HopTimes, attribute, slower_visits, variance_shares
from tracelith.analysis.tail.share_intervals import intervals

ORACLE = np.array(
    [
        (10, 20, 5),
        (12, 22, 6),
        (11, 25, 5),
        (10, 21, 5),
        (13, 24, 6),
        (10, 23, 5),
        (12, 20, 7),
        (11, 22, 5),
        (12, 90, 6),
        (40, 80, 5),
    ],
    dtype=np.float64,
)


def by_latency(times: np.ndarray) -> np.ndarray:
    return times[np.argsort(times.sum(axis=1), kind="stable")]


def hop_times(times: np.ndarray, blocks: int) -> HopTimes:
    """Every request in a bucket of its own, dealt to time blocks in turn."""
    ordered = by_latency(times)
    block_counts = np.zeros((blocks, len(ordered)))
    block_counts[np.arange(len(ordered)) % blocks, np.arange(len(ordered))] = 1
    return HopTimes(
        counts=np.ones(len(ordered)),
        times=ordered,
        squares=ordered**2,
        visits=np.ones_like(ordered),
        block_counts=block_counts,
        block_times=block_counts[:, :, None] * ordered,
        n_eff=float(len(ordered)),
    )


def test_6_3_tail_attribution_oracle() -> None:
    times = by_latency(ORACLE)

    split = attribute(np.ones(10), times, 0.8)

    assert list(split.tail) == pytest.approx([26, 85, 5.5])
    assert list(split.middle) == pytest.approx([12, 21, 6.5])
    assert list(split.excess) == pytest.approx([14, 64, -1])
    assert split.excess.sum() == pytest.approx(116.5 - 39.5)
    assert list(split.shares) == pytest.approx([0.1818, 0.8312, -0.0130], abs=5e-5)


def test_6_3_variance_share_oracle() -> None:
    shares = variance_shares(np.ones(10), by_latency(ORACLE))

    assert list(shares) == pytest.approx([0.2135, 0.7868, -0.0003], abs=5e-5)


@given(
    st.lists(st.lists(st.floats(0, 1e9), min_size=3, max_size=3), min_size=10, max_size=60),
    st.sampled_from([0.9, 0.95, 0.99]),
)
def test_the_parts_always_add_up_to_the_whole_excess(rows: list[list[float]], q: float) -> None:
    times = by_latency(np.array(rows))

    split = attribute(np.ones(len(rows)), times, q)
    latency = attribute(np.ones(len(rows)), times.sum(axis=1, keepdims=True), q)

    assert split.excess.sum() == pytest.approx(float(latency.excess[0]), rel=1e-9, abs=1e-3)
    assert np.isnan(split.shares).all() or split.shares.sum() == pytest.approx(1)


@given(st.integers(2, 9))
def test_requests_that_weigh_more_count_like_that_many_requests(factor: int) -> None:
    times = by_latency(ORACLE)
    weights = np.where(np.arange(10) == 9, float(factor), 1.0)

    weighted = attribute(weights, times * weights[:, None], 0.8)
    repeated = attribute(np.ones(9 + factor), np.repeat(times, weights.astype(int), axis=0), 0.8)

    assert list(weighted.excess) == pytest.approx(list(repeated.excess))


def test_equally_fast_requests_have_no_share_to_give() -> None:
    split = attribute(np.ones(100), np.full((100, 2), 5.0), 0.99)

    assert np.isnan(split.shares).all()


def test_20_4_a_deep_chain_of_equal_hops_shares_its_tail_equally() -> None:
    random = np.random.default_rng(3)
    times = by_latency(random.lognormal(size=(20_000, 10)))

    split = attribute(np.ones(len(times)), times, 0.99)

    assert split.shares.max() < 0.2
    assert split.shares.min() > 0.04


@pytest.mark.parametrize("blocks", [1, 5, 40])
def test_the_interval_holds_the_share_and_shrinks_with_evidence(blocks: int) -> None:
    random = np.random.default_rng(11)
    slow = random.random(4000) < 0.02
    times = np.column_stack([random.exponential(10, 4000), random.exponential(10, 4000) + slow * 300])

    few = intervals(hop_times(times[:600], blocks), 0.95, generator("few"))
    many = intervals(hop_times(times, blocks), 0.95, generator("many"))

    share = attribute(np.ones(4000), by_latency(times), 0.95).shares[1]
    assert many.share_low[1] <= share <= many.share_high[1]
    assert many.share_high[1] - many.share_low[1] < few.share_high[1] - few.share_low[1]
    assert many.method in ({"traces"} if blocks == 1 else {"blocks"} if blocks >= 20 else {"blocks", "traces"})


def in_blocks(times: np.ndarray, block: np.ndarray) -> HopTimes:
    """Every request in a bucket of its own, and in the block given for it."""
    order = np.argsort(times.sum(axis=1), kind="stable")
    ordered, count = times[order], len(times)
    block_counts = np.zeros((int(block.max()) + 1, count))
    block_counts[block[order], np.arange(count)] = 1
    each = np.ones(count)
    return HopTimes(
        each, ordered, ordered**2, np.ones_like(ordered), block_counts, block_counts[:, :, None] * ordered, float(count)
    )


def test_a_share_seen_in_one_single_block_is_not_sure_of_itself() -> None:
    random = np.random.default_rng(5)
    times = random.exponential(10, (4000, 2))
    times[:100, 1] += 500

    together = intervals(in_blocks(times, np.arange(4000) // 100), 0.99, generator("burst"))
    apart = intervals(in_blocks(times, np.arange(4000) % 40), 0.99, generator("burst"))

    assert attribute(np.ones(4000), by_latency(times), 0.99).shares[1] > 0.9
    # One event may be one in forty such periods (Garwood's limit for a count of one), and its tail as little.
    assert together.share_low[1] < 0.75
    assert apart.share_low[1] > 0.9


def test_the_same_subject_gives_the_same_interval() -> None:
    hops = hop_times(ORACLE.repeat(30, axis=0), 25)

    first, second = (intervals(hops, 0.9, generator("shop", "GET /")) for _ in range(2))

    assert np.array_equal(first.share_low, second.share_low)


def test_a_slow_hop_is_told_from_a_hop_that_slow_requests_visit_more_often() -> None:
    random = np.random.default_rng(9)
    slow = random.random(2000) < 0.05
    visits = np.column_stack([np.ones(2000), np.where(slow, 9.0, 1.0)])
    each = np.column_stack([np.where(slow, 90.0, 10.0), np.full(2000, 10.0)]) + random.random((2000, 2))
    order = np.argsort((visits * each).sum(axis=1), kind="stable")
    times, block = (visits * each)[order], np.ones((1, 2000))
    hops = HopTimes(np.ones(2000), times, times**2, visits[order], block, times[None], 2000.0)

    split = attribute(hops.counts, hops.times, 0.95)
    slower = slower_visits(hops, split, 0.95) / split.excess

    assert split.shares == pytest.approx([0.5, 0.5], abs=0.02)
    assert slower[0] == pytest.approx(1.0, abs=0.02)
    assert slower[1] == pytest.approx(0.0, abs=0.05)
