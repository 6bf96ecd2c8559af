"""Exact truth of time: how long each request of a run really took, and where that time went.

The requests are walked through the system as when their spans are made, with the same random numbers, but every step
writes down where it spends time. Nothing is computed from spans, so this is what estimates made from spans can be
compared with.

What counts:

- The latency of a request lies on one path through it. Steps that follow each other add; of parallel branches the one
  that finishes last counts, and of equally late ones the first. The places of a request add up to its latency exactly.
- A service's own time is what it computes, stalls, queues for a worker, pauses before another attempt, and is slowed
  down. Each call spends network time on both ways; a refused connection is network time only.
- Every attempt of a call counts where it took place. When a caller gives up, what its callee had done up to that moment
  counts where the callee had spent it; what the callee does later counts nowhere. A failure that is tolerated, and what
  is done instead, count like everything else.
- A statement counts for its database, waiting for a lock included; a message for its destination while it is handed
  over. A message whose answer is awaited counts for its destination until it is taken, for the services that process
  it meanwhile, and for the answer's destination on its way back.
- Processing that nobody waits for counts nowhere.
- Hops are services that wait for each other, one for the next, without the first one; a call within one service is
  none, a refused connection neither, nor what begins after its caller has given up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.execution import Followed, Place
from tracelith.simulate.instrumentation import REFUSED
from tracelith.simulate.simulation import DEFAULT_WEEKS, simulate
from tracelith.simulate.topology import System

__all__ = ["Account", "EntryAccount", "Place", "account"]

_UNTIL = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EntryAccount:
    """All requests to one entry operation that reached it, in order of arrival. Arrays have one row per request.

    Attributes:
        service, operation: as the root span says.
        at_us, latency_us: int64 microseconds; when it came, and how long until it was answered.
        failed: bool, it was answered with 5xx.
        hops: int64, awaited service hops; call_hops: those of them that are not waited for over a queue;
            critical_hops: those of hops that the latency depends on, without branches that others outlasted.
        places: columns of spent_us. spent_us: int64[requests, places]; the rows add up to latency_us.
    """

    service: str
    operation: str
    at_us: NDArray[np.int64]
    latency_us: NDArray[np.int64]
    failed: NDArray[np.bool_]
    hops: NDArray[np.int64]
    call_hops: NDArray[np.int64]
    critical_hops: NDArray[np.int64]
    places: tuple[Place, ...]
    spent_us: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Account:
    """The account of a run, by entry operation in the system's order; entries without requests are left out."""

    entries: tuple[EntryAccount, ...]

    def entry(self, service: str, operation: str) -> EntryAccount:
        """That of one entry operation.

        Raises:
            KeyError: no request reached it.
        """
        for entry in self.entries:
            if (entry.service, entry.operation) == (service, operation):
                return entry
        raise KeyError((service, operation))


def account(
    system: str | System, *, seed: int, requests: int, weeks: int = DEFAULT_WEEKS, until: datetime = _UNTIL
) -> Account:
    """What really happens to the requests of a run; simulate() makes the spans of the very same ones.

    Args:
        seed, weeks, until: as for simulate. requests: there called traces.

    Raises:
        ConfigurationError: as simulate does.
    """
    simulation = simulate(system, seed=seed, traces=requests, weeks=weeks, until=until)
    followed: dict[int, list[Followed]] = {}
    for part in simulation.followed():
        followed.setdefault(part.entry, []).append(part)
    found = []
    for number in sorted(followed):
        operation = simulation.system.entries[number].operation
        entry = _entry(operation.service.name, operation.name, followed[number])
        if entry.at_us.size:
            found.append(entry)
    return Account(tuple(found))


def _entry(service: str, operation: str, parts: Sequence[Followed]) -> EntryAccount:
    places = tuple(dict.fromkeys(place for part in parts for place in part.ledger.places()))
    status = np.concatenate([part.status for part in parts])
    reached = status != REFUSED
    at_us = np.concatenate([part.at_us for part in parts])[reached]
    return EntryAccount(
        service,
        operation,
        at_us,
        np.concatenate([part.end_us for part in parts])[reached] - at_us,
        status[reached] >= 500,
        np.concatenate([part.ledger.hops(over_queues=True) for part in parts])[reached],
        np.concatenate([part.ledger.hops(over_queues=False) for part in parts])[reached],
        np.concatenate([part.ledger.hops(over_queues=True, decisive=True) for part in parts])[reached],
        places,
        np.concatenate([part.ledger.spent_us(places) for part in parts])[reached],
    )
