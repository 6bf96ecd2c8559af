"""OTLP/JSON requests as RawSpans: strict to the specification, and one bad span costs only itself.

The good case is one typed decode in C and one comprehension per column. Only when it fails is a request taken apart
span by span, to name each defect and keep the rest. Numbers may be text and text may be numbers exactly where
protobuf's JSON mapping says so, null stands for a missing field, unknown fields are skipped. Ids are hexadecimal and
enums are numbers: OTLP departs from protobuf's mapping there, which is what generic encoders get wrong.

Source: OpenTelemetry protocol specification, "JSON Protobuf Encoding"; protobuf, "ProtoJSON Format".
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.ingest.decode import DecodedRequests, RequestVerdict, refusal_sentence
from tracelith.ingest.otlp_json_defects import describe_defects
from tracelith.ingest.otlp_json_details import json_details
from tracelith.ingest.otlp_json_shape import (
    KEPT_REQUEST,
    KEPT_SPAN,
    REQUEST,
    SPAN,
    UNDECODED_REQUEST,
    AnyValue,
    KeyValue,
    Request,
    Resource,
    ResourceSpans,
    ScopeSpans,
    Span,
    UndecodedResourceSpans,
)
from tracelith.ingest.raw_columns import (
    SPAN_ID_DIGITS,
    TRACE_ID_DIGITS,
    build_attributes,
    build_links,
    build_spans,
    empty_raw_spans,
    ids_from_hex,
    scalar_text,
)
from tracelith.model.errors import InvalidRequest
from tracelith.model.schema import Kind, RawSpans, Rejection, Status
from tracelith.model.semantic_conventions import KNOWN_RESOURCE_KEYS, KNOWN_SPAN_KEYS

__all__ = ["DecodedJson", "decode_json_request", "decode_json_requests"]

_BROKEN_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
# One escape of JSON text at a time, so that an escaped backslash before a "u" is not taken for the start of one.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_HEX = re.compile(r"[0-9A-Fa-f]*")
_NO_ID = "0" * SPAN_ID_DIGITS
_SPANS_DESCRIBED = 1_000  # of one request: naming a defect takes 30 µs, and a request can hold a million bad spans
_NOT_DESCRIBED = f"not looked at more closely, because {_SPANS_DESCRIBED:,} spans of the request were refused already"
_MIN_SPAN_BYTES = 32  # the ids of a sound span alone take more
_MANY_PARTS = 10_000


# --- what a caller gets -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DecodedJson:
    """One request's spans, how many were taken and refused, and why."""

    raw: RawSpans
    accepted: int
    rejected: int
    reason: str


def decode_json_request(body: bytes, *, keep_attributes: bool = False) -> DecodedJson:
    """Spans of one ExportTraceServiceRequest in OTLP/JSON, with their details if attributes are kept.

    Raises:
        InvalidRequest: the bytes are not JSON, or not an object of that shape above the level of spans.
    """
    decoded = decode_json_requests([body], keep_attributes=keep_attributes)
    verdict = decoded.verdicts[0]
    if verdict.error is not None:
        raise verdict.error
    return DecodedJson(decoded.raw, verdict.accepted, verdict.rejected, verdict.reason)


def decode_json_requests(bodies: Sequence[bytes | msgspec.Raw], *, keep_attributes: bool = False) -> DecodedRequests:
    """Spans of many requests in one batch, so that small requests do not pay for a frame each."""
    shape = _KEPT if keep_attributes else _SHAPE
    parsed = [_parse(body, shape) for body in bodies]
    flat = _flatten([request.resource_spans for request in parsed])
    refused_by_request = [request.refused for request in parsed]
    ids = _sound_ids(flat.spans)
    if ids is None:
        flat, ids = _drop_unsound(flat, refused_by_request)
    sizes = np.bincount(flat.request, minlength=len(bodies)).tolist()
    verdicts = tuple(
        _verdict(accepted, request.refused, request.error) for accepted, request in zip(sizes, parsed, strict=True)
    )
    total: Counter[str] = sum(refused_by_request, Counter())
    rejections = tuple(Rejection(reason, count) for reason, count in total.most_common())
    details = json_details(flat.spans, flat.resources, flat.resource_row.tolist()) if keep_attributes else None
    return DecodedRequests(replace(_build(flat, ids, rejections), details=details), verdicts)


