"""Which windows are stale, and what reading one gives."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.rows import T0, Clock, batch, dimensions, link, span, window
from tracelith.model.schema import WINDOW_NS
from tracelith.store import Store
from tracelith.store.windows import HORIZON_NS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock):
    with Store.open(None, clock_ns=clock) as opened:
        opened.append([dimensions()])
        yield opened


def analyse(store: Store, quiet_for_s: float = 0) -> list[int]:
    """Analyses every stale window as the engine does; returns their numbers."""
    windows = store.stale_windows(quiet_for_s)
    if windows:
        store.replace_facts(windows, {}, store.read_windows(windows).upto, {})
    return [(window_ns - T0) // WINDOW_NS for window_ns in windows]


def numbers(windows: list[int]) -> list[int]:
    return [(window_ns - T0) // WINDOW_NS for window_ns in windows]


def test_windows_with_new_spans_are_stale_until_analysed(store: Store) -> None:
    store.append([batch([span(1, 1, window(3)), span(2, 1, window(1) + 5)])])

    assert analyse(store) == [1, 3]
    assert analyse(store) == []


def test_a_late_span_makes_only_its_window_stale(store: Store) -> None:
    store.append([batch([span(1, 1, window(0)), span(2, 1, window(1))])])
    analyse(store)

    store.append([batch([span(1, 2, window(0) + 9)])])

    assert analyse(store) == [0]


def test_a_repeated_span_makes_its_window_stale(store: Store) -> None:
    store.append([batch([span(1, 1, window(0))])])
    analyse(store)

    store.append([batch([span(1, 1, window(0))])])

    assert analyse(store) == [0]


def test_a_late_root_in_an_earlier_window_makes_both_windows_stale(store: Store) -> None:
    store.append([batch([span(1, 2, window(5), parent=1), span(2, 1, window(4))])])
    analyse(store)

    store.append([batch([span(1, 1, window(3))])])

    assert analyse(store) == [3, 5]
    assert analyse(store) == []


def test_a_trace_is_followed_for_an_hour_and_no_further(store: Store) -> None:
    store.append([batch([span(1, 2, window(12)), span(2, 2, window(13))])])
    analyse(store)

    store.append([batch([span(1, 1, window(0)), span(2, 1, window(0))])])

    assert window(12) - window(0) == HORIZON_NS
    assert analyse(store) == [0, 12]


def test_spans_committed_while_a_window_is_analysed_keep_it_stale(store: Store) -> None:
    store.append([batch([span(1, 1, window(0))])])
    read = store.read_windows(store.stale_windows(0))
    store.append([batch([span(1, 2, window(0))])])

    store.replace_facts([window(0)], {}, read.upto, {})

    assert analyse(store) == [0]
    assert analyse(store) == []


def test_a_window_read_before_its_trace_grew_elsewhere_stays_stale(store: Store) -> None:
    store.append([batch([span(1, 2, window(2))])])
    read = store.read_windows([window(2)])
    store.append([batch([span(1, 1, window(0))])])
    store.stale_windows(0)

    store.replace_facts([window(2)], {}, read.upto, {})

    assert analyse(store) == [0, 2]


def test_a_sibling_is_not_forgotten_when_the_late_window_is_analysed_alone(store: Store) -> None:
    store.append([batch([span(1, 2, window(2))])])
    analyse(store)
    store.append([batch([span(1, 1, window(0))])])

    read = store.read_windows([window(0)])
    store.replace_facts([window(0)], {}, read.upto, {})

    assert analyse(store) == [2]


def test_a_late_producer_makes_the_window_of_the_linking_trace_stale(store: Store) -> None:
    consumer = [span(1, 1, window(1) - 5), span(1, 2, window(1), parent=1)]
    store.append([batch(consumer, [link(1, 2, window(1), to_trace=9, to_span=7)])])
    analyse(store)

    store.append([batch([span(9, 7, window(0) - 9)])])

    assert analyse(store) == [-1, 0, 1]
    assert store.read_windows([window(1)]).linked_spans["span_id"].to_list() == [7]


def test_a_window_is_listed_once_it_was_quiet_for_as_long_as_asked(store: Store, clock: Clock) -> None:
    store.append([batch([span(1, 1, window(0))])])
    clock.pass_seconds(59)
    assert store.stale_windows(60) == []

    store.append([batch([span(2, 1, window(1))])])
    clock.pass_seconds(1)

    assert numbers(store.stale_windows(60)) == [0]
    assert numbers(store.stale_windows(0)) == [0, 1]
    clock.pass_seconds(59)
    assert numbers(store.stale_windows(60)) == [0, 1]


def test_quiet_windows_are_listed_while_other_windows_receive_spans_all_the_time(store: Store, clock: Clock) -> None:
    store.append([batch([span(1, 2, window(0))])])
    clock.pass_seconds(100)
    analyse(store, quiet_for_s=60)
    store.append([batch([span(1, 1, window(-1))])])

    listed = []
    for number in range(300):
        store.append([batch([span(100 + number, 1, window(9))])])
        clock.pass_seconds(0.5)
        listed += store.stale_windows(60)

    assert set(numbers(listed)) == {-1, 0}


def test_a_clock_set_back_does_not_hold_windows_for_ever(store: Store, clock: Clock) -> None:
    clock.pass_seconds(10_000)
    store.append([batch([span(1, 1, window(0))])])

    clock.pass_seconds(-20_000)

    assert numbers(store.stale_windows(60)) == [0]


@pytest.mark.parametrize("clean", [True, False])
def test_what_is_stale_is_the_same_after_opening_again(tmp_path: Path, clean: bool) -> None:
    path = tmp_path / "x.duckdb"
    with Store.open(path) as store:
        store.append([dimensions(), batch([span(1, 1, window(0)), span(2, 1, window(1)), span(3, 2, window(4))])])
        analyse(store)
        store.append([batch([span(2, 2, window(1))])])
        store.append([batch([span(3, 1, window(2))])])
        store.replace_facts([window(2)], {}, store.read_windows([window(2)]).upto, {})
        if clean:
            store.stale_windows(0)
        else:
            store._database.close()  # as a killed process leaves it: nothing more is written

    with Store.open(path) as store:
        assert numbers(store.stale_windows(3600)) == []
        assert analyse(store) == [1, 4]
        assert analyse(store) == []
        assert store.append([batch([span(9, 9, window(7))])]) > 3
        assert analyse(store) == [7]


def test_reading_a_window_gives_whole_traces(store: Store) -> None:
    inside = [span(1, 3, window(0) + 2), span(1, 1, window(0) - 1), span(1, 2, window(1) + 1), span(5, 1, window(0))]
    store.append([batch([*inside, span(6, 1, window(1)), span(7, 1, window(0) - 1)])])

    read = store.read_windows([window(0)])

    assert read.windows == (window(0),)
    assert sorted(read.spans.select("trace_lo", "span_id").rows()) == [(1, 1), (1, 2), (1, 3), (5, 1)]


def test_reading_no_window_gives_nothing(store: Store) -> None:
    store.append([batch([span(1, 1, 0), span(2, 1, T0)])])

    assert store.read_windows([]).spans.height == 0


def test_windows_far_apart_read_together_hold_the_traces_they_hold_alone(store: Store) -> None:
    far = 1000
    rows = [span(1, 1, window(0)), span(1, 2, window(far // 2)), span(1, 3, window(far)), span(2, 1, window(far))]
    store.append([batch(rows)])

    read = store.read_windows([window(far), window(0)])

    alone = [store.read_windows([window(number)]).spans for number in (0, far)]
    spans = pl.concat(alone).unique(maintain_order=True).sort("trace_lo", "start_ns")
    assert read.windows == (window(0), window(far))
    assert set(read.spans.select("trace_lo", "span_id").rows()) >= set(spans.select("trace_lo", "span_id").rows())


@pytest.mark.parametrize("buckets", [1, 2, 7])
@pytest.mark.parametrize("asked", [[0], [0, 2]], ids=["one window", "with a gap"])
def test_buckets_partition_the_traces_of_windows_wherever_their_spans_lie(
    store: Store, buckets: int, asked: list[int]
) -> None:
    lying = (-13, -12, -1, 0, 0, 0, 1, 2, 12, 15)
    traces = [[lying[(trace + step) % len(lying)] for step in range(4)] for trace in range(50)]
    store.append(
        [
            batch(
                span(trace * 2**33 + trace, number, window(at) + number)
                for trace, places in enumerate(traces)
                for number, at in enumerate(places)
            )
        ]
    )

    parts = [read.spans for read in store.read_buckets([window(number) for number in asked], buckets)]

    touched = {trace * 2**33 + trace for trace, places in enumerate(traces) if set(places) & set(asked)}
    whole = store.read_windows([window(number) for number in asked]).spans
    assert pl.concat(parts).sort("trace_lo", "span_id").equals(whole.sort("trace_lo", "span_id"))
    assert set(whole["trace_lo"]) == touched
    assert sum(part["trace_lo"].n_unique() for part in parts) == len(touched)
    assert all(part.height for part in parts)


def test_no_bucket_tells_of_what_was_committed_after_the_first(store: Store) -> None:
    store.append([batch(span(trace, 1, window(0)) for trace in range(9))])
    reads = store.read_buckets([window(0)], 2)
    first = next(reads)
    store.append([batch(span(trace, 2, window(1)) for trace in range(9))])

    assert next(reads).upto == first.upto


def test_linked_spans_come_from_any_trace_with_their_dimension_rows(store: Store) -> None:
    producer = span(2, 5, window(-3), resource=1)
    consumer = span(1, 1, window(0))
    store.append([batch([producer, consumer], [link(1, 1, window(0), 2, 5), link(8, 8, window(0), 2, 5)])])

    read = store.read_windows([window(0)])

    assert read.links.select("trace_lo", "linked_span_id").rows() == [(1, 5)]
    assert read.linked_spans.select("trace_lo", "span_id").rows() == [(2, 5)]


def test_only_dimension_rows_in_use_are_returned() -> None:
    with Store.open(None) as store:
        store.append([dimensions("a", "b", "c"), batch([span(1, 1, T0, resource=2)])])

        assert store.read_windows([T0]).resources["resource"].to_list() == [2]


def test_spans_are_counted_per_window(store: Store) -> None:
    store.append([batch([span(1, 1, window(0)), span(1, 2, window(1) - 1), span(1, 3, window(1))])])

    assert store.window_span_counts([window(0), window(1), window(2)]) == {window(0): 2, window(1): 1, window(2): 0}
    assert store.window_span_counts([]) == {}


def test_one_trace_is_read_whole_wherever_its_spans_lie(store: Store) -> None:
    store.append([batch([span(1, 2, window(100)), span(1, 1, window(0)), span(2, 1, window(0))])])

    read = store.read_trace(0, 1)

    assert read.windows == ()
    assert read.spans["span_id"].to_list() == [1, 2]
    assert store.read_trace(0, 3).spans.height == 0


# --- the rule of ports.AnalysisStore.stale_windows, written down naively ------------------------------------------

Step = list[tuple[int, int]] | int  # spans as (trace, window number), or how many stale windows to analyse


def naive_stale(spans: list[tuple[int, int, int]], analysed: dict[int, int]) -> set[int]:
    """Windows that a span committed after their mark lies in, or touches by its trace within the horizon."""
    stale = set()
    for trace, number, _ in spans:
        for other_trace, other, commit in spans:
            related = other == number or (other_trace == trace and abs(other - number) <= HORIZON_NS // WINDOW_NS)
            if related and commit > analysed.get(number, 0):
                stale.add(number)
    return stale


spans_step = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 30)), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(spans_step, st.integers(1, 4)), max_size=12))
def test_stale_windows_follow_the_rule_whatever_happens_in_between(steps: list[Step]) -> None:
    stored: list[tuple[int, int, int]] = []
    analysed: dict[int, int] = {}
    with Store.open(None) as store:
        for step in steps:
            if isinstance(step, list):
                commit = store.append([batch(span(trace, number + 1, window(number)) for trace, number in step)])
                stored += [(trace, number, commit) for trace, number in step]
            else:
                windows = store.stale_windows(0)[:step]
                upto = store.read_windows(windows).upto
                store.replace_facts(windows, {}, upto, {})
                analysed |= dict.fromkeys(numbers(windows), upto)

            assert set(numbers(store.stale_windows(0))) == naive_stale(stored, analysed)
