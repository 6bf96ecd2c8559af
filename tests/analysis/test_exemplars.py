"""Example traces stay few however long the period, and the slowest is always among them."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from analysis.pipelines import PERIOD, batches, over_windows
from tracelith.analysis.chains.facts import CHAIN_EXEMPLARS, observe_depth
from tracelith.analysis.exemplars import SLOTS, _slowest, ranks_of, slowest_ids
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.analysis.tail.facts import TAIL_EXEMPLARS, observe_tail
from tracelith.store import Store
from traces import START_NS, view_of, window_of

SHOP = """
shop SERVER GET / 0..30ms
  shop CLIENT price 10..20ms
    price SERVER GET /p 11..19ms
"""


def test_examples_of_many_windows_merge_to_a_few_per_hop_and_chain() -> None:
    window = over_windows(SHOP, copies=10, windows=40)

    with Store.open(None) as store:
        engine = Engine(store, registered_analyses())
        store.append(batches(window))
        engine.analyse_stale()
        facts = store.facts("", *PERIOD)
        chains, hops = facts.merged(CHAIN_EXEMPLARS), facts.merged(TAIL_EXEMPLARS)

    assert chains.height == SLOTS
    assert hops.height == SLOTS * 3
    assert len(slowest_ids(chains["rank"])) == SLOTS


def test_the_slowest_trace_of_all_comes_first() -> None:
    one = over_windows(SHOP, copies=20, windows=5)
    slowest = 7 * 3
    longer = one.spans["duration_ns"].to_numpy() + np.where(np.arange(one.spans.height) == slowest, 1_000_000, 0)
    row = one.spans.row(slowest, named=True)

    with Store.open(None) as store:
        engine = Engine(store, registered_analyses())
        store.append(batches(one, [one.spans.with_columns(duration_ns=pl.Series(longer))]))
        engine.analyse_stale()
        ids = slowest_ids(store.facts("", START_NS, PERIOD[1]).merged(CHAIN_EXEMPLARS)["rank"])

    assert ids[0] == f"{row['trace_hi']:016x}{row['trace_lo']:016x}"
    assert len(set(ids)) == SLOTS


def test_examples_come_from_the_newest_week_because_older_traces_are_gone() -> None:
    old = window_of("shop SERVER GET / 0..90ms", copies=20)
    new = window_of("shop SERVER GET / 0..30ms", copies=20)
    weeks_later = new.spans.with_columns(pl.col("trace_hi") + 1, pl.col("start_ns") + 30 * 86_400_000_000_000)

    with Store.open(None) as store:
        engine = Engine(store, registered_analyses())
        store.append(batches(old, [old.spans, weeks_later.cast(old.spans.schema)]))
        engine.analyse_stale()
        first, end = store.period() or (0, 0)
        (entry,) = engine.conclude(None, first, end)["entry_operations"]

    recent = {f"{hi:016x}{lo:016x}" for hi, lo in weeks_later.select("trace_hi", "trace_lo").iter_rows()}
    assert entry["traces"] == 40
    assert set(entry["chains"][0]["trace_ids"]) <= recent


def test_ranks_sort_by_time_and_give_the_trace_back() -> None:
    ranks = pl.Series([f"{took:020d}{high:020d}{low:020d}" for took, high, low in [(9, 1, 2), (10, 0, 2**64 - 1)]])

    assert slowest_ids(pl.concat([ranks, ranks])) == ["0" * 16 + "f" * 16, "0" * 15 + "1" + "0" * 15 + "2"]


def test_a_rank_is_duration_and_trace_id_in_twenty_digits_each() -> None:
    view = view_of(SHOP, copies=3)
    durations = [0, 7, 2**63 - 1]

    ranks = ranks_of(view, pl.Series([2, 0, 1], dtype=pl.Int32), pl.Series(durations))

    ids = [(int(view.forest.trace_hi[at]), int(view.forest.trace_lo[at])) for at in (2, 0, 1)]
    written = [f"{took:020d}{high:020d}{low:020d}" for took, (high, low) in zip(durations, ids, strict=True)]
    assert ranks.to_list() == written


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 3)), min_size=1))
def test_of_equally_long_ones_the_trace_with_the_largest_id_is_the_slowest(told: list[tuple[int, int, int]]) -> None:
    group, duration_ns, trace = np.array(told, np.int64).T
    upper, lower = np.array([0, 0, 1, 1], np.uint64), np.array([0, 1, 0, 1], np.uint64)

    rows = _slowest(group.astype(np.int32), 2, duration_ns, trace.astype(np.int32), (upper, lower))

    ranked = [max((row[1:] for row in told if row[0] == one), default=None) for one in range(2)]
    assert [told[row][1:] if row >= 0 else None for row in rows] == ranked


def test_traces_that_are_not_complete_are_no_examples() -> None:
    view = view_of("lost SERVER GET / 0..5ms orphan")

    observed = {**observe_depth(view), **observe_tail(view)}

    assert observed[CHAIN_EXEMPLARS.name].is_empty()
    assert observed[TAIL_EXEMPLARS.name].is_empty()
    assert slowest_ids(pl.Series([], dtype=pl.String)) == []
