"""What happens in a request: steps that a service takes one after another, as data.

A step is one of the small values below. Steps nest (a call contains the operation it calls), so an entry operation is a
tree that execution walks once for many requests at a time.
"""

from dataclasses import dataclass

from tracelith.simulate.latency import Episodes, Latency
from tracelith.simulate.topology import Database, Service, Topic

__all__ = [
    "Answer",
    "Call",
    "Consumer",
    "Entry",
    "External",
    "Job",
    "Operation",
    "Parallel",
    "Publish",
    "Query",
    "Sometimes",
    "Stall",
    "Step",
    "Task",
    "Work",
]


@dataclass(frozen=True, slots=True)
class Work:
    """The service computes."""

    time: Latency


@dataclass(frozen=True, slots=True)
class Stall:
    """The service computes nothing while its instance is in one of these episodes."""

    episodes: Episodes


@dataclass(frozen=True, slots=True)
class Query:
    """A statement against a database, waited for.

    Attributes:
        action: SELECT, INSERT, ... on collection. failure: share of statements that fail, which fails the request.
    """

    database: Database
    action: str
    collection: str
    time: Latency
    failure: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request to another service, waited for. An answer of 400 or above becomes the caller's own answer."""

    operation: "Operation"


@dataclass(frozen=True, slots=True)
class External:
    """An HTTP request to somebody who sends no traces, waited for."""

    address: str
    method: str
    path: str
    time: Latency


@dataclass(frozen=True, slots=True)
class Publish:
    """A message to a topic; only the broker's acknowledgement is waited for."""

    topic: Topic
    time: Latency


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
class Answer:
    """A share of the requests ends here with this HTTP status."""

    probability: float
    status: int


Step = Work | Stall | Query | Call | External | Publish | Task | Parallel | Sometimes | Answer


@dataclass(frozen=True, slots=True)
class Operation:
    """One HTTP operation of a service. ``{id}`` in the route stands for a six-digit number."""

    service: Service
    method: str
    route: str
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The span name: method and route."""
        return f"{self.method} {self.route}"


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
        share: relative number of requests among all entries that follow the daily cycle.
        nightly_hour: instead, one run a day at this hour UTC (the share is then not used).
    """

    operation: Operation | Job
    share: float = 0.0
    nightly_hour: float | None = None
