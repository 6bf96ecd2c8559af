"""OTLP, case by case: what is sent over which transport, how it is answered, and how many spans are then in the file.

Each row of the tables goes to the composed server through gRPC, HTTP with protobuf or HTTP with JSON, as it is and
compressed. Source: OpenTelemetry protocol specification 1.10; the comments name where Tracelith chooses.
"""

import gzip
import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from ingest.mutated_requests import BYTES, END_GROUP, GROUP, Field, join, varint
from ingest.otlp_requests import START_NS, make_request, make_span
from otlp import EXPORT
from serving import application
from tracelith.app import Application

MEDIA_TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}
TIMEOUT_S = 60.0
MAX_BYTES = 24 << 20
MANY = 1_000_000
NOT_UTF8 = b"\xc3\x28\xff\xfe"
HOUR_NS = 3_600 * 10**9
YEAR_NS = 31_556_952 * 10**9


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    # Nothing is analysed meanwhile: spans of the year 2200 would make it long.
    folder = tmp_path_factory.mktemp("conformance")
    with application(folder, max_request_bytes=MAX_BYTES, analyse_every_s=3600.0, quiet_s=3600.0) as running:
        yield running


@dataclass(frozen=True)
class Case:
    """A body, and what becomes of it: so many spans stored, so many refused for a reason, or all of it refused."""

    name: str
    body: Callable[[], bytes]
    stored: int = 0
    rejected: int = 0
    reason: str = ""
    refused: bool = False
    large: bool = field(default=False)


# --- protobuf ------------------------------------------------------------------------------------------------------


def spans(*changes: Mapping[str, Any]) -> Callable[[], bytes]:
    """A request of a sound span, one span for each of the changes to it, and another sound one."""
    return lambda: make_request(make_span(), *(make_span(**change) for change in changes), make_span())


def edited(edit: Callable[[Any], object]) -> Callable[[], bytes]:
    """A request of one sound span after the edit."""

    def body() -> bytes:
        request = ExportTraceServiceRequest.FromString(make_request(make_span(), scope="x"))
        edit(request.resource_spans[0])
        return request.SerializeToString()

    return body


def wire(*, span: bytes = b"", scope: bytes = b"", resource: bytes = b"", end: bytes = b"") -> Callable[[], bytes]:
    """A request of two sound spans with further bytes in the first, or in its scope, its resource, or at the end."""

    def body() -> bytes:
        sound = make_span().SerializeToString()
        spans = join(Field(2, BYTES, sound + span)) + join(Field(2, BYTES, sound))
        scoped = join(Field(1, BYTES, scope)) + spans
        group = join(Field(1, BYTES, resource)) + join(Field(2, BYTES, scoped))
        return join(Field(1, BYTES, group)) + end

    return body


def attribute(key: bytes, value: bytes, number: int = 9) -> bytes:
    """An attribute of a span (9) or a resource (1) whose value is this text, well encoded or not."""
    text = join(Field(2, BYTES, join(Field(1, BYTES, value))))
    return join(Field(number, BYTES, join(Field(1, BYTES, key)) + text))


def nested(depth: int) -> bytes:
    """A span attribute: arrays and maps in one another."""
    value = join(Field(1, BYTES, b"x"))
    for level in range(depth):
        inner = join(Field(2, BYTES, value)) if level % 2 else value
        value = join(Field(5 + level % 2, BYTES, join(Field(1, BYTES, inner))))
    return join(Field(9, BYTES, join(Field(1, BYTES, b"deep")) + join(Field(2, BYTES, value))))


UNKNOWN = join(Field(100, BYTES, b"later")) + join(Field(101, 0, 7))
LINK = join(Field(13, BYTES, make_request()[:0] + join(Field(1, BYTES, b"\1" * 16)) + join(Field(2, BYTES, b"\2" * 8))))
EVENT = join(Field(11, BYTES, join(Field(2, BYTES, b"event"))))


def groups(depth: int) -> bytes:
    return varint(100 << 3 | GROUP) * depth + varint(100 << 3 | END_GROUP) * depth


