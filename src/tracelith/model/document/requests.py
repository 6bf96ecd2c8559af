"""Requests: how deep and slow entry operations are, who calls whom, where slow ones lose their time."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.model.document.estimates import EstimateDocument, StateName

__all__ = ["ChainDocument", "DepthDocument", "EdgeDocument", "EntryOperationDocument", "TailDocument"]


class DepthDocument(TypedDict):
    """Awaited service hops; 0 means one service did it all."""

    p50: EstimateDocument
    p95: EstimateDocument
    max: int
    histogram: list[dict[str, Any]]  # [{hops, traces, share}]
    any_path_p95: float | None  # counting branches that do not limit latency
    with_peers_p95: float | None  # counting datastore and external leaf calls
    band: Literal["typical", "elevated", "high", "extreme", "unknown"]


class ChainDocument(TypedDict):
    """One chain of services that requests of an entry operation waited on."""

    services: list[str]
    hops: int
    traces: int
    share: float
    mean_ms: float
    trace_ids: list[str]


class EntryOperationDocument(TypedDict):
    """How deep and how slow one entry operation is."""

    service: str
    operation: str
    traces: int
    restarted: bool  # headed by the receiver of a deferred call
    depth: DepthDocument
    latency_ms: dict[str, EstimateDocument]  # p50, p95, p99
    latency_histogram: list[dict[str, Any]]  # [{from_ms, to_ms, traces}]
    chains: list[ChainDocument]  # most traffic first
    status: StateName
    reason: str


class EdgeDocument(TypedDict):
    """One caller calling one callee."""

    caller: str
    callee: str
    callee_kind: Literal["service", "datastore", "destination", "external"]
    mode: Literal["sync", "async", "mixed"]
    awaited_share: EstimateDocument
    calls: int
    undecided_calls: int  # of them, those of which it cannot be told whether the caller waited
    traces: int
    failures: int
    retries: int
    network_ms: float | None  # mean client minus server time
    blocking_share: float | None  # share of the callee's time on the caller's critical path
    status: StateName
    reason: str


class TailDocument(TypedDict):
    """What one hop contributes to the slowest requests of one entry operation."""

    service: str
    operation: str
    hop: str
    hop_kind: Literal["service", "network", "peer"]
    caller: str
    callee: str
    q: float  # the quantile actually used: .99, else .95, else .90
    share: float | None  # of the tail excess; may be negative
    ci: list[float] | None
    excess_ms: float | None  # mean time here in the tail minus in the middle cohort
    excess_ci: list[float] | None
    mean_ms: float
    traces: int
    tail_traces: int
    exceedance: float | None  # of the edge into this hop; 1 = none
    exceedance_ci: list[float] | None
    propagation: EstimateDocument | None
    lift: float | None
    explained: EstimateDocument | None
    effective_fan_out: float | None
    network_share: float | None
    band: Literal["normal", "watch", "dominant", "unknown"]
    restarted: NotRequired[bool]  # as of the entry operation
    tail_mean_ms: NotRequired[float | None]  # mean of the slow requests
    middle_mean_ms: NotRequired[float | None]  # mean of the middle cohort
    slower_ms: NotRequired[float | None]  # by how much the hop itself is slower in the tail, per visit
    variance_share: NotRequired[float | None]
    hops_away: NotRequired[float | None]  # awaited calls from the entry service to where the tail's time went, mean
    remote: NotRequired[bool]  # not the entry service itself nor its own datastore
    far: NotRequired[bool]  # two awaited calls away or further
    material: NotRequired[bool]  # the tail is long enough to be worth speaking of
    slow_hop: NotRequired[bool]  # it is slower in the tail, not merely visited more often
    ci_method: Literal["blocks", "traces"]
    trace_ids: list[str]
    status: StateName
    reason: str
