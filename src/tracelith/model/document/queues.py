"""Queues: who waits behind them after all, and where they stand still."""

from typing import Literal

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.model.document.estimates import EstimateDocument, StateName

__all__ = [
    "ConsumerDocument",
    "ConsumerGroupDocument",
    "DestinationDocument",
    "QueueWaitDocument",
    "QueuesDocument",
    "StallDocument",
]


class ConsumerDocument(TypedDict):
    """Who takes messages from a destination."""

    service: str
    group: str  # empty if no span says
    messages: int
    lag_ms: dict[str, EstimateDocument]  # p50, p95, p99: from the end of sending to the begin of processing


class DestinationDocument(TypedDict):
    """One queue or topic."""

    system: str
    destination: str
    producers: list[str]
    sent: int
    consumers: list[ConsumerDocument]
    temporary: bool  # a reply queue of its own for each asker
    trace_ids: list[str]
    status: StateName
    reason: str


class QueueWaitDocument(TypedDict):
    """Requests of an operation that send a message, and whether they wait for what becomes of it."""

    service: str
    operation: str
    system: str
    destination: str
    reply: str | None  # over which the answer comes
    answered_by: list[str]  # services
    requests: int  # of the operation, that send to the destination; each once, however many messages it sends
    slope: EstimateDocument  # by how much longer the request takes per time until the answer: 1 waits, 0 does not
    r_squared: float | None
    contained: EstimateDocument  # share of messages whose handling ends inside the request
    contained_by_chance: float | None
    idle_share: float | None  # share of the request in which it does nothing but wait for the answer
    wait_ms: dict[str, float]  # p50, p95, p99; empty without an answer
    label: Literal["waits", "hands_over", "undecided"]
    trace_ids: list[str]
    status: StateName
    reason: str


class StallDocument(TypedDict):
    """A stretch of time in which a consumer group took nothing although there was something to take."""

    system: str
    destination: str
    group: str
    service: str
    start: str
    end: str
    seconds: float
    waiting: float  # messages sent meanwhile
    probability: float  # of such a gap by chance, over all gaps
    instances: int  # that stood still together
    interruptions: int  # gaps that make up the stretch
    cause: Literal["deployment", "slow_handler", "instances", "unknown"]
    cause_detail: str
    trace_ids: list[str]


class ConsumerGroupDocument(TypedDict):
    """A group of consumers that share the messages of a destination."""

    system: str
    destination: str
    group: str
    services: list[str]
    instances: int
    messages: int
    stalls: int
    stall_share: EstimateDocument  # of the period
    noticeable_s: float | None  # shortest stall that would stand out among as many messages
    shared: bool  # by several services, which then compete for messages
    trace_ids: list[str]
    status: StateName
    reason: str


class QueuesDocument(TypedDict):
    """The part ``queues``."""

    destinations: list[DestinationDocument]  # most messages first
    waits: list[QueueWaitDocument]  # those that wait first
    stalls: list[StallDocument]  # longest first
    groups: list[ConsumerGroupDocument]
    status: StateName
    reason: str
