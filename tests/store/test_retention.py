"""What is deleted, what is summed up, and what never is."""

from pathlib import Path
from typing import Any

import pytest

from store.analysing import ALWAYS, analyse, calls
from store.rows import COUNTS, DAY, T0, batch, dimensions, link, span, window
from tracelith.model.findings import Finding, Severity
from tracelith.model.schema import WINDOW_NS
from tracelith.store import Store

HOUR = 12 * WINDOW_NS


@pytest.fixture
def store():
    with Store.open(None) as opened:
        opened.ensure_fact_tables([COUNTS])
        opened.append([dimensions()])
        yield opened


def test_old_raw_spans_and_links_go_and_their_facts_stay(store: Store) -> None:
    store.append([batch([span(1, 1, T0), span(2, 1, T0 + 8 * DAY)], [link(1, 1, T0, 5, 5)])])
    analyse(store)

    retained = store.retain(7, 400, T0 + 9 * DAY)

    assert retained.deleted_spans == 1
    assert store.size().spans == 1
    assert store.read_windows([T0]).links.height == 0
    assert calls(store) == 2


def test_spans_not_analysed_yet_are_never_deleted(store: Store) -> None:
    store.append([batch([span(1, 1, T0)], [link(1, 1, T0, 5, 5)])])

    assert store.retain(7, 400, T0 + 100 * DAY).deleted_spans == 0
    assert store.read_windows([T0]).links.height == 1
    assert analyse(store) == [T0]
    assert store.retain(7, 400, T0 + 100 * DAY).deleted_spans == 1
    assert calls(store) == 1


def test_a_late_span_does_not_replace_facts_that_can_no_longer_be_recomputed(store: Store) -> None:
    store.append([batch(span(trace, 1, T0) for trace in range(10))])
    analyse(store)
    store.retain(7, 400, T0 + 9 * DAY)

    store.append([batch([span(99, 1, T0)])])
    stale = store.stale_windows(0)
    store.replace_facts([T0], {}, upto=99, span_counts={})
    store.retain(7, 400, T0 + 9 * DAY)

    assert stale == []
    assert calls(store) == 10
    assert store.size().spans == 0
    assert list(store.refusals().values()) == [1]
    store.retain(7, 400, T0 + 9 * DAY)
    assert list(store.refusals().values()) == [1]


