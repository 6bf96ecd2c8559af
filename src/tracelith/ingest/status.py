"""What the receiver knows of itself: counters, and what happened in each ten seconds of the last hour.

The committer tells the meter what it did, once per commit and not per span; pages, probes and metrics read snapshots.
Everything is of this process, since its start, and of fixed size whatever senders do.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LATENCY_BOUNDS_S", "IngestMeter", "IngestStatus", "Latencies", "RecentIngest", "RefusedSpans"]

LATENCY_BOUNDS_S = tuple(round(0.001 * 2 ** (step / 2), 6) for step in range(33))
"""Upper bounds of the latency buckets: 1 ms to 66 s, each √2 times the one before; requests are given up after 60 s."""

SLOT_S = 10.0
SLOTS = 366
"""An hour of slots, the one that is filling, and half a minute to spare."""

MAX_REASONS = 50
"""Reasons are ours and few; should a message ever carry a sender's text, the rest is counted together."""

OTHER_REASONS = "other reasons"
MAX_REASON_LENGTH = 200

FAILING_S = 60.0
"""After a failed transaction nothing can be taken for so long, unless one succeeds. No longer, as whoever sends only
to a receiver that is ready would otherwise never try again."""

_BOUNDS = np.array(LATENCY_BOUNDS_S)
_BUCKETS = len(LATENCY_BOUNDS_S) + 1
_SPANS, _FIRST_BUCKET = 0, 1

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class IngestStatus:
    """Counters since the process started.

    Attributes:
        requests: admitted to the queue. failed_requests: of these, not stored though they were sound.
        last_overload_at, last_commit_at, last_failure_at: seconds since 1970; the last is of a transaction.
        last_failure: why that one failed, without what senders wrote.
        commit_ms, last_commit_spans: of the last transaction. commits_s: of all transactions together.
        acknowledge_ms: admission to acknowledgement of the slowest request of the last commit.
        queued_bytes: bodies admitted and not yet acknowledged, max_queued_bytes: their bound.
    """

    requests: int = 0
    accepted_spans: int = 0
    rejected_spans: int = 0
    invalid_requests: int = 0
    failed_requests: int = 0
    overloaded_requests: int = 0
    last_overload_at: float | None = None
    failed_commits: int = 0
    last_failure_at: float | None = None
    last_failure: str = ""
    commits: int = 0
    commits_s: float = 0.0
    queued_bytes: int = 0
    max_queued_bytes: int = 0
    last_commit_at: float | None = None
    last_commit_spans: int = 0
    commit_ms: float = 0.0
    acknowledge_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class RefusedSpans:
    """Spans refused for one reason, and when the first and the last of them came (seconds since 1970)."""

    reason: str
    spans: int
    first_at: float
    last_at: float


@dataclass(frozen=True, slots=True)
class Latencies:
    """Times from admission to acknowledgement, by bucket.

    Attributes:
        counts: requests per bucket of LATENCY_BOUNDS_S, and one more for those beyond.
        sum_s: of all of them; None where it was not kept.
    """

    counts: tuple[int, ...]
    sum_s: float | None = None

    @property
    def requests(self) -> int:
        """How many were measured."""
        return sum(self.counts)

    def quantile_s(self, share: float) -> float | None:
        """The time within which this share of requests was acknowledged, interpolated within its bucket.

        None without requests, infinite beyond the last bound. Wrong by up to the width of a bucket, 41 %.
        """
        if not self.requests:
            return None
        upto = np.cumsum(self.counts)
        rank = share * self.requests
        bucket = int(np.searchsorted(upto, rank))
        if bucket == len(LATENCY_BOUNDS_S):
            return float("inf")
        low = LATENCY_BOUNDS_S[bucket - 1] if bucket else 0.0
        within = 1 - (int(upto[bucket]) - rank) / self.counts[bucket]
        return low + within * (LATENCY_BOUNDS_S[bucket] - low)


@dataclass(frozen=True, slots=True)
class RecentIngest:
    """A stretch of time that ends now.

    Attributes:
        seconds: its length; shorter than asked for while the process is young.
        spans: accepted.
        latencies: of the requests acknowledged.
    """

    seconds: float
    spans: int
    latencies: Latencies

    @property
    def spans_per_s(self) -> float | None:
        """Accepted spans per second; None when the process has only just started."""
        return self.spans / self.seconds if self.seconds >= 1.0 else None


