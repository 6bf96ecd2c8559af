"""Ingest, engine, pages and retention at the same time, as in one serving process."""

import threading
from collections.abc import Callable
from pathlib import Path

from store.rows import COUNTS, DAY, T0, batch, counts, dimensions, span, window
from tracelith.store import Store

COMMITS = 60
WINDOWS = 6


def run_all(*works: Callable[[], None]) -> list[BaseException]:
    """Runs each in a thread to its end; returns what they raised."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    return errors


def analyse(store: Store) -> None:
    windows = store.stale_windows(0)
    if windows:
        read = store.read_windows(windows)
        found = read.spans.group_by(
            window_ns=window(0) + (read.spans["start_ns"] - T0) // 300_000_000_000 * 300_000_000_000
        )
        rows = [(start, "prod", "a", 1, spans, 0.5, 0, 0) for start, spans in found.len().rows() if start in windows]
        store.replace_facts(windows, {"counts": counts(*rows)}, read.upto, {})


def test_ingest_engine_and_pages_do_not_disturb_each_other(tmp_path: Path) -> None:
    with Store.open(tmp_path / "x.duckdb") as store:
        store.ensure_fact_tables([COUNTS])
        store.append([dimensions()])
        done = threading.Event()

        def ingest(first: int) -> Callable[[], None]:
            def work() -> None:
                for number in range(COMMITS):
                    trace = first + number
                    store.append([batch(span(trace, i + 1, window(i % WINDOWS) + number) for i in range(20))])

            return work

        def engine() -> None:
            while not done.wait(0.01):
                analyse(store)

        def pages() -> None:
            while not done.wait(0.01):
                store.facts("prod", 0, 2**62).merged(COUNTS)
                store.environments(0, 2**62)
                store.read_trace(0, 1)
                store.record_refusals({"no span id": 1})
                store.refusals()

        def housekeeping() -> None:
            while not done.wait(0.05):
                store.retain(7, 400, T0 + DAY)

        def both_writers() -> None:
            errors.extend(run_all(ingest(1_000), ingest(2_000)))
            done.set()

        errors: list[BaseException] = []
        errors += run_all(both_writers, engine, pages, housekeeping)
        analyse(store)

        assert errors == []
        assert store.size().spans == 2 * COMMITS * 20
        assert store.stale_windows(0) == []
        merged = store.facts("prod", 0, 2**62).merged(COUNTS)
        assert merged["calls"].to_list() == [2 * COMMITS * 20]
