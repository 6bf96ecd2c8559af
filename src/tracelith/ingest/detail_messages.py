"""Details of a span as protobuf: the classes to read and write them with, and what becomes of what is too large.

These are OTLP's own messages, and the generated classes could read them, but for one thing: text is declared as bytes
here. What is kept was never validated, and one badly encoded value must not hide all others.

Field numbers: opentelemetry-proto, trace/v1/trace.proto, common/v1/common.proto and resource/v1/resource.proto.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from tracelith.ingest.projection import message_classes
from tracelith.model.details import Attributes, SpanDetails, SpanEvent, SpanLink

__all__ = [
    "MAX_LIST_BYTES",
    "MAX_PART_BYTES",
    "Detail",
    "Event",
    "Link",
    "Pairs",
    "cut_part",
    "encode_details",
    "encode_resource",
    "read_details",
]

MAX_PART_BYTES = 16 << 10
"""An attribute, event or link up to this size is kept as it came. Stack traces of most languages fit."""

MAX_TEXT_BYTES = 4 << 10
"""Texts in a larger one are cut to this; if it is still too large (a long list), it is left out."""

MAX_LIST_BYTES = 64 << 10
"""All attributes of a span, or all its events, or links, beyond this are left out."""

MAX_DEPTH = 16
"""Arrays and maps deeper within each other than this become empty values."""

_CLASSES = message_classes(
    "tracelith.details",
    {
        "ArrayValue": {"values": (1, "AnyValue*")},
        "KeyValueList": {"values": (1, "KeyValue*")},
        "AnyValue": {
            "string_value": (1, "bytes?"),
            "bool_value": (2, "bool?"),
            "int_value": (3, "int64?"),
            "double_value": (4, "double?"),
            "array_value": (5, "ArrayValue?"),
            "kvlist_value": (6, "KeyValueList?"),
            "bytes_value": (7, "bytes?"),
        },
        "KeyValue": {"key": (1, "bytes"), "value": (2, "AnyValue")},
        "Event": {"time_unix_nano": (1, "fixed64"), "name": (2, "bytes"), "attributes": (3, "KeyValue*")},
        "Link": {"trace_id": (1, "bytes"), "span_id": (2, "bytes"), "attributes": (4, "KeyValue*")},
        "Status": {"message": (2, "bytes"), "code": (3, "int32")},
        "Span": {
            "attributes": (9, "KeyValue*"),
            "events": (11, "Event*"),
            "links": (13, "Link*"),
            "status": (15, "Status"),
        },
        "Resource": {"attributes": (1, "KeyValue*")},
    },
)

_PARTS = {
    "attributes": _CLASSES["KeyValue"],
    "events": _CLASSES["Event"],
    "links": _CLASSES["Link"],
    "status": _CLASSES["Status"],
}

Pairs = Iterable[tuple[str, Any]]
"""Keys and values: text, bytes, booleans, numbers, lists, dictionaries, or None for a value without any."""


# --- writing -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Event:
    """A span event before it is written."""

    name: str
    at_ns: int
    attributes: Pairs


@dataclass(frozen=True, slots=True)
class Link:
    """A span link before it is written."""

    trace_id: bytes
    span_id: bytes
    attributes: Pairs


@dataclass(frozen=True, slots=True)
class Detail:
    """A written message, and how many attributes, events and links were too large for it."""

    body: bytes
    left_out: int


def encode_details(
    attributes: Pairs, *, events: Iterable[Event] = (), links: Iterable[Link] = (), message: str = ""
) -> Detail:
    """DETAIL.span of a span that did not come in protobuf."""
    span = _CLASSES["Span"]()
    _add_attributes(span.attributes, attributes)
    for event in events:
        added = span.events.add(name=_bytes(event.name), time_unix_nano=event.at_ns)
        _add_attributes(added.attributes, event.attributes)
    for link in links:
        added = span.links.add(trace_id=link.trace_id, span_id=link.span_id)
        _add_attributes(added.attributes, link.attributes)
    if message:
        span.status.message = _bytes(message)
    return _bounded(span, ("attributes", "events", "links"))


def encode_resource(attributes: Pairs) -> Detail:
    """DETAIL.resource of a resource that did not come in protobuf."""
    resource = _CLASSES["Resource"]()
    _add_attributes(resource.attributes, attributes)
    return _bounded(resource, ("attributes",))


def _add_attributes(into: Any, attributes: Pairs) -> None:
    for key, value in attributes:
        _set_value(into.add(key=_bytes(key)).value, value, MAX_DEPTH)


def _set_value(into: Any, value: object, depth: int) -> None:
    match value:
        case str():
            into.string_value = _bytes(value)
        case bool():
            into.bool_value = value
        case int() if -(2**63) <= value < 2**63:
            into.int_value = value
        case int() | float():
            into.double_value = float(value)
        case bytes():
            into.bytes_value = value
        case list() if depth:
            into.array_value.SetInParent()
            for element in value:
                _set_value(into.array_value.values.add(), element, depth - 1)
        case dict() if depth:
            into.kvlist_value.SetInParent()
            for key, element in value.items():
                _set_value(into.kvlist_value.values.add(key=_bytes(str(key))).value, element, depth - 1)


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")  # halves of surrogate pairs come from JSON


# --- bounds --------------------------------------------------------------------------------------------------------


def cut_part(name: str, part: bytes) -> bytes | None:
    """A part larger than MAX_PART_BYTES with its long texts cut; None if it must be left out.

    Args:
        name: attributes, events, links or status. part: one of them, serialised.
    """
    try:
        message = _PARTS[name].FromString(part)
    except DecodeError:
        return None
    _cut_texts(message)
    body: bytes = message.SerializeToString()
    return body if len(body) <= MAX_PART_BYTES else None


def _cut_texts(message: Any) -> None:
    """Cuts every long text in the message; parsing has limited how deep it is."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_BYTES:
            if len(value) > MAX_TEXT_BYTES:
                start = value[:MAX_TEXT_BYTES].decode(errors="ignore")
                setattr(message, field.name, f"{start}… [cut: {len(value):,} bytes]".encode())
        elif field.type == field.TYPE_MESSAGE:
            for inner in value if field.is_repeated else (value,):
                _cut_texts(inner)


