"""Distinct pairs of codes: numbered as a dictionary would number them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelith.analysis.statistics.pairs import count_pairs, number_pairs

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(rows=PAIRS)
def test_pairs_are_numbered_by_what_is_left_and_then_as_they_come(rows: list[tuple[int, int]]) -> None:
    left, right = (np.array([row[column] for row in rows], np.int32) for column in range(2))
    met = sorted(dict.fromkeys(rows), key=lambda pair: pair[0])

    number, first = number_pairs.py_func(left, right, 5, 4)  # type: ignore[attr-defined]  # of Numba

    assert [met[one] for one in number] == rows
    assert first.tolist() == [rows.index(pair) for pair in met]


@settings(max_examples=60, deadline=None)
@given(rows=PAIRS)
def test_pairs_are_counted_as_they_are_numbered(rows: list[tuple[int, int]]) -> None:
    left, right = (np.array([row[column] for row in rows], np.int32) for column in range(2))

    of_left, of_right = count_pairs.py_func(left, right, 5, 4)  # type: ignore[attr-defined]  # of Numba

    assert of_left.tolist() == [sum(pair[0] == one for pair in set(rows)) for one in range(5)]
    assert of_right.tolist() == [sum(pair[1] == one for pair in set(rows)) for one in range(4)]


def test_rows_without_anything_left_are_in_no_pair() -> None:
    left, right = np.array([-1, 0, -1, 0], np.int32), np.array([0, 1, 1, 1], np.int32)

    number, first = number_pairs(left, right, 1, 2)
    of_left, of_right = count_pairs(left, right, 1, 2)

    assert (number.tolist(), first.tolist()) == ([-1, 0, -1, 0], [1])
    assert (of_left.tolist(), of_right.tolist()) == ([1], [0, 1])


def test_no_rows_have_no_pairs() -> None:
    nothing = np.empty(0, np.int32)

    number, first = number_pairs(nothing, nothing, 0, 0)

    assert (number.size, first.size) == (0, 0)
