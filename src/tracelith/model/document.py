"""The analysis document (schema ``tracelith.analysis/1``): the one JSON object behind every face.

``analyze --format json`` prints it, the API serves it, dashboard and report render it. Keys are promises:
within a major version fields are added, never renamed or removed. ``EstimateDocument`` is the JSON form of
tracelith.model.findings.Estimate. Trace ids are 32 hex digits, times ISO 8601 UTC, durations in milliseconds.
"""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

__all__ = [
    "SCHEMA",
    "AnalysisDocument",
    "ChainDocument",
    "CodeploymentDocument",
    "EdgeDocument",
    "EntryOperationDocument",
    "EstimateDocument",
    "FindingDocument",
    "PairDocument",
    "QualityDocument",
    "TailDocument",
    "VerdictDocument",
]

SCHEMA = "tracelith.analysis/1"

StateName = Literal["ok", "insufficient_data", "not_identifiable"]


class EstimateDocument(TypedDict):
    """A number with its 95 % interval, sample size and status."""

    value: float | None
    ci: list[float] | None
    n: int
    n_eff: float
    status: StateName
    reason: str


class WindowDocument(TypedDict):
    """The half-open period analysed."""

    start: str
    end: str


class DefectDocument(TypedDict):
    """One reason why spans or traces could not be used, or only in part."""

    name: str  # orphan_spans, duplicate_spans, ...
    title: str  # in plain words
    count: int
    share: float  # of spans, or of traces where the defect is one of traces
    consequence: str  # what it costs the analyses
    remedy: str  # what to do about it


class QualityDocument(TypedDict):
    """What share of the evidence could be used and why the rest could not."""

    traces: int
    complete_traces: int
    usable_share: EstimateDocument  # complete traces / traces
    spans: int
    services: int
    orphan_spans: int
    duplicate_spans: int
    skewed_spans: int
    unpaired_client_spans: int
    cyclic_spans: int
    kindless_spans: int
    multi_root_traces: int
    unknown_sampling_traces: int
    refused_spans: int  # never stored, of any environment
    refusals: list[dict[str, Any]]  # [{reason, spans}], most first
    defects: list[DefectDocument]  # only those with count > 0, most harmful first
    folded: list[dict[str, Any]]  # [{service, texts, spans, share, consequence, remedy}]: too many to be kept apart
    service_list: list[dict[str, Any]]  # [{service, spans, traces, versions, first_seen, last_seen}]
    environments: list[str]
    status: StateName
    reason: str


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
    tail_mean_ms: NotRequired[float]  # mean of the slow requests
    middle_mean_ms: NotRequired[float]  # mean of the middle cohort
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


class PairDocument(TypedDict):
    """Whether two services deploy together more than the organisation's rhythm explains."""

    a: str
    b: str
    deployments_a: int
    deployments_b: int
    coincidences: int
    rate: float | None
    base_rate: float | None  # mean chance by the calendar
    activity_rate: float | None  # mean chance by the activity of others, null with too few others
    excess: float | None  # share of those deployments that coincide beyond both, for pairs that coincide twice
    excess_low: float | None
    excess_high: NotRequired[float | None]
    rate_ci: NotRequired[list[float] | None]
    rate_of: NotRequired[str]  # the service of whose deployments the rate is a share: a or b
    p_value: float | None
    q_value: float | None
    label: Literal["pair", "group", "calendar", "none", "untested"]
    lag_minutes: EstimateDocument | None  # positive: b follows a
    direction: Literal["a_first", "b_first", "undetermined"]
    sign_p: float | None
    sign_flip_p: NotRequired[float | None]  # the same question asked of the mean lag
    second_opinion_p: float | None  # curveball
    widest_window: str | None  # which of 10 min, 30 min, 2 h, 24 h shows the largest excess_low
    classical: dict[str, float | None]  # support, confidence_ab, confidence_ba, lift, jaccard, phi, degree
    status: StateName
    reason: str


class CodeploymentDocument(TypedDict):
    """System lockstep and pairs."""

    system: dict[str, Any]
    # {deployments, services, weeks, window_minutes, solo_rate: Estimate, expected_solo_rate, lockstep_excess: Estimate,
    #  lockstep_index, train: {sessions, median_batch, largest_batch, top_hour_share, top_hour},
    #  start, end, pairs: {possible, tested, coupled, listed}, status, reason}
    services: list[dict[str, Any]]  # [{service, deployments, solo_rate: Estimate, expected_solo_rate, last_at}]
    pairs: list[PairDocument]  # strongest first
    groups: list[dict[str, Any]]  # [{services, label: pair|group, pairs, strongest_excess_low, median_excess_low}]
    deployments: list[dict[str, Any]]  # [{service, version, at, earliest, rollout_end, source}], the timeline
    ignored: list[dict[str, Any]]  # [{service, reason, count}] versions that were no evidence of a deployment


class FindingDocument(TypedDict):
    """JSON form of tracelith.model.findings.Finding."""

    id: str
    rule: str
    severity: Literal["info", "warning", "critical"]
    subjects: list[str]
    title: str
    metric: dict[str, Any]
    evidence: dict[str, Any]
    advice: str
    first_seen: NotRequired[str]  # when a running server first made the claim; it may have gone and come back since


class VerdictDocument(TypedDict):
    """The score of metrics.md §15, or why there is none yet."""

    score: float | None
    ci_low: float | None
    ci_high: float | None
    coverage: float  # share of the score's weight that had evidence
    label: str
    sentence: str  # the answer in one plain sentence
    components: list[dict[str, Any]]  # [{name, family, value, weight, status}]


class AnalysisDocument(TypedDict):
    """Everything Tracelith concludes about one environment and period."""

    schema: str
    environment: str
    generated_at: str
    window: WindowDocument
    quality: QualityDocument
    entry_operations: list[EntryOperationDocument]
    edges: list[EdgeDocument]
    tail: list[TailDocument]
    codeployment: CodeploymentDocument
    findings: list[FindingDocument]
    groups: list[dict[str, Any]]
    verdict: VerdictDocument
    analyses: list[dict[str, Any]]  # [{name, title, sections, error}]: what each analysis says of itself
