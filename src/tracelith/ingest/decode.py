"""OTLP requests in protobuf as RawSpans: many at a time, column by column, each with its own verdict.

ptars parses all requests in one call without the interpreter lock. What it cannot do is refuse one request of many,
or name a bad span; that happens here and in flatten.py.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from google.protobuf.message import DecodeError

from tracelith.ingest.details import no_details, read_parts
from tracelith.ingest.flatten import REFUSALS, FlatSpans, flatten
from tracelith.ingest.projection import ENVELOPE, PARTS, PROJECTED, REQUESTS
from tracelith.model.errors import InvalidRequest
from tracelith.model.schema import RawSpans, Rejection

__all__ = ["MAX_REQUEST_BYTES", "DecodedRequests", "RequestVerdict", "decode_requests", "refusal_sentence"]

MAX_REQUEST_BYTES = 1 << 30
"""Arrow counts bytes in 32 bits: all requests of one call together stay below half of that."""

MAX_PART_BYTES = 16 << 10
"""Larger parts of a request (a span, a resource) are checked for nesting before ptars sees them.

ptars 0.0.25 skips unknown protobuf groups by recursion without a limit, about 80 bytes of stack per level and one
byte of input per level: a megabyte of nested groups, a few kilobytes when compressed, would end the process. A part of
this size cannot nest deeper than its length, 1.3 MB of an 8 MB stack; ordinary spans are far smaller.
"""

MIN_PART_BYTES = 8
"""A request of many parts (resources, scopes, spans, attributes, links) has at least so many bytes for each.

A sound span takes 37 bytes, an attribute with key and value 9, but an empty one of either takes two, and what is made
of it in memory a hundred times that: requests of crumbs would cost gigabytes and minutes, and hold nothing.
"""

MANY_PARTS = 10_000
"""Fewer parts in all requests of a call are never too many; neither are FEW_PARTS in one: odd but small requests keep
their verdicts span by span, and so do those that come beside a flood of crumbs."""

FEW_PARTS = 16

REASONS_SHOWN = 6
"""An answer to a sender stays readable; protobuf has no more."""

IMPOSSIBLE_LENGTH = b"\xff\xff\xff\xff\xff\x01"
"""What the end of a length looks like that is close to 2**64, where ptars panics; negative numbers look so too."""

WARY_S = 60.0
"""For so long after a panic, requests that may be the cause of another are parsed by protobuf first.

