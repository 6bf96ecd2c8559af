"""Traces numbered, and their rows in order, as plain Python would have them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracelith.forest.trace_order import number_traces, order_rows

ODD = np.uint64(0x9E3779B97F4A7C15)

FEW_KEYS = st.tuples(st.integers(-1, 3), st.integers(-2, 2), st.integers(0, 2), st.booleans())
"""Group, start, id and side of a row, so few that many agree."""


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(-9, 9)), max_size=40), st.integers(0, 9))
def test_traces_are_numbered_as_they_come(rows: list[tuple[int, int, int]], seed: int) -> None:
    hi, lo = (np.array([row[half] for row in rows], np.uint64) << np.uint64(seed * 6) for half in (0, 1))
    start = np.array([row[2] for row in rows], np.int64)

    trace, first, earliest = number_traces(hi, lo, start, ODD)

    ids = list(zip(hi.tolist(), lo.tolist(), strict=True))
    distinct = list(dict.fromkeys(ids))
    assert trace.tolist() == [distinct.index(one) for one in ids]
    assert first.tolist() == [ids.index(one) for one in distinct]
    assert earliest.tolist() == [min(int(start[i]) for i in range(len(ids)) if ids[i] == one) for one in distinct]


@given(st.lists(FEW_KEYS, max_size=150))
def test_rows_are_ordered_by_place_start_id_and_side_and_some_left_out(rows: list[tuple[int, int, int, bool]]) -> None:
    place = np.array([3, -1, 0, 2, 1], np.int32)
    group = np.array([row[0] + 1 for row in rows], np.int32)
    start, span_id = np.array([row[1] for row in rows], np.int64), np.array([row[2] for row in rows], np.uint64)
    callee = np.array([row[3] for row in rows], np.bool_)

    order, first = order_rows(group, place, 4, (start, span_id, callee))

    kept = [row for row in range(len(rows)) if group[row] != 1]
    keys = {row: (int(place[group[row]]), *rows[row][1:]) for row in kept}
    assert sorted(order.tolist()) == kept
    assert [keys[row] for row in order.tolist()] == sorted(keys.values())
    assert first.tolist() == [sum(key[0] < at for key in keys.values()) for at in range(5)]


def test_a_large_trace_with_one_start_is_ordered_without_comparing_all_with_all() -> None:
    count = 300_000
    span_id = np.random.default_rng(1).permutation(count).astype(np.uint64)
    one, same = np.zeros(count, np.int32), np.zeros(count, np.int64)

    order, _ = order_rows(one, np.zeros(1, np.int32), 1, (same, span_id, np.zeros(count, np.bool_)))

    assert (span_id[order] == np.arange(count)).all()
