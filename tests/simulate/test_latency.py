"""Durations have the quantiles they are told by; episodes and queues are the same for all who meet them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.simulate.latency import Episodes, Latency, Queueing

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


DAY_US = 86_400_000_000
ONE = np.zeros(1, np.int64)


def waits_ms(queue: Queueing, *, seed: int = 3, instance: int = 0, days: int = 84) -> np.ndarray:
    """Waits at the same 200,000 moments."""
    moments = np.random.default_rng(2).integers(20_000 * DAY_US, (20_000 + days) * DAY_US, 200_000)
    return queue.wait_us(seed, np.full(moments.size, instance), moments) / 1_000


@pytest.mark.parametrize(
    ("utilisation", "burst_ms", "slot_ms"), [(0.6, 200, 10), (0.8, 30, 10), (0.9, 80, 10), (0.95, 50, 50)]
)
def test_waits_are_those_of_a_queue_so_busy(utilisation: float, burst_ms: float, slot_ms: float) -> None:
    waits = waits_ms(Queueing("workers", utilisation, burst_ms, slot_ms))

    # of a single server with random arrivals and exponential times: the mean, and the tail beyond the share that waits
    assert waits.mean() == pytest.approx(utilisation / (1 - utilisation) * burst_ms, rel=0.08)
    assert np.quantile(waits, 0.99) == pytest.approx(
        burst_ms / (1 - utilisation) * np.log(utilisation / 0.01), rel=0.12
    )


def test_an_idle_resource_makes_nobody_wait() -> None:
    assert not waits_ms(Queueing("workers", 0.0, 50)).any()


def test_instances_and_runs_have_queues_of_their_own_unless_shared() -> None:
    own, shared = (Queueing("workers", 0.8, 30, per_instance=per_instance) for per_instance in (True, False))

    one, other, elsewhere = waits_ms(own), waits_ms(own, instance=1), waits_ms(own, seed=4)

    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05
    assert abs(np.corrcoef(one, elsewhere)[0, 1]) < 0.05
    assert one.mean() == pytest.approx(other.mean(), rel=0.05)
    assert (waits_ms(shared) == waits_ms(shared, instance=1)).all()


@given(
    at_us=st.integers(1_600_000_000_000_000, 1_900_000_000_000_000),
    later_us=st.integers(0, 2_000_000),
    seed=st.integers(0, 10_000),
)
def test_who_comes_later_is_served_later(at_us: int, later_us: int, seed: int) -> None:
    queue = Queueing("workers", 0.9, 80)
    epoch_us = 8_192 * 50_000
    later_us = min(later_us, epoch_us - 1 - at_us % epoch_us)  # a queue goes on elsewhere in its path now and then
    moments = np.array([at_us, at_us + later_us])

    first, second = moments + queue.wait_us(seed, np.zeros(2, np.int64), moments)

    assert second >= first - 1  # whole microseconds
    assert first - at_us == queue.wait_us(seed, ONE, moments[:1])[0]
