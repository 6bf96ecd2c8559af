"""Durations have the quantiles they are told by; episodes are the same for all who meet them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.simulate.latency import Episodes, Latency

EPISODES = Episodes(every_s=60, shortest_s=1, longest_s=8, tail_index=1.6)


@pytest.mark.parametrize(("median_ms", "p99_ms"), [(1.6, 7), (95, 480), (0.35, 1.6)])
def test_half_is_faster_than_the_median_and_one_in_a_hundred_slower_than_p99(median_ms: float, p99_ms: float) -> None:
    drawn_ms = Latency(median_ms, p99_ms).draw_us(np.random.default_rng(1), 200_000) / 1_000

    assert np.median(drawn_ms) == pytest.approx(median_ms, rel=0.02)
    assert np.quantile(drawn_ms, 0.99) == pytest.approx(p99_ms, rel=0.04)


@given(
    at_us=st.integers(1_600_000_000_000_000, 1_900_000_000_000_000),
    later_us=st.integers(0, 10_000_000),
    instance=st.integers(0, 50),
    seed=st.integers(0, 10_000),
)
def test_whoever_waits_in_one_episode_waits_until_the_same_moment(
    at_us: int, later_us: int, instance: int, seed: int
) -> None:
    instances = np.array([instance, instance])
    moments = np.array([at_us, at_us + later_us])

    wait = EPISODES.wait_us(seed, instances, moments)

    assert (wait >= 0).all()
    assert (wait <= 8_000_000).all()
    if later_us < wait[0]:
        assert moments[0] + wait[0] == moments[1] + wait[1]


def test_the_time_spent_in_episodes_is_their_mean_length_over_their_distance() -> None:
    at_us = np.random.default_rng(2).integers(0, 86_400_000_000, 400_000)

    stalled = (EPISODES.wait_us(5, np.zeros(at_us.size, np.int64), at_us) > 0).mean()

    # mean of a Pareto of index a from 1, cut at 8: (a - 8**(1 - a)) / (a - 1)
    expected = (1.6 - 8 ** (1 - 1.6)) / 0.6 / 60
    assert stalled == pytest.approx(expected, rel=0.05)


def test_instances_stall_at_different_times() -> None:
    moments = np.arange(0, 600_000_000, 100_000)

    one, other = (EPISODES.wait_us(5, np.full(moments.size, instance), moments) > 0 for instance in (0, 1))

    assert one.mean() > 0.01
    assert (one & other).mean() < 0.5 * one.mean()
