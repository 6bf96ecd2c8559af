"""Facts about queues: the same whatever the order, the numbering and the company of spans."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from analysis.queue_worlds import asking, listening, steady, taken_text
from forest.test_laws import renumbered, shuffled
from tracelith.analysis.hidden_queues import ANALYSIS
from tracelith.forest import observe_view
from tracelith.model.facts import merge_facts
from tracelith.model.ports import WindowSpans
from traces import window_of

WAITS = asking(np.arange(20.0, 60.0), np.arange(25.0, 65.0), answers=True)
STALL = taken_text(listening(steady(0, 900, 20), 300, 500))
EVERYTHING = f"{WAITS}\n---\n{STALL}"


def facts(window: WindowSpans) -> dict[str, pl.DataFrame]:
    assert ANALYSIS.observe is not None
    return dict(ANALYSIS.observe(observe_view(window)))


@pytest.mark.parametrize("seed", range(3))
def test_order_and_numbers_change_no_fact(seed: int) -> None:
    window = window_of(EVERYTHING)

    told = facts(renumbered(shuffled(window, seed), seed))

    for name, rows in facts(window).items():
        rest = [column for column, kind in rows.schema.items() if kind != pl.Float64]
        assert_alike(told[name].sort(rest), rows.sort(rest))


@pytest.mark.parametrize("seed", range(3))
def test_traces_read_apart_make_the_same_facts(seed: int) -> None:
    window = window_of(EVERYTHING)
    apart = [facts(part) for part in parted(window, seed)]

    for table in ANALYSIS.fact_tables:
        keys = ["window_ns", "environment", *table.keys]
        merged = merge_facts(table, pl.concat([part[table.name] for part in apart]), keys)
        whole = facts(window)[table.name].sort(keys)
        if table.name == "queue_flow":  # what is between two messages is known only where both are read
            merged, whole = merged.drop("gap"), whole.drop("gap")
        assert_alike(merged, whole)


def parted(window: WindowSpans, seed: int) -> list[WindowSpans]:
    """The traces in two heaps."""
    chosen = pl.col("trace_lo") % 7 < 2 + seed
    linked = window.linked_spans
    return [
        replace(window, spans=window.spans.filter(part), links=window.links.filter(part), linked_spans=linked)
        for part in (chosen, ~chosen)
    ]


def assert_alike(one: pl.DataFrame, other: pl.DataFrame) -> None:
    numbers = [name for name, kind in other.schema.items() if kind == pl.Float64]
    rest = [name for name in other.columns if name not in numbers]
    assert one.select(rest).equals(other.select(rest))
    for name in numbers:
        assert one[name].to_list() == pytest.approx(other[name].to_list())


def test_without_messages_there_are_no_facts() -> None:
    told = facts(window_of("shop  SERVER page  0..10ms"))

    assert {name: len(rows) for name, rows in told.items()} == {table.name: 0 for table in ANALYSIS.fact_tables}
    assert all(told[table.name].schema == table.schema for table in ANALYSIS.fact_tables)