def _verdict(accepted: int, refused: Counter[str], error: InvalidRequest | None) -> RequestVerdict:
    named = sorted(refused.items(), key=lambda each: (each[0] == _NOT_DESCRIBED, -each[1]))
    return RequestVerdict(accepted, refused.total(), refusal_sentence(dict(named)), error)


# --- bytes to objects ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Parsed:
    resource_spans: list[ResourceSpans]
    refused: Counter[str]
    error: InvalidRequest | None = None


@dataclass(frozen=True, slots=True)
class _Shape:
    """What to decode requests to, and single spans of them."""

    request: msgspec.json.Decoder[Request]
    span: msgspec.json.Decoder[Span]


_SHAPE = _Shape(REQUEST, SPAN)
_KEPT = _Shape(KEPT_REQUEST, KEPT_SPAN)


def _parse(body: bytes | msgspec.Raw, shape: _Shape) -> _Parsed:
    try:
        resource_spans = shape.request.decode(body).resource_spans or []
    except _BROKEN_JSON:
        return _parse_span_by_span(body, shape)
    if crumbs := _crumbs(resource_spans, body):
        return _Parsed([], Counter(), crumbs)
    return _Parsed(resource_spans, Counter())


def _parse_span_by_span(body: bytes | msgspec.Raw, shape: _Shape) -> _Parsed:
    try:
        request = UNDECODED_REQUEST.decode(_ESCAPE.sub(_whole_character, memoryview(body)))
    except RecursionError:
        return _Parsed([], Counter(), InvalidRequest("The body is nested too deeply to be an OTLP/JSON trace request."))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _Parsed([], Counter(), InvalidRequest(f"The body is not an OTLP/JSON trace request: {error}."))
    if crumbs := _crumbs(request.resource_spans or [], body):
        return _Parsed([], Counter(), crumbs)
    refused: Counter[str] = Counter()
    return _Parsed([_salvage(each, shape, refused) for each in request.resource_spans or ()], refused)


def _crumbs(
    resource_spans: Sequence[ResourceSpans] | Sequence[UndecodedResourceSpans], body: bytes | msgspec.Raw
) -> InvalidRequest | None:
    """Why a request of more spans than its bytes can hold is refused at once: refusing each of them takes minutes."""
    parts = len(resource_spans)
    for each in resource_spans:
        for groups in (each.scope_spans or (), each.instrumentation_library_spans or ()):
            parts += len(groups) + sum(len(group.spans or ()) for group in groups)
    size = len(memoryview(body))
    if parts <= _MANY_PARTS or parts * _MIN_SPAN_BYTES <= size:
        return None
    return InvalidRequest(
        f"{parts:,} resources, scopes and spans are said to be in {size:,} bytes, so most of them are empty; "
        "check what the exporter sends."
    )


def _whole_character(escape: re.Match[bytes]) -> bytes:
    """The escape itself, or the replacement character for half of a surrogate pair.

    JavaScript writes such halves where it cut a text; the decoder refuses the whole body for one.
    """
    return rb"\ufffd" if escape["half"] else escape[0]


def _salvage(undecoded: UndecodedResourceSpans, shape: _Shape, refused: Counter[str]) -> ResourceSpans:
    groups = chain(undecoded.scope_spans or (), undecoded.instrumentation_library_spans or ())
    scope_spans = [
        ScopeSpans(
            scope=group.scope,
            instrumentation_library=group.instrumentation_library,
            spans=[span for raw in group.spans or () if (span := _decode_span(raw, shape, refused)) is not None],
        )
        for group in groups
    ]
    return ResourceSpans(resource=undecoded.resource, scope_spans=scope_spans)


