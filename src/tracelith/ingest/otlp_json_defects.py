"""What is wrong with one refused OTLP/JSON span, in words that tell its sender what to mend.

A reason names shapes (``24 characters``), never the values found: telemetry is not for logs, and equal defects must
read equal so that they can be counted.
"""

import re
from typing import Any

import msgspec

from tracelith.ingest.raw_columns import MAX_TIME_NS, SPAN_ID_DIGITS, TRACE_ID_DIGITS

__all__ = ["describe_defects"]

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}\Z")
_HEX = re.compile(r"[0-9A-Fa-f]+\Z")
_ENUM_NAME = re.compile(r"(SPAN_KIND|STATUS_CODE)_[A-Z]+\Z")
_GENERIC_ENCODER = "was it written by a generic protobuf-to-JSON encoder?"
_BASE64_LENGTHS = {TRACE_ID_DIGITS: (22, 24), SPAN_ID_DIGITS: (11, 12)}


def describe_defects(span_json: bytes, decoder_said: str = "") -> str:
    """Every defect of a span that was refused, most telling first.

    Args:
        span_json: the span as it came.
        decoder_said: the typed decoder's complaint, used when nothing more helpful is found.
    """
    try:
        span = msgspec.json.decode(span_json)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return f"the span is not valid JSON: {decoder_said}"
    if not isinstance(span, dict):
        return f"a span must be an object, not {_json_type(span)}"
    defects = [*_id_defects(span), *_enum_defects(span), *_time_defects(span)]
    if any("base64" in defect or "enum name" in defect for defect in defects):
        defects.append(_GENERIC_ENCODER)
    return "; ".join(defects) or decoder_said or "the span does not have the shape OTLP/JSON describes"


def _id_defects(span: dict[str, Any]) -> list[str]:
    links = span.get("links")
    first_link = next((link for link in links if isinstance(link, dict)), {}) if isinstance(links, list) else {}
    checks = [
        _id_defect("traceId", span.get("traceId"), TRACE_ID_DIGITS, required=True),
        _id_defect("spanId", span.get("spanId"), SPAN_ID_DIGITS, required=True),
        _id_defect("parentSpanId", span.get("parentSpanId"), SPAN_ID_DIGITS, required=False),
    ]
    linked = first_link if not any(checks) else {}  # the ids of links are usually wrong in the same way
    checks += [
        _id_defect("links.traceId", linked.get("traceId"), TRACE_ID_DIGITS, required=False),
        _id_defect("links.spanId", linked.get("spanId"), SPAN_ID_DIGITS, required=False),
    ]
    return [defect for defect in checks if defect]


def _id_defect(field: str, value: object, digits: int, *, required: bool) -> str:
    wanted = f"OTLP/JSON wants {digits} hex digits"
    if value is None or value == "":
        return f"{field} is missing; {wanted}" if required else ""
    if not isinstance(value, str):
        return f"{field} is {_json_type(value)}; {wanted}"
    if _HEX.match(value) and len(value) == digits:
        return f"{field} is all zeros, which means none" if required and not value.strip("0") else ""
    if len(value) in _BASE64_LENGTHS[digits] and _BASE64.match(value) and not _HEX.match(value):
        return f"{field} is base64 ({len(value)} characters); {wanted}"
    if _HEX.match(value):
        return f"{field} has {len(value)} hex digits; {wanted}"
    return f"{field} is text of {len(value)} characters that are not all hex digits; {wanted}"


def _enum_defects(span: dict[str, Any]) -> list[str]:
    status = span.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    return [
        defect
        for defect in (
            _enum_defect("kind", span.get("kind"), "SPAN_KIND_CLIENT is 3"),
            _enum_defect("status.code", code, "STATUS_CODE_ERROR is 2"),
        )
        if defect
    ]


def _enum_defect(field: str, value: object, example: str) -> str:
    if not isinstance(value, str) or value.lstrip("-").isdecimal():
        return ""
    found = f"the enum name {value}" if _ENUM_NAME.match(value) and len(value) < 40 else "text"
    return f"{field} is {found}; OTLP/JSON wants the enum's number ({example})"


def _time_defects(span: dict[str, Any]) -> list[str]:
    defects = []
    for field in ("startTimeUnixNano", "endTimeUnixNano"):
        value = span.get(field)
        number = int(value) if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,40}", value) else value
        if number in (None, 0) and field == "startTimeUnixNano":
            defects.append(f"{field} is missing or 0; a span needs a start")
        elif isinstance(number, int) and not isinstance(number, bool) and not 0 <= number <= MAX_TIME_NS:
            defects.append(f"{field} lies outside 1970 to 2262; is it really in nanoseconds?")
        elif number is not None and not isinstance(number, int | float):
            defects.append(f"{field} is {_json_type(number)}; OTLP/JSON wants nanoseconds, as a number or as digits")
    return defects


def _json_type(value: object) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text that is no number", list: "an array"}
    return "null" if value is None else names.get(type(value), "an object")
