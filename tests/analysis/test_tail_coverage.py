"""Intervals of the tail and of latency quantiles hold the truth as often as they say, also when requests wait together.

Requests of two hops over four weeks: the second hop is slow in incidents that hit everybody, the first is not. The
truth is what the same estimator says of a hundred times as much.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from tracelith.analysis.statistics.bootstrap import block_length_ns, generator
from tracelith.analysis.statistics.histograms import ACCURACY, bucket_of, coarse, representative
from tracelith.analysis.statistics.quantiles import WeightedValues, block_weights, in_time, quantile
from tracelith.analysis.tail.attribution import HopTimes, attribute
from tracelith.analysis.tail.share_intervals import Intervals, intervals

Float64 = NDArray[np.float64]

HOURS = 4 * 7 * 24
REQUESTS = 6000
Q = 0.99
PERIODS = 100
BLOCK_HOURS = block_length_ns(0, HOURS * 3_600_000_000_000) / 3_600_000_000_000


@dataclass(frozen=True, slots=True)
class World:
    """How slowness comes about: incidents a week and their length; none leaves requests that are slow one by one."""

    per_week: float
    hours: float


WORLDS = {
    "one by one": World(0, 0),
    "a dozen incidents": World(3, 0.5),
    "half a dozen incidents": World(1.5, 0.5),
    "longer than a block": World(2, 6),
}


@dataclass(frozen=True, slots=True)
class Period:
    """Requests of four weeks in order of time: when in hours, and nanoseconds per hop."""

    at: Float64
    times: Float64

    @property
    def latency(self) -> Float64:
        return self.times.sum(axis=1)


def periods(world: World, name: str) -> Iterator[Period]:
    for number in range(PERIODS):
        random = generator("coverage", name, str(number))
        at = np.sort(random.uniform(0, HOURS, REQUESTS))
        times = random.lognormal(np.log(10e6), 0.5, (REQUESTS, 2))
        if world.per_week:
            begins = random.uniform(0, HOURS, random.poisson(world.per_week * HOURS / 168))
            hit = ((at[:, None] >= begins) & (at[:, None] < begins + world.hours)).any(axis=1)
            # Long incidents slow one request in ten: the tail should not be all that happened in one of them.
            hit &= random.random(REQUESTS) < min(1.0, 0.6 / world.hours)
        else:
            hit = random.random(REQUESTS) < 0.015
        times[:, 1] += np.where(hit, random.lognormal(np.log(250e6), 0.4, REQUESTS), 0)
        yield Period(at, np.rint(times))


def hop_times(period: Period) -> HopTimes:
    buckets, bucket = np.unique(coarse(bucket_of(period.latency), 4), return_inverse=True)
    block = (period.at / BLOCK_HOURS).astype(np.int64)
    counts = np.zeros((int(block.max()) + 1, buckets.size))
    times = np.zeros((*counts.shape, 2))
    squares = np.zeros((buckets.size, 2))
    np.add.at(counts, (block, bucket), 1)
    np.add.at(times, (block, bucket), period.times)
    np.add.at(squares, bucket, period.times**2)
    visits = np.repeat(counts.sum(axis=0)[:, None], 2, axis=1)
    return HopTimes(counts.sum(axis=0), times.sum(axis=0), squares, visits, counts, times, float(REQUESTS))


@cache
def told(name: str) -> tuple[float, float, list[Intervals]]:
    """True share and excess of the second hop, and what is said of it in every period."""
    found = list(periods(WORLDS[name], name))
    everything = np.concatenate([period.times for period in found])
    latency = everything.sum(axis=1)
    order = np.argsort(latency)
    truth = attribute(np.ones(len(latency)), everything[order], Q)
    said = [intervals(hop_times(period), Q, generator(name, str(number))) for number, period in enumerate(found)]
    return float(truth.shares[1]), float(truth.excess[1]), said


@pytest.mark.parametrize("name", WORLDS)
def test_the_interval_of_a_share_holds_the_truth_as_often_as_it_says(name: str) -> None:
    share, _, said = told(name)

    held = np.mean([one.share_low[1] <= share <= one.share_high[1] for one in said])

    # 100 periods: a coverage of .95 comes out below .90 one time in a hundred, and the seeds are fixed.
    assert held >= 0.90


@pytest.mark.parametrize("name", WORLDS)
def test_the_interval_of_an_excess_holds_the_truth_as_often_as_it_says(name: str) -> None:
    _, excess, said = told(name)

    held = np.mean([one.excess_low[1] <= excess <= one.excess_high[1] for one in said])

    assert held >= 0.90


def test_intervals_are_not_wide_where_requests_are_slow_one_by_one() -> None:
    _, excess, said = told("one by one")

    widths = np.array([(one.excess_high[1] - one.excess_low[1]) / excess for one in said])
    held = [one.excess_low[1] <= excess <= one.excess_high[1] for one in said]

    assert np.median(widths) < 0.35
    assert np.mean(held) <= 0.99


@pytest.mark.parametrize("name", ["a dozen incidents", "longer than a block"])
@pytest.mark.parametrize("q", [0.95, 0.99])
def test_the_interval_of_a_latency_quantile_holds_the_truth_when_requests_are_slow_together(
    name: str, q: float
) -> None:
    found = list(periods(WORLDS[name], name))
    truth = float(np.quantile(np.concatenate([period.latency for period in found]), q))

    estimates = [latency_quantile(period, q) for period in found]

    held = np.mean([low / (1 + ACCURACY) <= truth <= high / (1 - ACCURACY) for low, high, _, _ in estimates])
    alone = np.mean([low / (1 + ACCURACY) <= truth <= high / (1 - ACCURACY) for _, _, low, high in estimates])
    assert held >= 0.90
    assert held >= alone


def latency_quantile(period: Period, q: float) -> tuple[float, float, float, float]:
    """Bounds that know of time, and those of independent requests."""
    values, block = representative(bucket_of(period.latency)), (period.at / BLOCK_HOURS).astype(np.int64)
    sample = WeightedValues.of(values, np.ones(REQUESTS))
    by_block, _ = block_weights(sample, values, np.ones(REQUESTS), block)
    alone = quantile(sample, q, "requests")
    together = in_time(alone, sample, q, by_block)
    bounds = (together.low, together.high, alone.low, alone.high)
    low, high, low_alone, high_alone = (float(bound or 0.0) for bound in bounds)
    return low, high, low_alone, high_alone