PROTOBUF = [
    Case("an empty request", lambda: b""),
    Case("a span", lambda: make_request(make_span()), 1),
    Case("no resource", edited(lambda group: group.ClearField("resource")), 1),
    Case("no scope", edited(lambda group: group.scope_spans[0].ClearField("scope")), 1),
    Case("a resource without spans", edited(lambda group: group.ClearField("scope_spans")), 0),
    Case("a scope without spans", edited(lambda group: group.scope_spans[0].ClearField("spans")), 0),
    Case("no name", spans({"name": ""}), 3),
    Case("unknown fields", wire(span=UNKNOWN, scope=UNKNOWN, resource=UNKNOWN, end=UNKNOWN), 2),
    Case("unknown enum values", spans({"kind": 99, "status": 77}), 3),
    Case("no trace id", spans({"trace_id": b""}), 2, 1, "trace_id must be 16 bytes"),
    Case("trace id of zeros", spans({"trace_id": bytes(16)}), 2, 1, "not all zero"),
    Case("trace id of 24 bytes", spans({"trace_id": b"\1" * 24}), 2, 1, "trace_id must be 16 bytes"),
    Case("no span id", spans({"span_id": b""}), 2, 1, "span_id must be 8 bytes"),
    Case("span id of zeros", spans({"span_id": bytes(8)}), 2, 1, "not all zero"),
    Case("span id of 4 bytes", spans({"span_id": b"\1" * 4}), 2, 1, "span_id must be 8 bytes"),
    Case("parent id of 16 bytes", spans({"parent_span_id": b"\1" * 16}), 2, 1, "parent_span_id must be empty or 8"),
    Case("parent id of zeros is none", spans({"parent_span_id": bytes(8)}), 3),
    Case("several defects, each counted", spans({"span_id": b""}, {"trace_id": b""}), 2, 2, "trace_id"),
    Case("a link to nowhere", edited(lambda group: group.scope_spans[0].spans[0].links.add()), 1),
    Case("bad UTF-8 in a name", wire(span=join(Field(5, BYTES, NOT_UTF8))), 1, 1, "UTF-8"),
    Case("bad UTF-8 in an attribute", wire(span=attribute(b"http.route", NOT_UTF8)), 1, 1, "UTF-8"),
    Case("bad UTF-8 where nobody reads", wire(span=attribute(b"our.own", NOT_UTF8)), 2),
    Case("bad UTF-8 in a key", wire(span=attribute(NOT_UTF8, b"x")), 2),
    Case("bad UTF-8 in a resource", wire(resource=attribute(b"service.name", NOT_UTF8, 1)), 0, 2, "UTF-8"),
    Case("bad UTF-8 in a scope", wire(scope=join(Field(1, BYTES, NOT_UTF8))), 0, 2, "UTF-8"),
    Case("bad UTF-8 in a trace state", wire(span=join(Field(3, BYTES, NOT_UTF8))), 1, 1, "UTF-8"),
    Case("values nested 90 deep", wire(span=nested(90)), 2),
    Case("values nested 2,000 deep", wire(span=nested(2_000)), 2),
    Case("groups nested 50 deep", wire(span=groups(50)), 2),
    Case("groups nested 100,000 deep", wire(span=groups(100_000)), refused=True),
    Case("an attribute twice", wire(span=attribute(b"http.route", b"/a") + attribute(b"http.route", b"/b")), 2),
    Case("1970", spans({"start_time_unix_nano": 1, "end_time_unix_nano": 2}), 2, 1, "within the time the server keeps"),
    Case("no start", spans({"start_time_unix_nano": 0}), 2, 1, "start_time_unix_nano must be set"),
    Case("the year 2200", spans({"start_time_unix_nano": 230 * YEAR_NS}), 2, 1, "a day ahead"),
    Case("the year 2300", spans({"start_time_unix_nano": 330 * YEAR_NS}), 2, 1, "before the year 2262"),
    Case("the last nanosecond there is", spans({"end_time_unix_nano": 2**64 - 1}), 2, 1, "before the year 2262"),
    Case("an end before the start", spans({"end_time_unix_nano": START_NS - 1}), 3),
    Case("an end in the year 2200", spans({"end_time_unix_nano": 230 * YEAR_NS}), 3),
    Case("no end", spans({"end_time_unix_nano": 0}), 3),
    Case("no duration", spans({"end_time_unix_nano": START_NS}), 3),
    Case("hours long", spans({"end_time_unix_nano": START_NS + 30 * HOUR_NS}), 3),
    Case("one span twice", lambda: make_request(make_span(), make_span()), 2),  # the analyses count it once
    Case("a million attributes on a span", wire(span=attribute(b"k", b"v") * MANY), 2, large=True),
    Case("a million known attributes", wire(span=attribute(b"error", b"v") * MANY), 2, large=True),
    Case("a million attributes on a resource", wire(resource=attribute(b"k", b"v", 1) * MANY), 2, large=True),
    Case("100,000 links", wire(span=LINK * 100_000), 2, large=True),
    Case("100,000 events", wire(span=EVENT * 100_000), 2, large=True),
    Case("a name of a megabyte", spans({"name": "n" * (1 << 20)}), 3, large=True),
    Case("30,000 resources", lambda: make_request(make_span()) * 30_000, 30_000, large=True),
    Case(
        "a million empty spans",
        wire(scope=b"", end=join(Field(1, BYTES, join(Field(2, BYTES, b"\x12\0" * MANY))))),
        reason="empty",
        refused=True,
        large=True,
    ),
    Case("further bytes", wire(end=b"\0"), refused=True, reason="check that the exporter sends"),
    Case("cut off", lambda: make_request(make_span())[:-1], refused=True),
    Case("a length without end", lambda: b"\x0a" + b"\xff" * 9 + b"\x01", refused=True),
    Case("no protobuf", lambda: b"spans please", refused=True),
    Case("JSON said to be protobuf", lambda: b'{"resourceSpans":[]}', refused=True),
]

