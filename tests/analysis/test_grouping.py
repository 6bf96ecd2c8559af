"""Groups of rows by integer keys: what a general group-by gives, whatever the keys are."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tracelith.analysis.statistics.grouping import groups_of

WIDE = st.integers(-(2**62), 2**62)
NARROW = st.integers(-3, 3)
ROWS = st.lists(st.tuples(WIDE, NARROW, WIDE, st.integers(-1000, 1000)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_groups_fold_as_a_general_group_by_does(rows: list[tuple[int, int, int, int]]) -> None:
    a, b, c, value = (np.array([row[column] for row in rows], np.int64) for column in range(4))

    groups = groups_of({"a": a, "b": b.astype(np.int8), "c": c})

    folded = {
        "count": groups.counts(),
        "sum": groups.sums(value),
        "largest": groups.largest(value),
        "smallest": groups.smallest(value),
        "first": groups.firsts(value),
    }
    expected = (
        pl.DataFrame({"a": a, "b": b.astype(np.int8), "c": c, "value": value})
        .group_by("a", "b", "c", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("count"),
            pl.col("value").sum().alias("sum"),
            pl.col("value").max().alias("largest"),
            pl.col("value").min().alias("smallest"),
            pl.col("value").first().alias("first"),
        )
        .sort("a", "b", "c")
    )
    assert_frame_equal(pl.DataFrame({**groups.keys, **folded}), expected)


def test_floats_are_added_in_the_order_of_the_rows() -> None:
    groups = groups_of({"key": np.array([0, 0, 0])})

    assert groups.sums(np.array([1e16, 1.0, -1e16])).tolist() == [0.0]
    assert groups.sums(np.array([1e16, -1e16, 1.0])).tolist() == [1.0]


@pytest.mark.parametrize("kind", [np.uint64, np.uint32, np.int8, np.bool_])
def test_keys_of_any_integer_type_group_alike(kind: type[np.generic]) -> None:
    groups = groups_of({"key": np.array([1, 0, 1]).astype(kind)})

    assert groups.group.tolist() == [1, 0, 1]
    assert groups.keys["key"].dtype == kind


@pytest.mark.parametrize("keys", [{"a": np.empty(0, np.int32)}, {"a": np.empty(0), "b": np.empty(0, np.int8)}])
def test_no_rows_are_no_groups(keys: dict[str, np.ndarray]) -> None:
    groups = groups_of(keys)

    assert groups.size == 0
    assert groups.sums(np.empty(0)).size == 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), spread=st.integers(1, 10_000))
def test_keys_with_many_combinations_but_few_rows_group_alike(seed: int, spread: int) -> None:
    numbers = np.random.default_rng(seed)
    keys = {name: numbers.integers(0, spread, 500) // (spread // 3 + 1) * spread for name in "abcde"}

    groups = groups_of(keys)

    distinct, inverse = np.unique(np.stack(list(keys.values()), axis=1), axis=0, return_inverse=True)
    assert np.stack(list(groups.keys.values()), axis=1).tolist() == distinct.tolist()
    assert groups.group.tolist() == inverse.reshape(-1).tolist()


@settings(max_examples=20, deadline=None)
@given(codes=st.lists(st.integers(0, 30), min_size=1, max_size=100), far=st.sampled_from([1, 1_000, 2**40]))
def test_keys_group_alike_however_far_they_lie_apart(codes: list[int], far: int) -> None:
    groups = groups_of({"key": np.array(codes, np.int64) * far})

    assert (groups.keys["key"] // far).tolist() == sorted(set(codes))
    assert (groups.keys["key"][groups.group] // far).tolist() == codes


def test_a_frame_has_keys_count_and_sums() -> None:
    groups = groups_of({"key": np.array([3, 1, 3])})

    frame = groups.frame("rows", ns=np.array([1, 2, 4]), weight=np.array([0.5, 1.0, 0.25]))

    assert frame.to_dict(as_series=False) == {"key": [1, 3], "rows": [1, 2], "ns": [2, 5], "weight": [1.0, 0.75]}
