"""What analysing costs: the forest, the headline three, and everything, from stored spans to stored facts."""

import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children
from pathlib import Path

from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine, Progress
from tracelith.analysis.running.observing import observe_registered
from tracelith.analysis.running.pool import usable_processors
from tracelith.bench.history import write_history
from tracelith.forest import observe_view
from tracelith.store import Store

__all__ = ["AnalyzeFigures", "Stage", "bench_analyze"]

DAY_NS = 86_400_000_000_000
FOREST_SPANS = 250_000
HEADLINE = ("synchronous_depth", "tail_latency", "codeployment")
HEADLINE_SPANS = 10_000_000
"""So many that the second each process takes to begin is no large part of it."""

LOOKS_PER_S = 10
PAGE_KIB = resource.getpagesize() // 1024


@dataclass(frozen=True, slots=True)
class Stage:
    """One way from stored spans to stored facts, with the start of its processes.

    Attributes:
        peak_memory_mib: resident set of this process and those it began, together; pages they share count twice.
    """

    spans: int
    spans_per_second: int
    cpu_seconds_per_million: float
    peak_memory_mib: float


@dataclass(frozen=True, slots=True)
class AnalyzeFigures:
    """One run.

    Attributes:
        processes: in how many at once windows are observed.
        forest_spans_per_second: parent index, calls, chains and critical path of one batch, in one thread.
        headline: the forest and the analyses of HEADLINE. everything: all analyses.
        conclude_seconds: the document from the facts.
    """

    processes: int
    forest_spans_per_second: int
    headline: Stage
    everything: Stage
    conclude_seconds: float


def bench_analyze(*, spans: int, on_progress: Progress) -> AnalyzeFigures:
    """Figures of one run on a database file: requests of a shop, spread over windows of five minutes.

    Args:
        spans: to analyse; the forest and the headline are measured on some of them.
        on_progress: called with windows analysed and windows to analyse.
    """
    with _history(min(spans, HEADLINE_SPANS)) as store:
        forest = _forest_rate(store)
        headline = _stage(_engine(store, HEADLINE), store, on_progress)
    with _history(spans) as store:
        engine = _engine(store, ())
        everything = _stage(engine, store, on_progress)
        period = store.period() or (0, 0)
        started = time.perf_counter()
        engine.conclude(None, *period)
        conclude_seconds = time.perf_counter() - started
    return AnalyzeFigures(usable_processors(), forest, headline, everything, round(conclude_seconds, 3))


@contextmanager
def _history(spans: int) -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "bench.duckdb") as store:
        write_history(store, spans, start_ns=time.time_ns() - spans * DAY_NS // 2_000_000)
        yield store


def _engine(store: Store, only: Sequence[str]) -> Engine:
    analyses = [analysis for analysis in registered_analyses() if analysis.name in only or not only]
    observe = partial(observe_registered, only=tuple(only))
    return Engine(store, analyses, observe=observe, processes=usable_processors())


def _forest_rate(store: Store) -> int:
    windows = store.stale_windows(0.0)
    batch = store.read_windows(_first_windows(windows, store.window_span_counts(windows), FOREST_SPANS))
    observe_view(batch)  # the first time is that of page faults
    started = time.perf_counter()
    observe_view(batch)
    return round(batch.spans.height / (time.perf_counter() - started))


def _stage(engine: Engine, store: Store, on_progress: Callable[[int, int], None]) -> Stage:
    """What it costs to analyse all there is."""
    windows = store.stale_windows(0.0)
    spans = sum(store.window_span_counts(windows).values())
    cpu, started = _cpu_seconds(), time.perf_counter()
    with _peak_memory() as peak_mib:
        engine.analyse_stale(0.0, on_progress=on_progress)
    seconds, cpu = time.perf_counter() - started, _cpu_seconds() - cpu
    return Stage(spans, round(spans / seconds), round(cpu / spans * 1e6, 2), round(max(peak_mib), 1))


def _first_windows(windows: list[int], counts: dict[int, int], spans: int) -> list[int]:
    chosen: list[int] = []
    total = 0
    for window in windows:
        if chosen and total + counts[window] > spans:
            break
        chosen.append(window)
        total += counts[window]
    return chosen


def _cpu_seconds() -> float:
    """Of this process and of those it began that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@contextmanager
def _peak_memory() -> Iterator[list[float]]:
    """Resident set of all processes together, looked at ten times a second while the block runs."""
    seen = [_resident_mib()]
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(1 / LOOKS_PER_S):
            seen[0] = max(seen[0], _resident_mib())

    watcher = threading.Thread(target=look, name="memory", daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def _resident_mib() -> float:
    return sum(map(_resident_pages, ["self", *(str(child.pid) for child in active_children())])) * PAGE_KIB / 1024


def _resident_pages(process: str) -> int:
    """0 where there is no /proc, or the process has just ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
