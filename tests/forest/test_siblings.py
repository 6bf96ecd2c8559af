"""The children that spans wait for: their order, and what each can save."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracelith.forest.siblings import Siblings, _sort_latest_first, order_siblings

intervals = st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(2**64 - 3, 2**64 - 1))


def children(siblings: Siblings, span: int) -> list[int]:
    told, child = [], siblings.last[span]
    while child >= 0:
        told.append(int(child))
        child = siblings.before[child]
    return told


@given(st.lists(intervals, max_size=60))
def test_siblings_are_sorted_by_end_then_start_then_id(told: list[tuple[int, int, int]]) -> None:
    start, end = (np.array([row[at] for row in told], np.int64) for at in (0, 1))
    span_id = np.array([row[2] for row in told], np.uint64)
    spans = np.arange(start.size, dtype=np.int32)[::-1].copy()

    as_python = getattr(_sort_latest_first, "py_func", _sort_latest_first)  # which checks indexes
    as_python(spans, start, end, span_id)

    assert spans.tolist() == sorted(range(len(told)), key=lambda at: (-told[at][1], -told[at][0], told[at][2], at))


def test_thousands_of_siblings_that_end_in_any_order_are_sorted() -> None:
    count = 100_000
    parent = np.zeros(count + 1, np.int32)
    parent[0] = -1
    start, end = np.zeros(count + 1, np.int64), np.random.default_rng(1).permutation(count + 1)
    end[0] = 2 * count

    siblings = order_siblings(parent, start, end, np.arange(count + 1, dtype=np.uint64), True)

    assert children(siblings, 0) == [int(np.argmax(end[1:])) + 1]
    assert np.array_equal(
        np.sort(siblings.spare_ns[1:][end[1:] > end[1:].min()]), np.sort(-np.diff(np.sort(end[1:])[::-1]))
    )


def test_a_span_waited_for_the_children_that_had_ended_when_the_later_one_began() -> None:
    parent = np.array([-1, 0, 0, 0, -1], np.int32)
    start = np.array([0, 0, 500, 600, 0], np.int64)
    end = np.array([1_000, 601, 610, 900, 900], np.int64)
    ids = np.arange(5, dtype=np.uint64)

    siblings = order_siblings(parent, start, end, ids, False)

    assert children(siblings, 0) == [3, 2]  # within a hundredth of the parent; the first overlaps by more
    assert siblings.spare_ns[[3, 2]].tolist() == [290, 9]
    assert children(order_siblings(parent, start, end, ids, True), 0) == [3, 2, 1]


def test_of_children_without_duration_at_the_end_of_their_parent_the_clip_variant_keeps_none() -> None:
    parent = np.array([-1, 0, 0], np.int32)
    start, end = np.array([0, 10, 10], np.int64), np.array([10, 10, 10], np.int64)

    siblings = order_siblings(parent, start, end, np.arange(3, dtype=np.uint64), True)

    assert children(siblings, 0) == []
