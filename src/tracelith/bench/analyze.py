"""What analysing costs: the forest alone, and windows from spans to facts, on synthetic traces."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.bench.payloads import BatchMaker, build_template
from tracelith.forest import observe_view
from tracelith.ingest.commit import SpanWriter
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import describe
from tracelith.store import Store

__all__ = ["AnalyzeFigures", "bench_analyze"]

BATCH = 8192
BATCHES_PER_GROUP = 16
BATCH_SPACING_NS = 130_000_000_000
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


def bench_analyze(*, spans: int) -> AnalyzeFigures:
    """Figures of one run in memory: traces of eight spans over four services, spread over windows of five minutes."""
    with Store.open(None) as store:
        engine = Engine(store, registered_analyses())
        stored = _fill(store, spans)
        windows = store.stale_windows(0.0)
        view_windows = _first_windows(windows, store.window_span_counts(windows), FOREST_SPANS)
        slice_ = store.read_windows(view_windows)
        forest_seconds, _ = _timed(lambda: observe_view(slice_))
        seconds, cpu = _timed(lambda: engine.analyse_stale(0.0))
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


def _fill(store: Store, spans: int) -> int:
    """Batches a little over two minutes apart, so that windows hold about 20,000 spans."""
    writer = SpanWriter(store)
    maker = BatchMaker(build_template(BATCH, start_ns=time.time_ns()))
    base_ns = time.time_ns() - 86_400_000_000_000
    stored = 0
    while stored < spans:
        first = stored // BATCH
        # Four batches of the same time, then four of the next.
        bodies = [
            maker.make(base_ns + (first + number // 4) * BATCH_SPACING_NS).body for number in range(BATCHES_PER_GROUP)
        ]
        writer.write([describe(decode_requests(bodies).raw)])
        stored += len(bodies) * BATCH
    return stored


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
