"""Counts of spans that were refused, and why: kept in memory until the next commit carries them along.

A refused request must not cost a disk sync of its own, and a sender of nonsense must not fill the disk: reasons are
added up, shortened, and limited in number.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tracelith.store.connection import Cursor, Database

__all__ = ["RefusalCounter", "Refused", "read_refusals"]

MAX_REASONS = 200
"""Distinct reasons between two commits; the rest is counted together."""

MAX_REASON_LENGTH = 200
MANY_REASONS = "other reasons"


@dataclass(frozen=True, slots=True)
class Refused:
    """Counts on their way into the file."""

    counts: Mapping[str, int]
    at_ns: int

    def insert(self, cursor: Cursor) -> None:
        """Writes them as part of a transaction."""
        if self.counts:
            rows = [[self.at_ns, reason, spans] for reason, spans in self.counts.items()]
            cursor.executemany("INSERT INTO refusal VALUES (?, ?, ?)", rows)


@dataclass(slots=True)
class RefusalCounter:
    """Refused spans by reason that are not written yet."""

    clock_ns: Callable[[], int]
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, reasons: Mapping[str, int]) -> None:
        """Counts spans by reason."""
        with self._lock:
            for reason, spans in reasons.items():
                name = reason[:MAX_REASON_LENGTH]
                known = name in self._counts or len(self._counts) < MAX_REASONS
                self._counts[name if known else MANY_REASONS] += spans

    @contextmanager
    def taken(self) -> Iterator[Refused]:
        """The counts so far; they come back if the block fails."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        try:
            yield Refused(counts, self.clock_ns())
        except BaseException:
            with self._lock:
                self._counts.update(counts)
            raise

    def flush(self, database: Database) -> None:
        """Writes the counts now."""
        with self.taken() as refused:
            if refused.counts:
                database.insert(refused.insert)


def read_refusals(database: Database, since_ns: int) -> dict[str, int]:
    """Refused spans by reason since that time, most first."""
    query = """
        SELECT reason, sum(spans)::BIGINT AS spans FROM refusal WHERE at_ns >= ?
        GROUP BY reason ORDER BY spans DESC, reason
    """
    with database.cursor() as cursor:
        return {str(reason): int(spans) for reason, spans in cursor.execute(query, [since_ns]).fetchall()}
