"""Finds the trace behind an id given by a person.

What spans say in full is for the page of the trace only: the API does not hand it out, so that nobody copies it on.
"""

import re

from fastapi import HTTPException

from tracelith.forest.view import ForestView
from tracelith.present.span_details import SpanText, span_texts
from tracelith.present.waterfall import Waterfall, waterfall
from tracelith.web.sources import TraceSource

__all__ = ["find_trace", "find_trace_in_full"]

_TRACE_ID = re.compile(r"[0-9a-fA-F]{16}|[0-9a-fA-F]{32}")


def find_trace(traces: TraceSource, trace_id: str) -> Waterfall:
    """The trace as a waterfall.

    Args:
        traces: where to look.
        trace_id: 32 hex digits, or 16 as Zipkin and old Jaeger clients write them.

    Raises:
        HTTPException: 400 if this is no trace id, 404 if no such trace is kept.
    """
    return waterfall(_view(traces, *_words(trace_id)))


def find_trace_in_full(traces: TraceSource, trace_id: str) -> tuple[Waterfall, tuple[SpanText | None, ...]]:
    """The same, and what the span of each row says in full; empty if that is not kept."""
    high, low = _words(trace_id)
    view = _view(traces, high, low)
    return waterfall(view), span_texts(view, traces.details(high, low))


def _words(trace_id: str) -> tuple[int, int]:
    if _TRACE_ID.fullmatch(trace_id) is None:
        raise HTTPException(400, "A trace id has 32 hexadecimal digits, or 16 in older systems.")
    whole = int(trace_id, 16)
    return whole >> 64, whole & (2**64 - 1)


def _view(traces: TraceSource, high: int, low: int) -> ForestView:
    view = traces.trace(high, low)
    if view is None or not len(view.forest.trace):
        raise HTTPException(404, "No such trace is kept. Raw spans are dropped after some days; the conclusions stay.")
    return view
