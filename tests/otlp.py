"""Small OTLP requests for tests, built with the generated classes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

__all__ = ["EXPORT", "SpanSpec", "export_request", "span"]

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
"""As the protocol names it; written out here, so that tests do not take it from what they test."""

BASE_NS = 1_790_000_000_000_000_000


@dataclass(frozen=True)
class SpanSpec:
    """One span of a request; times are nanoseconds after BASE_NS."""

    trace: int
    id: int
    parent: int = 0
    name: str = "GET /"
    kind: int = 2
    start_ns: int = 0
    duration_ns: int = 1_000_000
    service: str = "shop"
    attributes: Mapping[str, str] = field(default_factory=dict)


span = SpanSpec


def export_request(spans: Iterable[SpanSpec]) -> bytes:
    """The spans as the bytes of one ExportTraceServiceRequest, a resource per service."""
    request = ExportTraceServiceRequest()
    scopes = {}
    for one in spans:
        if one.service not in scopes:
            resource_spans = request.resource_spans.add()
            resource_spans.resource.attributes.add(key="service.name").value.string_value = one.service
            scopes[one.service] = resource_spans.scope_spans.add()
        made = scopes[one.service].spans.add(
            trace_id=one.trace.to_bytes(16, "big"),
            span_id=one.id.to_bytes(8, "big"),
            parent_span_id=one.parent.to_bytes(8, "big") if one.parent else b"",
            name=one.name,
            kind=one.kind,
            start_time_unix_nano=BASE_NS + one.start_ns,
            end_time_unix_nano=BASE_NS + one.start_ns + one.duration_ns,
        )
        for key, value in one.attributes.items():
            made.attributes.add(key=key).value.string_value = value
    return request.SerializeToString()
