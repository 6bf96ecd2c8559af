"""The gRPC receiver answers as the OTLP specification says."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otlp import EXPORT, export_request, span
from tracelith.ingest.commit import GroupCommitter, Receipt
from tracelith.ingest.otlp_grpc import GrpcReceiver
from tracelith.model.errors import ConfigurationError, Overloaded
from tracelith.store import Store

TIMEOUT_S = 20
MAX_MESSAGE_BYTES = 1 << 20


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[GrpcReceiver]:
    with Store.open(tmp_path / "spans.duckdb") as store:
        committer = GroupCommitter(store)
        running = GrpcReceiver(committer.submit, "127.0.0.1:0", max_message_bytes=MAX_MESSAGE_BYTES)
        yield running
        running.stop()
        committer.stop()


def export(address: str, body: bytes, compression: grpc.Compression = grpc.Compression.NoCompression) -> bytes:
    with grpc.insecure_channel(address, compression=compression) as channel:
        answer: bytes = channel.unary_unary(EXPORT)(body, timeout=TIMEOUT_S)
        return answer


def status_details(error: grpc.RpcError) -> Status:
    return Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])


def test_full_success_leaves_partial_success_unset(receiver: GrpcReceiver) -> None:
    answer = ExportTraceServiceResponse.FromString(export(receiver.address, export_request([span(trace=1, id=1)])))

    assert not answer.HasField("partial_success")


def test_an_empty_request_is_a_success(receiver: GrpcReceiver) -> None:
    assert export(receiver.address, b"") == b""


def test_refused_spans_are_counted_in_partial_success(receiver: GrpcReceiver) -> None:
    body = export_request([span(trace=1, id=1), span(trace=1, id=0)])

    answer = ExportTraceServiceResponse.FromString(export(receiver.address, body))

    assert answer.partial_success.rejected_spans == 1
    assert "span_id" in answer.partial_success.error_message


def test_gzip_is_understood(receiver: GrpcReceiver) -> None:
    body = export_request([span(trace=1, id=n) for n in range(1, 200)])

    assert export(receiver.address, body, grpc.Compression.Gzip) == b""


def test_bytes_that_are_no_request_are_an_invalid_argument(receiver: GrpcReceiver) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        export(receiver.address, b"\x0a\xff\xff\xff")

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert status_details(refusal.value).code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


def test_an_oversize_message_is_resource_exhausted(receiver: GrpcReceiver) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        export(receiver.address, b"x" * (MAX_MESSAGE_BYTES + 1))

    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_decompression_bomb_is_resource_exhausted(receiver: GrpcReceiver) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        export(receiver.address, bytes(64 * MAX_MESSAGE_BYTES), grpc.Compression.Gzip)

    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_full_queue_is_unavailable_and_says_when_to_return() -> None:
    def refuse(*_: object) -> None:
        raise Overloaded("5 bytes wait for their commit; send again later", retry_after_s=1.5)

    receiver = GrpcReceiver(refuse, "127.0.0.1:0", max_message_bytes=MAX_MESSAGE_BYTES)
    try:
        with pytest.raises(grpc.RpcError) as refusal:
            export(receiver.address, export_request([span(trace=1, id=1)]))
    finally:
        receiver.stop()

    assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE
    retry = RetryInfo()
    assert status_details(refusal.value).details[0].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 1500


def test_another_method_is_unimplemented(receiver: GrpcReceiver) -> None:
    with grpc.insecure_channel(receiver.address) as channel, pytest.raises(grpc.RpcError) as refusal:
        channel.unary_unary(EXPORT.replace("TraceService", "OtherService"))(b"", timeout=TIMEOUT_S)

    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_taken_address_is_a_configuration_error_that_names_the_option(receiver: GrpcReceiver) -> None:
    with pytest.raises(ConfigurationError, match="--grpc"):
        GrpcReceiver(lambda *_: None, receiver.address, max_message_bytes=MAX_MESSAGE_BYTES)


def test_a_receiver_that_stops_tells_every_sender_to_come_again_and_cancels_nobody() -> None:
    answers: list[str] = []

    def submit(_body: bytes, _encoding: str) -> "Future[Receipt]":
        done: Future[Receipt] = Future()
        done.set_result(Receipt(1, 0, ""))
        return done

    def export_until_refused(address: str) -> None:
        with grpc.insecure_channel(address) as channel:
            call = channel.unary_unary(EXPORT)
            for _ in range(100_000):
                try:
                    call(b"", timeout=TIMEOUT_S)
                except grpc.RpcError as refusal:
                    answers.append(refusal.code().name)
                    return

    for _ in range(8):
        receiver = GrpcReceiver(submit, "127.0.0.1:0", max_message_bytes=MAX_MESSAGE_BYTES)
        senders = [threading.Thread(target=export_until_refused, args=(receiver.address,)) for _ in range(24)]
        for sender in senders:
            sender.start()
        time.sleep(0.2)
        receiver.stop()
        for sender in senders:
            sender.join(TIMEOUT_S)

    assert answers == ["UNAVAILABLE"] * 8 * 24
