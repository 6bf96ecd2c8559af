"""A wire-compatible descriptor of OTLP's ExportTraceServiceRequest that names only the fields Tracelith reads.

Protobuf parsers skip fields that a descriptor does not name, so a smaller descriptor is a faster parser and
needs no copy of the .proto files. Three choices are deliberate:

- AnyValue has no arrays and no maps: nothing read is nested, and a type without recursion becomes flat Arrow columns.
- Text is declared as bytes (the same on the wire): one badly encoded string then costs one span, not the request,
  and text nobody reads is never validated.
- Enums are declared as int32: values from later versions of OTLP arrive as numbers instead of errors.

Field numbers: opentelemetry-proto, trace/v1/trace.proto, common/v1/common.proto and resource/v1/resource.proto.
"""

from collections.abc import Mapping
from typing import Any

import ptars
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["ENVELOPE", "PARTS", "PROJECTED", "REQUESTS", "message_classes"]

_PACKAGE = "tracelith.projection"
_SCALARS = {
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "fixed32": descriptor_pb2.FieldDescriptorProto.TYPE_FIXED32,
    "fixed64": descriptor_pb2.FieldDescriptorProto.TYPE_FIXED64,
}

_Message = Mapping[str, tuple[int, str]]  # field name: number and type

# A trailing "*" means repeated, a trailing "?" a member of the message's oneof.
_MESSAGES: dict[str, _Message] = {
    "AnyValue": {
        "string_value": (1, "bytes?"),
        "bool_value": (2, "bool?"),
        "int_value": (3, "int64?"),
        "double_value": (4, "double?"),
    },
    "KeyValue": {"key": (1, "bytes"), "value": (2, "AnyValue")},
    "Resource": {"attributes": (1, "KeyValue*")},
    "Scope": {"name": (1, "bytes")},
    "Link": {"trace_id": (1, "bytes"), "span_id": (2, "bytes")},
    "Status": {"code": (3, "int32")},
    "Span": {
        "trace_id": (1, "bytes"),
        "span_id": (2, "bytes"),
        "trace_state": (3, "bytes"),
        "parent_span_id": (4, "bytes"),
        "name": (5, "bytes"),
        "kind": (6, "int32"),
        "start_time_unix_nano": (7, "fixed64"),
        "end_time_unix_nano": (8, "fixed64"),
        "attributes": (9, "KeyValue*"),
        "links": (13, "Link*"),
        "status": (15, "Status"),
        "flags": (16, "fixed32"),
    },
    "ScopeSpans": {"scope": (1, "Scope"), "spans": (2, "Span*")},
    "ResourceSpans": {"resource": (1, "Resource"), "scope_spans": (2, "ScopeSpans*")},
    "Request": {"resource_spans": (1, "ResourceSpans*")},
    # The same request with its parts left unopened: what the size check of decode.py walks. All of them are repeated,
    # because a field that occurs twice on the wire is merged when parsed as a message, and the last one when as bytes.
    "ScopeSpansEnvelope": {"scope": (1, "bytes*"), "spans": (2, "bytes*")},
    "ResourceSpansEnvelope": {"resource": (1, "bytes*"), "scope_spans": (2, "ScopeSpansEnvelope*")},
    "RequestEnvelope": {"resource_spans": (1, "ResourceSpansEnvelope*")},
    # The same request with only what a person may want to read of it, each part as it came; see details.py.
    "SpanParts": {
        "attributes": (9, "bytes*"),
        "events": (11, "bytes*"),
        "links": (13, "bytes*"),
        "status": (15, "bytes*"),
    },
    "ResourceParts": {"attributes": (1, "bytes*")},
    "ScopeSpansParts": {"spans": (2, "SpanParts*")},
    "ResourceSpansParts": {"resource": (1, "ResourceParts"), "scope_spans": (2, "ScopeSpansParts*")},
    "RequestParts": {"resource_spans": (1, "ResourceSpansParts*")},
}


def _pool(package: str, messages: Mapping[str, _Message]) -> descriptor_pool.DescriptorPool:
    """A pool that knows these messages, as protobuf describes them to itself."""
    name = f"{package.replace('.', '/')}.proto"
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto3")
    for message_name, fields in messages.items():
        message = file.message_type.add(name=message_name)
        if any(kind.endswith("?") for _, kind in fields.values()):
            message.oneof_decl.add(name="kind")
        for field_name, (number, kind) in fields.items():
            _add_field(message, package, field_name, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _add_field(message: descriptor_pb2.DescriptorProto, package: str, name: str, number: int, kind: str) -> None:
    field = message.field.add(name=name, number=number)
    repeated = kind.endswith("*")
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    base = kind.rstrip("*?")
    if base in _SCALARS:
        field.type = _SCALARS[base]
    else:
        field.type = field.TYPE_MESSAGE
        field.type_name = f".{package}.{base}"
    if kind.endswith("?"):
        field.oneof_index = 0


def message_classes(package: str, messages: Mapping[str, _Message]) -> dict[str, Any]:
    """Protobuf classes by name of messages that are told by a table like the one above."""
    pool = _pool(package, messages)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


def _build() -> tuple[Any, Any, Any, Any]:
    pool = _pool(_PACKAGE, _MESSAGES)
    request = pool.FindMessageTypeByName(f"{_PACKAGE}.Request")
    envelope = pool.FindMessageTypeByName(f"{_PACKAGE}.RequestEnvelope")
    handlers = ptars.HandlerPool([request.file])
    parts = handlers.get_for_message(pool.FindMessageTypeByName(f"{_PACKAGE}.RequestParts"))
    classes = message_factory.GetMessageClass(request), message_factory.GetMessageClass(envelope)
    return handlers.get_for_message(request), parts, *classes


REQUESTS: Any
"""ptars handler: ``list_to_record_batch(payloads)`` gives one row per request, nested as above, or ValueError."""

PARTS: Any
"""ptars handler of the same requests that leaves attributes, events, links and status of each span as bytes."""

PROJECTED: Any
"""Protobuf class of the same messages: it reads what ptars reads, but slower and never deeper than 100 groups."""

ENVELOPE: Any
"""Protobuf class of a request whose resources, scopes and spans are still bytes."""

REQUESTS, PARTS, PROJECTED, ENVELOPE = _build()
