"""Latencies are counted in buckets: bounded in memory, two percent from the truth."""

import numpy as np
import pytest

from tracelith.bench.latencies import Latencies


def test_quantiles_are_at_most_two_percent_above_those_of_the_sample() -> None:
    sample = np.sort(np.random.default_rng(3).lognormal(3, 1.2, 5_000))
    latencies = Latencies()

    for latency_ms in sample:
        latencies.add(latency_ms)

    figures = latencies.figures()
    for said, index in ((figures.p50, 2_499), (figures.p99, 4_949), (figures.max, 4_999)):
        assert said is not None
        assert sample[index] - 0.01 <= said <= sample[index] * 1.02 + 0.01


def test_no_request_has_no_latency() -> None:
    figures = Latencies().figures()

    assert (figures.p50, figures.p99, figures.max) == (None, None, None)


def test_figures_of_an_interval_know_nothing_of_what_was_before() -> None:
    latencies = Latencies()
    latencies.add(5_000.0)
    before = latencies.counts.copy()

    latencies.add(10.0)

    assert latencies.figures(before).max == pytest.approx(10.0, rel=0.02)
    assert latencies.figures().max == pytest.approx(5_000.0, rel=0.02)


def test_impossible_latencies_land_at_the_ends() -> None:
    latencies = Latencies()

    latencies.add(0.0)
    latencies.add(1e15)

    assert latencies.counts.sum() == latencies.counts[0] + latencies.counts[-1] == 2
