"""Clients that are slow, half gone, many or speak something else: others are served meanwhile, and nothing is left."""

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from google.rpc.status_pb2 import Status

from otlp import EXPORT, export_request, span
from tracelith.http_server import HttpServer
from tracelith.ingest.commit import GroupCommitter
from tracelith.ingest.otlp_grpc import GrpcReceiver
from tracelith.ingest.otlp_http import create_otlp_app
from tracelith.store import Store

PROTOBUF = {"Content-Type": "application/x-protobuf"}
MAX_BYTES = 1 << 20
PATIENCE_S = 15.0
SERVED_WITHIN_S = 3.0
BODY = export_request([span(trace=1, id=1)])
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(200)
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
PING = bytes.fromhex("000008060000000000") + bytes(8)


@pytest.fixture
def committer(tmp_path: Path) -> Iterator[GroupCommitter]:
    with Store.open(tmp_path / "spans.duckdb") as store:
        running = GroupCommitter(store)
        yield running
        running.stop()


@pytest.fixture
def http(committer: GroupCommitter, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A receiver that has a second where the real one has ten or thirty."""
    for name in ("HEAD_TIMEOUT_S", "UNREAD_TIMEOUT_S"):
        monkeypatch.setattr(f"tracelith.http_server.{name}", 1.0)
    monkeypatch.setattr("tracelith.ingest.otlp_http.RECEIVE_TIMEOUT_S", 1.0)
    server = HttpServer(create_otlp_app(committer.submit, max_body_bytes=MAX_BYTES), "127.0.0.1:0", option="--http")
    yield server.address
    server.stop()


@pytest.fixture
def rpc(committer: GroupCommitter, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("tracelith.ingest.otlp_grpc.RECEIVE_TIMEOUT_S", 1.0)
    receiver = GrpcReceiver(committer.submit, "127.0.0.1:0", max_message_bytes=MAX_BYTES)
    yield receiver.address
    receiver.stop()


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_S)


def head(size: int, path: str = "/v1/traces") -> bytes:
    lines = f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/x-protobuf", f"Content-Length: {size}"
    return "\r\n".join((*lines, "", "")).encode()


def read_to_end(connection: socket.socket) -> bytes:
    """What the server sends until it closes; a timeout of the socket if it never does."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            answer += piece
    return answer


def is_served(send: Callable[[], object]) -> bool:
    started = time.monotonic()
    send()
    return time.monotonic() - started < SERVED_WITHIN_S


def post(address: str) -> None:
    assert httpx.post(f"http://{address}/v1/traces", content=BODY, headers=PROTOBUF).status_code == 200


def call(address: str) -> None:
    with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        assert channel.unary_unary(EXPORT)(BODY, timeout=PATIENCE_S) == b""


def wait_until(reached: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.05)
    return reached()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - Path.iterdir opens one itself


# --- HTTP ----------------------------------------------------------------------------------------------------------


def test_a_head_that_comes_byte_by_byte_is_cut_off(http: str) -> None:
    started = time.monotonic()
    with connect(http) as slow, contextlib.suppress(ConnectionError):
        for byte in head(9) * 10:
            slow.sendall(bytes([byte]))
            time.sleep(0.1)

    assert time.monotonic() - started < 5


def test_a_body_that_comes_byte_by_byte_is_408(http: str) -> None:
    with connect(http) as slow:
        slow.sendall(head(1_000))
        for _ in range(5):
            slow.sendall(b"\x0a")
            time.sleep(0.1)

        answer = read_to_end(slow)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert Status.FromString(answer.partition(b"\r\n\r\n")[2]).code == 4
    assert b"connection: close" in answer.lower()


def test_a_refused_body_that_never_ends_is_cut_off_after_the_answer(http: str) -> None:
    with connect(http) as slow:
        slow.sendall(head(9, path="/v1/traces").replace(b"x-protobuf", b"x-other"))

        answer = read_to_end(slow)

    assert answer.startswith(b"HTTP/1.1 415 ")


def test_hundreds_of_idle_connections_keep_nobody_from_being_served_and_are_closed(http: str) -> None:
    post(http)
    before = open_files()
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(http)) for _ in range(400)]

        assert is_served(lambda: post(http))

        assert all(read_to_end(connection) == b"" for connection in idle)
    assert wait_until(lambda: open_files() <= before)


def test_connections_beyond_the_limit_are_closed_and_make_room_when_others_go(
    http: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracelith.http_server.MAX_CONNECTIONS", 5)
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(connect(http)) for _ in range(5)]
        taken[0].sendall(head(len(BODY))[:9])
        time.sleep(0.2)
        started = time.monotonic()
        with connect(http) as further:
            assert read_to_end(further) == b""
            assert time.monotonic() - started < 0.5

    post(http)


def test_who_closes_its_own_direction_still_gets_the_answer(http: str) -> None:
    with connect(http) as half:
        half.sendall(head(len(BODY)) + BODY)
        half.shutdown(socket.SHUT_WR)

        answer = read_to_end(half)

    assert answer.startswith(b"HTTP/1.1 200 ")