class IngestMeter:
    """Counts what the committer tells it. Safe to share between threads; holds its lock for microseconds."""

    def __init__(
        self, *, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Starts counting.

        Args:
            clock: wall time in seconds, for moments. monotonic: for lengths, whatever happens to the wall time.
        """
        self.started_at = clock()
        self._clock = clock
        self._monotonic = monotonic
        self._started = monotonic()
        self._lock = threading.Lock()
        # A dictionary while counting: replacing the frozen dataclass took 15 µs for every request.
        self._counts: dict[str, Any] = asdict(IngestStatus())
        self._failed_since_commit: float | None = None
        self._refused: dict[str, RefusedSpans] = {}
        self._http_answers = Counter[int]()
        self._grpc_answers = Counter[str]()
        self._latency_counts: Int64 = np.zeros(_BUCKETS, np.int64)
        self._latency_sum_s = 0.0
        self._slots: Int64 = np.zeros((SLOTS, _FIRST_BUCKET + _BUCKETS), np.int64)
        self._newest_slot = 0

    # --- what the committer tells ----------------------------------------------------------------------

    def admitted(self) -> None:
        """A request was taken into the queue."""
        with self._lock:
            self._counts["requests"] += 1

    def overloaded(self) -> None:
        """A request was sent away because the queue was full."""
        with self._lock:
            self._counts["overloaded_requests"] += 1
            self._counts["last_overload_at"] = self._clock()

    def answered_http(self, status: int) -> None:
        """The HTTP receiver answered with this status."""
        with self._lock:
            self._http_answers[status] += 1

    def answered_grpc(self, code: str) -> None:
        """The gRPC receiver answered with the status of this name."""
        with self._lock:
            self._grpc_answers[code] += 1

    def invalid_request(self) -> None:
        """A request was no OTLP."""
        with self._lock:
            self._counts["invalid_requests"] += 1

    def failed_request(self) -> None:
        """A request could not be stored; its sender was told to repeat it."""
        with self._lock:
            self._counts["failed_requests"] += 1

    def failed_commit(self, why: str) -> None:
        """A transaction failed."""
        with self._lock:
            self._counts["failed_commits"] += 1
            self._counts["last_failure_at"] = self._clock()
            self._counts["last_failure"] = why
            self._failed_since_commit = self._monotonic()

    def committed(
        self,
        *,
        accepted: int,
        rejected: int,
        commit_s: float,
        latencies_s: Sequence[float],
        refusals: Mapping[str, int],
    ) -> None:
        """A transaction is durable, and its requests are about to be acknowledged.

        Args:
            accepted, rejected: spans of its requests.
            commit_s: duration of the transaction.
            latencies_s: one per request, from its admission.
            refusals: spans by reason.
        """
        waited = np.array(latencies_s)
        buckets = np.bincount(np.searchsorted(_BOUNDS, waited), minlength=_BUCKETS)
        at = self._clock()
        with self._lock:
            self._counts["commits"] += 1
            self._counts["commits_s"] += commit_s
            self._counts["accepted_spans"] += accepted
            self._counts["rejected_spans"] += rejected
            self._counts |= {
                "last_commit_at": at,
                "last_commit_spans": accepted,
                "commit_ms": commit_s * 1e3,
                "acknowledge_ms": max(latencies_s, default=0.0) * 1e3,
            }
            if accepted:  # without spans nothing was written, which proves nothing
                self._failed_since_commit = None
            self._latency_counts += buckets
            self._latency_sum_s += float(waited.sum())
            slot = self._slots[self._advance() % SLOTS]
            slot[_SPANS] += accepted
            slot[_FIRST_BUCKET:] += buckets
            for reason, spans in refusals.items():
                self._refuse(reason, spans, at)

    # --- what others read -------------------------------------------------------------------------------

    def status(self, *, queued_bytes: int = 0, max_queued_bytes: int = 0) -> IngestStatus:
        """Counters as of now; the queue is the committer's, which says how full it is."""
        with self._lock:
            return IngestStatus(**self._counts | {"queued_bytes": queued_bytes, "max_queued_bytes": max_queued_bytes})

    def problem(self) -> str:
        """Why spans cannot be stored just now; empty when they can, or may be able to."""
        with self._lock:
            failed = self._failed_since_commit
            failing = failed is not None and self._monotonic() - failed < FAILING_S
            return str(self._counts["last_failure"]) if failing else ""

    def refused(self) -> tuple[RefusedSpans, ...]:
        """Refused spans by reason, most first."""
        with self._lock:
            return tuple(sorted(self._refused.values(), key=lambda one: (-one.spans, one.reason)))

    def http_answers(self) -> dict[int, int]:
        """Answers of the HTTP receiver by status."""
        with self._lock:
            return dict(sorted(self._http_answers.items()))

    def grpc_answers(self) -> dict[str, int]:
        """Answers of the gRPC receiver by the name of their status."""
        with self._lock:
            return dict(sorted(self._grpc_answers.items()))

    def latencies(self) -> Latencies:
        """All acknowledgements since the start."""
        with self._lock:
            return Latencies(tuple(self._latency_counts.tolist()), self._latency_sum_s)

    def recent(self, length_s: float) -> RecentIngest:
        """The last minute or hour, to the slot: up to ten seconds more than asked for."""
        slots = round(length_s / SLOT_S)
        with self._lock:
            newest = self._advance()
            elapsed_s = self._monotonic() - self._started
            rows = self._slots[np.arange(max(0, newest - slots), newest + 1) % SLOTS]
        totals = rows.sum(axis=0)
        seconds = min(elapsed_s, slots * SLOT_S + elapsed_s % SLOT_S)
        return RecentIngest(seconds, int(totals[_SPANS]), Latencies(tuple(totals[_FIRST_BUCKET:].tolist())))

    def spans_by_minute(self) -> tuple[int, ...]:
        """Accepted spans in each minute of the last hour, counted back from now to the slot, oldest first.

        Only whole minutes, so there are fewer of them while the process is young.
        """
        per_minute = round(60 / SLOT_S)
        with self._lock:
            newest = self._advance()
            minutes = min(60, newest // per_minute)
            spans = self._slots[np.arange(newest - minutes * per_minute, newest) % SLOTS, _SPANS]
        return tuple(spans.reshape(minutes, per_minute).sum(axis=1).tolist())

    # --- within the lock --------------------------------------------------------------------------------

    def _refuse(self, reason: str, spans: int, at: float) -> None:
        name = reason[:MAX_REASON_LENGTH]
        if name not in self._refused and len(self._refused) >= MAX_REASONS:
            name = OTHER_REASONS
        before = self._refused.get(name, RefusedSpans(name, 0, at, at))
        self._refused[name] = replace(before, spans=before.spans + spans, last_at=at)

    def _advance(self) -> int:
        """The number of the slot of now; slots in which nothing happened are emptied on the way."""
        slot = int((self._monotonic() - self._started) // SLOT_S)
        skipped = min(slot - self._newest_slot, SLOTS)
        if skipped > 0:
            self._slots[np.arange(slot - skipped + 1, slot + 1) % SLOTS] = 0
            self._newest_slot = slot
        return slot