Each panic writes lines to standard error, which nobody can keep it from: a flood of such requests would flood the
log. Looking for IMPOSSIBLE_LENGTH all the time would cost 3 % of receiving.
"""


@dataclass(frozen=True, slots=True)
class RequestVerdict:
    """What became of one request.

    Attributes:
        accepted, rejected: spans.
        reason: why spans were rejected, in words a sender can act on; empty when none was.
        error: the bytes are not an OTLP trace request at all; nothing of it was taken.
    """

    accepted: int
    rejected: int
    reason: str
    error: InvalidRequest | None = None


@dataclass(frozen=True, slots=True)
class DecodedRequests:
    """Many requests as one batch of spans, with one verdict per request in their order."""

    raw: RawSpans
    verdicts: tuple[RequestVerdict, ...]


def decode_requests(payloads: Sequence[bytes], *, keep_attributes: bool = False) -> DecodedRequests:
    """Spans of many serialised ExportTraceServiceRequests, sound ones only.

    A request that cannot be parsed costs only itself, a span that cannot be used likewise. Attributes without a known
    key are dropped, and text outside the fields Tracelith reads is not looked at.

    Args:
        payloads: the requests. keep_attributes: also fill in the details of spans.

    Raises:
        ValueError: the payloads together exceed MAX_REQUEST_BYTES; decode fewer at a time.
    """
    if sum(map(len, payloads)) > MAX_REQUEST_BYTES:
        raise ValueError(f"expected at most {MAX_REQUEST_BYTES:,} bytes in one call; decode fewer requests at a time")
    wary = _wariness.lasts()
    errors = {number: error for number, payload in enumerate(payloads) if (error := _check_shape(payload, wary))}
    batch = _parse(payloads, errors)
    if crumbs := _requests_of_crumbs(batch, payloads):
        errors |= crumbs
        batch = _parse_sound(payloads, errors)
    flat = flatten(batch)
    verdicts = _verdicts(flat, len(payloads), errors)
    details = _details(payloads, errors, flat) if keep_attributes else None
    return DecodedRequests(replace(flat.raw, rejections=_rejections(flat), details=details), verdicts)


@dataclass(slots=True)
class _Wariness:
    """When ptars panicked last; shared by all that decode in this process, as standard error is."""

    panicked_at: float | None = None

    def lasts(self) -> bool:
        return self.panicked_at is not None and time.monotonic() - self.panicked_at < WARY_S


_wariness = _Wariness()


# --- parsing -------------------------------------------------------------------------------------------------------


def _parse(payloads: Sequence[bytes], errors: dict[int, InvalidRequest]) -> pa.RecordBatch:
    """One row per payload, empty for those in errors; payloads that fail are added to errors."""
    try:
        return _parse_sound(payloads, errors)
    except ValueError:
        # One of many is broken. Finding it costs a second pass, which only senders of broken requests cause.
        for number, payload in enumerate(payloads):
            if number not in errors and (error := _check_shape(payload, wary=True) or _check_alone(payload)):
                errors[number] = error
        return _parse_sound(payloads, errors)


def _parse_sound(payloads: Sequence[bytes], errors: dict[int, InvalidRequest]) -> pa.RecordBatch:
    return _records(_sound(payloads, errors))


def _sound(payloads: Sequence[bytes], errors: dict[int, InvalidRequest]) -> list[bytes]:
    # The empty request is a valid one, so rows stay in step with payloads.
    return [b"" if number in errors else payload for number, payload in enumerate(payloads)]


def _records(payloads: Sequence[bytes], handler: Any = REQUESTS) -> pa.RecordBatch:
    """What ptars makes of the payloads; ValueError if one of them is broken, however it is broken."""
    try:
        return handler.list_to_record_batch(payloads)
    except BaseException as error:
        # ptars 0.0.25 adds a length near 2**64 without looking at overflow, and panics. A panic is no Exception: it
        # would end the thread that decodes, and nothing would be received any more. Its class cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        _wariness.panicked_at = time.monotonic()
        raise ValueError("failed to decode Protobuf message: a length is impossible") from error


def _check_alone(payload: bytes) -> InvalidRequest | None:
    try:
        _records([payload])
    except ValueError as error:
        return _invalid(str(error))
    return None


def _check_shape(payload: bytes, wary: bool) -> InvalidRequest | None:
    """Why the payload must not reach ptars, if so; see MAX_PART_BYTES, MIN_PART_BYTES and WARY_S."""
    suspicious = wary and IMPOSSIBLE_LENGTH in payload
    if len(payload) <= MAX_PART_BYTES and not suspicious:
        return None
    try:
        envelope = ENVELOPE.FromString(payload)
        if (parts := _count_parts(envelope)) > MANY_PARTS and parts * MIN_PART_BYTES > len(payload):
            return _crumbs(parts, len(payload))
        if suspicious or _largest_part(envelope) > MAX_PART_BYTES:
            PROJECTED.FromString(payload)  # not the generated class, which refuses all of it for one bad text
    except DecodeError as error:
        return _invalid(str(error))
    return None


def _count_parts(envelope: Any) -> int:
    """Resources, scopes and spans; no further than it takes to see that there are too many of the outer ones."""
    parts = len(envelope.resource_spans)
    if parts <= MANY_PARTS:
        parts += sum(len(group.scope_spans) for group in envelope.resource_spans)
    if parts <= MANY_PARTS:
        parts += sum(len(scoped.spans) for group in envelope.resource_spans for scoped in group.scope_spans)
    return parts


def _largest_part(envelope: Any) -> int:
    """Bytes of the largest resource, scope or span."""
    largest = 0
    for group in envelope.resource_spans:
        for scoped in group.scope_spans:
            largest = max(largest, max(map(len, scoped.scope), default=0), max(map(len, scoped.spans), default=0))
        largest = max(largest, max(map(len, group.resource), default=0))
    return largest


def _requests_of_crumbs(batch: pa.RecordBatch, payloads: Sequence[bytes]) -> dict[int, InvalidRequest]:
    """The requests that have too many parts for their size, counting attributes and links too; see MIN_PART_BYTES."""
    groups = batch.column(0)
    resources, scoped = groups.values.field(0), groups.values.field(1)
    spans = scoped.values.field(1)
    # Offsets of nested lists compose: each line is, at the bounds of requests, how many there are up to here.
    group_ends = groups.offsets.to_numpy()
    scope_ends = scoped.offsets.to_numpy()[group_ends]
    span_ends = spans.offsets.to_numpy()[scope_ends]
    ends = group_ends.astype(np.int64) + scope_ends + span_ends
    ends += resources.field(0).offsets.to_numpy()[group_ends]
    for field in (8, 9):  # attributes and links
        ends += spans.values.field(field).offsets.to_numpy()[span_ends]
    if ends[-1] <= MANY_PARTS or ends[-1] * MIN_PART_BYTES <= sum(map(len, payloads)):
        return {}
    parts = np.diff(ends).tolist()
    return {
        number: _crumbs(parts[number], len(payload))
        for number, payload in enumerate(payloads)
        if parts[number] > FEW_PARTS and parts[number] * MIN_PART_BYTES > len(payload)
    }


def _crumbs(parts: int, size: int) -> InvalidRequest:
    return InvalidRequest(
        f"{parts:,} resources, scopes, spans, attributes and links are said to be in {size:,} bytes, "
        "so most of them are empty; check what the exporter sends"
    )


def _invalid(problem: str) -> InvalidRequest:
    return InvalidRequest(
        f"expected a serialised ExportTraceServiceRequest, but its {problem}; "
        "check that the exporter sends traces, as protobuf, and only once compressed"
    )


# --- details -------------------------------------------------------------------------------------------------------


def _details(payloads: Sequence[bytes], errors: dict[int, InvalidRequest], flat: FlatSpans) -> pl.DataFrame:
    """DETAIL rows of the sound spans."""
    sound = _sound(payloads, errors)
    rows = _details_of(sound, len(flat.refusal))
    if rows is None:
        counts = np.bincount(flat.request, minlength=len(payloads)).tolist()
        each = [(_details_of([payload], count), count) for payload, count in zip(sound, counts, strict=True)]
        rows = pl.concat([no_details(count) if found is None else found for found, count in each])
    return rows.filter(flat.refusal == 0)


def _details_of(payloads: Sequence[bytes], spans: int) -> pl.DataFrame | None:
    """DETAIL rows of all spans; None if there is something wrong in what only the details look at."""
    try:
        rows = read_parts(_records(payloads, PARTS))
    except ValueError:
        return None
    return rows if rows.height == spans else None


# --- verdicts ------------------------------------------------------------------------------------------------------


def refusal_sentence(spans_by_reason: Mapping[str, int]) -> str:
    """``3 spans refused: trace_id must be … (2), span_id must be … (1)``, as senders are told; empty if none was.

    Names the first REASONS_SHOWN reasons only; all of them are counted in RawSpans.rejections.
    """
    refused = sum(spans_by_reason.values())
    if not refused:
        return ""
    causes = ", ".join(f"{reason} ({spans})" for reason, spans in list(spans_by_reason.items())[:REASONS_SHOWN])
    return f"{refused} {'span' if refused == 1 else 'spans'} refused: {causes}"


def _verdicts(flat: FlatSpans, requests: int, errors: dict[int, InvalidRequest]) -> tuple[RequestVerdict, ...]:
    kinds = len(REFUSALS)
    counts = np.bincount(flat.request * kinds + flat.refusal, minlength=requests * kinds).reshape(requests, kinds)
    return tuple(
        RequestVerdict(row[0], sum(row[1:]), refusal_sentence(_by_reason(row)), errors.get(number))
        for number, row in enumerate(counts.tolist())
    )


def _by_reason(counts: Sequence[int]) -> dict[str, int]:
    """Refused spans by reason, from spans by refusal number."""
    return {REFUSALS[number]: count for number, count in enumerate(counts) if number and count}


def _rejections(flat: FlatSpans) -> tuple[Rejection, ...]:
    counts = np.bincount(flat.refusal, minlength=len(REFUSALS)).tolist()
    return tuple(Rejection(reason, spans) for reason, spans in _by_reason(counts).items())
