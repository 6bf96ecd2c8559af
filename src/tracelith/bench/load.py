"""The load: OTLP/gRPC exports to any receiver, in one of two ways.

*As fast as it goes*: a bounded number of requests is under way, and the next leaves when one is acknowledged. It finds
the highest rate; its latencies only say how long the queue was.

*Steady*: requests are due at fixed times, whatever became of the ones before, as exporters of a fleet send them.
Latency counts from the moment a request was due, so that a receiver that stalls is charged for every request it made
late, not only for the one it answered late ("coordinated omission").
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc

from tracelith.bench.latencies import Latencies, LatencyFigures
from tracelith.bench.payloads import SPANS_PER_TRACE, TRACE_SPACING_NS, BatchMaker, PayloadShape, build_template
from tracelith.ingest.otlp_grpc import EXPORT

__all__ = ["EXPORT", "LoadFigures", "LoadMeter", "LoadPlan", "Progress", "send_load"]


CALL_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 10.0
LOOK_EVERY_S = 0.5
REFUSAL_LENGTH = 300
LONGEST_BATCH_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to send.

    Attributes:
        batch: spans per request. in_flight: requests under way at once, at most, also of a steady load.
        spans: how many as fast as it goes; not used with a rate.
        rate: spans per second of a steady load, which lasts duration_s; None for as fast as it goes.
    """

    batch: int
    in_flight: int
    gzip: bool = False
    spans: int = 1_000_000
    rate: int | None = None
    duration_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of the load so far: spans but for refused_requests, seconds since its begin."""

    elapsed_s: float
    sent_spans: int
    acknowledged_spans: int
    refused_requests: int


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """What the sender saw of the whole load.

    Attributes:
        unsent_spans: of a steady load, spans that were due and not sent, because too many requests were under way.
        refused_requests: answered with an error, or not within a minute. They are not sent again.
        last_refusal: the error of the last of them; empty without one.
        sender_cpu_seconds_per_million: of the sending process, which shares the machine with the receiver.
    """

    acknowledged_spans: int
    unsent_spans: int
    refused_requests: int
    last_refusal: str
    seconds: float
    spans_per_second: int
    acknowledge_ms: LatencyFigures
    payload: PayloadShape
    in_flight: int
    gzip: bool
    rate: int | None
    sender_cpu_seconds_per_million: float


class LoadMeter:
    """Counts what is sent and acknowledged, while other threads look on; its memory does not grow with the load."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started_at = time.perf_counter()
        self._latencies = Latencies()
        self._seen = self._latencies.counts.copy()
        self._sent_spans = 0
        self._acknowledged: Counter[int] = Counter()
        self._refused_requests = 0
        self._last_refusal = ""
        self._stopping = threading.Event()

    def progress(self) -> Progress:
        """Counts as of now."""
        with self._lock:
            elapsed_s = time.perf_counter() - self._started_at
            return Progress(elapsed_s, self._sent_spans, self._acknowledged.total(), self._refused_requests)

    def latencies(self) -> LatencyFigures:
        """Figures of all requests acknowledged so far."""
        with self._lock:
            return self._latencies.figures()

    def recent_latencies(self) -> LatencyFigures:
        """Figures of the requests acknowledged since this was last asked."""
        with self._lock:
            figures = self._latencies.figures(self._seen)
            self._seen = self._latencies.counts.copy()
            return figures

    def acknowledged_by_window(self) -> Mapping[int, int]:
        """Acknowledged spans by the window of analysis in which they start."""
        with self._lock:
            return dict(self._acknowledged)

    @property
    def last_refusal(self) -> str:
        """The error of the last refused request; empty without one."""
        with self._lock:
            return self._last_refusal

    @property
    def stopping(self) -> bool:
        """Whether the load shall end early."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Ends the load early: nothing more is sent."""
        self._stopping.set()

    def start(self) -> None:
        """Begins to count time."""
        with self._lock:
            self._started_at = time.perf_counter()

    def sent(self, spans: int) -> None:
        """Counts one request."""
        with self._lock:
            self._sent_spans += spans

    def acknowledged(self, spans_by_window: tuple[tuple[int, int], ...], latency_ms: float) -> None:
        """Counts the spans of one request as acknowledged."""
        with self._lock:
            for window, spans in spans_by_window:
                self._acknowledged[window] += spans
            self._latencies.add(latency_ms)

    def refused(self, error: str) -> None:
        """Counts one request as refused."""
        with self._lock:
            self._refused_requests += 1
            self._last_refusal = error


def send_load(address: str, plan: LoadPlan, meter: LoadMeter | None = None) -> LoadFigures:
    """Sends the load and waits for the last answer.

    Args:
        address: host:port of any OTLP/gRPC receiver.
        meter: what to count with; others may look at it meanwhile, and stop it.

    Raises:
        grpc.FutureTimeoutError: nobody listens at the address.
    """
    meter = meter or LoadMeter()
    with ThreadPoolExecutor(1, thread_name_prefix="bench-send") as sending:
        result = sending.submit(_send_load, address, plan, meter)
        try:
            return result.result()
        except BaseException:
            meter.stop()
            raise


