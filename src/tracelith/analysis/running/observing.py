"""Windows of spans in, facts out: every analysis observes, and one that fails does not stop the others.

How much is put together at once is bounded: quiet windows are observed many at a time, a window too large
for that in buckets of whole traces whose facts are merged.
"""

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from tracelith.analysis.base import Analysis
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.span_counts import count_spans
from tracelith.forest import observe_view
from tracelith.forest.view import ForestView
from tracelith.model.facts import FACT_KEYS, FactTable, merge_facts
from tracelith.model.ports import AnalysisStore, WindowSpans

__all__ = [
    "FOREST",
    "PROCESS",
    "BuildView",
    "ObserveSpans",
    "Observed",
    "ObservedWindows",
    "ObserverDied",
    "ObserverStopped",
    "WindowBatch",
    "batches_of",
    "describe_failure",
    "observe_batches",
    "observe_registered",
    "observe_spans",
    "several_at_once",
]

SPANS_AT_ONCE = 250_000
"""Spans put together at once: about 330 MB at the peak in the process that observes. Twice as many take 460 MB and hold
up receiving for longer at a stretch: at 150,000 spans/s the slowest acknowledgements took 0.7 instead of 0.4 s."""

WINDOWS_AT_ONCE = 2_000
"""Bounds one replacement of facts even when windows are nearly empty."""

FOREST = "forest"
PROCESS = "process"
"""Under these names it is told that traces could not be put together, and that an observer did not survive them."""

WRITTEN_AT_ONCE = 4
"""Batches whose facts are written in one transaction: two dozen inserts and a sync, about 50 ms."""

SMALLER = 4
"""Into how many times as many buckets a window goes that the observer did not survive."""

GIVEN_UP_AT_ONCE = 3
"""So many windows the observer may fail to survive before the others wait for the next look at what is to do."""


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Windows observed together, in how many buckets of traces."""

    windows: tuple[int, ...]
    buckets: int


@dataclass(frozen=True, slots=True)
class Observed:
    """What the analyses saw in some spans.

    Attributes:
        facts: one frame per fact table, with one row per key; none of an analysis that failed.
        failures: what went wrong, by analysis name; FOREST when no analysis could even start.
        span_counts: as replace_facts of the store takes them.
    """

    facts: Mapping[str, pl.DataFrame]
    failures: Mapping[str, str]
    span_counts: Mapping[tuple[int, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObservedWindows:
    """What was observed in some windows.

    Attributes:
        facts: one frame per fact table of every analysis, with or without rows.
        upto: commit sequence the facts describe.
        failures: as of Observed; PROCESS when the observer did not survive the spans.
        span_counts: as of Observed.
    """

    windows: tuple[int, ...]
    facts: Mapping[str, pl.DataFrame]
    upto: int
    failures: Mapping[str, str]
    span_counts: Mapping[tuple[int, str], int] = field(default_factory=dict)


BuildView = Callable[[WindowSpans], ForestView]

ObserveSpans = Callable[[WindowSpans], Observed]
"""An observer: in this process (observe_spans), or one elsewhere, which may raise ObserverDied or ObserverStopped."""


class ObserverDied(Exception):
    """An observer elsewhere ended before it answered; the message says how.

    Attributes:
        began: whether it had begun to observe, so that the spans may be the reason.
    """

    def __init__(self, message: str, *, began: bool) -> None:
        super().__init__(message)
        self.began = began


class ObserverStopped(Exception):
    """An observer elsewhere was told to stop: windows under way stay stale and are observed after the next start."""


def describe_failure(error: Exception) -> str:
    """What went wrong without any value that may come from a span."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return type(error).__name__
    code = frame.tb_frame.f_code
    return f"{type(error).__name__} in {code.co_qualname} (line {frame.tb_lineno})"


