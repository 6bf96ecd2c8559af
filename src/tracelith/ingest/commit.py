"""The way of a request to disk: admitted, decoded together with its neighbours, committed, then acknowledged.

Two stages, each a thread, joined by queues whose total size in bytes is bounded:

    submit ──▶ pending ──▶ decode + describe ──▶ described ──▶ intern + one transaction ──▶ futures resolve

Neither stage waits for more work than there is: whatever arrived while the previous group was in the making
becomes the next group. So one request alone is committed at once, and under load many requests share a
commit without a timer to tune. A process pool for decoding was the alternative; decoding releases the
interpreter lock anyway, and handing frames between processes costs more than it wins.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import polars as pl

from tracelith.ingest.decode import DecodedRequests, decode_requests
from tracelith.ingest.describe import DescribedSpans, describe
from tracelith.ingest.intern import Interner
from tracelith.ingest.kept_times import KeptTimes, refuse_other_times
from tracelith.ingest.limits import Cardinality, TextLimits
from tracelith.ingest.otlp_json import decode_json_requests
from tracelith.ingest.status import IngestMeter, IngestStatus
from tracelith.model.errors import InvalidRequest, Overloaded, StoreError
from tracelith.model.schema import InternedBatch, RawSpans, UnusedTexts

__all__ = ["Encoding", "GroupCommitter", "Receipt", "SpanSink", "SpanWriter"]

log = logging.getLogger(__name__)

Encoding = Literal["protobuf", "json"]

MAX_QUEUED_BYTES = 64 << 20
"""Bodies admitted and not yet acknowledged. Decoded frames are about three times that size."""

MAX_GROUP_BYTES = 16 << 20
"""Bodies decoded in one go, about 50,000 spans. Measured with batches of 8,192 spans: 4 MiB, which holds one of them,
costs 7.0 CPU seconds per million spans, 12 MiB 4.4, 24 MiB 3.8; under light load groups are small anyway."""

RETRY_AFTER_S = 1.0


class SpanSink(Protocol):
    """What committing needs of a store."""

    def append(self, batches: Sequence[InternedBatch]) -> int:
        """Stores all batches in one durable transaction."""
        ...

    def resources(self) -> pl.DataFrame:
        """Every RESOURCE row there is."""
        ...

    def operations(self) -> pl.DataFrame:
        """Every OPERATION row there is."""
        ...

    def drop_unused_texts(self) -> UnusedTexts | None:
        """Rows of resources and operations deleted just now, as no span used them; None most of the time."""
        ...

    def record_refusals(self, reasons: Mapping[str, int]) -> None:
        """Adds to the count of refused spans per reason."""
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one request after its commit.

    Attributes:
        accepted: spans now durable. rejected: spans refused. reason: why, for the sender; empty without refusals.
    """

    accepted: int
    rejected: int
    reason: str


class SpanWriter:
    """Interns and stores described spans; keeps the code tables in step with the store. Not thread safe."""

    def __init__(self, sink: SpanSink) -> None:
        self._sink = sink
        self._limits = TextLimits()
        self._interner = Interner(sink.resources(), sink.operations(), self._limits)
        self._folded = Counter[tuple[str, str]]()

    def write(self, groups: Sequence[DescribedSpans]) -> None:
        """Stores the groups in one transaction.

        Raises:
            StoreError: nothing of the groups is stored; writing again is safe.
        """
        try:
            if unused := self._sink.drop_unused_texts():
                self._interner.forget(unused)
            batches = [
                replace(self._interner.intern(group), details=group.details) for group in groups if group.spans.height
            ]
            if batches:
                self._sink.append(batches)
                self._folded.update(self._interner.take_folded())
        except BaseException:
            # Codes handed out for rows that were rolled back must not be used again for rows never stored.
            self._interner = Interner(self._sink.resources(), self._sink.operations(), self._limits)
            raise

    def cardinality(self) -> Cardinality:
        """How full the tables of texts are, and what no longer fitted; may be asked from any thread."""
        return Cardinality(self._interner.operations, self._interner.resources, dict(self._folded))


@dataclass(frozen=True, slots=True)
class _Pending:
    body: bytes
    encoding: Encoding
    future: "Future[Receipt]"
    admitted_at: float


@dataclass(frozen=True, slots=True)
class _Taking:
    """What of the requests is taken."""

    keep_attributes: bool
    times: KeptTimes | None


