"""Facts: replaced by window, merged over a period."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from store.rows import COUNTS, T0, batch, counts, dimensions, span, window
from tracelith.model.facts import FactTable, merge_facts
from tracelith.model.schema import WINDOW_NS
from tracelith.store import Store

ALWAYS = (0, 2**62)
DAY = 86_400_000_000_000


@pytest.fixture
def store():
    with Store.open(None) as opened:
        opened.ensure_fact_tables([COUNTS])
        opened.append([dimensions("prod", "test")])
        yield opened


def test_merged_facts_are_one_row_per_key_sorted(store: Store) -> None:
    rows = counts(
        (window(0), "prod", "b", 2, 1, 0.5, 10, 20),
        (window(0), "prod", "a", 7, 2, 0.25, 11, 21),
        (window(1), "prod", "b", 2, 4, 1.0, 5, 30),
        (window(1), "test", "b", 2, 100, 9.0, 1, 99),
    )
    store.replace_facts([window(0), window(1)], {"counts": rows}, upto=1, span_counts={})

    merged = store.facts("prod", *ALWAYS).merged(COUNTS)

    assert merged.rows() == [("a", 7, 2, 0.25, 11, 21), ("b", 2, 5, 1.5, 5, 30)]
    assert merged.schema == {name: COUNTS.schema[name] for name in COUNTS.schema.names()[2:]}


def test_a_period_is_half_open(store: Store) -> None:
    rows = counts(*((window(number), "prod", "a", 1, 1, 1.0, 0, 0) for number in range(4)))
    store.replace_facts([window(number) for number in range(4)], {"counts": rows}, upto=1, span_counts={})

    found = store.facts("prod", window(1), window(3)).by_window(COUNTS)

    assert found["window_ns"].to_list() == [window(1), window(2)]


def test_blocks_sum_the_windows_that_start_in_them(store: Store) -> None:
    rows = counts(*((window(number), "prod", "a", 1, 10**number, 1.0, 0, 0) for number in range(4)))
    store.replace_facts([window(number) for number in range(4)], {"counts": rows}, upto=1, span_counts={})
    block_ns = 3 * WINDOW_NS

    found = store.facts("prod", *ALWAYS).by_window(COUNTS, block_ns)

    expected: dict[int, int] = {}
    for number in range(4):
        block = window(number) // block_ns * block_ns
        expected[block] = expected.get(block, 0) + 10**number
    assert dict(found.select("window_ns", "calls").rows()) == expected


def test_replacing_removes_what_a_window_had(store: Store) -> None:
    first = counts((window(0), "prod", "a", 1, 1, 1.0, 0, 0), (window(1), "prod", "a", 1, 5, 1.0, 0, 0))
    store.replace_facts([window(0), window(1)], {"counts": first}, 1, {(window(0), "prod"): 1, (window(1), "prod"): 5})

    later = counts((window(0), "prod", "z", 1, 2, 1.0, 0, 0))
    store.replace_facts([window(0)], {"counts": later}, 2, {(window(0), "prod"): 2})
    store.replace_facts([window(1)], {}, upto=2, span_counts={})

    assert store.facts("prod", *ALWAYS).by_window(COUNTS)["service"].to_list() == ["z"]
    assert store.environments(*ALWAYS) == [("prod", 2)]
    assert store.period() == (window(0), window(1))


def test_an_undeclared_table_or_a_missing_column_is_refused_and_nothing_is_written(store: Store) -> None:
    rows = counts((window(0), "prod", "a", 1, 1, 1.0, 0, 0))
    store.append([batch([span(1, 1, window(0))])])

    with pytest.raises(ValueError, match="other not declared"):
        store.replace_facts([window(0)], {"counts": rows, "other": rows}, upto=9, span_counts={})
    with pytest.raises(ValueError, match="calls"):
        store.replace_facts([window(0)], {"counts": rows.drop("calls")}, upto=9, span_counts={})

    assert store.facts("prod", *ALWAYS).merged(COUNTS).height == 0
    assert store.stale_windows(0) == [window(0)]


def test_a_table_nobody_wrote_reads_as_no_rows_of_the_right_schema() -> None:
    with Store.open(None) as store:
        facts = store.facts("prod", *ALWAYS)

        assert facts.by_window(COUNTS).schema == {
            name: dtype for name, dtype in COUNTS.schema.items() if name != "environment"
        }
        assert facts.merged(COUNTS).height == 0


def test_a_table_without_keys_has_one_row_or_none(store: Store) -> None:
    total = FactTable("total", keys={}, sums={"spans": pl.Int64})
    store.ensure_fact_tables([COUNTS, total])
    assert store.facts("prod", *ALWAYS).merged(total).height == 0

    rows = pl.DataFrame([[window(n), "prod", 3] for n in range(2)], total.schema, orient="row")
    store.replace_facts([window(0), window(1)], {"total": rows}, upto=1, span_counts={})

    assert store.facts("prod", *ALWAYS).merged(total).rows() == [(6,)]
    assert store.facts("prod", *ALWAYS).by_window(total).rows() == [(window(0), 3), (window(1), 3)]


@pytest.mark.parametrize("name", ["Counts", "counts; DROP TABLE span", "", "a b", 'a"b'])
def test_names_that_would_need_quoting_are_refused(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="lower case words"):
        store.ensure_fact_tables([FactTable(name, keys={}, sums={"n": pl.Int64})])
    with pytest.raises(ValueError, match="lower case words"):
        store.ensure_fact_tables([FactTable("fine", keys={name: pl.String}, sums={"n": pl.Int64})])


def test_a_type_without_a_counterpart_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="Binary"):
        store.ensure_fact_tables([FactTable("blobs", keys={"blob": pl.Binary}, sums={})])


def test_a_table_whose_columns_changed_is_rebuilt_and_every_window_is_stale_again(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    changed = FactTable("counts", keys=COUNTS.keys, sums=COUNTS.sums | {"errors": pl.Int64})
    with Store.open(path) as store:
        store.ensure_fact_tables([COUNTS])
        store.append([dimensions(), batch([span(1, 1, window(0)), span(2, 1, window(5))])])
        windows = store.stale_windows(0)
        rows = counts((window(0), "prod", "a", 1, 1, 1.0, 0, 0))
        store.replace_facts(windows, {"counts": rows}, store.read_windows(windows).upto, {})
        store.ensure_fact_tables([COUNTS])
        assert store.stale_windows(0) == []

    with Store.open(path) as store:
        store.ensure_fact_tables([changed])

        assert store.stale_windows(0) == [window(0), window(5)]
        assert store.facts("prod", *ALWAYS).merged(changed).height == 0
        store.replace_facts([window(0), window(5)], {}, store.read_windows([window(0), window(5)]).upto, {})
        assert store.stale_windows(0) == []


def test_environments_are_listed_by_number_of_spans(store: Store) -> None:
    span_counts = {(window(0), "prod"): 1, (window(0), "test"): 2, (window(1), "prod"): 2, (window(2), "late"): 1}

    store.replace_facts([window(0), window(1)], {}, 1, span_counts)

    assert store.environments(window(0), window(1)) == [("test", 2), ("prod", 1)]
    assert store.environments(window(0), window(9)) == [("prod", 3), ("test", 2)]


def test_period_spans_the_windows_with_facts(store: Store) -> None:
    assert store.period() is None

    span_counts = {(window(3), "prod"): 1, (window(7), "test"): 1}
    store.replace_facts([window(number) for number in range(9)], {}, 1, span_counts)

    assert store.period() == (window(3), window(8))


def test_the_generation_grows_with_facts_and_deployments_and_across_restarts(tmp_path: Path) -> None:
    with Store.open(tmp_path / "x.duckdb") as store:
        store.ensure_fact_tables([COUNTS])
        first = store.fact_generation()
        assert store.fact_generation() == first
        store.replace_facts([window(0)], {}, upto=1, span_counts={})
        second = store.fact_generation()
    with Store.open(tmp_path / "x.duckdb") as store:
        third = store.fact_generation()

    assert first < second < third


fact_row = st.tuples(
    st.integers(0, 4).map(window),
    st.sampled_from(["prod", "test"]),
    st.sampled_from(["a", "b", "ä", "'; DROP TABLE span; --", ""]),
    st.integers(-3, 3),
    st.integers(-(2**40), 2**40),
    st.integers(-1000, 1000).map(lambda eighths: eighths / 8),
    st.integers(-(2**62), 2**62),
    st.integers(-(2**62), 2**62),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(fact_row, max_size=30))
def test_merging_in_the_database_is_merging_frames(rows: list) -> None:
    frame = counts(*rows)
    with Store.open(None) as store:
        store.ensure_fact_tables([COUNTS])
        for window_ns in {row[0] for row in rows}:
            of_window = frame.filter(pl.col("window_ns") == window_ns)
            store.replace_facts([window_ns], {"counts": of_window}, upto=1, span_counts={})
        facts = store.facts("prod", *ALWAYS)
        merged, by_window = facts.merged(COUNTS), facts.by_window(COUNTS)

    own = frame.filter(pl.col("environment") == "prod")
    keys = list(COUNTS.keys)
    assert_frame_equal(merged, merge_facts(COUNTS, own, keys), check_exact=True)
    assert_frame_equal(by_window, merge_facts(COUNTS, own, ["window_ns", *keys]), check_exact=True)
    assert_frame_equal(merged, merge_facts(COUNTS, by_window, keys), check_exact=True)


@pytest.mark.parametrize("garbage", [0, T0 + 40 * DAY, T0 + 60_000 * DAY], ids=["1970", "next month", "2190"])
def test_a_host_with_a_wrong_clock_does_not_move_the_period(garbage: int) -> None:
    with Store.open(None, clock_ns=lambda: T0 + DAY) as store:
        store.ensure_fact_tables([COUNTS])
        odd = garbage // WINDOW_NS * WINDOW_NS
        for window_ns in (odd, T0):
            store.replace_facts([window_ns], {}, 1, {(window_ns, "prod"): 1})

        assert store.period() == (T0, T0 + WINDOW_NS)


def test_if_every_clock_seems_wrong_it_may_be_ours() -> None:
    with Store.open(None, clock_ns=lambda: 0) as store:
        store.ensure_fact_tables([COUNTS])
        store.replace_facts([T0], {}, 1, {(T0, "prod"): 1})

        assert store.period() == (T0, T0 + WINDOW_NS)