def batches_of(windows: Sequence[int], span_counts: Mapping[int, int], *, times: int = 1) -> Iterator[WindowBatch]:
    """Windows grouped in order so that no batch holds too many spans, except one large window alone.

    Args:
        windows: to observe. span_counts: spans of each.
        times: a batch may hold so many times SPANS_AT_ONCE.
    """
    most = times * SPANS_AT_ONCE
    together: list[int] = []
    spans = 0
    for window in windows:
        count = span_counts.get(window, 0)
        if together and (spans + count > most or len(together) == WINDOWS_AT_ONCE):
            yield WindowBatch(tuple(together), _buckets(spans, most))
            together, spans = [], 0
        together.append(window)
        spans += count
    if together:
        yield WindowBatch(tuple(together), _buckets(spans, most))


def _buckets(spans: int, most: int) -> int:
    return max(1, -(-spans // most))


def observe_registered(spans: WindowSpans, *, only: Sequence[str] = ()) -> Observed:
    """Facts of the spans from all analyses of the registry, or only from those named."""
    return observe_spans([one for one in registered_analyses() if one.name in only or not only], spans)


def observe_spans(
    analyses: Sequence[Analysis], spans: WindowSpans, *, build_view: BuildView = observe_view
) -> Observed:
    """Facts of the spans; an analysis that fails is named and stops no other."""
    failures: dict[str, str] = {}
    try:
        view = build_view(spans)
    except MemoryError:
        raise
    except Exception as error:
        return Observed({}, {FOREST: describe_failure(error)})
    facts: dict[str, pl.DataFrame] = {}
    for analysis in analyses:
        facts.update(_observe(analysis, view, failures))
    return Observed(facts, failures, count_spans(view.forest))


def _observe(analysis: Analysis, view: ForestView, failures: dict[str, str]) -> Mapping[str, pl.DataFrame]:
    if analysis.observe is None:
        return {}
    try:
        rows = analysis.observe(view)
        return {table.name: _merged(table, _declared(table, rows[table.name])) for table in analysis.fact_tables}
    except MemoryError:
        raise
    except Exception as error:
        failures[analysis.name] = describe_failure(error)
        return {}


def observe_batches(
    store: AnalysisStore,
    observe: ObserveSpans,
    tables: Sequence[FactTable],
    batches: Iterable[WindowBatch],
    *,
    at_once: int = 1,
) -> Generator[ObservedWindows]:
    """Facts of the batches, in their order.

    Args:
        store: brings the spans.
        observe: sees what is in them; asked by ``at_once`` threads.
        tables: of all analyses.
        batches: windows to observe.
        at_once: how many batches may be under way; 1 keeps everything in the calling thread.

    A batch that the observer does not survive is observed again, each window by itself and in smaller buckets. A window
    that it does not survive either has no facts, and says so. After a few of those, what is left waits for another
    call: most often it is a machine without memory that ends observers, and to go on at once does not help it.

    Raises:
        ObserverDied: before it began to observe, so that it is not the fault of any window.
        ObserverStopped: it was told to stop.
    """
    given_up = 0
    attempt = partial(_observe_batch, store, observe, tables, last_try=False)
    for batch, result in _under_way(attempt, batches, at_once):
        try:
            observed = result()
        except ObserverDied as death:
            if not death.began:
                raise
        else:
            yield observed
            continue
        for window in batch.windows:
            alone = WindowBatch((window,), SMALLER * batch.buckets)
            observed = _observe_batch(store, observe, tables, alone, last_try=True)
            yield observed
            given_up += PROCESS in observed.failures
            if given_up == GIVEN_UP_AT_ONCE:
                return


def several_at_once(batches: Iterable[ObservedWindows]) -> Iterator[ObservedWindows]:
    """The same in larger portions: to write the facts of a batch costs as much as those of several.

    What was observed is handed on also when the next batch fails.
    """
    waiting: list[ObservedWindows] = []
    try:
        for batch in batches:
            waiting.append(batch)
            if len(waiting) == WRITTEN_AT_ONCE:
                yield _together(waiting)
                waiting = []
    except (ObserverDied, ObserverStopped):
        if waiting:
            yield _together(waiting)
        raise
    if waiting:
        yield _together(waiting)


def _together(batches: Sequence[ObservedWindows]) -> ObservedWindows:
    if len(batches) == 1:
        return batches[0]
    failures: dict[str, str] = {}
    span_counts: Counter[tuple[int, str]] = Counter()
    for batch in batches:
        failures.update(batch.failures)
        span_counts.update(batch.span_counts)
    return ObservedWindows(
        windows=tuple(window for batch in batches for window in batch.windows),
        facts={name: pl.concat([batch.facts[name] for batch in batches]) for name in batches[0].facts},
        upto=min(batch.upto for batch in batches),
        failures=failures,
        span_counts=span_counts,
    )


def _under_way(
    attempt: Callable[[WindowBatch], ObservedWindows], batches: Iterable[WindowBatch], at_once: int
) -> Iterator[tuple[WindowBatch, Callable[[], ObservedWindows]]]:
    """Each batch with what the attempt makes of it, a few of them ahead of the one that is asked for."""
    if at_once == 1:
        for batch in batches:
            yield batch, partial(attempt, batch)
        return
    ahead: deque[tuple[WindowBatch, Future[ObservedWindows]]] = deque()
    with ThreadPoolExecutor(at_once, thread_name_prefix="observe") as threads:
        try:
            for batch in batches:
                ahead.append((batch, threads.submit(attempt, batch)))
                if len(ahead) > at_once + WRITTEN_AT_ONCE:  # so many wait, so that no thread does during a write
                    first, future = ahead.popleft()
                    yield first, future.result
            while ahead:
                first, future = ahead.popleft()
                yield first, future.result
        finally:
            threads.shutdown(cancel_futures=True)


def _observe_batch(
    store: AnalysisStore, observe: ObserveSpans, tables: Sequence[FactTable], batch: WindowBatch, *, last_try: bool
) -> ObservedWindows:
    """Facts of a batch of windows, buckets merged; none if the observer does not survive the last try."""
    frames: dict[str, list[pl.DataFrame]] = {table.name: [] for table in tables}
    failures: dict[str, str] = {}
    span_counts: Counter[tuple[int, str]] = Counter()
    upto = 0
    for spans in store.read_buckets(batch.windows, batch.buckets):
        upto = spans.upto
        try:
            observed = observe(spans)
        except ObserverDied as death:
            if not (death.began and last_try):
                raise
            empty = {table.name: table.schema.to_frame() for table in tables}
            return ObservedWindows(batch.windows, empty, upto, {PROCESS: str(death)})
        failures.update(observed.failures)
        span_counts.update(observed.span_counts)
        for name, rows in observed.facts.items():
            frames[name].append(rows)
    facts = {table.name: _of_buckets(table, frames[table.name]) for table in tables}
    return ObservedWindows(batch.windows, facts, upto, failures, span_counts)


def _of_buckets(table: FactTable, parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """An analysis that failed has left no part."""
    if not parts:
        return table.schema.to_frame()
    return parts[0] if len(parts) == 1 else _merged(table, pl.concat(parts))


def _declared(table: FactTable, rows: pl.DataFrame) -> pl.DataFrame:
    """The columns of the table, in order; a forgotten or misspelt one fails here, in the analysis at fault."""
    schema = table.schema
    return rows if rows.schema == schema else rows.select(pl.col(name).cast(kind) for name, kind in schema.items())


def _merged(table: FactTable, rows: pl.DataFrame) -> pl.DataFrame:
    """One row per key, in no particular order: whoever reads the store gets them merged and sorted anyway."""
    keys = [*FACT_KEYS, *table.keys]
    # Most often nothing is to be merged, and to see that by hashes takes a tenth of merging.
    if rows.height <= 1 or rows[keys].hash_rows().n_unique() == rows.height:
        return rows
    return merge_facts(table, rows, keys).select(table.schema.names())
