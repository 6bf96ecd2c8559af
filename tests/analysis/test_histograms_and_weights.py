"""Duration buckets that merge, and weighted totals."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.analysis.statistics.histograms import GAMMA, ZERO_BUCKET, bucket_of, coarse, representative, upper_edge
from tracelith.analysis.statistics.weights import (
    effective_size,
    hajek_ratio,
    horvitz_thompson_total,
    known_sampling,
    speaking_rows,
)


def test_3_ddsketch_oracle() -> None:
    assert pytest.approx(1.0202020, abs=1e-7) == GAMMA
    assert list(bucket_of([100, 250, 1])) == [231, 277, 0]
    assert list(representative([231, 277, 0])) == pytest.approx([100.4946, 252.1778, 0.99], abs=5e-5)


@given(st.integers(1, 10**18))
def test_a_bucket_stands_for_its_durations_within_one_percent(duration_ns: int) -> None:
    bucket = bucket_of([duration_ns])

    assert representative(bucket)[0] == pytest.approx(duration_ns, rel=0.01 + 1e-6)
    assert duration_ns <= upper_edge(bucket)[0] * (1 + 1e-6)


def test_zero_keeps_a_bucket_of_its_own_at_every_width() -> None:
    bucket = bucket_of([0, 1, 2])

    assert bucket[0] == ZERO_BUCKET
    assert coarse(bucket, 8)[0] == ZERO_BUCKET
    assert representative([ZERO_BUCKET])[0] == 0


def test_2_2_estimator_oracle() -> None:
    weights, values = [4, 4, 2, 1, 1], [1, 0, 1, 1, 1]

    total, variance = horvitz_thompson_total(weights)

    assert (total, variance) == (12, 26)
    assert variance**0.5 == pytest.approx(5.099, abs=5e-4)
    assert hajek_ratio(values, weights) == pytest.approx(0.6667, abs=5e-5)
    n_eff = effective_size(weights, np.square(weights))
    assert n_eff == pytest.approx(3.789, abs=5e-4)
    assert 5 / n_eff == pytest.approx(1.319, abs=1e-3)


def test_2_3_weights_restore_the_share_of_slow_traces_that_a_tail_sampler_inflates() -> None:
    kept = {"slow": (20, 1.0), "others": (49, 20.0)}
    values = np.repeat([1, 0], [count for count, _ in kept.values()])
    weights = np.repeat([weight for _, weight in kept.values()], [count for count, _ in kept.values()])

    assert values.mean() == pytest.approx(0.2899, abs=5e-5)
    assert hajek_ratio(values, weights) == pytest.approx(0.0200, abs=5e-5)


def test_20_3_an_unknown_weight_is_not_a_weight_of_one() -> None:
    known, weights = known_sampling(np.array([np.nan, 1.0, 4.0, 0.0]))

    assert list(known) == [False, True, True, False]
    assert list(weights) == [1.0, 1.0, 4.0, 1.0]


def test_20_3_traces_of_known_and_unknown_sampling_are_never_mixed() -> None:
    rows = pl.DataFrame(
        {
            "service": ["a", "a", "b", "b"],
            "sampling_known": [True, False, True, False],
            "traces": [10, 90, 5, 5],
        }
    )

    chosen = speaking_rows(rows, ["service"])

    assert chosen.rows() == [("a", False, 90), ("b", True, 5)]
