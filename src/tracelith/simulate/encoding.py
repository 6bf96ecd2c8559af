"""Spans to OTLP bytes, by template: one serialised span per shape, copied and overwritten column by column.

The reference classes of opentelemetry-proto serialise one span of each shape with marked places for what differs from
span to span. All of these have a fixed width (ids, fixed64 times, six-digit numbers), so n spans of one shape are an
n × width byte matrix. That writes hundreds of thousands of spans a second where filling message objects writes tens of
thousands. Two encodings: protobuf as it goes over the wire, and JSON for files that people open.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from google.protobuf.json_format import MessageToDict
from numpy.typing import NDArray
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tracelith.simulate.byte_columns import Bytes, big_endian, decimal, hexadecimal, little_endian, varint
from tracelith.simulate.instrumentation import CONSUMER, NUMBER, PARTITION, SERVER, SpanShape
from tracelith.simulate.span_table import SpanTable

__all__ = ["JSON", "PROTOBUF", "Encoding", "Rows", "Template", "encode_rows"]

Attributes = Iterable[tuple[str, str | int]]
Columns = Mapping[str, Callable[[], Bytes]]
ScopeBodies = Sequence[tuple[bytes, memoryview]]

_SAMPLED = 0x01  # W3C trace flags
_HAS_REMOTE_PARENT_KNOWN, _REMOTE_PARENT = 0x100, 0x200  # Span.flags bits 8 and 9
_SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"
_SCOPE_VERSION = "2.18.0"
_JSON_RESOURCE_END = b'],"schemaUrl":"%s"},' % _SCHEMA_URL.encode()


@dataclass(frozen=True, slots=True)
class Template:
    """A serialised span and where in it what differs from span to span has its places."""

    text: bytes
    places: Mapping[str, tuple[int, ...]]


class Encoding(Protocol):
    """One way to write OTLP: how a span, a resource and a scope begin, and what holds them together."""

    def template(self, shape: SpanShape) -> Template:
        """A span of this shape, ready to be put one after another."""

    def columns(self, spans: SpanTable) -> Columns:
        """What goes into the places of templates, by name: functions that give uint8[n, width of the place]."""

    def resource(self, attributes: Attributes) -> bytes:
        """How everything of one process begins."""

    def scope(self, name: str) -> bytes:
        """How everything of one instrumentation scope begins."""

    def request(self, resources: Sequence[tuple[bytes, ScopeBodies]]) -> bytes:
        """One ExportTraceServiceRequest of resources, each with its scopes and their encoded spans."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Encoded spans. data: one after another; offsets: int64[n + 1], where each begins, and the end."""

    data: Bytes
    offsets: NDArray[np.int64]


def encode_rows(spans: SpanTable, templates: Sequence[Template], encoding: Encoding) -> Rows:
    """Every span in the order given, which has to be that of its shape's code; templates by code."""
    widths = np.array([len(template.text) for template in templates], np.int64)
    counts = np.bincount(spans.shape, minlength=widths.size)
    firsts = np.concatenate([[0], np.cumsum(counts)])
    begins = np.concatenate([[0], np.cumsum(counts * widths)])
    data = np.empty(begins[-1], np.uint8)
    made: dict[str, Bytes] = {}
    columns = encoding.columns(spans)
    for code in np.flatnonzero(counts).tolist():
        template, chosen = templates[code], slice(firsts[code], firsts[code + 1])
        rows = data[begins[code] : begins[code + 1]].reshape(-1, widths[code])
        rows[:] = np.frombuffer(template.text, np.uint8)
        for name, offsets in template.places.items():
            if name not in made:
                made[name] = columns[name]()
            column = made[name][chosen]
            for offset in offsets:
                rows[:, offset : offset + column.shape[1]] = column
    return Rows(data, np.concatenate([[0], np.cumsum(widths[spans.shape])]))


class _Protobuf:
    """The binary wire format."""

    def template(self, shape: SpanShape) -> Template:
        return _template(_field(2, _prototype(shape).SerializeToString(deterministic=True)), _BINARY_PLACES)

    def columns(self, spans: SpanTable) -> Columns:
        return {
            "trace": lambda: big_endian(spans.trace_hi, spans.trace_lo),
            "span": lambda: big_endian(spans.span_id),
            "parent": lambda: big_endian(spans.parent_id),
            "start": lambda: little_endian(spans.start_us * 1_000),
            "end": lambda: little_endian(spans.end_us * 1_000),
            "number": lambda: decimal(spans.number, len(NUMBER)),
            "partition": lambda: decimal(spans.partition, len(PARTITION)),
            "linked_trace": lambda: big_endian(spans.linked_hi, spans.linked_lo),
            "linked_span": lambda: big_endian(spans.linked_span),
        }

    def resource(self, attributes: Attributes) -> bytes:
        described = ResourceSpans(resource=Resource(attributes=_key_values(attributes)), schema_url=_SCHEMA_URL)
        return bytes(described.SerializeToString(deterministic=True))

    def scope(self, name: str) -> bytes:
        described = ScopeSpans(scope=InstrumentationScope(name=name, version=_SCOPE_VERSION))
        return bytes(described.SerializeToString(deterministic=True))

    def request(self, resources: Sequence[tuple[bytes, ScopeBodies]]) -> bytes:
        parts: list[bytes | memoryview] = []
        for resource, scopes in resources:
            sizes = [len(scope) + len(spans) for scope, spans in scopes]
            heads = [b"\x12" + varint(size) for size in sizes]  # field 2 of ResourceSpans
            parts += b"\x0a", varint(len(resource) + sum(sizes) + sum(map(len, heads))), resource
            for head, (scope, spans) in zip(heads, scopes, strict=True):
                parts += head, scope, spans
        return b"".join(parts)


