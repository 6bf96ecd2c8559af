"""Spans to OTLP bytes, by template: one serialised span per shape, copied and overwritten column by column.

The reference classes of opentelemetry-proto serialise one span of each shape with marked places for what differs from
span to span. All of these have a fixed width (ids, fixed64 times, six-digit numbers), so a block of n spans is an
n × width byte matrix. That writes hundreds of thousands of spans a second where filling message objects writes tens of
thousands. Two encodings: protobuf as it goes over the wire, and JSON for files that people open.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from google.protobuf.json_format import MessageToDict
from numpy.typing import NDArray
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tracelith.simulate.execution import SpanBlock
from tracelith.simulate.instrumentation import CONSUMER, NUMBER, PARTITION, SERVER, SpanShape

__all__ = ["JSON", "PROTOBUF", "Encoding", "Group"]

Bytes = NDArray[np.uint8]
Attributes = Iterable[tuple[str, str | int]]

_SAMPLED = 0x01  # W3C trace flags
_HAS_REMOTE_PARENT_KNOWN, _REMOTE_PARENT = 0x100, 0x200  # Span.flags bits 8 and 9
_SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"
_SCOPE_VERSION = "2.18.0"


@dataclass(frozen=True, slots=True)
class Group:
    """Encoded spans of one resource and one instrumentation scope."""

    resource: Attributes
    scope: str
    spans: bytes


class Encoding(Protocol):
    """One way to write OTLP."""

    def rows(self, block: SpanBlock) -> Bytes:
        """uint8[n, width], one encoded span per row, ready to be put one after another."""

    def request(self, groups: Sequence[Group]) -> bytes:
        """One ExportTraceServiceRequest; groups of the same resource come one after another."""


@dataclass(frozen=True, slots=True)
class _Template:
    text: bytes
    places: dict[str, tuple[int, ...]]


class _Protobuf:
    """The binary wire format."""

    def __init__(self) -> None:
        self._templates: dict[SpanShape, _Template] = {}
        self._resources: dict[Any, bytes] = {}

    def rows(self, block: SpanBlock) -> Bytes:
        template = self._templates.get(block.shape)
        if template is None:
            template = self._templates[block.shape] = _protobuf_template(block.shape)
        trace, link = _big_endian(block.trace_hi, block.trace_lo), _big_endian(block.linked_hi, block.linked_lo)
        columns = {
            "trace": trace,
            "span": _big_endian(block.span_id),
            "parent": _big_endian(block.parent_id),
            "start": (block.start_us * 1_000).astype("<u8").view(np.uint8).reshape(-1, 8),
            "end": (block.end_us * 1_000).astype("<u8").view(np.uint8).reshape(-1, 8),
            "number": _digits(block.number, 6),
            "partition": _digits(block.partition, 1),
            "linked_trace": link,
            "linked_span": _big_endian(block.linked_span),
        }
        return _fill(template, columns, trace.shape[0])

    def request(self, groups: Sequence[Group]) -> bytes:
        parts: list[bytes] = []
        for resource, members in _by_resource(groups):
            encoded = self._resources.get(resource)
            if encoded is None:
                encoded = self._resources[resource] = _resource_prefix(resource)
            scopes = b"".join(_field(2, _scope_prefix(member.scope) + member.spans) for member in members)
            parts.append(_field(1, encoded + scopes))
        return b"".join(parts)


class _Json:
    """OTLP/JSON: ids in hex, 64-bit integers as text, enums as numbers; one request per line of a file."""

    def __init__(self) -> None:
        self._templates: dict[SpanShape, _Template] = {}

    def rows(self, block: SpanBlock) -> Bytes:
        template = self._templates.get(block.shape)
        if template is None:
            template = self._templates[block.shape] = _json_template(block.shape)
        columns = {
            "trace": _hex(_big_endian(block.trace_hi, block.trace_lo)),
            "span": _hex(_big_endian(block.span_id)),
            "parent": _hex(_big_endian(block.parent_id)),
            "start": _digits(block.start_us * 1_000, 19),
            "end": _digits(block.end_us * 1_000, 19),
            "number": _digits(block.number, 6),
            "partition": _digits(block.partition, 1),
            "linked_trace": _hex(_big_endian(block.linked_hi, block.linked_lo)),
            "linked_span": _hex(_big_endian(block.linked_span)),
        }
        return _fill(template, columns, block.span_id.size)

    def request(self, groups: Sequence[Group]) -> bytes:
        resources: list[bytes] = []
        for resource, members in _by_resource(groups):
            described = _compact(MessageToDict(Resource(attributes=_key_values(resource))))
            scopes = b",".join(
                b'{"scope":%s,"spans":[%s]}' % (_compact({"name": m.scope, "version": _SCOPE_VERSION}), m.spans[:-1])
                for m in members
            )
            resources.append(
                b'{"resource":%s,"scopeSpans":[%s],"schemaUrl":"%s"}' % (described, scopes, _SCHEMA_URL.encode())
            )
        return b'{"resourceSpans":[%s]}' % b",".join(resources)


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
}
_TEXT_PLACES = {"number": NUMBER.encode(), "partition": PARTITION.encode()}
_JSON_PLACES = {
    "trace": b"T" * 32,
    "span": b"S" * 16,
    "parent": b"P" * 16,
    "start": b"B" * 19,
    "end": b"E" * 19,
    "linked_trace": b"L" * 32,
    "linked_span": b"M" * 16,
}


def _protobuf_template(shape: SpanShape) -> _Template:
    return _template(_field(2, _prototype(shape).SerializeToString(deterministic=True)), _BINARY_PLACES)


def _json_template(shape: SpanShape) -> _Template:
    fields = MessageToDict(_prototype(shape), use_integers_for_enums=True)
    fields["traceId"], fields["spanId"] = "T" * 32, "S" * 16
    fields["startTimeUnixNano"], fields["endTimeUnixNano"] = "B" * 19, "E" * 19
    if not shape.root:
        fields["parentSpanId"] = "P" * 16
    if shape.linked:
        fields["links"] = [{"traceId": "L" * 32, "spanId": "M" * 16}]
    return _template(_compact(fields) + b",", _JSON_PLACES)


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
    )
    if shape.failed:
        span.status.code = Status.STATUS_CODE_ERROR
    if shape.linked:
        span.links.add(trace_id=places["linked_trace"], span_id=places["linked_span"])
    return span


def _template(text: bytes, places: dict[str, bytes]) -> _Template:
    found: dict[str, tuple[int, ...]] = {}
    for name, mark in (places | _TEXT_PLACES).items():
        offsets, at = [], text.find(mark)
        while at >= 0:
            offsets.append(at)
            at = text.find(mark, at + len(mark))
        found[name] = tuple(offsets)
    return _Template(text, found)


def _fill(template: _Template, columns: dict[str, Bytes], count: int) -> Bytes:
    rows = np.tile(np.frombuffer(template.text, np.uint8), (count, 1))
    for name, offsets in template.places.items():
        for offset in offsets:
            rows[:, offset : offset + columns[name].shape[1]] = columns[name]
    return rows


# --- bytes -------------------------------------------------------------------------------------------------

_HEX = np.frombuffer(b"".join(b"%02x" % value for value in range(256)), np.uint8).reshape(256, 2)


def _big_endian(*words: NDArray[np.uint64]) -> Bytes:
    return np.stack(words, axis=1).astype(">u8").view(np.uint8).reshape(-1, 8 * len(words))


def _hex(raw: Bytes) -> Bytes:
    return _HEX[raw].reshape(raw.shape[0], -1)


def _digits(values: NDArray[np.int64], width: int) -> Bytes:
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (values[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def _key_values(attributes: Attributes) -> list[KeyValue]:
    return [
        KeyValue(key=key, value=AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value))
        for key, value in attributes
    ]


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _field(number: int, body: bytes) -> bytes:
    """A length-delimited protobuf field."""
    length, size = bytearray(), len(body)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return bytes([number << 3 | 2]) + bytes(length) + body


def _resource_prefix(resource: Attributes) -> bytes:
    described = ResourceSpans(resource=Resource(attributes=_key_values(resource)), schema_url=_SCHEMA_URL)
    return bytes(described.SerializeToString(deterministic=True))


def _scope_prefix(scope: str) -> bytes:
    described = ScopeSpans(scope=InstrumentationScope(name=scope, version=_SCOPE_VERSION))
    return bytes(described.SerializeToString(deterministic=True))


def _by_resource(groups: Sequence[Group]) -> list[tuple[Attributes, list[Group]]]:
    collected: dict[Any, list[Group]] = {}
    for group in groups:
        collected.setdefault(group.resource, []).append(group)
    return list(collected.items())
