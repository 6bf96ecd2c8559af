"""Whatever bytes a file holds, reading ends: with spans, with problems, or with UnreadableFile and nothing else."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.readers.reading import check_schema, otlp_request, otlp_span
from tracelith.ingest.readers import read_file
from tracelith.model.errors import UnreadableFile


def _protobuf() -> bytes:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.start_time_unix_nano = b"t" * 16, b"s" * 8, 1
    return request.SerializeToString()


_JAEGER = {
    "data": [
        {
            "traceID": "a",
            "spans": [
                {
                    "spanID": "b",
                    "startTime": 1,
                    "processID": "p",
                    "references": [{"refType": "CHILD_OF", "spanID": "c"}],
                }
            ],
            "processes": {"p": {"serviceName": "shop", "tags": [{"key": "ip", "value": "1"}]}},
        }
    ]
}
_ZIPKIN = [
    {
        "traceId": "a",
        "id": "b",
        "timestamp": 1,
        "kind": "CLIENT",
        "tags": {"error": "x"},
        "localEndpoint": {"serviceName": "s"},
    },
    {"traceId": "a", "id": "b", "annotations": [{"timestamp": 5, "value": "sr", "endpoint": {"serviceName": "s"}}]},
]
_SOUND = [
    json.dumps(otlp_request(otlp_span(1), otlp_span(2))).encode(),
    json.dumps({"batches": otlp_request(otlp_span(1))["resourceSpans"]}).encode(),
    b"\n".join([json.dumps(otlp_request(otlp_span(1))).encode()] * 3),
    json.dumps(_JAEGER).encode(),
    json.dumps(_ZIPKIN, indent=1).encode(),
    _protobuf() * 2,
    len(_protobuf()).to_bytes(4) + _protobuf(),
    gzip.compress(json.dumps(_JAEGER).encode() * 20),
]
_OTLP_KEYS = ["resourceSpans", "scopeSpans", "spans", "resource", "batches", "trace", "result"]
_JAEGER_KEYS = ["data", "traceID", "spanID", "processes", "process", "tags", "references", "startTime", "key", "value"]
_ZIPKIN_KEYS = ["traceId", "id", "timestamp", "annotations", "binaryAnnotations", "localEndpoint", "remoteEndpoint"]
_KEYS = st.sampled_from([*_OTLP_KEYS, *_JAEGER_KEYS, *_ZIPKIN_KEYS])
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=4)
    | st.sampled_from(["a1", "0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)

unhurried = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_to_the_end(path: Path, content: bytes) -> int:
    path.write_bytes(content)
    spans = 0
    try:
        for batch in read_file(path):
            check_schema(batch)
            spans += batch.raw.spans.height
    except UnreadableFile:
        return spans
    return spans


@pytest.mark.parametrize("content", _SOUND)
def test_the_files_to_be_damaged_are_readable_to_begin_with(tmp_path: Path, content: bytes) -> None:
    if content[:2] == b"\x1f\x8b":
        content = gzip.compress(gzip.decompress(content)[: len(json.dumps(_JAEGER))])

    assert read_to_the_end(tmp_path / "t", content) > 0


@unhurried
@given(st.binary(max_size=200))
def test_any_bytes_are_read_to_the_end(tmp_path: Path, content: bytes) -> None:
    read_to_the_end(tmp_path / "t", content)


@unhurried
@given(_JSON)
def test_any_json_is_read_to_the_end(tmp_path: Path, document: Any) -> None:
    read_to_the_end(tmp_path / "t", json.dumps(document).encode())


@unhurried
@given(st.lists(_JSON, min_size=2, max_size=4))
def test_any_json_lines_are_read_to_the_end(tmp_path: Path, documents: list[Any]) -> None:
    read_to_the_end(tmp_path / "t", b"\n".join(json.dumps(each).encode() for each in documents))


@unhurried
@given(st.sampled_from(_SOUND), st.data())
def test_any_damage_to_a_sound_file_is_survived(tmp_path: Path, sound: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(sound)))
    removed = data.draw(st.integers(0, 40))
    inserted = data.draw(st.binary(max_size=6))

    read_to_the_end(tmp_path / "t", sound[:at] + inserted + sound[at + removed :])