# --- JSON ----------------------------------------------------------------------------------------------------------

SOUND = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "name": "GET /",
    "kind": 2,
    "startTimeUnixNano": str(START_NS),
    "endTimeUnixNano": str(START_NS + 1_000),
}


def json_spans(*changes: Mapping[str, Any] | str, **group: Any) -> Callable[[], bytes]:
    """As spans; a change that is a text stands for the whole span."""

    def body() -> bytes:
        changed = [change if isinstance(change, str) else json.dumps(SOUND | change) for change in changes]
        written = ",".join([json.dumps(SOUND), *changed, json.dumps(SOUND)])
        around = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": ["HERE"]}]} | group]})
        return around.replace('"HERE"', written).encode()

    return body


def resource(*attributes: Any) -> dict[str, Any]:
    return {"attributes": list(attributes)}


def known(value: Any) -> dict[str, Any]:
    return {"attributes": [{"key": "http.response.status_code", "value": value}]}


JSON = [
    Case("an empty object", lambda: b"{}"),
    Case("an empty list", lambda: b'{"resourceSpans":[]}'),
    Case("null for the list", lambda: b'{"resourceSpans":null}'),
    Case("a span", json_spans(), 2),
    Case("null for every field", json_spans(dict.fromkeys(("parentSpanId", "name", "kind", "attributes", "links"))), 3),
    Case("null for a resource", json_spans(resource=None), 2),
    Case("null for a value", json_spans({"attributes": [{"key": "http.route", "value": None}]}), 3),
    Case("unknown fields", json_spans({"later": {"a": [1]}}, schemaUrl="x", later=1), 3),
    Case("unknown enum numbers", json_spans({"kind": 99, "status": {"code": 7}}), 3),
    Case("upper-case ids", json_spans({"traceId": "5B8EFFF798038103D269B633813FC60C"}), 3),
    Case("times as numbers", json_spans({"startTimeUnixNano": START_NS, "endTimeUnixNano": START_NS + 1}), 3),
    Case("integers as text", json_spans(known({"intValue": "503"})), 3),
    Case("integers as numbers", json_spans(known({"intValue": 503})), 3),
    Case("doubles as text", json_spans(known({"doubleValue": "0.5"})), 3),
    Case("values of no scalar", json_spans(known({"arrayValue": {"values": [{"intValue": 1}]}})), 3),
    Case("base64 ids", json_spans({"traceId": "W47/95gDgQPSabYzgT/GDA=="}), 2, 1, "traceId is base64"),
    Case("enum names", json_spans({"kind": "SPAN_KIND_SERVER"}), 2, 1, "the enum name SPAN_KIND_SERVER"),
    Case("snake case is not OTLP", json_spans('{"trace_id":"5b8efff798038103d269b633813fc60c"}'), 2, 1, "traceId"),
    Case("no trace id", json_spans({"traceId": ""}), 2, 1, "traceId is missing"),
    Case("trace id of zeros", json_spans({"traceId": "0" * 32}), 2, 1, "all zeros"),
    Case("trace id of 16 digits", json_spans({"traceId": "1" * 16}), 2, 1, "16 hex digits"),
    Case("parent id of zeros is none", json_spans({"parentSpanId": "0" * 16}), 3),
    Case("no start", json_spans({"startTimeUnixNano": "0"}), 2, 1, "needs a start"),
    Case("a negative start", json_spans({"startTimeUnixNano": "-1"}), 2, 1, "outside 1970"),
    Case("1970", json_spans({"startTimeUnixNano": 1}), 2, 1, "within the time the server keeps"),
    Case("the year 2200", json_spans({"startTimeUnixNano": str(230 * YEAR_NS)}), 2, 1, "a day ahead"),
    Case("the year 2300", json_spans({"startTimeUnixNano": str(330 * YEAR_NS)}), 2, 1, "outside 1970 to 2262"),
    Case("a start of 5,000 digits", json_spans({"startTimeUnixNano": "9" * 5_000}), 2, 1, "startTimeUnixNano"),
    Case("a span that is a number", json_spans("7"), 2, 1, "must be an object"),
    Case("a span that is null", json_spans("null"), 2, 1, "must be an object"),
    Case("half of a surrogate pair", json_spans('{"name":"\\ud800",' + json.dumps(SOUND)[1:]), 3),
    Case("lists nested 900 deep", json_spans('{"later":' + "[" * 900 + "]" * 900 + "," + json.dumps(SOUND)[1:]), 3),
    Case(
        "100,000 attributes",
        json_spans({"attributes": [{"key": "k", "value": {"stringValue": "v"}}] * 100_000}),
        3,
        large=True,
    ),
    Case("a name of a megabyte", json_spans({"name": "n" * (1 << 20)}), 3, large=True),
    Case(
        "a million empty spans",
        json_spans("{}," * (MANY - 1) + "{}"),
        refused=True,
        reason="empty",
        large=True,
    ),
    Case("no body", lambda: b"", refused=True),
    Case("null", lambda: b"null", refused=True),
    Case("a list", lambda: b"[]", refused=True),
    Case("a text for the list", lambda: b'{"resourceSpans":"x"}', refused=True),
    Case("cut off", lambda: json_spans()()[:-1], refused=True),
    Case("further bytes", lambda: json_spans()() + b"{}", refused=True),
    Case("nested 100,000 deep", lambda: b'{"later":' * 100_000, refused=True),
    Case("protobuf said to be JSON", lambda: make_request(make_span()), refused=True),
]

