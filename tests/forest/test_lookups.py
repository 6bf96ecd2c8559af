"""How links find their traces, and answers over queues their questions, against plain Python."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracelith.forest.links import _first_with, _traces_with
from tracelith.forest.replies import _MOST_STEPS, _climb, _receivers

IDS = st.tuples(st.integers(0, 2), st.integers(0, 5))
"""High and low half of a trace id; few, so that one half alone often is that of another trace."""


@given(st.sets(IDS), st.lists(IDS))
def test_traces_are_found_by_both_halves_of_their_id(
    traces: set[tuple[int, int]], wanted: list[tuple[int, int]]
) -> None:
    ordered = sorted(traces, key=lambda one: (one[1], one[0]))
    columns = [np.array([one[half] for one in ids], np.uint64) for ids in (ordered, wanted) for half in (0, 1)]

    found = _traces_with(*columns)

    assert found.tolist() == [ordered.index(one) if one in traces else -1 for one in wanted]


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=6), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 5))),
)
def test_the_first_span_with_an_id_is_found_on_either_side(
    traces: list[list[tuple[int, bool]]], told: list[tuple[int, int]]
) -> None:
    wanted = sorted(one for one in told if one[0] < len(traces))
    first = np.cumsum([0, *map(len, traces)], dtype=np.int32)
    spans = [(trace, *span) for trace, members in enumerate(traces) for span in members]

    found = _first_with(
        np.array([trace for trace, _ in wanted], np.int32),
        np.array([span_id for _, span_id in wanted], np.uint64),
        first,
        np.array([span_id for _, span_id, _ in spans], np.uint64),
        np.array([receives for _, _, receives in spans], np.bool_),
    )

    expected = [
        [spans.index((*one, side)) if (*one, side) in spans else -1 for one in wanted] for side in (False, True)
    ]
    assert found.tolist() == expected


@given(st.lists(st.tuples(st.integers(-1, 9), st.integers(-1, 9)), min_size=10, max_size=10), st.data())
def test_answers_are_followed_up_to_the_first_message_with_their_tag(
    told: list[tuple[int, int]], data: st.DataObject
) -> None:
    # A parent comes before its children; who published what a span received may be any span, also in a circle.
    parent = np.array([min(above, span - 1) for span, (above, _) in enumerate(told)], np.int32)
    publisher = np.array([who for _, who in told], np.int32)
    sent = data.draw(st.lists(st.integers(0, 9), max_size=5))
    tag = [data.draw(st.integers(0, 1)) for _ in sent]
    messages = sorted(data.draw(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 1)))))
    key = np.array([receiver << 32 | one for receiver, one in messages], np.int64)

    sent_spans, tags = np.array(sent, np.int32), np.array(tag, np.int32)
    place, receivers = _climb(parent, publisher, sent_spans, tags, key)
    met = np.flatnonzero(place >= 0)
    passed = _receivers(parent, publisher, sent_spans[met], receivers[met])

    expected_place, expected_passed = [], list[int]()
    for start, wanted in zip(sent, tag, strict=True):
        at, way, found = start, list[int](), -1
        for _ in range(_MOST_STEPS):
            if at < 0 or found >= 0:
                break
            if publisher[at] >= 0:
                way.append(at)
                found = messages.index((at, wanted)) if (at, wanted) in messages else -1
            at = int(publisher[at] if publisher[at] >= 0 else parent[at])
        expected_place.append(found)
        expected_passed += way if found >= 0 else []
    assert place.tolist() == expected_place
    assert passed.tolist() == expected_passed