def _decode_span(raw: msgspec.Raw, shape: _Shape, refused: Counter[str]) -> Span | None:
    try:
        return shape.span.decode(raw)
    except _BROKEN_JSON as error:
        examined = refused.total() < _SPANS_DESCRIBED
        refused[describe_defects(bytes(raw), str(error)) if examined else _NOT_DESCRIBED] += 1
        return None


# --- objects to columns -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Flat:
    """Spans of all requests in one list; request, resource_row and scope run parallel to it."""

    spans: list[Span]
    request: NDArray[np.int64]
    resource_row: NDArray[np.uint32]
    scope: list[str]
    resources: list[Resource | None]


def _flatten(requests: list[list[ResourceSpans]]) -> _Flat:
    all_resource_spans = list(chain.from_iterable(requests))
    request_of_row = np.repeat(np.arange(len(requests)), list(map(len, requests)))
    groups = [
        (row, group)
        for row, each in enumerate(all_resource_spans)
        for group in chain(each.scope_spans or (), each.instrumentation_library_spans or ())
    ]
    sizes = [len(group.spans or ()) for _, group in groups]
    resource_row = np.repeat(np.array([row for row, _ in groups], dtype=np.uint32), sizes)
    return _Flat(
        spans=list(chain.from_iterable(group.spans or () for _, group in groups)),
        request=request_of_row[resource_row],
        resource_row=resource_row,
        scope=[name for (_, group), size in zip(groups, sizes, strict=True) for name in [_scope_name(group)] * size],
        resources=[each.resource for each in all_resource_spans],
    )


def _scope_name(group: ScopeSpans) -> str:
    scope = group.scope or group.instrumentation_library
    return (scope.name or "") if scope else ""


@dataclass(frozen=True, slots=True)
class _Ids:
    traces: NDArray[np.uint64]  # two words a row
    spans: NDArray[np.uint64]
    parents: NDArray[np.uint64]
    links: pl.DataFrame


def _sound_ids(spans: list[Span]) -> _Ids | None:
    """Ids of spans that can all be taken as they are; None if one has a wrong id or no start."""
    traces = ids_from_hex([span.trace_id or "" for span in spans], TRACE_ID_DIGITS)
    own = ids_from_hex([span.span_id or "" for span in spans], SPAN_ID_DIGITS)
    parents = ids_from_hex([span.parent_span_id or _NO_ID for span in spans], SPAN_ID_DIGITS)
    links = _link_frame(spans)
    if traces is None or own is None or parents is None or links is None:
        return None
    if not (traces.any(axis=1).all() and own.all() and all(span.start_time_unix_nano for span in spans)):
        return None
    return _Ids(traces, own[:, 0], parents[:, 0], links)


def _link_frame(spans: list[Span]) -> pl.DataFrame | None:
    """Links whose ids are present (empty or of zeros they link to nothing); None if one of them is not an id."""
    links = [
        (row, link.trace_id, link.span_id)
        for row, span in enumerate(spans)
        if span.links
        for link in span.links
        if link.trace_id and link.span_id and link.trace_id.strip("0") and link.span_id.strip("0")
    ]
    return build_links([row for row, _, _ in links], [trace for _, trace, _ in links], [span for _, _, span in links])


def _is_sound(span: Span) -> bool:
    """Whether _sound_ids takes the span; for requests that hold one it does not take."""
    return (
        _is_id(span.trace_id, TRACE_ID_DIGITS)
        and _is_id(span.span_id, SPAN_ID_DIGITS)
        and bool(span.start_time_unix_nano)
        and (not span.parent_span_id or _is_hex(span.parent_span_id, SPAN_ID_DIGITS))
        and (not span.links or _link_frame([span]) is not None)
    )