# --- sent and answered ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """As any transport gives it."""

    refused: bool
    rejected: int
    message: str


def send_grpc(server: Application, body: bytes, _: str, compressed: bool) -> Answer:
    compression = grpc.Compression.Gzip if compressed else grpc.Compression.NoCompression
    with grpc.insecure_channel(server.grpc_address, compression=compression) as channel:
        try:
            response = ExportTraceServiceResponse.FromString(channel.unary_unary(EXPORT)(body, timeout=TIMEOUT_S))
        except grpc.RpcError as error:
            return Answer(error.code() is grpc.StatusCode.INVALID_ARGUMENT, 0, error.details())
    return _taken(response)


def send_http(server: Application, body: bytes, encoding: str, compressed: bool) -> Answer:
    headers = {"Content-Type": MEDIA_TYPES[encoding]} | ({"Content-Encoding": "gzip"} if compressed else {})
    answer = httpx.post(
        f"http://{server.http_address}/v1/traces",
        content=gzip.compress(body, 1) if compressed else body,
        headers=headers,
        timeout=TIMEOUT_S,
    )
    assert answer.headers["content-type"] == MEDIA_TYPES[encoding]
    kind = ExportTraceServiceResponse if answer.status_code == 200 else Status
    message = json_format.Parse(answer.content, kind()) if encoding == "json" else kind.FromString(answer.content)
    if answer.status_code == 200:
        return _taken(message)
    assert (answer.status_code, message.code) == (400, grpc.StatusCode.INVALID_ARGUMENT.value[0])
    return Answer(True, 0, message.message)


def _taken(response: Any) -> Answer:
    partial = response.partial_success
    assert response.HasField("partial_success") == bool(partial.rejected_spans), "unset on full success"
    return Answer(False, partial.rejected_spans, partial.error_message)


ROWS = [
    pytest.param(case, encoding, send, compressed, id=f"{case.name}-{way}{'-gzip' * compressed}")
    for encoding, cases, ways in (
        ("protobuf", PROTOBUF, {"grpc": send_grpc, "http": send_http}),
        ("json", JSON, {"json": send_http}),
    )
    for case in cases
    for way, send in ways.items()
    for compressed in ((False,) if case.large else (False, True))
]


@pytest.mark.parametrize(("case", "encoding", "send", "compressed"), ROWS)
def test_a_case_of_otlp(
    server: Application, case: Case, encoding: str, send: Callable[..., Answer], compressed: bool
) -> None:
    before = server.store.size().spans

    answer = send(server, case.body(), encoding, compressed)

    assert (answer.refused, answer.rejected) == (case.refused, case.rejected), answer.message
    assert bool(answer.message) == (case.refused or case.rejected > 0), "who is refused something is told why"
    assert case.reason in answer.message
    assert server.store.size().spans - before == case.stored


