"""Analyses in a process of their own: the same facts, and whatever happens to that process, the others go on."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from analysis.observers import ANALYSES, EndsWhenImported, observe_told, tell_imported
from analysis.pipelines import PERIOD, analysed, batches, over_windows
from tracelith.analysis.running import observing
from tracelith.analysis.running.engine import Engine
from tracelith.analysis.running.observing import ObserverDied, ObserverStopped
from tracelith.analysis.running.process import ObservingProcess
from tracelith.analysis.running.worker import NICENESS, OOM_SCORE
from tracelith.analysis.statistics.intervals import clopper_pearson
from tracelith.model.ports import WindowSpans
from tracelith.store import Store
from traces import window_of

SYSTEM = """
shop SERVER GET /checkout 0..90ms environment=production
  shop CLIENT price 10..40ms environment=production
    price SERVER GET /price 12..38ms environment=production
"""

PATIENCE_S = 30.0
SOON_S = 3.0


@pytest.fixture(scope="module")
def deaths() -> list[str]:
    return []


@pytest.fixture(scope="module")
def process(deaths: list[str]) -> Iterator[ObservingProcess]:
    """One for all tests, because to begin one takes seconds; those that kill it leave the beginning to the next."""
    process = ObservingProcess(observe_told, on_death=deaths.append)
    yield process
    process.stop()


def spans_of(request: str) -> WindowSpans:
    return window_of(f"shop SERVER GET {request} 0..5ms environment=production")


def wait_until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def asked_in_the_background(process: ObservingProcess, request: str) -> tuple[threading.Thread, list[BaseException]]:
    """A thread that waits for the answer; when this returns, the process observes."""
    ended: list[BaseException] = []

    def ask() -> None:
        try:
            process(spans_of(request))
        except Exception as error:
            ended.append(error)

    process(spans_of("/ready"))
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    time.sleep(0.2)
    return thread, ended


def test_the_document_is_that_of_one_process_also_when_an_analysis_fails(
    process: ObservingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrival = batches(over_windows(SYSTEM, copies=3, windows=2))
    here = analysed([arrival], analyses=ANALYSES)

    monkeypatch.setattr(observing, "SPANS_AT_ONCE", 7)
    there = analysed([arrival], analyses=ANALYSES, observe=process)

    assert there == here
    assert there["edges"]
    errors = {analysis["name"]: analysis["error"] for analysis in there["analyses"]}
    assert errors.pop("broken").startswith("ValueError in ")
    assert set(errors.values()) == {None}


def test_the_process_gives_way_to_everything_else_and_leaves_signals_for_all_to_its_parent(
    process: ObservingProcess,
) -> None:
    process(spans_of("/first"))
    pid = process.pid
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    process(spans_of("/second"))

    assert process.pid == pid
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
    assert Path(f"/proc/{pid}/oom_score_adj").read_text() == f"{OOM_SCORE}\n"


def test_what_only_conclusions_need_is_imported_at_first_use() -> None:
    process = ObservingProcess(tell_imported)
    try:
        imported = process(window_of(SYSTEM)).failures
    finally:
        process.stop()

    assert "tracelith.analysis.statistics.bootstrap" in imported
    assert "scipy.stats._distn_infrastructure" not in imported
    assert "scipy.cluster.hierarchy" not in imported
    assert "scipy.sparse.linalg" not in imported
    assert imported["interval"] == str(clopper_pearson(3, 10))


def test_a_window_that_ends_the_process_is_named_and_the_others_have_their_facts(
    process: ObservingProcess, deaths: list[str]
) -> None:
    deaths.clear()
    told = window_of("""
        shop SERVER GET /early 0..1s environment=production

        shop SERVER GET /crash 600..601s environment=production

        shop SERVER GET /late 1200..1201s environment=production
    """)
    with Store.open(None) as store:
        engine = Engine(store, ANALYSES, observe=process)
        store.append(batches(told))

        assert engine.analyse_stale() == 3
        assert engine.analyse_stale() == 0
        document = engine.conclude(None, *PERIOD)

    assert {entry["operation"] for entry in document["entry_operations"]} == {"GET /early", "GET /late"}
    first, again = deaths
    assert first == "the process that analyses was ended by SIGSEGV over 3 spans"
    assert again == "the process that analyses was ended by SIGSEGV over 1 spans"
    assert {analysis["name"]: analysis["error"] for analysis in document["analyses"]}["process"] == again


def test_after_it_ran_out_of_memory_the_next_question_is_answered_by_a_new_process(process: ObservingProcess) -> None:
    with pytest.raises(ObserverDied, match="ran out of memory over 1 spans") as death:
        process(spans_of("/too-large"))
    answer = process(spans_of("/sound"))

    assert death.value.began
    assert answer.facts


def test_killed_from_outside_while_it_observes_it_says_so(process: ObservingProcess, deaths: list[str]) -> None:
    thread, ended = asked_in_the_background(process, "/endless")
    pid = process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    thread.join(PATIENCE_S)

    assert isinstance(ended[0], ObserverDied)
    assert "SIGKILL" in str(ended[0])
    assert deaths[-1] == str(ended[0])


def test_stopped_while_it_observes_it_ends_at_once_and_the_window_stays_to_be_analysed() -> None:
    process = ObservingProcess(observe_told)
    with Store.open(None) as store:
        engine = Engine(store, ANALYSES, observe=process)
        store.append(batches(spans_of("/endless")))
        thread, ended = asked_in_the_background(process, "/endless")
        pid = process.pid
        began = time.monotonic()
        process.stop()
        thread.join(PATIENCE_S)
        took_s = time.monotonic() - began
        with pytest.raises(ObserverStopped):
            engine.analyse_stale()
        stale = store.stale_windows(0.0)

    assert isinstance(ended[0], ObserverStopped)
    assert took_s < SOON_S
    assert pid is not None
    assert not is_running(pid)
    assert len(stale) == 1


def test_a_process_nobody_asks_ends_and_the_next_question_begins_another() -> None:
    process = ObservingProcess(observe_told, idle_s=0.3)
    try:
        process(spans_of("/before"))
        assert wait_until(lambda: process.pid is None)
        answer = process(spans_of("/after"))
    finally:
        process.stop()

    assert answer.facts


def test_an_observer_that_cannot_begin_is_no_fault_of_the_windows() -> None:
    process = ObservingProcess(EndsWhenImported())
    with Store.open(None) as store:
        engine = Engine(store, ANALYSES, observe=process)
        store.append(batches(spans_of("/sound")))

        with pytest.raises(ObserverDied, match="ended with code 7 before it began"):
            engine.analyse_stale()

        assert len(store.stale_windows(0.0)) == 1
        assert engine.failures == {}


def test_a_killed_parent_leaves_no_process_behind(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        """
from analysis.observers import observe_told
from tracelith.analysis.running.process import ObservingProcess
from traces import window_of

if __name__ == "__main__":
    process = ObservingProcess(observe_told)
    process(window_of("shop SERVER GET /first 0..5ms"))
    print(process.pid, flush=True)
    process(window_of("shop SERVER GET /endless 0..5ms"))
"""
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        was_running = is_running(pid)
    finally:
        parent.kill()
        parent.wait(PATIENCE_S)
        parent.stdout.close()

    assert was_running
    assert wait_until(lambda: not is_running(pid))