def _bounded(message: Any, names: Sequence[str]) -> Detail:
    body: bytes = message.SerializeToString()
    if len(body) <= MAX_PART_BYTES:  # so no part is larger
        return Detail(body, 0)
    left_out = 0
    for name in names:
        parts, size = list[Any](), 0
        for part in getattr(message, name):
            kept = (
                part.SerializeToString()
                if part.ByteSize() <= MAX_PART_BYTES
                else cut_part(name, part.SerializeToString())
            )
            size += len(kept or b"")
            if kept is None or size > MAX_LIST_BYTES:
                left_out += 1
            else:
                parts.append(_PARTS[name].FromString(kept))
        message.ClearField(name)
        getattr(message, name).extend(parts)
    if message.DESCRIPTOR.name == "Span":
        _cut_texts(message.status)
    return Detail(message.SerializeToString(), left_out)


# --- reading -------------------------------------------------------------------------------------------------------


def read_details(span: bytes, resource: bytes, left_out: int) -> SpanDetails:
    """What a DETAIL row says; text that is not UTF-8 shows replacement characters."""
    told, about = _parse("Span", span), _parse("Resource", resource)
    return SpanDetails(
        attributes=_attributes(told.attributes),
        resource=_attributes(about.attributes),
        events=tuple(
            SpanEvent(_text(each.name), each.time_unix_nano, _attributes(each.attributes)) for each in told.events
        ),
        links=tuple(
            SpanLink(each.trace_id.hex(), each.span_id.hex(), _attributes(each.attributes)) for each in told.links
        ),
        status_message=_text(told.status.message),
        left_out=left_out,
    )


def _parse(name: str, body: bytes) -> Any:
    try:
        return _CLASSES[name].FromString(body)
    except DecodeError:
        return _CLASSES[name]()


def _attributes(pairs: Iterable[Any]) -> Attributes:
    return tuple((_text(pair.key), _shown(_value(pair.value))) for pair in pairs)


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _value(value: Any) -> object:
    """The value as JSON knows it; bytes as hexadecimal digits."""
    kind = value.WhichOneof("kind")
    match kind:
        case "string_value":
            return _text(value.string_value)
        case "bytes_value":
            return value.bytes_value.hex()
        case "array_value":
            return [_value(each) for each in value.array_value.values]
        case "kvlist_value":
            return {_text(each.key): _value(each.value) for each in value.kvlist_value.values}
        case None:
            return None
        case _:
            return getattr(value, kind)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