def test_final_windows_stay_final_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    with Store.open(path) as store:
        store.ensure_fact_tables([COUNTS])
        first = store.append([dimensions(), batch([span(1, 1, T0), span(2, 1, T0 + 10 * DAY)])])
        analyse(store)
        store.retain(7, 400, T0 + 9 * DAY)

    with Store.open(path) as store:
        store.ensure_fact_tables([COUNTS])
        commit = store.append([batch([span(3, 1, T0), span(4, 1, T0 + 10 * DAY)])])

        assert commit > first
        assert store.stale_windows(0) == [T0 + 10 * DAY // WINDOW_NS * WINDOW_NS]


def test_facts_older_than_two_weeks_are_summed_into_hours_and_merge_to_the_same(store: Store) -> None:
    starts = [T0 + step * WINDOW_NS for step in range(30)] + [T0 + 20 * DAY]
    store.append([batch(span(number, 1, start) for number, start in enumerate(starts))])
    analyse(store)
    before = store.facts("prod", *ALWAYS).merged(COUNTS)

    retained = store.retain(7, 400, T0 + 20 * DAY)

    by_window = store.facts("prod", *ALWAYS).by_window(COUNTS)
    assert retained.compacted_hours == 3
    assert by_window["window_ns"].to_list() == [T0, T0 + HOUR, T0 + 2 * HOUR, T0 + 20 * DAY]
    assert by_window["calls"].to_list() == [12, 12, 6, 1]
    assert store.facts("prod", *ALWAYS).merged(COUNTS).equals(before)
    assert store.environments(T0, T0 + DAY) == [("prod", 30)]
    assert store.period() == (T0, T0 + 20 * DAY + WINDOW_NS)
    assert store.retain(7, 400, T0 + 20 * DAY).compacted_hours == 0


def test_hours_of_many_weeks_are_summed_up_alike_also_those_far_apart(store: Store) -> None:
    starts = [T0 + hour * HOUR + window * WINDOW_NS for hour in range(0, 900, 3) for window in (0, 7)]
    store.append([batch(span(number, 1, start) for number, start in enumerate(starts))])
    analyse(store)

    retained = store.retain(7, 400, T0 + 100 * DAY)

    by_window = store.facts("prod", *ALWAYS).by_window(COUNTS)
    assert retained.compacted_hours == 300
    assert by_window["window_ns"].to_list() == [T0 + hour * HOUR for hour in range(0, 900, 3)]
    assert set(by_window["calls"].to_list()) == {2}
    assert store.environments(*ALWAYS) == [("prod", 600)]


def test_an_hour_that_may_still_change_is_not_summed_up(store: Store) -> None:
    store.append([batch([span(1, 1, window(0)), span(2, 1, window(1))])])
    analyse(store)
    store.append([batch([span(2, 2, window(1))])])

    assert store.retain(7, 400, T0 + 20 * DAY).compacted_hours == 0
    analyse(store)
    assert store.retain(7, 400, T0 + 20 * DAY).compacted_hours == 1
    assert calls(store) == 3


def test_traces_imported_into_an_hour_already_summed_up_leave_it_alone(store: Store) -> None:
    store.append([batch([span(1, 1, window(3))])])
    analyse(store)
    store.retain(7, 400, T0 + 20 * DAY)

    store.append([batch([span(2, 1, window(0)), span(3, 1, window(5))])])

    assert store.stale_windows(0) == []
    assert calls(store) == 1


def test_facts_past_their_days_go(store: Store) -> None:
    store.append([batch([span(1, 1, T0), span(2, 1, T0 + 50 * DAY)])])
    analyse(store)

    store.retain(7, 30, T0 + 51 * DAY)

    assert calls(store) == 1
    assert store.period() == (T0 + 50 * DAY, T0 + 50 * DAY + WINDOW_NS)


def test_a_deleted_week_gives_its_space_to_the_next(tmp_path: Path) -> None:
    sizes = []
    with Store.open(tmp_path / "x.duckdb") as store:
        store.ensure_fact_tables([COUNTS])
        store.append([dimensions()])
        for week in range(5):
            at = T0 + week * 10 * DAY
            store.append([batch(span(trace * 2**40, trace, at + trace) for trace in range(40_000))])
            analyse(store)
            store.retain(7, 400, at + 9 * DAY)
            sizes.append(store.size().bytes)

    assert max(sizes[2:]) <= 1.3 * sizes[1]


def test_the_example_traces_of_a_finding_stay_for_as_long_as_it_stands(store: Store) -> None:
    store.append([batch([span(1, 1, T0), span(2, 1, T0)])])
    analyse(store)
    store.sync_findings("prod", T0, [finding(trace_ids=[f"{0:016x}{2:016x}"])])

    while_it_stands = store.retain(7, 400, T0 + 9 * DAY)

    assert while_it_stands.deleted_spans == 1
    assert (store.read_trace(0, 1).spans.height, store.read_trace(0, 2).spans.height) == (0, 1)
    store.sync_findings("prod", T0 + 9 * DAY, [])
    assert store.retain(7, 400, T0 + 10 * DAY).deleted_spans == 1
    assert (calls(store), store.size().spans, store.refusals()) == (2, 0, {})


def finding(trace_ids: list[str]) -> dict[str, Any]:
    metric = {"name": "outages", "value": 1}
    evidence = {"trace_ids": trace_ids}
    return Finding("failure-cascade", Severity.WARNING, ("shop",), "It fell.", metric, "Catch it.", evidence).document()