def test_who_closes_in_the_middle_of_a_body_leaves_nothing(http: str, committer: GroupCommitter) -> None:
    post(http)
    before, threads = open_files(), threading.active_count()
    for _ in range(50):
        with connect(http) as gone:
            gone.sendall(head(1_000) + b"\x0a")
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end

    assert is_served(lambda: post(http))
    assert wait_until(lambda: open_files() <= before)
    assert threading.active_count() <= threads
    assert committer.status().queued_bytes == 0


def test_bodies_that_are_too_many_bytes_together_are_sent_away_until_others_have_gone(
    http: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracelith.ingest.otlp_http.RECEIVE_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr("tracelith.ingest.otlp_http.MAX_RECEIVING_BYTES", 0)  # so it is twice the largest body
    with contextlib.ExitStack() as senders:
        for _ in range(2):
            senders.enter_context(connect(http)).sendall(head(MAX_BYTES) + bytes(MAX_BYTES - 1))

        third = bytes(MAX_BYTES - 1)
        assert wait_until(
            lambda: httpx.post(f"http://{http}/v1/traces", content=third, headers=PROTOBUF).status_code == 503
        )
        answer = httpx.post(f"http://{http}/v1/traces", content=third, headers=PROTOBUF)

    assert answer.headers["retry-after"] == "1"
    assert "are being received" in Status.FromString(answer.content).message
    assert is_served(lambda: post(http))


def test_who_sends_on_and_never_reads_an_answer_is_dropped(http: str) -> None:
    request = b"GET /nothing-here HTTP/1.1\r\nHost: x\r\n\r\n" * 500
    with connect(http) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(0.5)
        dropped = False
        deadline = time.monotonic() + PATIENCE_S
        while not dropped and time.monotonic() < deadline:
            try:
                deaf.sendall(request)
            except TimeoutError:
                assert is_served(lambda: post(http))
            except OSError:
                dropped = True

    assert dropped


# --- gRPC ----------------------------------------------------------------------------------------------------------


def test_calls_whose_message_never_comes_are_cancelled_and_others_served_afterwards(rpc: str) -> None:
    wait = threading.Event()

    def never() -> Iterator[bytes]:
        wait.wait(PATIENCE_S)
        yield from ()

    with grpc.insecure_channel(rpc) as channel:
        calls = [channel.stream_unary(EXPORT).future(never()) for _ in range(100)]

        codes = {one.exception(timeout=PATIENCE_S).code() for one in calls}
        wait.set()

    assert grpc.StatusCode.CANCELLED in codes
    assert codes <= {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}
    assert is_served(lambda: call(rpc))


def test_of_messages_that_are_received_no_more_than_there_are_turns_are_under_way(
    committer: GroupCommitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracelith.ingest.otlp_grpc.MAX_RECEIVING_BYTES", 5 * MAX_BYTES)
    monkeypatch.setattr("tracelith.ingest.otlp_grpc.TURN_TIMEOUT_S", 0.1)
    receiver = GrpcReceiver(committer.submit, "127.0.0.1:0", max_message_bytes=MAX_BYTES)
    came = threading.Event()

    def late() -> Iterator[bytes]:
        came.wait(PATIENCE_S)
        yield BODY

    with grpc.insecure_channel(receiver.address) as channel:
        calls = [channel.stream_unary(EXPORT).future(late()) for _ in range(8)]
        assert wait_until(lambda: sum(one.done() for one in calls) >= 3)
        came.set()
        codes = [one.code() for one in calls]
    receiver.stop()

    assert sorted(code.name for code in codes) == ["OK"] * 5 + ["UNAVAILABLE"] * 3


def test_a_call_without_a_message_is_an_invalid_argument(rpc: str) -> None:
    with grpc.insecure_channel(rpc) as channel, pytest.raises(grpc.RpcError) as refusal:
        channel.stream_unary(EXPORT)(iter(()), timeout=PATIENCE_S)

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_hundreds_of_idle_grpc_connections_keep_nobody_from_being_served(rpc: str) -> None:
    call(rpc)
    before = open_files()
    with contextlib.ExitStack() as stack:
        for number in range(400):
            connection = stack.enter_context(connect(rpc))
            if number % 2:
                connection.sendall(HTTP2_PREFACE)

        assert is_served(lambda: call(rpc))
    assert wait_until(lambda: open_files() <= before + 5)


def test_a_flood_of_pings_is_ended_and_others_are_served(rpc: str) -> None:
    with connect(rpc) as flood:
        with contextlib.suppress(ConnectionError):
            flood.sendall(HTTP2_PREFACE + PING * 20_000)

        assert is_served(lambda: call(rpc))


# --- another protocol ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [TLS_HELLO, b"\0" * 100, b"\xff" * 70_000], ids=["TLS", "zeros", "no line end"])
def test_what_is_no_http_is_closed_and_others_are_served(http: str, rpc: str, said: bytes) -> None:
    for address, send in ((http, post), (rpc, call)):
        with connect(address) as other, contextlib.suppress(ConnectionError):
            other.sendall(said)
            read_to_end(other)

        assert is_served(lambda send=send, address=address: send(address))


def test_http_1_to_the_grpc_port_is_closed(rpc: str) -> None:
    with connect(rpc) as other:
        other.sendall(head(len(BODY)) + BODY)

        assert b"200 OK" not in read_to_end(other)
    assert is_served(lambda: call(rpc))
