"""What analysing costs: the forest alone, and windows from spans to facts, on synthetic traces."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.bench.history import write_history
from tracelith.forest import observe_view
from tracelith.store import Store

__all__ = ["AnalyzeFigures", "bench_analyze"]

DAY_NS = 86_400_000_000_000
FOREST_SPANS = 1_000_000


@dataclass(frozen=True, slots=True)
class AnalyzeFigures:
    """One run.

    Attributes:
        forest_spans_per_second: parent index, calls, chains and critical path of the spans of whole windows.
        spans_per_second: everything, from stored spans to stored facts, all analyses.
        conclude_seconds: the document from the facts.
    """

    spans: int
    forest_spans_per_second: int
    spans_per_second: int
    cpu_seconds_per_million: float
    conclude_seconds: float
    peak_memory_mib: float


def bench_analyze(*, spans: int, on_progress: Callable[[int, int], None]) -> AnalyzeFigures:
    """Figures of one run in memory: traces of eight spans over four services, spread over windows of five minutes.

    Args:
        on_progress: called with windows analysed and windows to analyse.
    """
    with Store.open(None) as store:
        engine = Engine(store, registered_analyses())
        stored, _ = write_history(store, spans, start_ns=time.time_ns() - DAY_NS)
        windows = store.stale_windows(0.0)
        view_windows = _first_windows(windows, store.window_span_counts(windows), FOREST_SPANS)
        slice_ = store.read_windows(view_windows)
        forest_seconds, _ = _timed(lambda: observe_view(slice_))
        seconds, cpu = _timed(lambda: engine.analyse_stale(0.0, on_progress=on_progress))
        period = store.period() or (0, 0)
        conclude_seconds, _ = _timed(lambda: engine.conclude(None, *period))
    return AnalyzeFigures(
        spans=stored,
        forest_spans_per_second=round(slice_.spans.height / forest_seconds),
        spans_per_second=round(stored / seconds),
        cpu_seconds_per_million=round(cpu / stored * 1e6, 2),
        conclude_seconds=round(conclude_seconds, 3),
        peak_memory_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


def _first_windows(windows: list[int], counts: dict[int, int], spans: int) -> list[int]:
    chosen: list[int] = []
    total = 0
    for window in windows:
        if chosen and total >= spans:
            break
        chosen.append(window)
        total += counts[window]
    return chosen


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of the work."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    work()
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
