"""OTLP request bodies for load: realistic in shape, distinct in ids, cheap to make.

One template batch is built span by span; every further batch is the same bytes with its trace and span ids
exclusive-ored with random masks, which keeps parents and children together.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = ["PayloadShape", "Template", "build_template", "payloads"]

SPANS_PER_TRACE = 8
SERVICES = ("gateway", "auth", "user", "billing")


@dataclass(frozen=True, slots=True)
class PayloadShape:
    """What a batch looks like, for the record beside every figure."""

    spans: int
    bytes_per_span: float
    attributes_per_span: float


@dataclass(frozen=True, slots=True)
class Template:
    """A serialised batch and where its ids are.

    Attributes:
        trace_id_at: int64[spans, 16], positions of the bytes of trace ids.
        span_id_at: int64[k, 8], positions of the bytes of span and parent ids.
    """

    body: NDArray[np.uint8]
    trace_id_at: NDArray[np.int64]
    span_id_at: NDArray[np.int64]
    shape: PayloadShape


def build_template(spans: int, *, start_ns: int) -> Template:
    """A batch of about that many spans (whole traces of eight) starting at start_ns."""
    request = ExportTraceServiceRequest()
    groups = []
    for service in SERVICES:
        resource_spans = request.resource_spans.add()
        for key, value in (
            ("service.name", service),
            ("service.version", "1.4.2"),
            ("service.instance.id", f"{service}-7d9f4b6c5-x2x"),
            ("deployment.environment.name", "bench"),
            ("telemetry.sdk.language", "java"),
        ):
            resource_spans.resource.attributes.add(key=key).value.string_value = value
        scope_spans = resource_spans.scope_spans.add()
        scope_spans.scope.name = "io.opentelemetry.http"
        groups.append(scope_spans)
    traces = max(1, spans // SPANS_PER_TRACE)
    for trace in range(traces):
        trace_id, parent = secrets.token_bytes(16), b""
        for hop in range(SPANS_PER_TRACE):
            span = groups[hop // 2].spans.add()
            _fill(span, trace_id, parent, hop, start_ns + trace * 1_000_000)
            parent = span.span_id
    body = request.SerializeToString()
    count = traces * SPANS_PER_TRACE
    attributes = sum(len(span.attributes) for group in groups for span in group.spans) / count
    shape = PayloadShape(count, round(len(body) / count, 1), round(attributes, 2))
    ordered = [span for group in groups for span in group.spans]
    return Template(np.frombuffer(body, np.uint8), *_find_ids(body, ordered), shape)


def payloads(template: Template) -> Iterator[bytes]:
    """Endless distinct batches of the template's shape."""
    while True:
        body = template.body.copy()
        body[template.trace_id_at] ^= np.frombuffer(secrets.token_bytes(16), np.uint8)
        body[template.span_id_at] ^= np.frombuffer(secrets.token_bytes(8), np.uint8)
        yield body.tobytes()


def _fill(span: Span, trace_id: bytes, parent: bytes, hop: int, start_ns: int) -> None:
    client = hop % 2 == 1
    span.trace_id, span.span_id, span.parent_span_id = trace_id, secrets.token_bytes(8), parent
    span.kind = Span.SPAN_KIND_CLIENT if client else Span.SPAN_KIND_SERVER
    span.name = f"GET /v1/step{hop // 2}/items" if client else f"GET /v1/step{hop // 2}/items/{{id}}"
    span.start_time_unix_nano = start_ns + hop * 1_000_000
    span.end_time_unix_nano = start_ns + (40 - hop) * 1_000_000
    _text(span.attributes.add(), "http.request.method", "GET")
    _text(span.attributes.add(), "network.protocol.version", "1.1")
    _text(span.attributes.add(), "user_agent.original", "okhttp/4.12.0")
    span.attributes.add(key="http.response.status_code").value.int_value = 200
    if client:
        _text(span.attributes.add(), "server.address", f"step{hop // 2}.svc.cluster.local")
        span.attributes.add(key="server.port").value.int_value = 8080
        _text(span.attributes.add(), "url.full", f"http://step{hop // 2}.svc.cluster.local/v1/items/8231")
    else:
        _text(span.attributes.add(), "http.route", "/v1/items/{id}")
        _text(span.attributes.add(), "url.scheme", "http")
        _text(span.attributes.add(), "url.path", "/v1/items/8231")
        _text(span.attributes.add(), "client.address", "10.12.0.17")


def _text(attribute: KeyValue, key: str, value: str) -> None:
    attribute.key = key
    attribute.value.string_value = value


def _find_ids(body: bytes, spans: list[Span]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    traces, ids, at = [], [], 0
    for span in spans:
        at = body.index(span.trace_id, at)
        traces.append(at)
        at = body.index(span.span_id, at + 16)
        ids.append(at)
        if span.parent_span_id:
            at = body.index(span.parent_span_id, at + 8)
            ids.append(at)
    return np.array(traces)[:, None] + np.arange(16), np.array(ids)[:, None] + np.arange(8)