@dataclass(frozen=True, slots=True)
class _Described:
    spans: DescribedSpans
    settled: tuple[tuple[_Pending, Receipt], ...]
    refusals: Mapping[str, int]
    taking: _Taking


class GroupCommitter:
    """Takes OTLP bodies from any thread and promises a Receipt that is kept only after the commit.

    Attributes:
        meter: what was received lately and how fast.
    """

    def __init__(
        self,
        sink: SpanSink,
        *,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
        keep_attributes: bool = False,
        times: Callable[[], KeptTimes] | None = None,
    ) -> None:
        """Starts decoding and committing.

        Args:
            sink: the store. max_queued_bytes: bound of the queue. keep_attributes: store the details of spans, too.
            times: which start times to take, asked for every group; by default any.
        """
        self.meter = IngestMeter()
        self._sink = sink
        self._writer = SpanWriter(sink)
        self._max_queued_bytes = max_queued_bytes
        self._keep_attributes = keep_attributes
        self._times = times
        self._changed = threading.Condition()
        self._pending: deque[_Pending] = deque()
        self._described: deque[_Described] = deque()
        self._queued_bytes = 0
        self._stopping = False
        self._decoding = False
        self._threads = [
            threading.Thread(target=self._decode_forever, name="ingest-decode", daemon=True),
            threading.Thread(target=self._commit_forever, name="ingest-commit", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, body: bytes, encoding: Encoding) -> "Future[Receipt]":
        """A promise of a Receipt; it resolves when the spans are durable.

        The future fails with InvalidRequest (the body is not OTLP) or StoreError (not stored, try again).

        Raises:
            Overloaded: the queue is full, or the committer is stopping. Nothing was taken.
        """
        with self._changed:
            queued = self._queued_bytes
            # A body larger than the whole queue is still taken when the queue is empty: it would never fit otherwise.
            if self._stopping or (queued and queued + len(body) > self._max_queued_bytes):
                self.meter.overloaded()
                why = "shutting down" if self._stopping else f"{queued:,} bytes wait for their commit"
                raise Overloaded(f"{why}; send again later", retry_after_s=RETRY_AFTER_S)
            pending = _Pending(body, encoding, Future(), time.monotonic())
            # From here on a sender that goes away cannot cancel the work, only stop listening.
            pending.future.set_running_or_notify_cancel()
            self._pending.append(pending)
            self._queued_bytes += len(body)
            self.meter.admitted()
            self._changed.notify_all()
        return pending.future

    def status(self) -> IngestStatus:
        """Counters as of now."""
        return self.meter.status(queued_bytes=self._queued_bytes, max_queued_bytes=self._max_queued_bytes)

    def cardinality(self) -> Cardinality:
        """Different texts known, and what of a flood of them was folded."""
        return self._writer.cardinality()

    def stop(self, timeout_s: float = 30.0) -> bool:
        """Commits and acknowledges everything admitted, then ends; False if that took longer than timeout_s."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    # --- decoding ------------------------------------------------------------------------------------

    def _decode_forever(self) -> None:
        while group := self._next_pending():
            taking = _Taking(self._keep_attributes, self._times() if self._times else None)
            described, failed = _describe_group(group, taking)
            for pending, error in failed:
                self._settle_failure(pending, error)
            with self._changed:
                self._described.extend(described)
                self._decoding = False
                self._changed.notify_all()

    def _next_pending(self) -> list[_Pending]:
        with self._changed:
            # Not while a group still waits for the committer: this one could only wait, too; meanwhile it grows.
            self._changed.wait_for(lambda: not self._described if self._pending else self._stopping)
            group: list[_Pending] = []
            group_bytes = 0
            while self._pending and (not group or group_bytes + len(self._pending[0].body) <= MAX_GROUP_BYTES):
                group.append(self._pending.popleft())
                group_bytes += len(group[-1].body)
            self._decoding = bool(group)
            return group

    # --- committing ----------------------------------------------------------------------------------

    def _commit_forever(self) -> None:
        while groups := self._next_described():
            self._commit(groups)

    def _commit(self, groups: Sequence[_Described]) -> None:
        """Commits the groups in one transaction, or by a defect each of their requests in its own."""
        started = time.monotonic()
        refusals = sum((Counter(group.refusals) for group in groups), Counter[str]())
        try:
            self._writer.write([group.spans for group in groups])
            if refusals:
                self._sink.record_refusals(refusals)
        except BaseException as error:  # also a panic of native code: this thread must live on
            # A StoreError says itself what happened and what to do; anything else is a defect of ours.
            log.error("commit failed: %s", error, exc_info=not isinstance(error, StoreError))
            self.meter.failed_commit(_why(error))
            requests = [(pending, group.taking) for group in groups for pending, _ in group.settled]
            if isinstance(error, StoreError) or len(requests) == 1:
                for pending, _ in requests:
                    self._settle_failure(pending, _as_exception(error))
            else:  # one of them brings the defect about; its neighbours must not share its answer, which is final
                for pending, taking in requests:
                    self._commit_alone(pending, taking)
        else:
            self._settle(groups, started, refusals)

    def _commit_alone(self, pending: _Pending, taking: _Taking) -> None:
        described, failed = _describe_group([pending], taking)
        for _, error in failed:
            self._settle_failure(pending, error)
        if described:
            self._commit(described)

    def _next_described(self) -> list[_Described]:
        with self._changed:
            self._changed.wait_for(lambda: self._described or self._finished())
            groups = list(self._described)
            self._described.clear()
            self._changed.notify_all()
            return groups

    def _finished(self) -> bool:
        return self._stopping and not self._pending and not self._decoding

    def _settle(self, groups: Sequence[_Described], started: float, refusals: Mapping[str, int]) -> None:
        now = time.monotonic()
        settled = [pair for group in groups for pair in group.settled]
        with self._changed:
            self._queued_bytes -= sum(len(pending.body) for pending, _ in settled)
        self.meter.committed(
            accepted=sum(receipt.accepted for _, receipt in settled),
            rejected=sum(receipt.rejected for _, receipt in settled),
            commit_s=now - started,
            latencies_s=[now - pending.admitted_at for pending, _ in settled],
            refusals=refusals,
        )
        for pending, receipt in settled:
            pending.future.set_result(receipt)

    def _settle_failure(self, pending: _Pending, error: Exception) -> None:
        with self._changed:
            self._queued_bytes -= len(pending.body)
        if isinstance(error, InvalidRequest):
            self.meter.invalid_request()
        else:
            self.meter.failed_request()
        pending.future.set_exception(error)


Failed = tuple[_Pending, Exception]


def _describe_group(group: Sequence[_Pending], taking: _Taking) -> tuple[list[_Described], list[Failed]]:
    """The group's spans, described, and the requests that could not be; each of those fails alone."""
    try:
        return _describe(group, taking)
    except BaseException as error:  # also a panic of native code: the thread that decodes must live on
        if len(group) > 1:
            alone = [_describe_group([pending], taking) for pending in group]
            return [one for described, _ in alone for one in described], [one for _, failed in alone for one in failed]
        log.exception("decoding failed", extra={"bytes": len(group[0].body), "encoding": group[0].encoding})
        return [], [(group[0], _as_exception(error))]


def _describe(group: Sequence[_Pending], taking: _Taking) -> tuple[list[_Described], list[Failed]]:
    described, failed = list[_Described](), list[Failed]()
    for decode, encoding in ((decode_json_requests, "json"), (decode_requests, "protobuf")):
        if same := [pending for pending in group if pending.encoding == encoding]:
            decoded = decode([pending.body for pending in same], keep_attributes=taking.keep_attributes)
            taken = refuse_other_times(decoded, taking.times) if taking.times else decoded
            described.append(_settled(same, taken, failed, taking))
    return described, failed


def _settled(group: Sequence[_Pending], decoded: DecodedRequests, failed: list[Failed], taking: _Taking) -> _Described:
    settled = []
    for pending, verdict in zip(group, decoded.verdicts, strict=True):
        if verdict.error is not None:
            failed.append((pending, verdict.error))
        else:
            settled.append((pending, Receipt(verdict.accepted, verdict.rejected, verdict.reason)))
    return _Described(describe(decoded.raw), tuple(settled), _refusals(decoded.raw), taking)


def _why(error: BaseException) -> str:
    """For pages and probes: our own sentence, or which kind of error; its text may be what a sender wrote."""
    if isinstance(error, StoreError):
        return str(error)
    return f"a defect of Tracelith ({type(error).__name__}); the log says more"


def _as_exception(error: BaseException) -> Exception:
    """The error as one that handlers of exceptions see; native code that panics raises no Exception."""
    return error if isinstance(error, Exception) else RuntimeError(f"native code panicked: {error}")


def _refusals(raw: RawSpans) -> Counter[str]:
    counts = Counter[str]()
    for rejection in raw.rejections:
        counts[rejection.reason] += rejection.spans
    return counts