class _Json:
    """OTLP/JSON: ids in hex, 64-bit integers as text, enums as numbers; one request per line of a file."""

    def template(self, shape: SpanShape) -> Template:
        fields = MessageToDict(_prototype(shape), use_integers_for_enums=True)
        fields["traceId"], fields["spanId"] = "T" * 32, "S" * 16
        fields["startTimeUnixNano"], fields["endTimeUnixNano"] = "B" * 19, "E" * 19
        if not shape.root:
            fields["parentSpanId"] = "P" * 16
        if shape.linked:
            fields["links"] = [{"traceId": "L" * 32, "spanId": "M" * 16}]
        return _template(_compact(fields) + b",", _JSON_PLACES)

    def columns(self, spans: SpanTable) -> Columns:
        return {
            "trace": lambda: hexadecimal(big_endian(spans.trace_hi, spans.trace_lo)),
            "span": lambda: hexadecimal(big_endian(spans.span_id)),
            "parent": lambda: hexadecimal(big_endian(spans.parent_id)),
            "start": lambda: decimal(spans.start_us * 1_000, 19),
            "end": lambda: decimal(spans.end_us * 1_000, 19),
            "number": lambda: decimal(spans.number, len(NUMBER)),
            "partition": lambda: decimal(spans.partition, len(PARTITION)),
            "linked_trace": lambda: hexadecimal(big_endian(spans.linked_hi, spans.linked_lo)),
            "linked_span": lambda: hexadecimal(big_endian(spans.linked_span)),
        }

    def resource(self, attributes: Attributes) -> bytes:
        described = _compact(MessageToDict(Resource(attributes=_key_values(attributes))))
        return b'{"resource":%s,"scopeSpans":[' % described

    def scope(self, name: str) -> bytes:
        return b'{"scope":%s,"spans":[' % _compact({"name": name, "version": _SCOPE_VERSION})

    def request(self, resources: Sequence[tuple[bytes, ScopeBodies]]) -> bytes:
        parts: list[bytes | memoryview] = [b'{"resourceSpans":[']
        for resource, scopes in resources:
            parts.append(resource)
            for scope, spans in scopes:
                parts += scope, spans[:-1], b"]},"
            parts[-1] = b"]}" + _JSON_RESOURCE_END
        parts[-1] = b"]}" + _JSON_RESOURCE_END[:-1] + b"]}"
        return b"".join(parts)


PROTOBUF: Encoding = _Protobuf()
JSON: Encoding = _Json()


# --- templates ---------------------------------------------------------------------------------------------

# Bytes that occur nowhere else in a span of ours: no UTF-8 text contains 0xF8 to 0xFF.
_BINARY_PLACES = {
    "trace": b"\xf8" * 16,
    "span": b"\xf9" * 8,
    "parent": b"\xfa" * 8,
    "start": b"\xfb" * 8,
    "end": b"\xfc" * 8,
    "linked_trace": b"\xfd" * 16,
    "linked_span": b"\xfe" * 8,
    "number": NUMBER.encode(),
    "partition": b"\n\x01" + PARTITION.encode(),  # a text of one byte: alone, the mark is also the length of a field
}
_JSON_PLACES = {
    "trace": b"T" * 32,
    "span": b"S" * 16,
    "parent": b"P" * 16,
    "start": b"B" * 19,
    "end": b"E" * 19,
    "linked_trace": b"L" * 32,
    "linked_span": b"M" * 16,
    "number": NUMBER.encode(),
    "partition": b'"' + PARTITION.encode(),
}


def _prototype(shape: SpanShape) -> Span:
    places = _BINARY_PLACES
    remote = _REMOTE_PARENT if shape.kind in (SERVER, CONSUMER) and not shape.root else 0
    span = Span(
        trace_id=places["trace"],
        span_id=places["span"],
        parent_span_id=b"" if shape.root else places["parent"],
        flags=_SAMPLED | _HAS_REMOTE_PARENT_KNOWN | remote,
        name=shape.name,
        kind=Span.SpanKind.ValueType(shape.kind),
        start_time_unix_nano=int.from_bytes(places["start"], "little"),
        end_time_unix_nano=int.from_bytes(places["end"], "little"),
        attributes=_key_values(shape.attributes),
        trace_state=shape.trace_state,
    )
    if shape.failed:
        span.status.code = Status.STATUS_CODE_ERROR
    if shape.linked:
        span.links.add(trace_id=places["linked_trace"], span_id=places["linked_span"])
    return span


def _template(text: bytes, places: dict[str, bytes]) -> Template:
    found: dict[str, tuple[int, ...]] = {}
    for name, mark in places.items():
        offsets, at = [], text.find(mark)
        into = len(mark) - len(PARTITION) if name == "partition" else 0
        while at >= 0:
            offsets.append(at + into)
            at = text.find(mark, at + len(mark))
        if offsets:
            found[name] = tuple(offsets)
    return Template(text, found)


def _key_values(attributes: Attributes) -> list[KeyValue]:
    return [
        KeyValue(key=key, value=AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value))
        for key, value in attributes
    ]


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _field(number: int, body: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return bytes([number << 3 | 2]) + varint(len(body)) + body
