"""Windows of spans in, facts out: every analysis observes, and one that fails does not stop the others.

How much is put together at once is bounded: quiet windows are observed many at a time, a window too large
for that in buckets of whole traces whose facts are merged.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tracelith.analysis.base import Analysis
from tracelith.forest.view import ForestView
from tracelith.model.facts import FACT_KEYS, FactTable, merge_facts
from tracelith.model.ports import AnalysisStore, WindowSpans

__all__ = ["BuildView", "ObservedWindows", "WindowBatch", "batches_of", "describe_failure", "observe_batch"]

BuildView = Callable[[WindowSpans], ForestView]

SPANS_AT_ONCE = 1_000_000
"""Spans put together at once: about 1 GB at the peak."""

WINDOWS_AT_ONCE = 2_000
"""Bounds one replacement of facts even when windows are nearly empty."""


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Windows observed together, in how many buckets of traces."""

    windows: tuple[int, ...]
    buckets: int


@dataclass(frozen=True, slots=True)
class ObservedWindows:
    """What was observed in a batch.

    Attributes:
        facts: one frame per fact table of every analysis.
        upto: commit sequence the facts describe.
        failures: what went wrong, by analysis name; ``forest`` when no analysis could even start.
    """

    facts: Mapping[str, pl.DataFrame]
    upto: int
    failures: Mapping[str, str]


def describe_failure(error: Exception) -> str:
    """What went wrong without any value that may come from a span."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return type(error).__name__
    code = frame.tb_frame.f_code
    return f"{type(error).__name__} in {code.co_qualname} (line {frame.tb_lineno})"


def batches_of(windows: Sequence[int], span_counts: Mapping[int, int]) -> Iterator[WindowBatch]:
    """Windows grouped in order so that no batch holds more than SPANS_AT_ONCE, except one large window alone."""
    together: list[int] = []
    spans = 0
    for window in windows:
        count = span_counts.get(window, 0)
        if together and (spans + count > SPANS_AT_ONCE or len(together) == WINDOWS_AT_ONCE):
            yield WindowBatch(tuple(together), _buckets(spans))
            together, spans = [], 0
        together.append(window)
        spans += count
    if together:
        yield WindowBatch(tuple(together), _buckets(spans))


def _buckets(spans: int) -> int:
    return max(1, -(-spans // SPANS_AT_ONCE))


def observe_batch(
    store: AnalysisStore, build_view: BuildView, analyses: Sequence[Analysis], batch: WindowBatch
) -> ObservedWindows:
    """Facts of a batch of windows, buckets merged."""
    tables = {table.name: table for analysis in analyses for table in analysis.fact_tables}
    frames: dict[str, list[pl.DataFrame]] = {name: [] for name in tables}
    failures: dict[str, str] = {}
    upto: list[int] = []
    for bucket in range(batch.buckets):
        spans = store.read_windows(batch.windows, bucket, batch.buckets)
        upto.append(spans.upto)
        try:
            view = build_view(spans)
        except MemoryError:
            raise
        except Exception as error:
            failures["forest"] = describe_failure(error)
            continue
        for analysis in analyses:
            observed = _observe(analysis, view, failures)
            for name, rows in observed.items():
                frames[name].append(rows)
    return ObservedWindows({name: _merged(tables[name], parts) for name, parts in frames.items()}, min(upto), failures)


def _observe(analysis: Analysis, view: ForestView, failures: dict[str, str]) -> Mapping[str, pl.DataFrame]:
    if analysis.observe is None:
        return {}
    try:
        rows = analysis.observe(view)
        # Selecting by schema makes a forgotten or misspelt column fail here, in the analysis at fault.
        return {
            table.name: rows[table.name].select(pl.col(name).cast(kind) for name, kind in table.schema.items())
            for table in analysis.fact_tables
        }
    except MemoryError:
        raise
    except Exception as error:
        failures[analysis.name] = describe_failure(error)
        return {}


def _merged(table: FactTable, parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    if not parts:
        return pl.DataFrame(schema=table.schema)
    # Also within one bucket: observe may leave several rows of a key, the store must not.
    return merge_facts(table, pl.concat(parts), [*FACT_KEYS, *table.keys]).select(list(table.schema))
