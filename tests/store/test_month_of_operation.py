"""A month of operation under a clock that we turn: the file stops growing, and the facts of the whole month remain.

Each day has its traffic in one hour, which is dense enough for spans, not facts, to fill the file.
``TRACELITH_MONTH_TRACES=200000`` sends more traces per week; with ``-s`` each day is a line.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from store.rows import DAY, T0, Clock
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import describe
from tracelith.ingest.intern import Interner
from tracelith.model.schema import LINK, OPERATION, RESOURCE, InternedBatch
from tracelith.simulate import simulate
from tracelith.store import Store

TRACES = int(os.environ.get("TRACELITH_MONTH_TRACES", "12000"))
WEEK = 7 * DAY
DAYS = 30
COMMITS_PER_DAY = 8
BUSY_SHARE = 24


@pytest.fixture(scope="module")
def week() -> tuple[InternedBatch, pl.DataFrame]:
    """Dimension rows, and the spans of a simulated week with the day each starts on, from T0."""
    interner = Interner(RESOURCE.to_frame(), OPERATION.to_frame())
    until = datetime.fromtimestamp((T0 + WEEK) // 10**9, UTC)
    payloads = [batch.payload for batch in simulate("login", weeks=1, traces=TRACES, until=until).batches()]
    batch = interner.intern(describe(decode_requests(payloads).raw))
    began = pl.col("start_ns").min().over("trace_hi", "trace_lo") - pl.col("start_ns").min()
    earlier = began % DAY - began % DAY // BUSY_SHARE
    spans = batch.spans.with_columns(pl.col("start_ns") - pl.col("start_ns").min() - earlier + T0).sort("start_ns")
    empty = batch.spans.clear()
    return InternedBatch(empty, LINK.to_frame(), batch.resources, batch.operations), spans


def day_of(spans: pl.DataFrame, day: int) -> pl.DataFrame:
    """That day's spans: those of the weekday, moved to its week, under trace ids of their own."""
    start = T0 + day % 7 * DAY
    return spans.filter(pl.col("start_ns").is_between(start, start + DAY, closed="left")).with_columns(
        pl.col("start_ns") + day // 7 * WEEK, pl.col("trace_hi") + day // 7
    )


def operate(path: Path, week: tuple[InternedBatch, pl.DataFrame], housekeep: Callable[[Store, int], None]) -> list:
    """Runs the month; returns per day: file bytes, bytes in use, raw spans stored, spans received, spans in facts."""
    dimensions, spans = week
    clock, days, received = Clock(), [], 0
    with Store.open(path, clock_ns=clock) as store:
        engine = Engine(store, registered_analyses())
        store.append([dimensions])
        for day in range(DAYS):
            of_day = day_of(spans, day)
            size = of_day.height // COMMITS_PER_DAY + 1
            for first in range(0, of_day.height, size):
                some = of_day.slice(first, size)
                store.append([InternedBatch(some, dimensions.links, RESOURCE.to_frame(), OPERATION.to_frame())])
                clock.now_ns = max(clock.now_ns, int(some["start_ns"].max()))
            clock.now_ns = T0 + (day + 1) * DAY + 600 * 10**9
            engine.analyse_stale(30)
            housekeep(store, clock.now_ns)
            received += of_day.height
            stored = store.size()
            in_facts = sum(count for _, count in store.environments(0, 2**62))
            days.append((stored.bytes, stored.used_bytes, stored.spans, received, in_facts))
            print(f"day {day + 1}: {stored}, received {received:,}, in facts {in_facts:,}")
    return days


def test_a_month_by_time_keeps_a_week_of_raw_spans_and_the_facts_of_all_days(
    tmp_path: Path, week: tuple[InternedBatch, pl.DataFrame]
) -> None:
    days = operate(tmp_path / "x.duckdb", week, lambda store, now_ns: store.retain(7, 400, store.believed_time(now_ns)))

    files = [day[0] for day in days]
    per_week = week[1].height
    assert max(files[20:]) <= 1.2 * max(files[10:20])
    assert all(day[2] <= per_week * 8 / 7 * 1.1 for day in days[8:])
    assert days[-1][4] == days[-1][3], "facts lack days"


def test_a_month_by_size_stays_below_it_and_keeps_the_facts_of_all_days(
    tmp_path: Path, week: tuple[InternedBatch, pl.DataFrame]
) -> None:
    per_week = week[1].height
    limit = 34_000_000 + 12 * per_week  # room for a month of facts, and for less than a week of spans

    days = operate(tmp_path / "x.duckdb", week, lambda store, now_ns: store.shrink(limit, now_ns))

    assert all(day[1] <= limit for day in days)
    assert 0 < days[-1][2] < per_week
    assert max(day[0] for day in days[20:]) <= 1.2 * max(day[0] for day in days[10:20])
    assert days[-1][4] == days[-1][3], "facts lack days"
