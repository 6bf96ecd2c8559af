"""What goes wrong in a system at moments of its own, as data.

An incident is not drawn per request: all requests that meet it agree on when it is. That is what makes slowness and
failure correlated.
"""

from dataclasses import dataclass

from tracelith.simulate.latency import Latency
from tracelith.simulate.topology import Database, Topic

__all__ = ["GroupStall", "Incident", "Moments", "Outage", "Slowdown", "TableLock"]


@dataclass(frozen=True, slots=True)
class Moments:
    """When incidents of a kind begin.

    Attributes:
        at: fixed, as shares of the period. per_week: and so many more a week, at random.
    """

    at: tuple[float, ...] = ()
    per_week: float = 0.0


@dataclass(frozen=True, slots=True)
class Outage:
    """Services fail for a while; several services in one outage are a common cause, not a cascade.

    Attributes:
        services: names. minutes: how long. share: of their requests that fail, each service on its own.
        refused: the process is gone: callers meet a refused connection, and the service writes no span. Otherwise it
            answers 500. What it would take from a queue waits until the outage is over.
    """

    services: tuple[str, ...]
    moments: Moments
    minutes: float
    share: float = 1.0
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Slowdown:
    """Everything services do in a request takes so much longer for a while."""

    services: tuple[str, ...]
    moments: Moments
    minutes: float
    added: Latency


@dataclass(frozen=True, slots=True)
class TableLock:
    """A statement, a migration say, locks a table: statements on it wait until it is over.

    Attributes:
        collection: the table. seconds: how long. statement: the DDL, whose span the service ``by`` writes.
        patience_s: statements that would wait longer give up and fail.
    """

    database: Database
    collection: str
    moments: Moments
    seconds: float
    by: str
    statement: str
    patience_s: float = 30.0


@dataclass(frozen=True, slots=True)
class GroupStall:
    """A consumer group processes nothing while it rebalances, again and again.

    Attributes:
        topic, group: whose. minutes: from the first rebalance to the end of the last.
        handler_s: before, one message of one partition took so long that the broker gave its consumer up; it is
            processed with this duration at the beginning of the stall. 0 leaves it out.
    """

    topic: Topic
    group: str
    moments: Moments
    minutes: float
    handler_s: float = 0.0


Incident = Outage | Slowdown | TableLock | GroupStall
