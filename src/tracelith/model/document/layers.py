"""Services that only hand requests on, and systems cut by technical layer instead of by capability."""

from typing import Literal

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.model.document.estimates import EstimateDocument, StateName

__all__ = ["LayerSplitDocument", "LayersDocument", "PassThroughDocument", "PassThroughOperationDocument"]


class PassThroughOperationDocument(TypedDict):
    """What an operation of a service adds to what it calls."""

    operation: str
    requests: int
    single_call_share: EstimateDocument  # exactly one awaited call to a service and nothing else
    own_time_share: float | None  # median share of the duration that no child covers
    callee: str | None  # the usual one
    callee_operation: str | None
    purity: float | None  # share of those calls that go to the usual operation
    index: EstimateDocument  # single calls x others' time x purity
    passes_through: bool
    status: StateName
    reason: str


class PassThroughDocument(TypedDict):
    """One service."""

    service: str
    requests: int
    passing_share: EstimateDocument  # of its requests, those of operations that pass through
    callers: list[str]
    callees: list[str]
    label: Literal["pass_through", "gateway", "cache", "boundary", "works", "unknown"]
    label_reason: str  # why a service that passes requests on is not accused
    hops_saved: float | None  # p95 of awaited hops before minus after it is contracted, over requests through it
    saved_ms: EstimateDocument  # network and queueing per request that would go
    operations: list[PassThroughOperationDocument]
    trace_ids: list[str]
    status: StateName
    reason: str


class LayerSplitDocument(TypedDict):
    """Services through which nearly every request passes in the same order."""

    services: list[str]
    entry_share: float  # of entry operations
    trace_share: EstimateDocument  # of requests
    purity: float  # least share of calls that go to the usual operation, over the layers
    hops_saved: int
    trace_ids: list[str]


class LayersDocument(TypedDict):
    """The part ``layers``."""

    services: list[PassThroughDocument]  # worst first
    splits: list[LayerSplitDocument]
    pass_through_share: EstimateDocument  # of services that could be judged
    status: StateName
    reason: str
