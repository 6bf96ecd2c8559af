"""Finds the trace behind an id given by a person."""

import re

from fastapi import HTTPException

from tracelith.present.waterfall import Waterfall, waterfall
from tracelith.web.sources import TraceSource

__all__ = ["find_trace"]

_TRACE_ID = re.compile(r"[0-9a-fA-F]{16}|[0-9a-fA-F]{32}")


def find_trace(traces: TraceSource, trace_id: str) -> Waterfall:
    """The trace as a waterfall.

    Args:
        traces: where to look.
        trace_id: 32 hex digits, or 16 as Zipkin and old Jaeger clients write them.

    Raises:
        HTTPException: 400 if this is no trace id, 404 if no such trace is kept.
    """
    if _TRACE_ID.fullmatch(trace_id) is None:
        raise HTTPException(400, "A trace id has 32 hexadecimal digits, or 16 in older systems.")
    whole = int(trace_id, 16)
    view = traces.trace(whole >> 64, whole & (2**64 - 1))
    found = waterfall(view) if view is not None else None
    if found is None or not found.spans:
        raise HTTPException(404, "No such trace is kept. Raw spans are dropped after some days; the conclusions stay.")
    return found
