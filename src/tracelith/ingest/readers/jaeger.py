"""Jaeger JSON (its API, its UI's downloads, its Elasticsearch documents) as RawSpans.

A reference CHILD_OF to a span of the same trace is the parent. FOLLOWS_FROM says that the referring span does not hold
up the other one: without a CHILD_OF it is the parent too, but also a link, and a span that states no kind becomes a
CONSUMER, so that the relation reads as handed over and not as awaited. All further references are links.

Times are microseconds. Ids are hexadecimal and may lack leading zeros; hand-written traces use
any text, and a digest stands for it. A span may name a process that is missing: it
is kept, without a service name, and reported.

Source: jaegertracing/jaeger-ui (trace.ts), jaegertracing/jaeger (internal/uimodel); OpenTracing semantic conventions.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from tracelith.ingest.detail_messages import Event
from tracelith.ingest.raw_columns import SPAN_ID_DIGITS, TRACE_ID_DIGITS, pad_id, scalar_text
from tracelith.ingest.readers.batch import Decoded, Record
from tracelith.ingest.readers.span_rows import SpanRows
from tracelith.model.schema import Kind, Status
from tracelith.model.semantic_conventions import KNOWN_RESOURCE_KEYS, KNOWN_SPAN_KEYS

__all__ = ["decode_jaeger"]


class _Tag(msgspec.Struct, gc=False):
    key: str
    value: Any = None


class _Log(msgspec.Struct, gc=False):
    timestamp_us: int | None = msgspec.field(default=None, name="timestamp")
    fields: list[_Tag] | None = None


class _Reference(msgspec.Struct, gc=False):
    kind: str | None = msgspec.field(default=None, name="refType")
    trace_id: str | None = msgspec.field(default=None, name="traceID")
    span_id: str | None = msgspec.field(default=None, name="spanID")


class _Process(msgspec.Struct):
    service_name: str | None = msgspec.field(default=None, name="serviceName")
    tags: list[_Tag] | None = None


class _Span(msgspec.Struct):
    start_us: int = msgspec.field(name="startTime")
    span_id: str = msgspec.field(name="spanID")
    trace_id: str | None = msgspec.field(default=None, name="traceID")
    parent_id: str | None = msgspec.field(default=None, name="parentSpanID")
    operation_name: str | None = msgspec.field(default=None, name="operationName")
    references: list[_Reference] | None = None
    duration_us: int | None = msgspec.field(default=None, name="duration")
    tags: list[_Tag] | None = None
    logs: msgspec.Raw = msgspec.Raw(b"null")  # only for the details
    process_id: str | None = msgspec.field(default=None, name="processID")
    process: _Process | None = None  # Elasticsearch documents carry it in place


class _Trace(msgspec.Struct):
    trace_id: str | None = msgspec.field(default=None, name="traceID")
    spans: list[msgspec.Raw] | None = None
    processes: dict[str, _Process | None] | None = None


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    errors: list[Any] | None = None


_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANSWER = msgspec.json.Decoder(_Answer)
_TRACE = msgspec.json.Decoder(_Trace)
_SPAN = msgspec.json.Decoder(_Span, strict=False)  # numbers may be text: JavaScript clients quote large ones
_LOGS = msgspec.json.Decoder(list[_Log] | None, strict=False)
_BROKEN_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_KINDS = {kind.name.lower(): kind for kind in Kind}
_STATUSES = {status.name: status for status in Status}
_FALSE = frozenset({"", "false", "0", "no"})

# Jaeger's own names of process tags for what the semantic conventions know under another.
_PROCESS_ALIASES = {"client-uuid": "service.instance.id"}


def decode_jaeger(records: Sequence[Record], *, keep_attributes: bool = False) -> Decoded:
    """Spans of Jaeger answers, traces and single spans; nothing in a record makes it raise."""
    rows = SpanRows(keep_attributes=keep_attributes)
    for record in records:
        for where, trace_json in _traces_of(record, rows):
            _add_trace(rows, where, trace_json)
    return rows.finish()


def _traces_of(record: Record, rows: SpanRows) -> Iterator[tuple[str, bytes | msgspec.Raw]]:
    keys = _KEYS.decode(record.body)
    if "data" not in keys:
        yield record.where, record.body
        return
    try:
        answer = _ANSWER.decode(record.body)
    except _BROKEN_JSON as error:
        rows.note(record.where, f"not a Jaeger answer: {error}")
        return
    if not answer.data and answer.errors:
        rows.note(record.where, "Jaeger answered with errors and no trace; is the trace still stored?")
    for number, trace_json in enumerate(answer.data or (), start=1):
        yield record.part(f"trace {number}"), trace_json


def _add_trace(rows: SpanRows, where: str, trace_json: bytes | msgspec.Raw) -> None:
    try:
        trace = _TRACE.decode(trace_json)
        if trace.spans is None and "spanID" in _KEYS.decode(trace_json):
            trace.spans = [msgspec.Raw(bytes(trace_json))]
    except _BROKEN_JSON as error:
        rows.note(where, f"not a Jaeger trace: {error}")
        return
    resources = {name: _add_resource(rows, process) for name, process in (trace.processes or {}).items()}
    for number, span_json in enumerate(trace.spans or (), start=1):
        _add_span(rows, f"{where}, span {number}" if where else f"span {number}", span_json, trace, resources)


def _add_span(rows: SpanRows, where: str, span_json: msgspec.Raw, trace: _Trace, resources: Mapping[str, int]) -> None:
    try:
        span = _SPAN.decode(span_json)
    except _BROKEN_JSON as error:
        rows.refuse(where, f"not a Jaeger span: {error}")
        return
    trace_id = _id(span.trace_id or trace.trace_id, TRACE_ID_DIGITS)
    span_id = _id(span.span_id, SPAN_ID_DIGITS)
    if not trace_id or not span_id:
        wrong, digits = ("spanID", SPAN_ID_DIGITS) if trace_id else ("traceID", TRACE_ID_DIGITS)
        rows.refuse(where, f"{wrong} is missing or all zeros; Jaeger writes up to {digits} hex digits")
        return
    if not pad_id(span.span_id, SPAN_ID_DIGITS) or not pad_id(span.trace_id or trace.trace_id, TRACE_ID_DIGITS):
        rows.note(where, "its ids are not hexadecimal; kept under digests of them")
    resource_row = _add_resource(rows, span.process) if span.process else resources.get(span.process_id or "")
    if resource_row is None:
        rows.note(where, "names a process that its trace does not list; kept without a service name")
        resource_row = rows.resource({})
    tags = {tag.key: text for tag in span.tags or () if (text := scalar_text(tag.value)) is not None}
    parent, links, is_deferred = _relations(span, trace_id)
    kind = _KINDS.get(tags.get("span.kind", "").lower(), Kind.UNSPECIFIED)
    row = rows.add(
        where,
        ids=(trace_id, span_id, parent),
        start_ns=span.start_us * 1000,
        end_ns=(span.start_us + (span.duration_us or 0)) * 1000,
        name=span.operation_name or "",
        kind=Kind.CONSUMER if is_deferred and kind is Kind.UNSPECIFIED else kind,
        status=_status(tags),
        resource_row=resource_row,
        attributes={key: text for key, text in tags.items() if key in KNOWN_SPAN_KEYS},
        scope=tags.get("otel.scope.name") or tags.get("otel.library.name") or "",
        trace_state=tags.get("w3c.tracestate", ""),
        told=((tag.key, tag.value) for tag in span.tags or ()),
        events=_events(span.logs),
    )
    if row is not None:
        for linked_trace, linked_span in links:
            rows.link(row, linked_trace, linked_span)


def _add_resource(rows: SpanRows, process: _Process | None) -> int:
    attributes = _resource(process)
    told = {tag.key: tag.value for tag in process.tags or ()} if process else {}
    return rows.resource(attributes, {**told, **attributes}.items())


def _events(logs: msgspec.Raw) -> Iterator[Event]:
    """The logs of a span as events; what is no log is passed over."""
    try:
        told = _LOGS.decode(logs) or []
    except _BROKEN_JSON:
        return
    for log in told:
        fields = {field.key: field.value for field in log.fields or ()}
        name = fields.pop("event", fields.pop("message", None))
        at_ns = (log.timestamp_us or 0) * 1000
        yield Event(str(name or "log"), at_ns if 0 <= at_ns < 2**64 else 0, fields.items())


def _id(text: str | None, digits: int) -> str:
    """An id of full length; a digest of one that is not hexadecimal, which keeps such traces in one piece."""
    if not text or not text.strip("0"):
        return ""
    return pad_id(text, digits) or blake2b(text.encode(errors="surrogatepass"), digest_size=digits // 2).hexdigest()


def _relations(span: _Span, trace_id: str) -> tuple[str, list[tuple[str, str]], bool]:
    """Parent id, links, and whether the span was handed over by its parent instead of being awaited."""
    references = [
        ((reference.kind or "CHILD_OF").upper(), _id(reference.trace_id, TRACE_ID_DIGITS) or trace_id, span_id)
        for reference in span.references or ()
        if (span_id := _id(reference.span_id, SPAN_ID_DIGITS))
    ]
    links = [(trace, span_id) for _, trace, span_id in references]
    in_this_trace = [index for index, (_, trace, _) in enumerate(references) if trace == trace_id]
    child_of = next((index for index in in_this_trace if references[index][0] == "CHILD_OF"), None)
    if child_of is not None:
        return references[child_of][2], links[:child_of] + links[child_of + 1 :], False
    if parent := _id(span.parent_id, SPAN_ID_DIGITS):
        return parent, links, False
    return (references[in_this_trace[0]][2], links, True) if in_this_trace else ("", links, False)


def _resource(process: _Process | None) -> dict[str, str]:
    if process is None:
        return {}
    tags = {tag.key: text for tag in process.tags or () if (text := scalar_text(tag.value)) is not None}
    attributes = {key: text for key, text in tags.items() if key in KNOWN_RESOURCE_KEYS}
    for key in _PROCESS_ALIASES.keys() & tags.keys():
        attributes.setdefault(_PROCESS_ALIASES[key], tags[key])
    client, dash, _ = tags.get("jaeger.version", "").partition("-")  # Go-2.30.0, Java-1.8.1, Python-4.8.0, Node-3.19.0
    if dash:
        attributes.setdefault("telemetry.sdk.language", {"Node": "nodejs"}.get(client, client.lower()))
    if process.service_name:
        attributes["service.name"] = process.service_name
    return attributes


def _status(tags: Mapping[str, str]) -> Status:
    if tags.get("error", "").lower() not in _FALSE:
        return Status.ERROR
    return _STATUSES.get(tags.get("otel.status_code", ""), Status.UNSET)
