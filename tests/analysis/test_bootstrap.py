"""Intervals from drawing anew hold the truth also when there is little to draw from."""

import numpy as np
import pytest

from tracelith.analysis.statistics.bootstrap import block_draws, generator, percentiles


def coverage(blocks: int, repetitions: int = 500) -> float:
    """Share of the intervals of a mean over so many blocks that hold it."""
    random = generator("coverage", str(blocks))
    held = 0
    for _ in range(repetitions):
        low, high = percentiles(block_draws(random, blocks) @ random.normal(0, 1, blocks) / blocks, blocks)
        held += bool(low <= 0 <= high)
    return held / repetitions


@pytest.mark.parametrize("blocks", [5, 10, 40])
def test_0_4_intervals_from_few_blocks_hold_the_truth_nearly_as_often_as_from_many(blocks: int) -> None:
    # Measured over 2,000 repetitions: .915, .955 and .945; plain percentiles .837, .907 and .937.
    assert coverage(blocks, repetitions=1000) >= 0.89


def test_the_fewer_blocks_are_drawn_the_further_out_the_interval_reaches() -> None:
    replicates = np.linspace(0, 1, 1001)

    few, some, many = (percentiles(replicates, drawn) for drawn in (4, 20, 100_000))

    assert few[0] < some[0] < many[0] == pytest.approx(0.025, abs=1e-4)
    assert few[1] > some[1] > many[1] == pytest.approx(0.975, abs=1e-4)


def test_replicates_without_a_number_are_left_out_and_none_at_all_has_no_interval() -> None:
    replicates = np.stack([np.where(np.arange(100) % 2, np.nan, 7.0), np.full(100, np.nan)], axis=1)

    low, high = percentiles(replicates, 100)

    assert (low[0], high[0]) == (7, 7)
    assert np.isnan([low[1], high[1]]).all()


def test_the_same_subject_draws_the_same_blocks() -> None:
    first, again, other = (block_draws(generator("tail", name), 12) for name in ("a", "a", "b"))

    assert (first == again).all()
    assert (first != other).any()
    assert (first.sum(axis=1) == 12).all()