def _send_load(address: str, plan: LoadPlan, meter: LoadMeter) -> LoadFigures:
    """In a thread of its own: an interrupt that hits gRPC while it begins a call leaves a channel that never closes."""
    maker = BatchMaker(build_template(plan.batch, start_ns=time.time_ns(), trace_spacing_ns=_trace_spacing_ns(plan)))
    compression = grpc.Compression.Gzip if plan.gzip else grpc.Compression.NoCompression
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(address, options=options, compression=compression) as channel:
        grpc.channel_ready_future(channel).result(timeout=CONNECT_TIMEOUT_S)
        sender = _Sender(channel, maker, meter, plan.in_flight)
        cpu_s = time.process_time()
        unsent = sender.send_all(plan.spans) if plan.rate is None else sender.send_steadily(plan.rate, plan.duration_s)
        cpu_s = time.process_time() - cpu_s
    return _figures(plan, maker.shape, meter, unsent, cpu_s)


def _trace_spacing_ns(plan: LoadPlan) -> int:
    """Traces of a steady load begin as far apart as they would in a system that makes them at this rate."""
    if plan.rate is None:
        return TRACE_SPACING_NS
    traces = max(1, plan.batch // SPANS_PER_TRACE)
    return max(1, min(LONGEST_BATCH_NS, int(plan.batch / plan.rate * 1e9)) // traces)


def _figures(plan: LoadPlan, shape: PayloadShape, meter: LoadMeter, unsent: int, cpu_s: float) -> LoadFigures:
    done = meter.progress()
    return LoadFigures(
        acknowledged_spans=done.acknowledged_spans,
        unsent_spans=unsent,
        refused_requests=done.refused_requests,
        last_refusal=meter.last_refusal,
        seconds=round(done.elapsed_s, 3),
        spans_per_second=round(done.acknowledged_spans / done.elapsed_s),
        acknowledge_ms=meter.latencies(),
        payload=shape,
        in_flight=plan.in_flight,
        gzip=plan.gzip,
        rate=plan.rate,
        sender_cpu_seconds_per_million=round(cpu_s / max(1, done.sent_spans) * 1e6, 2),
    )


class _Sender:
    """Sends batches of the present time, a bounded number of them under way."""

    def __init__(self, channel: grpc.Channel, maker: BatchMaker, meter: LoadMeter, in_flight: int) -> None:
        self._export = channel.unary_unary(EXPORT)
        self._maker = maker
        self._meter = meter
        self._in_flight = in_flight
        self._slots = threading.Semaphore(in_flight)

    def send_all(self, spans: int) -> int:
        """Sends about that many spans as fast as it goes; nothing is ever due and not sent."""
        self._meter.start()
        for _ in range(max(1, round(spans / self._maker.shape.spans))):
            self._slots.acquire()
            if self._meter.stopping:
                self._slots.release()
                break
            self._send(time.perf_counter())
        self._await_answers()
        return 0

    def send_steadily(self, rate: int, duration_s: float) -> int:
        """Sends that many spans a second for that long; returns how many were due and not sent."""
        spans = self._maker.shape.spans
        requests = max(1, round(duration_s * rate / spans))
        self._meter.start()
        started = time.perf_counter()
        sent = 0
        for number in range(requests):
            due = started + number * spans / rate
            if not self._wait_until(due, started + duration_s):
                break
            self._send(due)
            sent += 1
        self._await_answers()
        return 0 if self._meter.stopping else (requests - sent) * spans

    def _wait_until(self, due: float, end: float) -> bool:
        """Waits for the moment and for a free slot; False if the load ended meanwhile."""
        while (left := due - time.perf_counter()) > 0:
            if self._meter.stopping:
                return False
            time.sleep(min(left, LOOK_EVERY_S))
        while not self._slots.acquire(timeout=LOOK_EVERY_S):
            if self._meter.stopping or time.perf_counter() > end:
                return False
        if time.perf_counter() > end + LOOK_EVERY_S:
            self._slots.release()
            return False
        return True

    def _send(self, due: float) -> None:
        batch = self._maker.make(time.time_ns() - self._maker.spread_ns)

        def finished(call: grpc.Future) -> None:
            error = call.exception()
            if error is None:
                self._meter.acknowledged(batch.spans_by_window, (time.perf_counter() - due) * 1e3)
            else:
                self._meter.refused(f"{call.code().name}: {call.details()}"[:REFUSAL_LENGTH])
            self._slots.release()

        call = self._export.future(batch.body, timeout=CALL_TIMEOUT_S)
        self._meter.sent(self._maker.shape.spans)
        call.add_done_callback(finished)

    def _await_answers(self) -> None:
        for _ in range(self._in_flight):
            self._slots.acquire()
