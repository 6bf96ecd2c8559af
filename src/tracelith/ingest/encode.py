"""Raw spans as OTLP again: how ``tracelith import`` hands foreign formats to a running server.

The generated classes build the message span by span. That is slow and simple; the file being imported was
parsed at about the same speed.
"""

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from tracelith.model.schema import RawSpans

__all__ = ["encode_request"]


def encode_request(raw: RawSpans) -> bytes:
    """The batch as the bytes of an ExportTraceServiceRequest; decoding them gives the same batch."""
    request = ExportTraceServiceRequest()
    resources = [request.resource_spans.add() for _ in range(raw.resource_count)]
    for row, key, value in raw.resource_attributes.iter_rows():
        resources[row].resource.attributes.add(key=key).value.string_value = value
    spans = [_add_span(resources[row["resource_row"]], row) for row in raw.spans.iter_rows(named=True)]
    for row, key, value in raw.span_attributes.iter_rows():
        spans[row].attributes.add(key=key).value.string_value = value
    for row, trace_hi, trace_lo, span_id in raw.links.iter_rows():
        spans[row].links.add(trace_id=_trace_id(trace_hi, trace_lo), span_id=_span_id(span_id))
    body: bytes = request.SerializeToString()
    return body


def _add_span(resource: ResourceSpans, row: dict[str, Any]) -> Span:
    scope = row["scope"] or ""
    if not resource.scope_spans or resource.scope_spans[-1].scope.name != scope:
        resource.scope_spans.add().scope.name = scope
    span: Span = resource.scope_spans[-1].spans.add()
    span.trace_id = _trace_id(row["trace_hi"], row["trace_lo"])
    span.span_id = _span_id(row["span_id"])
    span.parent_span_id = _span_id(row["parent_id"]) if row["parent_id"] else b""
    span.start_time_unix_nano = row["start_ns"]
    span.end_time_unix_nano = row["end_ns"]
    span.name = row["name"] or ""
    span.kind = row["kind"]
    span.status.code = row["status"]
    span.trace_state = row["trace_state"] or ""
    span.flags = row["flags"]
    return span


def _trace_id(high: int, low: int) -> bytes:
    return high.to_bytes(8, "big") + low.to_bytes(8, "big")


def _span_id(value: int) -> bytes:
    return value.to_bytes(8, "big")
