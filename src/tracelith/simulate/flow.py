"""What happens in a request: steps that a service takes one after another, as data.

A step is one of the small values below. Steps nest (a call contains the operation it calls), so an entry operation is a
tree that execution walks once for many requests at a time.
"""

from dataclasses import dataclass

from tracelith.simulate.latency import Episodes, Latency, Queueing
from tracelith.simulate.topology import Database, Service, Topic
from tracelith.simulate.traffic_shape import OFFICE_HOURS, Cycle

__all__ = [
    "GRPC",
    "Answer",
    "Cached",
    "Call",
    "Consumer",
    "Entry",
    "External",
    "Job",
    "Operation",
    "Parallel",
    "Publish",
    "Query",
    "Repeat",
    "Sometimes",
    "Stall",
    "Step",
    "Task",
    "Wait",
    "Work",
]

GRPC = "gRPC"
"""The method of operations that are no HTTP requests."""


@dataclass(frozen=True, slots=True)
class Work:
    """The service computes."""

    time: Latency


@dataclass(frozen=True, slots=True)
class Stall:
    """The service computes nothing while its instance is in one of these episodes."""

    episodes: Episodes


@dataclass(frozen=True, slots=True)
class Wait:
    """The request queues for a worker, a connection or a processor that others keep busy too."""

    queue: Queueing


@dataclass(frozen=True, slots=True)
class Query:
    """A statement against a database, waited for.

    Attributes:
        action: SELECT, INSERT, ... on collection. failure: share of statements that fail, which fails the request.
        joins: further tables that the statement reads; ``schema.table`` is one in another schema of the database.
    """

    database: Database
    action: str
    collection: str
    time: Latency
    failure: float = 0.0
    joins: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[tuple[str, str], ...]:
        """Namespace and name of every table that the statement touches, its collection first."""
        own = self.database.namespace
        touched = [(own, self.collection)]
        for joined in self.joins:
            schema, _, table = joined.rpartition(".")
            touched.append((f"{own.partition('.')[0]}.{schema}" if schema else own, table))
        return tuple(touched)


@dataclass(frozen=True, slots=True)
class Call:
    """A request to another service, waited for.

    Attributes:
        timeout_ms: how long it is waited for; the callee goes on working. None waits for ever.
        attempts: how often it is tried at most while it fails with 5xx or runs into the timeout.
        backoff_ms: pause before the second attempt; it doubles each time.
        tolerated: share of the failed requests that the caller answers as if nothing had happened, after ``fallback``;
            the others fail with the callee's status (4xx too), 504 after a timeout, 503 after a refused connection.
        fallback: what the caller does instead, where it tolerates the failure.
    """

    operation: "Operation"
    timeout_ms: float | None = None
    attempts: int = 1
    backoff_ms: float = 50.0
    tolerated: float = 0.0
    fallback: tuple["Step", ...] = ()


@dataclass(frozen=True, slots=True)
class External:
    """An HTTP request to somebody who sends no traces, waited for."""

    address: str
    method: str
    path: str
    time: Latency


@dataclass(frozen=True, slots=True)
class Publish:
    """A message to a topic.

    Attributes:
        awaits_reply: the request waits until every consumer has processed the message and answered over the topic
            ``reply`` (sync over async); otherwise only for the broker's acknowledgement.
        timeout_ms: how long it waits for the answers; then it fails with 504. None waits for ever. A consumer that
            fails answers so, and the request fails with 500.

    Raises:
        ValueError: an answer is awaited, but there is no topic for it.
    """

    topic: Topic
    time: Latency
    reply: Topic | None = None
    awaits_reply: bool = False
    timeout_ms: float | None = None

    def __post_init__(self) -> None:
        if self.awaits_reply and self.reply is None:
            raise ValueError(f"the answer to messages of {self.topic.destination} is awaited on no topic")


@dataclass(frozen=True, slots=True)
class Task:
    """Steps inside the service that its developers gave a span of their own."""

    name: str
    steps: tuple["Step", ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    """Branches that start together; the slowest one is waited for."""

    branches: tuple[tuple["Step", ...], ...]


@dataclass(frozen=True, slots=True)
class Sometimes:
    """Steps that only a share of the requests takes."""

    probability: float
    steps: tuple["Step", ...]


@dataclass(frozen=True, slots=True)
class Cached:
    """A look into a cache; the steps are taken only on a miss."""

    cache: Database
    hit: float
    time: Latency
    steps: tuple["Step", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The steps one time after another, a number of times that is drawn per request, both ends included."""

    least: int
    most: int
    steps: tuple["Step", ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A share of the requests ends here with this HTTP status."""

    probability: float
    status: int


Step = Work | Stall | Wait | Query | Call | External | Publish | Task | Parallel | Sometimes | Cached | Repeat | Answer


@dataclass(frozen=True, slots=True)
class Operation:
    """One HTTP or gRPC operation of a service. ``{id}`` in the route stands for a six-digit number.

    Attributes:
        method, route: of HTTP; with the method "gRPC", the route is package.Service/Method.
    """

    service: Service
    method: str
    route: str
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The span name: method and route, or the full method name of gRPC."""
        return self.route if self.method == GRPC else f"{self.method} {self.route}"


@dataclass(frozen=True, slots=True)
class Job:
    """Work that a service starts by itself."""

    service: Service
    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Consumer:
    """What a service does with the messages of a topic.

    Attributes:
        delay: from the end of publishing to the start of processing.
        own_trace: processing starts a trace of its own that links to the message, as the messaging conventions
            advise; otherwise the message is its parent.
    """

    service: Service
    topic: Topic
    group: str
    delay: Latency
    steps: tuple[Step, ...]
    own_trace: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """Where requests come in.

    Attributes:
        share: relative number of requests among all entries without an hour of their own.
        nightly_hour: instead, one run a day at this hour UTC (the share is then not used).
        cycle: when its requests come.
    """

    operation: Operation | Job
    share: float = 0.0
    nightly_hour: float | None = None
    cycle: Cycle = OFFICE_HOURS
