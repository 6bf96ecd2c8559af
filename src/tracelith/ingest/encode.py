"""Raw spans as OTLP again: how ``tracelith import`` hands foreign formats to a running server.

The generated classes build the message span by span. That is slow and simple; the file being imported was
parsed at about the same speed.
"""

from collections.abc import Sequence
from typing import Any

import polars as pl
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from tracelith.model.schema import RawSpans

__all__ = ["encode_request"]

_NO_DETAIL = {"span": b"", "resource": b""}


def encode_request(raw: RawSpans) -> bytes:
    """The batch as the bytes of an ExportTraceServiceRequest; decoding them gives the same batch.

    Of a batch with details the request says all that they say, beside the attributes that the details lack.
    """
    request = ExportTraceServiceRequest()
    groups = [request.resource_spans.add() for _ in range(raw.resource_count)]
    details = raw.details.rows(named=True) if raw.details is not None else [_NO_DETAIL] * raw.spans.height
    resource_details = dict(zip(raw.spans["resource_row"].to_list(), details, strict=True))
    for row, detail in resource_details.items():
        _merge(groups[row].resource, detail["resource"])
    spans = [
        _add_span(groups[row["resource_row"]], row, detail["span"])
        for row, detail in zip(raw.spans.iter_rows(named=True), details, strict=True)
    ]
    _add_attributes([group.resource for group in groups], raw.resource_attributes)
    _add_attributes(spans, raw.span_attributes)
    told = [{(link.trace_id, link.span_id) for link in span.links} for span in spans]
    for row, trace_hi, trace_lo, span_id in raw.links.iter_rows():
        ids = _trace_id(trace_hi, trace_lo), _span_id(span_id)
        if ids not in told[row]:
            spans[row].links.add(trace_id=ids[0], span_id=ids[1])
    body: bytes = request.SerializeToString()
    return body


def _merge(message: Any, detail: bytes) -> None:
    """Adds what the details say; nothing if they hold text that is not UTF-8, which OTLP does not allow."""
    try:
        message.MergeFromString(detail)
    except DecodeError:
        message.Clear()


def _add_attributes(holders: Sequence[Any], attributes: pl.DataFrame) -> None:
    """Adds to each holder the ATTRIBUTE rows whose key its details do not have."""
    told = [{attribute.key for attribute in holder.attributes} for holder in holders]
    for row, key, value in attributes.iter_rows():
        if key not in told[row]:
            holders[row].attributes.add(key=key).value.string_value = value


def _add_span(resource: ResourceSpans, row: dict[str, Any], detail: bytes) -> Span:
    scope = row["scope"] or ""
    if not resource.scope_spans or resource.scope_spans[-1].scope.name != scope:
        resource.scope_spans.add().scope.name = scope
    span: Span = resource.scope_spans[-1].spans.add()
    _merge(span, detail)
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