def _is_id(text: str | None, digits: int) -> bool:
    return text is not None and _is_hex(text, digits) and text.strip("0") != ""


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and _HEX.fullmatch(text) is not None


def _drop_unsound(flat: _Flat, refused_by_request: list[Counter[str]]) -> tuple[_Flat, _Ids]:
    keep = [_is_sound(span) for span in flat.spans]
    for row, kept in enumerate(keep):
        if not kept:
            refused = refused_by_request[flat.request[row]]
            examined = refused.total() < _SPANS_DESCRIBED
            refused[describe_defects(msgspec.json.encode(flat.spans[row])) if examined else _NOT_DESCRIBED] += 1
    sound = _Flat(
        spans=list(compress(flat.spans, keep)),
        request=flat.request[keep],
        resource_row=flat.resource_row[keep],
        scope=list(compress(flat.scope, keep)),
        resources=flat.resources,
    )
    ids = _sound_ids(sound.spans)
    if ids is None:
        raise AssertionError("spans sound one by one are sound together")
    return sound, ids


def _build(flat: _Flat, ids: _Ids, rejections: tuple[Rejection, ...]) -> RawSpans:
    if not flat.spans:
        return empty_raw_spans(rejections)
    return RawSpans(
        spans=_span_frame(flat, ids),
        span_attributes=_attribute_frame([span.attributes for span in flat.spans], KNOWN_SPAN_KEYS),
        resource_count=len(flat.resources),
        resource_attributes=_attribute_frame(
            [resource.attributes if resource else None for resource in flat.resources], KNOWN_RESOURCE_KEYS
        ),
        links=ids.links,
        rejections=rejections,
    )


def _span_frame(flat: _Flat, ids: _Ids) -> pl.DataFrame:
    spans = flat.spans
    return build_spans(
        {
            "trace_hi": ids.traces[:, 0],
            "trace_lo": ids.traces[:, 1],
            "span_id": ids.spans,
            "parent_id": ids.parents,
            "start_ns": [span.start_time_unix_nano for span in spans],
            "end_ns": [span.end_time_unix_nano or 0 for span in spans],
            "name": [span.name or "" for span in spans],
            "kind": _enum([span.kind or 0 for span in spans], max(Kind)),
            "status": _enum([(span.status.code or 0) if span.status else 0 for span in spans], max(Status)),
            "trace_state": [span.trace_state or "" for span in spans],
            "flags": [span.flags or 0 for span in spans],
            "scope": flat.scope,
            "resource_row": flat.resource_row,
        }
    )


def _attribute_frame(attributes: list[list[KeyValue] | None], known: frozenset[str]) -> pl.DataFrame:
    """ATTRIBUTE rows of the known keys; whole columns at a time, a tuple per attribute costs twice as much."""
    flat = list(chain.from_iterable(each or () for each in attributes))
    keys = [attribute.key or "" for attribute in flat]
    is_known = list(map(known.__contains__, keys))
    rows = np.repeat(np.arange(len(attributes), dtype=np.uint32), [len(each or ()) for each in attributes])
    texts = [
        value.string_value if (value := each.value) and value.string_value is not None else _text(value)
        for each in compress(flat, is_known)
    ]
    return build_attributes(rows[np.array(is_known, dtype=np.bool_)], list(compress(keys, is_known)), texts)


def _enum(numbers: list[int], largest: int) -> NDArray[np.uint8]:
    """Enum numbers as bytes; a number from a later OTLP than ours reads as 0, unspecified."""
    values = np.array(numbers, dtype=np.int64)
    return np.where((values >= 0) & (values <= largest), values, 0).astype(np.uint8)


def _text(value: AnyValue | None) -> str | None:
    """A scalar other than text as ATTRIBUTE writes it; None for arrays, maps, bytes and empty values."""
    if value is None:
        return None
    scalars = (value.int_value, value.bool_value, value.double_value)
    return scalar_text(next((scalar for scalar in scalars if scalar is not None), None))