# --- the protocol around the body ----------------------------------------------------------------------------------


def request(
    body: bytes = b"",
    *,
    start: str = "POST /v1/traces HTTP/1.1",
    content_type: str | None = "application/x-protobuf",
    length: int | None = None,
    **headers: str,
) -> bytes:
    """The bytes of one request; ``headers`` are written with dashes."""
    lines = [start, "Host: tracelith", f"Content-Length: {len(body) if length is None else length}"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value]
    if "Transfer_Encoding" in headers:
        del lines[2]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


ONE = make_request(make_span())
CLOSE = {"Connection": "close"}
SENT = [
    ("content type in capitals", request(ONE, content_type="Application/X-Protobuf", **CLOSE), [200], 1),
    ("charset", request(b"{}", content_type="application/json; charset=utf-8", **CLOSE), [200], 0),
    ("another content type", request(ONE, content_type="text/plain", **CLOSE), [415], 0),
    ("no content type", request(ONE, content_type=None, **CLOSE), [415], 0),
    ("GET", request(start="GET /v1/traces HTTP/1.1", **CLOSE), [405], 0),
    ("PUT", request(ONE, start="PUT /v1/traces HTTP/1.1", **CLOSE), [405], 0),
    ("another signal", request(b"", start="POST /v1/metrics HTTP/1.1", **CLOSE), [404], 0),
    ("the root", request(ONE, start="POST / HTTP/1.1", **CLOSE), [404], 0),
    ("identity", request(ONE, Content_Encoding="identity", **CLOSE), [200], 1),
    ("gzip in capitals", request(gzip.compress(ONE, mtime=0), Content_Encoding="GZIP", **CLOSE), [200], 1),
    ("another coding", request(ONE, Content_Encoding="zstd", **CLOSE), [415], 0),
    ("no gzip", request(ONE, Content_Encoding="gzip", **CLOSE), [400], 0),
    ("gzip twice", request(gzip.compress(gzip.compress(ONE)), Content_Encoding="gzip", **CLOSE), [400], 0),
    ("gzip cut off", request(gzip.compress(ONE)[:-1], Content_Encoding="gzip", **CLOSE), [400], 0),
    ("gzip of nothing", request(gzip.compress(b""), Content_Encoding="gzip", **CLOSE), [200], 0),
    ("no body", request(b"", **CLOSE), [200], 0),
    ("too long", request(b"", length=MAX_BYTES + 1, Expect="100-continue", **CLOSE), [413], 0),
    ("a length that is none", request(b"", Content_length="x", **CLOSE), [400], 0),
    ("two requests on one connection", request(ONE) + request(ONE, **CLOSE), [200, 200], 2),
    ("a refused one, then another", request(b"\xff") + request(ONE, **CLOSE), [400, 200], 1),
    ("chunks", request(chunked(ONE[:9], ONE[9:]), Transfer_Encoding="chunked", **CLOSE), [200], 1),
    ("HTTP/1.0", request(ONE, start="POST /v1/traces HTTP/1.0"), [200], 1),
    ("asks before it sends", request(ONE, Expect="100-continue", **CLOSE), [100, 200], 1),
    ("no HTTP", b"\x16\x03\x01 hello\r\n\r\n", [400], 0),
]


@pytest.mark.parametrize(("sent", "statuses", "stored"), [row[1:] for row in SENT], ids=[row[0] for row in SENT])
def test_a_case_of_http(server: Application, sent: bytes, statuses: list[int], stored: int) -> None:
    before = server.store.size().spans
    host, _, port = server.http_address.rpartition(":")

    answered = b""
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
        connection.sendall(sent)
        while piece := connection.recv(1 << 16):
            answered += piece

    assert [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answered)] == statuses
    assert server.store.size().spans - before == stored


@pytest.mark.parametrize("compression", list(grpc.Compression), ids=lambda one: one.name)
def test_every_compression_of_grpc_is_taken(server: Application, compression: grpc.Compression) -> None:
    with grpc.insecure_channel(server.grpc_address, compression=compression) as channel:
        assert channel.unary_unary(EXPORT)(make_request(*[make_span()] * 50), timeout=TIMEOUT_S) == b""


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_over_the_limit_is_resource_exhausted(server: Application, compression: grpc.Compression) -> None:
    with (
        grpc.insecure_channel(server.grpc_address, compression=compression) as channel,
        pytest.raises(grpc.RpcError) as refusal,
    ):
        channel.unary_unary(EXPORT)(bytes(MAX_BYTES + 1), timeout=TIMEOUT_S)

    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
