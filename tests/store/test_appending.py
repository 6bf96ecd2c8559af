"""Appending spans: what is acknowledged stays, whole, exactly once, whatever the grouping."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from store.rows import T0, batch, dimensions, link, operations, resources, span, window
from tracelith.model.errors import StoreError
from tracelith.model.schema import LINK, OPERATION, RESOURCE, SPAN, InternedBatch
from tracelith.store import Store
from tracelith.store.spans import LATEST_NS


def test_every_value_comes_back_as_it_went_in(tmp_path: Path) -> None:
    extreme = {
        "trace_hi": 2**64 - 1, "trace_lo": 2**63, "span_id": 2**64 - 1, "parent_id": 2**63 + 1, "start_ns": T0,
        "duration_ns": 2**62, "resource": 0, "operation": 0, "status": 2, "outcome": 3, "attempt": 255, "defects": 255,
        "weight": 0.1,
    }  # fmt: skip
    spans = pl.DataFrame([extreme], SPAN)
    links = pl.DataFrame([[2**64 - 1, 2**63, 2**64 - 1, 2**64 - 2, 2**63 + 7, 2**64 - 3, T0]], LINK, orient="row")

    with Store.open(tmp_path / "x.duckdb") as store:
        store.append([InternedBatch(spans, links, resources("prod"), operations())])
        read = store.read_windows([T0])

    assert_frame_equal(read.spans, spans)
    assert_frame_equal(read.links, links)
    assert_frame_equal(read.resources, resources("prod"))
    assert_frame_equal(read.operations, operations())


def test_an_empty_store_gives_empty_frames_with_their_schemas() -> None:
    with Store.open(None) as store:
        read = store.read_windows([T0])
        resource_rows, operation_rows = store.resources(), store.operations()

    assert read.spans.schema == read.linked_spans.schema == SPAN
    assert read.links.schema == LINK
    assert read.resources.schema == resource_rows.schema == RESOURCE
    assert read.operations.schema == operation_rows.schema == OPERATION
    assert read.spans.height == 0


def test_opening_again_keeps_everything_and_goes_on_numbering_commits(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    with Store.open(path) as store:
        first = store.append([dimensions("prod", "test"), batch([span(1, 1, T0)], [link(1, 1, T0, 9, 9)])])

    with Store.open(path) as store:
        second = store.append([batch([span(2, 2, T0)])])
        read = store.read_windows([T0])

        assert second > first
        assert read.upto == second
        assert read.spans["trace_lo"].to_list() == [1, 2]
        assert read.links.height == 1
        assert store.resources().height == 2
        assert store.operations().height == 1


@pytest.mark.parametrize("seed", range(4))
def test_any_grouping_into_commits_reads_the_same(seed: int) -> None:
    rng = random.Random(seed)
    rows = [
        span(rng.randrange(40), number + 1, window(rng.randrange(3)) + rng.randrange(10**9)) for number in range(300)
    ]
    together, apart = Store.open(None), Store.open(None)

    together.append([dimensions(), batch(rows)])
    rng.shuffle(rows)
    apart.append([dimensions()])
    while rows:
        size = rng.randrange(1, 40)
        group, rows = rows[:size], rows[size:]
        apart.append([batch([row]) for row in group])

    for number in range(3):
        in_order, shuffled = (
            store.read_windows([window(number)]).spans.sort("trace_lo", "span_id") for store in (together, apart)
        )
        assert_frame_equal(in_order, shuffled)
    together.close()
    apart.close()


def test_a_frame_with_other_columns_is_refused_before_anything_is_written() -> None:
    good = batch([span(1, 1, T0)])
    swapped = InternedBatch(good.spans.select(reversed(SPAN.names())), good.links, good.resources, good.operations)

    with Store.open(None) as store:
        with pytest.raises(ValueError, match="spans"):
            store.append([good, swapped])

        assert store.size().spans == 0


def test_an_append_that_fails_leaves_nothing_and_the_next_one_works() -> None:
    bad = InternedBatch(
        SPAN.to_frame(), LINK.to_frame(), resources("prod").with_columns(service=pl.lit(None, pl.String)), operations()
    )

    with Store.open(None) as store:
        with pytest.raises(StoreError):
            store.append([bad, batch([span(1, 1, T0)])])
        assert store.size().spans == 0
        assert store.stale_windows(0) == []

        store.append([dimensions(), batch([span(1, 1, T0)])])
        assert store.size().spans == 1


def test_clocks_out_of_any_range_are_clipped_and_do_no_harm() -> None:
    wild = [-(2**63), -1, 0, 2**63 - 1, T0]

    with Store.open(None) as store:
        store.append([dimensions(), batch([span(7, number + 1, start) for number, start in enumerate(wild)])])
        stale = store.stale_windows(0)
        starts = [store.read_windows([window_ns]).spans["start_ns"].to_list() for window_ns in stale]

    assert starts == [[0, 0, 0], [T0], [LATEST_NS]]


KILLED = """
import sys
from pathlib import Path
from store.rows import T0, batch, dimensions, span
from tracelith.store import Store

store = Store.open(Path(sys.argv[1]))
store.append([dimensions()])
for number in range(100_000):
    spans = [span(number, i + 1, T0 + number * 1_000_000_000 + i) for i in range(50)]
    store.append([batch(spans, [])])
    print(number, flush=True)
"""


def test_what_was_acknowledged_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert child.stdout is not None
    acknowledged = [int(child.stdout.readline()) for _ in range(150)]

    child.send_signal(signal.SIGKILL)
    rest, _ = child.communicate(timeout=20)
    acknowledged += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]

    with Store.open(path) as store:
        kept = store.size().spans
        windows = store.stale_windows(0)
        traces = store.read_windows(windows).spans.group_by("trace_lo").len()
    assert set(acknowledged) <= set(traces["trace_lo"])
    assert set(traces["len"]) == {50}
    assert kept in (50 * len(acknowledged), 50 * (len(acknowledged) + 1))
