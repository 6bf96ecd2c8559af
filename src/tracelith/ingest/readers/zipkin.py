"""Zipkin JSON v2 and v1 as RawSpans.

B3 lets the client and the server of a call share one span id: the id is kept as it came on both halves, and the forest
tells them apart by side. In v1 one record may hold both halves, told by its annotations (cs/cr: client, sr/ss: server);
it becomes two spans of one id. A span without a kind is local or incomplete, so its kind stays unspecified, except
where a component is named (``lc``): then it is internal.

Times are microseconds. The remote endpoint names the callee of CLIENT, PRODUCER and CONSUMER spans; of SERVER spans it
is the caller with its ephemeral port, which identifies nothing and is left out.

Source: openzipkin/zipkin-api (zipkin2-api.yaml, zipkin-api.yaml), openzipkin/b3-propagation; openzipkin/brave for tags.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from tracelith.ingest.detail_messages import Event
from tracelith.ingest.raw_columns import SPAN_ID_DIGITS, TRACE_ID_DIGITS, pad_id, scalar_text
from tracelith.ingest.readers.batch import Decoded, Record
from tracelith.ingest.readers.span_rows import SpanRows
from tracelith.model.schema import Kind, Status
from tracelith.model.semantic_conventions import KNOWN_SPAN_KEYS

__all__ = ["decode_zipkin"]


class _Endpoint(msgspec.Struct, gc=False):
    service_name: str | None = msgspec.field(default=None, name="serviceName")
    ipv4: str | None = None
    ipv6: str | None = None
    port: int | None = None


class _Annotation(msgspec.Struct, gc=False):
    timestamp: int | None = None
    value: str | None = None
    endpoint: _Endpoint | None = None


class _BinaryAnnotation(msgspec.Struct, gc=False):
    key: str
    value: Any = None
    endpoint: _Endpoint | None = None


class _Span(msgspec.Struct):
    trace_id: str = msgspec.field(name="traceId")
    span_id: str = msgspec.field(name="id")
    parent_id: str | None = msgspec.field(default=None, name="parentId")
    name: str | None = None
    kind: str | None = None
    timestamp: int | None = None
    duration: int | None = None
    local: _Endpoint | None = msgspec.field(default=None, name="localEndpoint")
    remote: _Endpoint | None = msgspec.field(default=None, name="remoteEndpoint")
    tags: dict[str, Any] | None = None
    annotations: list[_Annotation] | None = None
    binary_annotations: list[_BinaryAnnotation] | None = msgspec.field(default=None, name="binaryAnnotations")


class _Side(NamedTuple):
    """How v1 marks one side: annotations that begin and end it, binary annotation whose endpoint is the other side."""

    kind: Kind
    begin: str
    end: str
    other: str


_SPAN = msgspec.json.Decoder(_Span, strict=False)  # numbers may be text
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_BROKEN_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_KINDS = {kind.name: kind for kind in (Kind.CLIENT, Kind.SERVER, Kind.PRODUCER, Kind.CONSUMER)}
_STATUSES = {status.name: status for status in Status}
_SIDES = (
    _Side(Kind.CLIENT, "cs", "cr", "sa"),
    _Side(Kind.SERVER, "sr", "ss", "ca"),
    _Side(Kind.PRODUCER, "ms", "ws", "ma"),
    _Side(Kind.CONSUMER, "mr", "wr", "ma"),
)
_ADDRESSES = frozenset({"sa", "ca", "ma"})

# Brave's tag names for what the semantic conventions call otherwise.
_ALIASES = {
    "http.path": "url.path",
    "kafka.topic": "messaging.destination.name",
    "rabbit.exchange": "messaging.destination.name",
    "rabbit.queue": "messaging.destination.name",
    "jms.queue": "messaging.destination.name",
    "jms.topic": "messaging.destination.name",
    "cassandra.keyspace": "db.namespace",
}
# The system that a tag gives away.
_SYSTEMS = {
    "kafka.topic": ("messaging.system", "kafka"),
    "rabbit.exchange": ("messaging.system", "rabbitmq"),
    "rabbit.queue": ("messaging.system", "rabbitmq"),
    "jms.queue": ("messaging.system", "jms"),
    "jms.topic": ("messaging.system", "jms"),
    "cassandra.keyspace": ("db.system.name", "cassandra"),
    "sql.query": ("db.system.name", "other_sql"),
}


@dataclass(frozen=True, slots=True)
class _Half:
    """One side of a Zipkin record: what becomes one span. Times are microseconds."""

    kind: Kind
    start_us: int | None
    duration_us: int
    local: _Endpoint | None
    remote: _Endpoint | None
    tags: Mapping[str, str]


def decode_zipkin(records: Sequence[Record], *, keep_attributes: bool = False) -> Decoded:
    """Spans of Zipkin lists, lists of lists and single spans; nothing in a record makes it raise."""
    rows = SpanRows(keep_attributes=keep_attributes)
    for record in records:
        for where, span_json in _spans_of(record):
            _add_record(rows, where, span_json)
    return rows.finish()


def _spans_of(record: Record) -> Iterator[tuple[str, bytes | msgspec.Raw]]:
    elements = _elements(record.body)
    if elements is None:
        yield record.where, record.body
        return
    for number, element in enumerate(elements, start=1):
        spans = _elements(element)
        if spans is None:
            yield record.part(f"span {number}"), element
        for inner, span_json in enumerate(spans or (), start=1):
            yield record.part(f"trace {number}, span {inner}"), span_json


def _elements(body: bytes | msgspec.Raw) -> list[msgspec.Raw] | None:
    """The elements of a list, None if the text is no list."""
    if bytes(memoryview(body)[:64]).lstrip()[:1] != b"[":
        return None
    return _ELEMENTS.decode(body)


def _add_record(rows: SpanRows, where: str, span_json: bytes | msgspec.Raw) -> None:
    try:
        span = _SPAN.decode(span_json)
    except _BROKEN_JSON as error:
        rows.refuse(where, f"not a Zipkin span: {error}")
        return
    trace_id, span_id = pad_id(span.trace_id, TRACE_ID_DIGITS), pad_id(span.span_id, SPAN_ID_DIGITS)
    if not trace_id or not span_id:
        wrong, digits = ("id", SPAN_ID_DIGITS) if trace_id else ("traceId", TRACE_ID_DIGITS)
        rows.refuse(where, f"{wrong} is not an id; Zipkin writes up to {digits} hex digits, not all zeros")
        return
    ids = (trace_id, span_id, pad_id(span.parent_id, SPAN_ID_DIGITS))
    for half in _halves(span):
        _add_half(rows, where, span, ids, half)


def _add_half(rows: SpanRows, where: str, span: _Span, ids: tuple[str, str, str], half: _Half) -> None:
    if half.start_us is None:
        rows.refuse(where, "has no timestamp, so nothing says when it happened")
        return
    resource, attributes = _resource(half.local), _attributes(half)
    rows.add(
        where,
        ids=ids,
        start_ns=half.start_us * 1000,
        end_ns=(half.start_us + half.duration_us) * 1000,
        name=span.name or "",
        kind=half.kind,
        status=_status(half.tags),
        resource_row=rows.resource(resource, resource.items()),
        attributes=attributes,
        scope=half.tags.get("otel.scope.name") or half.tags.get("otel.library.name") or "",
        trace_state=half.tags.get("w3c.tracestate", ""),
        told={**attributes, **half.tags}.items(),
        events=_events(span),
    )


def _events(span: _Span) -> Iterator[Event]:
    """Annotations that are not the marks of a side."""
    marks = {mark for side in _SIDES for mark in (side.begin, side.end)}
    for each in span.annotations or ():
        at_ns = (each.timestamp or 0) * 1000
        if each.value and each.value not in marks and 0 <= at_ns < 2**64:
            yield Event(each.value, at_ns, ())


def _halves(span: _Span) -> list[_Half]:
    if span.binary_annotations or any(annotation.endpoint for annotation in span.annotations or ()):
        return _halves_of_v1(span)
    tags = {key: text for key, value in (span.tags or {}).items() if (text := scalar_text(value)) is not None}
    local_kind = Kind.INTERNAL if "lc" in tags else Kind.UNSPECIFIED
    kind = _KINDS.get((span.kind or "").upper(), local_kind)
    start_us = span.timestamp or min(
        (each.timestamp for each in span.annotations or () if each.timestamp), default=None
    )
    return [_Half(kind, start_us, span.duration or 0, span.local, span.remote, tags)]


def _halves_of_v1(span: _Span) -> list[_Half]:
    marks = {each.value: each for each in reversed(span.annotations or ())}
    sides = [side for side in _SIDES if side.begin in marks or side.end in marks]
    if not sides:
        return [_local_half_of_v1(span)]
    return [_half_of_v1(span, marks, side, is_only=len(sides) == 1) for side in sides]


def _half_of_v1(span: _Span, marks: Mapping[str | None, _Annotation], side: _Side, *, is_only: bool) -> _Half:
    """One side of a v1 record. The record's own time is the client's, or belongs to the only side there is."""
    begun, ended = marks.get(side.begin), marks.get(side.end)
    owns_times = is_only or side.kind in (Kind.CLIENT, Kind.PRODUCER)
    start_us = (begun.timestamp if begun else None) or (span.timestamp if owns_times else None)
    end_us = ended.timestamp if ended else None
    measured_us = end_us - start_us if start_us and end_us else 0
    endpoints = [mark.endpoint for mark in (begun, ended) if mark and mark.endpoint]
    local = endpoints[0] if endpoints else None
    remote = next((each.endpoint for each in span.binary_annotations or () if each.key == side.other), None)
    return _Half(
        kind=side.kind,
        start_us=start_us or end_us,
        duration_us=(span.duration if owns_times else None) or measured_us,
        local=local,
        remote=remote,
        tags=_tags_of_v1(span, local),
    )


def _local_half_of_v1(span: _Span) -> _Half:
    """A v1 record that is no side of a call: work inside one service."""
    every = (*(span.binary_annotations or ()), *(span.annotations or ()))
    component = next((each for each in span.binary_annotations or () if each.key == "lc"), None)
    local = (component.endpoint if component else None) or next(
        (each.endpoint for each in every if each.endpoint), None
    )
    start_us = span.timestamp or min(
        (each.timestamp for each in span.annotations or () if each.timestamp), default=None
    )
    kind = Kind.INTERNAL if component else Kind.UNSPECIFIED
    return _Half(kind, start_us, span.duration or 0, local, None, _tags_of_v1(span, local))


def _tags_of_v1(span: _Span, local: _Endpoint | None) -> dict[str, str]:
    """Binary annotations that the service itself wrote, or nobody in particular."""
    service = local.service_name if local else None
    return {
        each.key: text
        for each in span.binary_annotations or ()
        if each.key not in _ADDRESSES
        and (each.endpoint is None or service is None or each.endpoint.service_name in (None, "", service))
        and (text := scalar_text(each.value)) is not None
    }


def _resource(local: _Endpoint | None) -> dict[str, str]:
    if local is None:
        return {}
    address = local.ipv4 or local.ipv6
    named = {"service.name": local.service_name} if local.service_name else {}
    return {**named, "ip": address} if address else named


def _attributes(half: _Half) -> dict[str, str]:
    attributes = {key: text for key, text in half.tags.items() if key in KNOWN_SPAN_KEYS and key != "error"}
    for key, text in half.tags.items():
        if key in _ALIASES and text:
            attributes.setdefault(_ALIASES[key], text)
        if key in _SYSTEMS:
            attributes.setdefault(*_SYSTEMS[key])
    if half.remote is not None and half.kind is not Kind.SERVER:
        remote = half.remote
        values = (remote.service_name, remote.ipv4 or remote.ipv6, str(remote.port) if remote.port else None)
        for key, value in zip(("peer.service", "server.address", "server.port"), values, strict=True):
            if value:
                attributes.setdefault(key, value)
    return attributes


def _status(tags: Mapping[str, str]) -> Status:
    """Zipkin's error tag means failure by being there, whatever it says, unless it says false."""
    if tags.get("error", "false").lower() != "false":
        return Status.ERROR
    return _STATUSES.get(tags.get("otel.status_code", ""), Status.UNSET)
