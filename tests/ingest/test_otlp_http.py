"""The HTTP receiver answers as the OTLP specification says, in the encoding it was asked in."""

import gzip
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otlp import export_request, span
from tracelith.http_server import STOP_TIMEOUT_S, HttpServer
from tracelith.ingest.commit import GroupCommitter
from tracelith.ingest.otlp_http import create_otlp_app
from tracelith.model.errors import ConfigurationError, Overloaded, StoreError
from tracelith.store import Store

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
GZIP = {"Content-Encoding": "gzip"}
MAX_BODY_BYTES = 1 << 20

JSON_REQUEST = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "5b8efff798038103d269b633813fc60c",
                            "spanId": "eee19b7ec3c1b174",
                            "name": "GET /",
                            "kind": 2,
                            "startTimeUnixNano": "1790000000000000000",
                            "endTimeUnixNano": "1790000000001000000",
                        }
                    ]
                }
            ],
        }
    ]
}


@pytest.fixture
def committer(tmp_path: Path) -> Iterator[GroupCommitter]:
    with Store.open(tmp_path / "spans.duckdb") as store:
        running = GroupCommitter(store)
        yield running
        running.stop()


@pytest.fixture
def url(committer: GroupCommitter) -> Iterator[str]:
    server = HttpServer(
        create_otlp_app(committer.submit, max_body_bytes=MAX_BODY_BYTES), "127.0.0.1:0", option="--http"
    )
    yield f"http://{server.address}/v1/traces"
    server.stop()


def test_protobuf_is_answered_in_protobuf(url: str, committer: GroupCommitter) -> None:
    answer = httpx.post(url, content=export_request([span(trace=1, id=1)]), headers=PROTOBUF)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert not ExportTraceServiceResponse.FromString(answer.content).HasField("partial_success")
    assert committer.status().accepted_spans == 1


def test_json_is_answered_in_json(url: str, committer: GroupCommitter) -> None:
    answer = httpx.post(url, json=JSON_REQUEST)

    assert (answer.status_code, answer.json()) == (200, {})
    assert committer.status().accepted_spans == 1


def test_a_json_charset_parameter_is_fine(url: str) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}

    assert httpx.post(url, content=json.dumps(JSON_REQUEST), headers=headers).status_code == 200


def test_refused_spans_are_counted_in_partial_success(url: str) -> None:
    body = export_request([span(trace=1, id=1), span(trace=0, id=2)])

    answer = ExportTraceServiceResponse.FromString(httpx.post(url, content=body, headers=PROTOBUF).content)

    assert answer.partial_success.rejected_spans == 1


@pytest.mark.parametrize("members", [1, 2])
def test_gzip_is_understood_also_in_several_members(url: str, members: int, committer: GroupCommitter) -> None:
    body = export_request([span(trace=1, id=n) for n in range(1, 11)])
    half = len(body) // members
    compressed = b"".join(
        gzip.compress(body[i * half : (i + 1) * half if i + 1 < members else None]) for i in range(members)
    )

    answer = httpx.post(url, content=compressed, headers=PROTOBUF | GZIP)

    assert answer.status_code == 200
    assert committer.status().accepted_spans == 10


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (PROTOBUF, b"\x0a\xff\xff\xff"),
        (PROTOBUF | GZIP, b"not gzip"),
        (PROTOBUF | GZIP, gzip.compress(b"x" * 1000)[:-9]),
        (JSON, b"{"),
        (JSON, b'{"resourceSpans": 3}'),
    ],
    # Named, because the bytes of gzip hold the time, and parallel workers must agree on the names of tests.
    ids=["cut protobuf", "not gzip", "cut gzip", "cut JSON", "wrong type"],
)
def test_a_body_that_is_no_request_is_refused_with_a_status_body(
    url: str, headers: dict[str, str], body: bytes
) -> None:
    answer = httpx.post(url, content=body, headers=headers)

    assert answer.status_code == 400
    message = answer.json()["message"] if headers is JSON else Status.FromString(answer.content).message
    assert message


@pytest.mark.parametrize(
    "body",
    [bytes(MAX_BODY_BYTES + 1), gzip.compress(bytes(200 * MAX_BODY_BYTES))],
    ids=["as sent", "once decompressed"],
)
def test_an_oversize_body_is_413_as_sent_or_once_decompressed(url: str, body: bytes) -> None:
    headers = PROTOBUF | (GZIP if body[:1] == b"\x1f" else {})

    answer = httpx.post(url, content=body, headers=headers, timeout=20)

    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [(PROTOBUF, 413), ({"Content-Type": "text/plain"}, 415)],
)
def test_a_sender_of_a_large_body_comes_to_read_why_it_was_refused(
    url: str, headers: dict[str, str], status: int
) -> None:
    body = bytes(6 * MAX_BODY_BYTES)  # more than sockets buffer, and sent whole before the answer is read
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - our own server

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)  # noqa: S310 - our own server
    refused.value.close()

    assert refused.value.code == status


def test_an_oversize_body_without_a_declared_length_is_413(url: str) -> None:
    answer = httpx.post(url, content=iter([bytes(MAX_BODY_BYTES), b"x"]), headers=PROTOBUF, timeout=20)

    assert answer.status_code == 413


def test_another_content_type_is_415_and_says_what_to_send(url: str) -> None:
    answer = httpx.post(url, content=b"x", headers={"Content-Type": "text/plain"})

    assert answer.status_code == 415
    assert "application/x-protobuf" in answer.json()["message"]


def test_another_content_encoding_is_415_and_says_what_to_send(url: str) -> None:
    answer = httpx.post(url, content=b"x", headers=PROTOBUF | {"Content-Encoding": "br"})

    assert answer.status_code == 415
    assert "gzip" in Status.FromString(answer.content).message


def test_other_paths_and_methods_are_404_and_405_and_say_what_is_taken(url: str) -> None:
    metrics = httpx.post(url.replace("traces", "metrics"), content=b"", headers=PROTOBUF)
    read = httpx.get(url)

    assert (metrics.status_code, read.status_code) == (404, 405)
    assert "traces" in Status.FromString(metrics.content).message
    assert "POST" in read.json()["message"]
    assert read.headers["allow"] == "POST"


@pytest.mark.parametrize("error", [Overloaded("the queue is full", retry_after_s=1.2), StoreError("disk full")])
def test_what_could_not_be_stored_is_503_with_retry_after(error: Exception) -> None:
    def refuse(*_: object) -> None:
        raise error

    server = HttpServer(create_otlp_app(refuse, max_body_bytes=MAX_BODY_BYTES), "127.0.0.1:0", option="--http")
    try:
        answer = httpx.post(f"http://{server.address}/v1/traces", json=JSON_REQUEST)
    finally:
        server.stop()

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["code"] == 14


def test_a_taken_address_is_a_configuration_error_that_names_the_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(ConfigurationError, match="--http"):
            HttpServer(create_otlp_app(lambda *_: None, max_body_bytes=1), address, option="--http")


def test_a_sender_that_never_finishes_does_not_keep_the_server_and_is_no_error(
    committer: GroupCommitter, caplog: pytest.LogCaptureFixture
) -> None:
    server = HttpServer(
        create_otlp_app(committer.submit, max_body_bytes=MAX_BODY_BYTES), "127.0.0.1:0", option="--http"
    )
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as slow:
        head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        slow.sendall(head)
        httpx.post(f"http://{server.address}/v1/traces", json=JSON_REQUEST)

        started = time.monotonic()
        server.stop()

    assert time.monotonic() - started < STOP_TIMEOUT_S
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.exc_info]
