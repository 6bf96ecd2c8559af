"""Traces as the APIs of Grafana Tempo and Jaeger v3 answer them, rewritten to OTLP/JSON.

Both hold OTLP messages in an envelope of their own, and Tempo writes them with a generic protobuf-to-JSON encoder:
ids in base64 and enums by name. That is known of these answers, so it is undone here, while the same defects in what
claims to be OTLP/JSON are refused (an id cannot be guessed). Grafana's own downloads of such traces write hex ids, so
both spellings are taken.

Source: grafana/tempo issue 5437 (ids of /api/traces), Grafana pull request 66001 (downloads).
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Any

import msgspec

from tracelith.ingest.readers.detect import Unrecognised
from tracelith.model.schema import Kind, Status

__all__ = ["otlp_from_tempo"]

_KINDS = {f"SPAN_KIND_{kind.name}": int(kind) for kind in Kind}
_STATUSES = {f"STATUS_CODE_{status.name}": int(status) for status in Status}
_ENVELOPES = ("trace", "result")
_ID_BYTES = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


def otlp_from_tempo(body: bytes | msgspec.Raw) -> bytes:
    """The same trace as an OTLP/JSON request.

    Raises:
        Unrecognised: the envelope holds no spans where such answers hold them.
    """
    document = msgspec.json.decode(body)
    for envelope in _ENVELOPES:
        if isinstance(document.get(envelope), dict):
            document = document[envelope]
    resource_spans = document.get("batches") or document.get("resourceSpans")
    if resource_spans is None and not {"batches", "resourceSpans"} & document.keys():
        raise Unrecognised("an API answer without batches or resourceSpans in it")
    for span in _spans_of(resource_spans):
        _mend_ids(span)
        for link in _objects(span.get("links")):
            _mend_ids(link)
        _mend_enum(span, "kind", _KINDS)
        if isinstance(span.get("status"), dict):
            _mend_enum(span["status"], "code", _STATUSES)
    return msgspec.json.encode({"resourceSpans": resource_spans})


def _objects(value: object) -> Iterator[dict[str, Any]]:
    """The objects of a list; whatever else is there is left for the OTLP decoder to complain about."""
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def _spans_of(resource_spans: object) -> Iterator[dict[str, Any]]:
    for each in _objects(resource_spans):
        for key in ("scopeSpans", "instrumentationLibrarySpans"):
            for group in _objects(each.get(key)):
                yield from _objects(group.get("spans"))


def _mend_ids(holder: dict[str, Any]) -> None:
    for field, size in _ID_BYTES.items():
        value = holder.get(field)
        if isinstance(value, str) and len(value) != size * 2:
            holder[field] = _hex_from_base64(value, size)


def _hex_from_base64(text: str, size: int) -> str:
    """Hexadecimal id; the text as it was if it is not base64 of that size, for the decoder to refuse."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text
    return decoded.hex() if len(decoded) == size else text


def _mend_enum(holder: dict[str, Any], field: str, numbers: dict[str, int]) -> None:
    if holder.get(field) in numbers:
        holder[field] = numbers[holder[field]]
