"""Chatter: many small calls in one request where one would do."""

from typing import Literal

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.model.document.estimates import EstimateDocument, StateName

__all__ = ["ChatterDocument", "ChattyEdgeDocument"]


class ChattyEdgeDocument(TypedDict):
    """How often requests of one operation make one and the same call."""

    caller: str
    operation: str  # of the caller
    asked: Literal["request", "message", "job"]  # for what it does this; nobody waits for jobs and messages
    callee: str
    callee_kind: Literal["service", "datastore", "destination", "external"]
    callee_operation: str  # the call's name, with its table or route
    requests: int  # that make it at all
    mean_calls: float
    p95_calls: EstimateDocument
    in_a_row_p95: float | None  # of them one after the other, each begun after those before had ended
    at_once_p95: float | None  # of them side by side
    loop_share: EstimateDocument  # of requests, those with five or more in a row
    total_ms: float  # mean time a request spends on them
    saved_ms: float  # of it, what one call for all would save at most
    label: Literal["loop", "batch", "few", "unknown"]
    trace_ids: list[str]
    status: StateName
    reason: str


class ChatterDocument(TypedDict):
    """The part ``chatter``."""

    edges: list[ChattyEdgeDocument]  # loops first, then most calls
    status: StateName
    reason: str
