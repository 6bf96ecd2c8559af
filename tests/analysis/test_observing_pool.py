"""Much is observed in several processes at once: the same document, and one that dies takes nothing with it."""

import multiprocessing
import threading
import time

import pytest

from analysis.observers import ANALYSES, observe_told
from analysis.pipelines import PERIOD, batches, over_windows
from tracelith.analysis.running import engine as running_engine
from tracelith.analysis.running import observing
from tracelith.analysis.running.engine import Engine
from tracelith.analysis.running.observing import WindowBatch, observe_batches
from tracelith.analysis.running.pool import observing_pool
from tracelith.model.ports import WindowSpans
from tracelith.store import Store
from traces import window_of

SYSTEM = """
shop SERVER GET /checkout 0..90ms environment=production
  shop CLIENT price 10..40ms environment=production
    price SERVER GET /price 12..38ms environment=production
"""

WITH_A_CRASH = """
shop SERVER GET /early 0..1s environment=production

shop SERVER GET /crash 600..601s environment=production

shop SERVER GET /late 1200..1201s environment=production

shop SERVER GET /later 1800..1801s environment=production
"""


@pytest.fixture(autouse=True)
def many_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "SPANS_AT_ONCE", 7)
    monkeypatch.setattr(running_engine, "WORTH_A_POOL", 2)


def concluded(window: WindowSpans, *, processes: int) -> dict[str, object]:
    with Store.open(None) as store:
        engine = Engine(store, ANALYSES, observe=observe_told, processes=processes)
        store.append(batches(window))
        engine.analyse_stale()
        assert engine.analyse_stale() == 0
        document = dict(engine.conclude(None, *PERIOD))
    document.pop("generated_at")
    return document


def test_two_processes_give_the_document_of_one() -> None:
    window = over_windows(SYSTEM, copies=3, windows=3)

    assert concluded(window, processes=2) == concluded(window, processes=1)


def test_a_window_that_ends_its_process_is_named_and_all_others_have_their_facts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(observing, "SPANS_AT_ONCE", 1)

    document = concluded(window_of(WITH_A_CRASH), processes=2)

    entries = document["entry_operations"]
    assert isinstance(entries, list)
    assert {entry["operation"] for entry in entries} == {"GET /early", "GET /late", "GET /later"}
    errors = {analysis["name"]: analysis["error"] for analysis in document["analyses"]}  # type: ignore[attr-defined]  # JSON
    assert "SIGSEGV" in errors["process"]


def test_what_is_worth_less_than_a_process_is_observed_in_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_pool(*_: object) -> None:
        raise AssertionError("a pool was begun")

    monkeypatch.setattr(running_engine, "WORTH_A_POOL", 1000)
    monkeypatch.setattr(running_engine, "observing_pool", no_pool)

    assert concluded(over_windows(SYSTEM, copies=3, windows=3), processes=2)["edges"]


def test_batches_come_in_their_order_while_later_ones_are_under_way() -> None:
    window = over_windows(SYSTEM, copies=1, windows=4)
    asked: list[str] = []

    def slow_at_first(spans: WindowSpans) -> observing.Observed:
        asked.append(threading.current_thread().name)
        time.sleep(0.2 if spans.windows == planned[0].windows else 0.0)
        return observing.Observed({}, {})

    with Store.open(None) as store:
        store.append(batches(window))
        planned = [WindowBatch((start,), 1) for start in store.stale_windows(0.0)]
        seen = [observed.windows for observed in observe_batches(store, slow_at_first, (), planned, at_once=2)]

    assert seen == [batch.windows for batch in planned]
    assert len(planned) == 4
    assert all(name.startswith("observe") for name in asked)


def test_processes_of_the_pool_end_with_it() -> None:
    spans = window_of("shop SERVER GET /x 0..5ms environment=production")

    with observing_pool(observe_told, 2) as observe:
        assert observe(spans).facts
        assert multiprocessing.active_children()

    assert not multiprocessing.active_children()
