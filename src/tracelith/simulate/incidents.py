"""What goes wrong in a system at moments of its own: as data, and drawn for a run.

An incident is not drawn per request: all requests that meet it agree on when it is. That is what makes slowness and
failure correlated.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.latency import Latency, Micros
from tracelith.simulate.topology import Database, Topic

__all__ = [
    "GroupStall",
    "Incident",
    "Moments",
    "Occurrences",
    "Outage",
    "Slowdown",
    "TableLock",
    "draw_occurrences",
]


@dataclass(frozen=True, slots=True)
class Moments:
    """When incidents of a kind begin.

    Attributes:
        at: fixed, as shares of the period. per_week: and so many more a week, at random; one that would begin during
            another, or while what waited for that is worked off, does not happen.
    """

    at: tuple[float, ...] = ()
    per_week: float = 0.0


@dataclass(frozen=True, slots=True)
class Outage:
    """Services fail for a while; several services in one outage are a common cause, not a cascade.

    Attributes:
        services: names. minutes: how long. share: of their requests that fail, each service on its own.
        refused: the process is gone: callers meet a refused connection, and the service writes no span. Otherwise it
            answers 500. What it would take from a queue waits until the outage is over. Requests that it began to
            handle before go on.
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

_WEEK_US = 7 * 86_400_000_000
_DRAIN = 5  # a backlog is worked off so many times as fast as it came in

Kind = TypeVar("Kind", bound=Incident)


@dataclass(frozen=True, slots=True)
class Occurrences(Generic[Kind]):
    """When an incident happens in a run.

    Attributes:
        starts_us: ascending, so far apart that the backlog of one is worked off before the next. length_us: of each.
    """

    incident: Kind
    starts_us: Micros
    length_us: int

    def end_us(self, at_us: Micros) -> Micros:
        """End of the occurrence at each moment; 0 where there is none."""
        latest = self._latest(at_us)
        end_us = self.starts_us[latest] + self.length_us
        return np.where((latest >= 0) & (at_us < end_us), end_us, 0)

    def taken_us(self, ready_us: Micros) -> Micros:
        """When messages are taken that would be taken at ready_us: not before the end, and then in their order.

        A backlog is worked off at a bounded rate, so a message just after the end waits for those before it.
        """
        latest = self._latest(ready_us)
        start_us = self.starts_us[latest]
        queued_us = start_us + self.length_us + (ready_us - start_us) // _DRAIN
        return np.where(latest >= 0, np.maximum(ready_us, queued_us), ready_us)

    def _latest(self, at_us: Micros) -> NDArray[np.intp]:
        """The last occurrence that began before each moment, -1 if none did."""
        return np.searchsorted(self.starts_us, at_us, side="right") - 1


def draw_occurrences(
    incidents: Sequence[Incident], seed: Sequence[int], start_us: int, end_us: int
) -> tuple[Occurrences[Incident], ...]:
    """Every incident that happens at all between start and end, with its moments.

    Args:
        seed: every incident draws from a stream of its own, so that adding one leaves the others where they are.
    """
    drawn = []
    for number, incident in enumerate(incidents):
        length_us = _length_us(incident)
        fixed = [start_us + int(share * (end_us - start_us)) for share in incident.moments.at]
        rng = np.random.default_rng([*seed, number])
        wanted = incident.moments.per_week * (end_us - start_us) / _WEEK_US
        count = int(wanted + rng.random())  # a fraction is the chance of one more
        further = rng.integers(start_us, max(end_us - length_us, start_us + 1), count)
        starts = _apart([*fixed, *further.tolist()], length_us)
        if starts.size:
            drawn.append(Occurrences(incident, starts, length_us))
    return tuple(drawn)


def _apart(starts_us: Iterable[int], length_us: int) -> Micros:
    """Without those that would begin before the one before is over and its backlog worked off."""
    least_us = length_us * _DRAIN // (_DRAIN - 1)
    kept: list[int] = []
    for start_us in sorted(starts_us):
        if not kept or start_us - kept[-1] > least_us:
            kept.append(start_us)
    return np.array(kept, np.int64)


def _length_us(incident: Incident) -> int:
    return round(incident.seconds * 1e6 if isinstance(incident, TableLock) else incident.minutes * 60e6)
