"""From written traces to an analysis document, through a real store."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from tracelith.analysis.base import Analysis
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.analysis.running.observing import ObserveSpans
from tracelith.model.ports import WindowSpans
from tracelith.model.schema import WINDOW_NS, InternedBatch
from tracelith.store import Store
from traces import START_NS, window_of

PERIOD = (START_NS - WINDOW_NS, START_NS + 288 * WINDOW_NS)


def over_windows(text: str, *, copies: int, windows: int) -> WindowSpans:
    """The traces, ``copies`` of each in every one of so many windows one after the other."""
    one = window_of(text, copies=copies)
    spans = pl.concat(
        [
            one.spans.with_columns(
                (pl.col("trace_hi") + window).cast(pl.UInt64), pl.col("start_ns") + window * WINDOW_NS
            )
            for window in range(windows)
        ]
    )
    links = pl.concat(
        [
            one.links.with_columns(
                (pl.col("trace_hi") + window).cast(pl.UInt64),
                (pl.col("linked_trace_hi") + window).cast(pl.UInt64),
                pl.col("start_ns") + window * WINDOW_NS,
            )
            for window in range(windows)
        ]
    )
    return replace(one, spans=spans, links=links)


def batches(window: WindowSpans, spans: Iterable[pl.DataFrame] | None = None) -> list[InternedBatch]:
    """What an interner would hand to the store, the spans cut as told."""
    parts = [window.spans] if spans is None else list(spans)
    first = InternedBatch(parts[0], window.links, window.resources, window.operations)
    empty = (window.links.clear(), window.resources.clear(), window.operations.clear())
    return [first, *(InternedBatch(part, *empty) for part in parts[1:])]


def document_of(
    text_or_window: str | WindowSpans, *, copies: int = 1, environment: str | None = None
) -> dict[str, Any]:
    """The analysis document of the traces."""
    window = window_of(text_or_window, copies=copies) if isinstance(text_or_window, str) else text_or_window
    return analysed([batches(window)], environment=environment)


def analysed(
    arrivals: Sequence[Sequence[InternedBatch]],
    *,
    analyses: Sequence[Analysis] | None = None,
    environment: str | None = None,
    observe: ObserveSpans | None = None,
) -> dict[str, Any]:
    """The document after each arrival was stored in one transaction and analysed."""
    with Store.open(None) as store:
        engine = Engine(store, registered_analyses() if analyses is None else analyses, observe=observe)
        for arrival in arrivals:
            store.append(list(arrival))
            engine.analyse_stale()
        document = dict(engine.conclude(environment, *PERIOD))
    document.pop("generated_at")
    return document
