"""Failing on its own: how failures travel, what they cost, and what was done to stop them."""

from typing import Literal

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.model.document.estimates import EstimateDocument, StateName

__all__ = [
    "AvailabilityDocument",
    "BlastRadiusDocument",
    "CascadeDocument",
    "CascadeEntryDocument",
    "CascadeStepDocument",
    "EntryRadiusDocument",
    "FailurePairDocument",
    "FailuresDocument",
    "PropagationDocument",
    "RetryDocument",
    "TimeoutDocument",
]


class PropagationDocument(TypedDict):
    """Whether the failure of a callee fails its caller."""

    caller: str
    callee: str
    callee_kind: Literal["service", "datastore", "destination", "external"]
    requests: int  # of the caller, with at least one call on this edge
    callee_failures: int  # of those requests, in which the last attempt of a call failed
    failed_given_failure: EstimateDocument  # p1
    failed_given_success: EstimateDocument  # p0
    power: EstimateDocument  # phi: share of callee failures that fail the caller and would not have failed otherwise
    adjusted_power: float | None  # the same within minutes: a cause that both share does not count
    common_cause: bool  # most of the association goes away within minutes
    dependency: Literal["hard", "partial", "soft", "unknown"]
    trace_ids: list[str]  # in which a callee failure failed the caller
    status: StateName
    reason: str


class EntryRadiusDocument(TypedDict):
    """What an entry operation loses when a service fails."""

    service: str
    operation: str
    requests: int
    radius: EstimateDocument


class BlastRadiusDocument(TypedDict):
    """What fails when a service fails."""

    service: str
    kind: Literal["service", "datastore", "destination", "external"]
    requests: int
    failures: int
    radius: EstimateDocument  # share of all requests from outside that fail if every call to the service fails
    structural_reach: float  # share of entry operations whose requests ever reach it
    observed: EstimateDocument  # share that failed because of it in its bad minutes; other failures are not counted
    entries: list[EntryRadiusDocument]  # most affected first
    failing_with_it: list[str]  # services that fail with probability 0.5 or more if it does


class AvailabilityDocument(TypedDict):
    """How often an entry operation succeeds, and what of it is the doing of others."""

    service: str
    operation: str
    requests: int
    availability: EstimateDocument
    serial_availability: float | None  # product over itself and its hard dependencies; None if some are unknown
    hard_dependencies: list[str]
    hidden_errors: EstimateDocument  # share of successful requests with a failure inside
    trace_ids: list[str]  # of hidden errors
    status: StateName
    reason: str


class CascadeStepDocument(TypedDict):
    """When a service joined a cascade."""

    service: str
    from_time: str  # first minute in which it failed beyond its usual share
    minutes: int  # how many such minutes
    failed_share: float  # of its requests in them


class CascadeEntryDocument(TypedDict):
    """What an entry operation lost to a cascade."""

    service: str
    operation: str
    requests: int
    failed: int
    failed_share: float


class CascadeDocument(TypedDict):
    """A failure that took others along, told in order."""

    start: str
    end: str
    minutes: int
    origin: str  # what failed first and on its own account; may be a datastore or an outside system
    steps: list[CascadeStepDocument]  # the origin first, then in order
    entries: list[CascadeEntryDocument]  # those that lost most requests first
    failed_requests: int  # from outside
    requests: int  # from outside, in the same minutes
    trace_ids: list[str]


class RetryDocument(TypedDict):
    """How many attempts calls on an edge took."""

    caller: str
    callee: str
    calls: int  # logical ones
    attempts: int
    amplification: EstimateDocument  # attempts / calls
    worst_minute: float | None  # the same in the worst minute with at least 20 calls
    worst_at: str | None
    stacked_on: list[str]  # edges further up or down the same path that retry as well: attempts multiply
    storm: bool
    trace_ids: list[str]
    status: StateName
    reason: str


class TimeoutDocument(TypedDict):
    """How long a caller waits at most, as far as spans show."""

    caller: str
    callee: str
    calls: int
    longest_ms: float
    timeout_ms: float | None  # where long calls are cut off
    cut_off: int  # calls that ended there
    label: Literal["bounded", "unbounded", "unknown"]
    status: StateName
    reason: str


class FailurePairDocument(TypedDict):
    """Two services that fail in the same minutes."""

    a: str
    b: str
    bad_minutes_a: int
    bad_minutes_b: int
    together: int
    overlap: EstimateDocument  # share of the bad minutes of the one that fails less that are also the other's
    expected: float  # the same by chance
    q_value: float | None
    coupled: bool


class FailuresDocument(TypedDict):
    """The part ``failures``."""

    edges: list[PropagationDocument]  # hardest first
    services: list[BlastRadiusDocument]  # largest radius first
    entries: list[AvailabilityDocument]  # least available first
    cascades: list[CascadeDocument]  # most failed requests first
    retries: list[RetryDocument]
    timeouts: list[TimeoutDocument]
    pairs: list[FailurePairDocument]
    status: StateName
    reason: str
