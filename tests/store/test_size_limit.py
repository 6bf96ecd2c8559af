"""A database that may not grow past a size: what goes, what stays, and whether the file obeys."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from store.analysing import analyse, calls
from store.rows import COUNTS, batch, dimensions, link, span, window
from tracelith.model.schema import LINK, OPERATION, RESOURCE, SPAN, WINDOW_NS, InternedBatch
from tracelith.store import Store
from tracelith.store import store as store_module

LIMIT = 12_000_000
PER_WINDOW = 60_000  # about two megabytes
MERGING = 12_000_000
"""What a checkpoint writes anew to merge half-filled row groups, whatever the size of the file."""


def many(number: int, spans: int = PER_WINDOW) -> InternedBatch:
    """Spans spread over the n-th window, with random ids: text that does not compress."""
    ids = np.random.default_rng(number).integers(1, 2**63, (3, spans), dtype=np.uint64)
    frame = pl.DataFrame({"trace_hi": ids[0], "trace_lo": ids[1], "span_id": ids[2]}).with_columns(
        start_ns=pl.int_range(pl.len(), dtype=pl.Int64) * (WINDOW_NS // spans) + window(number),
        **{
            name: pl.lit(0, dtype)
            for name, dtype in SPAN.items()
            if name not in ("trace_hi", "trace_lo", "span_id", "start_ns")
        },
    )
    return InternedBatch(frame.select(SPAN.names()), LINK.to_frame(), RESOURCE.to_frame(), OPERATION.to_frame())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "x.duckdb") as opened:
        opened.ensure_fact_tables([COUNTS])
        opened.append([dimensions()])
        yield opened


def test_below_the_limit_nothing_is_deleted(store: Store) -> None:
    store.append([many(0)])
    analyse(store)

    shrunk = store.shrink(LIMIT, window(100))

    assert (shrunk.deleted_spans, shrunk.held_back) == (0, "")
    assert store.size().spans == PER_WINDOW


def test_the_oldest_raw_spans_go_first_in_whole_windows_and_all_facts_stay(store: Store) -> None:
    for number in range(10):
        store.append([many(number)])
    store.append([batch([span(1, 1, window(0))], [link(1, 1, window(0), 5, 5)])])
    analyse(store)
    before = calls(store)

    shrunk = store.shrink(LIMIT, window(100))

    left = store.window_span_counts([window(number) for number in range(10)])
    gone = [number for number in range(10) if not left.get(window(number))]
    assert gone == list(range(len(gone)))
    assert 1 <= len(gone) <= 7
    assert set(left.values()) - {0} == {PER_WINDOW}
    assert shrunk.upto_ns == window(len(gone))
    assert shrunk.used_bytes == store.size().used_bytes <= 0.8 * LIMIT
    assert calls(store) == before == 10 * PER_WINDOW + 1
    assert store.read_windows([window(0)]).links.height == 0
    assert store.shrink(LIMIT, window(100)).deleted_spans == 0


def test_the_file_of_a_database_under_steady_load_stops_growing_below_the_limit(store: Store) -> None:
    limit, sizes = 60_000_000, []
    for number in range(25):
        store.append([many(number, spans=150_000)])
        analyse(store)
        store.shrink(limit, window(number + 4))
        sizes.append(store.size().bytes)

    assert max(sizes) <= limit + MERGING
    assert max(sizes[18:]) <= max(sizes[:18])
    assert calls(store) == 25 * 150_000


def test_what_is_not_analysed_stays_and_the_reason_is_said(store: Store) -> None:
    for number in range(10):
        store.append([many(number)])

    shrunk = store.shrink(LIMIT, window(100))

    assert shrunk.deleted_spans == 0
    assert "not analysed" in shrunk.held_back
    assert len(analyse(store)) == 10
    assert store.shrink(LIMIT, window(100)).held_back == ""


def test_windows_whose_traces_may_still_be_arriving_stay_and_can_be_analysed_again(store: Store) -> None:
    for number in range(10):
        store.append([many(number)])
    analyse(store)

    store.shrink(LIMIT // 10, window(10))

    assert store.size().spans == 2 * PER_WINDOW
    store.append([many(9, spans=7)])
    assert analyse(store) == [window(9)]
    assert calls(store) == 10 * PER_WINDOW + 7


def test_a_span_later_than_the_deletion_of_its_window_is_counted_as_late(store: Store) -> None:
    for number in range(10):
        store.append([many(number)])
    analyse(store)
    store.shrink(LIMIT, window(100))

    store.append([batch([span(1, 1, window(0))])])
    stale = store.stale_windows(0)
    store.retain(7, 400, window(10) + 8 * 86_400 * 10**9)

    assert stale == []
    assert list(store.refusals().values()) == [1]
    assert calls(store) == 10 * PER_WINDOW


def test_readers_in_the_way_cost_a_round_and_never_more_spans_than_needed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        store.append([many(number)])
    analyse(store)
    monkeypatch.setattr(store_module, "RECLAIM_PATIENCE_S", 0.1)
    reading, done = threading.Event(), threading.Event()

    def read() -> None:
        with store._database.snapshot():  # a page that is slow to read its figures
            reading.set()
            done.wait(30)

    reader = threading.Thread(target=read)
    reader.start()
    reading.wait(10)
    held = store.shrink(LIMIT, window(100))
    done.set()
    reader.join(30)

    assert "readers" in held.held_back
    assert held.deleted_spans == 0
    assert store.shrink(LIMIT, window(100)).deleted_spans > 0
