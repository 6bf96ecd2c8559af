"""Parents found by id, spans told twice and circles, against plain Python."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tracelith.forest.parents import cut_cycles, find_parents, first_alike

Row = tuple[int, int, bool, int]
"""Span id, parent id, whether on the callee's side, service."""

ROW = st.tuples(st.integers(0, 5), st.integers(0, 6), st.booleans(), st.integers(0, 1))
"""Few ids, so that they are often shared and often named."""

ODD = st.integers(0, 2**63 - 1).map(lambda number: np.uint64(2 * number + 1))
"""Whatever ids are scattered by, the same is found."""


def columns(traces: list[list[Row]]) -> tuple[np.ndarray, ...]:
    rows = [row for trace in traces for row in trace]
    first = np.cumsum([0, *map(len, traces)], dtype=np.int32)
    types = (np.uint64, np.uint64, np.bool_, np.int32)
    return (first, *(np.array([row[at] for row in rows], kind) for at, kind in enumerate(types)))


def found(trace: list[Row], span: int, begin: int) -> tuple[int, bool, bool]:
    """Parent, orphan and own of one span, looked for among all others."""
    at = {(row[0], row[2]): index for index, row in enumerate(trace)}
    span_id, parent_id, callee, service = trace[span]
    if callee and (span_id, False) in at:
        return begin + at[span_id, False], False, False
    if parent_id in {0, span_id}:
        return -1, False, parent_id != 0
    client, server = at.get((parent_id, False)), at.get((parent_id, True))
    if client is not None and server is not None:
        beside = service == trace[client][3] != trace[server][3]
        return begin + (client if beside else server), False, False
    named = client if server is None else server
    return (-1, True, False) if named is None else (begin + named, False, False)


@given(st.lists(st.lists(ROW, max_size=8, unique_by=lambda row: (row[0], row[2])), max_size=4), ODD)
def test_parents_are_found_by_id_within_the_trace(traces: list[list[Row]], odd: np.uint64) -> None:
    first, span_id, parent_id, callee, service = columns(traces)

    parent, orphan, own = find_parents(first, (span_id, parent_id), callee, service, odd)

    begins = np.cumsum([0, *map(len, traces)])
    expected = [
        found(trace, span, int(begin))
        for trace, begin in zip(traces, begins, strict=False)
        for span in range(len(trace))
    ]
    assert list(zip(parent.tolist(), orphan.tolist(), own.tolist(), strict=True)) == expected


@given(st.lists(st.lists(ROW, max_size=12), max_size=4), ODD)
def test_rows_are_alike_that_have_trace_id_and_side_in_common(traces: list[list[Row]], odd: np.uint64) -> None:
    first, span_id, _, callee, _ = columns(traces)

    alike = first_alike(first, span_id, callee, odd)

    keys = [(number, row[0], row[2]) for number, trace in enumerate(traces) for row in trace]
    assert alike.tolist() == [keys.index(key) for key in keys]


@st.composite
def anywhere(draw: DrawFn) -> list[int]:
    """A parent or none for each span, circles and spans that are their own parents included."""
    size = draw(st.integers(0, 12))
    return draw(st.lists(st.integers(-1, size - 1), min_size=size, max_size=size))


@given(anywhere())
def test_a_circle_is_cut_above_its_first_span_and_nothing_else_is(parents: list[int]) -> None:
    cut, circular = cut_cycles(np.array(parents, np.int32))

    def above(span: int) -> list[int]:
        climbed = []
        while parents[span] >= 0 and parents[span] not in climbed:
            span = parents[span]
            climbed.append(span)
        return climbed

    on_circle = [span in above(span) for span in range(len(parents))]
    firsts = {span for span in range(len(parents)) if on_circle[span] and span == min(above(span))}
    assert circular.tolist() == on_circle
    assert cut.tolist() == [-1 if span in firsts else parent for span, parent in enumerate(parents)]
