"""The load against a receiver whose behaviour is known: what it says of rate, latency and refusals is so."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tracelith.bench.load import LoadMeter, LoadPlan, send_load

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
ANSWER = ExportTraceServiceResponse().SerializeToString()


@contextmanager
def receiver(answer: Callable[[grpc.ServicerContext], bytes]) -> Iterator[str]:
    """An OTLP/gRPC receiver that answers as told."""
    server = grpc.server(ThreadPoolExecutor(4))
    export = grpc.unary_unary_rpc_method_handler(lambda _body, context: answer(context))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Export": export}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def test_as_fast_as_it_goes_sends_what_was_asked_for_and_counts_what_was_acknowledged() -> None:
    with receiver(lambda _: ANSWER) as address:
        figures = send_load(address, LoadPlan(batch=64, in_flight=4, spans=1_000))

    assert figures.acknowledged_spans == 1_024
    assert figures.refused_requests == figures.unsent_spans == 0
    assert figures.payload.spans == 64
    assert figures.acknowledge_ms.p50 is not None


def test_refused_requests_are_no_acknowledged_spans_and_the_last_reason_is_kept() -> None:
    def refuse(context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.UNAVAILABLE, "come again")

    with receiver(refuse) as address:
        figures = send_load(address, LoadPlan(batch=64, in_flight=4, spans=640))

    assert figures.acknowledged_spans == 0
    assert figures.refused_requests == 10
    assert figures.last_refusal == "UNAVAILABLE: come again"
    assert figures.acknowledge_ms.p99 is None


def test_a_steady_load_charges_a_receiver_that_stalls_for_every_request_that_was_due_meanwhile() -> None:
    stalled = threading.Event()

    def stall_once(_: grpc.ServicerContext) -> bytes:
        if not stalled.is_set():
            stalled.set()
            time.sleep(1.0)
        return ANSWER

    # One request may be under way: while the first one stalls, nine more become due and cannot even be sent.
    with receiver(stall_once) as address:
        figures = send_load(address, LoadPlan(batch=64, in_flight=1, rate=640, duration_s=1.5))

    assert figures.acknowledged_spans == 15 * 64
    assert figures.acknowledge_ms.p50 is not None
    assert figures.acknowledge_ms.p99 is not None
    assert figures.acknowledge_ms.p99 >= 1_000
    # From the moment of sending one of fifteen would be slow; from the moment due, two thirds are.
    assert figures.acknowledge_ms.p50 >= 100


def test_what_a_steady_load_cannot_send_in_its_time_is_said() -> None:
    def slow(_: grpc.ServicerContext) -> bytes:
        time.sleep(0.4)
        return ANSWER

    with receiver(slow) as address:
        figures = send_load(address, LoadPlan(batch=64, in_flight=1, rate=6_400, duration_s=1.0))

    assert figures.unsent_spans > 0
    assert figures.acknowledged_spans + figures.unsent_spans == 6_400


def test_a_load_that_is_stopped_ends_and_waits_for_the_answers_under_way() -> None:
    meter = LoadMeter()
    threading.Timer(0.5, meter.stop).start()

    with receiver(lambda _: ANSWER) as address:
        figures = send_load(address, LoadPlan(batch=64, in_flight=4, rate=640, duration_s=600.0), meter)

    assert figures.seconds < 60
    assert figures.acknowledged_spans == meter.progress().sent_spans > 0


def test_an_address_where_nobody_listens_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelith.bench.load.CONNECT_TIMEOUT_S", 0.5)

    with pytest.raises(grpc.FutureTimeoutError):
        send_load("127.0.0.1:1", LoadPlan(batch=64, in_flight=4, spans=640))


def test_an_interrupt_ends_the_load_whatever_is_being_sent_at_that_moment() -> None:
    """A call that is interrupted while gRPC begins it would keep its channel from ever closing."""
    interrupts: list[float] = []

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        interrupts.append(time.monotonic())
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with receiver(lambda _: ANSWER) as address:
            for round_ in range(40):
                signal.setitimer(
                    signal.ITIMER_REAL, 0.05 + round_ * 0.0037, 10.0
                )  # again later: a hang is no wait for ever
                with pytest.raises(KeyboardInterrupt):
                    send_load(address, LoadPlan(batch=8, in_flight=64, spans=100_000_000))
                signal.setitimer(signal.ITIMER_REAL, 0.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)

    assert len(interrupts) == 40
