"""All that spans in OTLP/JSON say, as DETAIL rows: one span at a time, like everything that comes in JSON.

What is not of the shape OTLP describes is left out and counted; the span itself is kept, as it is without the option.
"""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import polars as pl

from tracelith.ingest.detail_messages import MAX_DEPTH, Detail, Event, Link, encode_details, encode_resource
from tracelith.ingest.details import detail_rows
from tracelith.ingest.otlp_json_shape import NOTHING, AnyValue, KeptAnyValue, KeptSpan, KeyValue, Resource, Span

__all__ = ["json_details"]

_BROKEN_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def json_details(
    spans: Sequence[Span], resources: Sequence[Resource | None], resource_rows: Sequence[int]
) -> pl.DataFrame:
    """DETAIL rows of spans decoded by KEPT_REQUEST or KEPT_SPAN.

    Args:
        spans: the spans. resources: those of the batch. resource_rows: the number of each span's resource.
    """
    about = [encode_resource(_pairs(resource.attributes if resource else None)) for resource in resources]
    return detail_rows([_detail(span) for span in spans], [about[row] for row in resource_rows])


def _detail(span: Span) -> Detail:
    pairs = _pairs(span.attributes)
    if not isinstance(span, KeptSpan):
        return encode_details(pairs)
    events, bad = _events(span.events)
    links = [
        Link(bytes.fromhex(link.trace_id), bytes.fromhex(link.span_id), _told_pairs(_plain(link.attributes)))
        for link in span.links or ()
        if link.trace_id and link.span_id
    ]
    message = _plain(span.status.message) if span.status else None
    detail = encode_details(pairs, events=events, links=links, message=message if isinstance(message, str) else "")
    return Detail(detail.body, detail.left_out + bad)


def _events(raw: msgspec.Raw) -> tuple[list[Event], int]:
    """The events, and how many were no events."""
    told = _plain(raw)
    if told is None:
        return [], 0 if raw is NOTHING or bytes(raw) == b"null" else 1
    events = list(map(_event, told if isinstance(told, list) else [told]))
    return [event for event in events if event is not None], events.count(None)


def _event(told: object) -> Event | None:
    if not isinstance(told, dict):
        return None
    try:
        at_ns = int(told.get("timeUnixNano") or 0)
    except (TypeError, ValueError):
        return None
    return Event(str(told.get("name") or ""), at_ns if 0 <= at_ns < 2**64 else 0, _told_pairs(told.get("attributes")))


# --- values --------------------------------------------------------------------------------------------------------


def _pairs(attributes: Sequence[KeyValue] | None) -> Iterator[tuple[str, Any]]:
    return ((each.key or "", _value(each.value)) for each in attributes or ())


def _value(value: AnyValue | None) -> Any:
    """The value of a decoded attribute in Python's types."""
    if value is None:
        return None
    scalars = (value.string_value, value.int_value, value.bool_value, value.double_value)
    scalar = next((scalar for scalar in scalars if scalar is not None), None)
    if scalar is not None or not isinstance(value, KeptAnyValue):
        return scalar
    nested = {
        name: _plain(raw)
        for name, raw in (
            ("arrayValue", value.array_value),
            ("kvlistValue", value.kvlist_value),
            ("bytesValue", value.bytes_value),
        )
        if raw is not NOTHING
    }
    return _told_value(nested, MAX_DEPTH)


def _plain(raw: msgspec.Raw) -> Any:
    """JSON text in Python's types; None if it cannot be read."""
    try:
        return msgspec.json.decode(raw)
    except _BROKEN_JSON:
        return None


def _told_pairs(told: object, depth: int = MAX_DEPTH) -> list[tuple[str, Any]]:
    """Attributes in plain JSON; what is none is left out."""
    pairs = told if isinstance(told, list) else []
    return [
        (pair["key"], _told_value(pair.get("value"), depth))
        for pair in pairs
        if isinstance(pair, dict) and isinstance(pair.get("key"), str)
    ]


def _told_value(told: object, depth: int) -> Any:
    """An AnyValue in plain JSON, in Python's types; None if it is none."""
    if not isinstance(told, dict) or not depth:
        return None
    name, value = next(((name, value) for name, value in told.items() if value is not None), ("", None))
    if name == "arrayValue" and isinstance(value, dict):
        values = value.get("values")
        return [_told_value(each, depth - 1) for each in (values if isinstance(values, list) else [])]
    if name == "kvlistValue" and isinstance(value, dict):
        return dict(_told_pairs(value.get("values"), depth - 1))
    return _told_scalar(name, value)


def _told_scalar(name: str, value: Any) -> Any:
    try:
        match name:
            case "intValue":
                return int(value)  # which is text, by the rules for 64-bit numbers
            case "doubleValue":
                return float(value)
            case "bytesValue":
                return b64decode(value)
            case "stringValue" | "boolValue":
                return value if isinstance(value, str | bool) else None
    except (TypeError, ValueError, OverflowError):  # binascii.Error is a ValueError
        pass
    return None
