"""OTLP requests in protobuf as RawSpans: many at a time, column by column, each with its own verdict.

ptars parses all requests in one call without the interpreter lock. What it cannot do is refuse one request of many,
or name a bad span; that happens here and in flatten.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError

from tracelith.ingest.flatten import REFUSALS, FlatSpans, flatten
from tracelith.ingest.projection import ENVELOPE, PROJECTED, REQUESTS
from tracelith.model.errors import InvalidRequest
from tracelith.model.schema import RawSpans, Rejection

__all__ = ["MAX_REQUEST_BYTES", "DecodedRequests", "RequestVerdict", "decode_requests"]

MAX_REQUEST_BYTES = 1 << 30
"""Arrow counts bytes in 32 bits: all requests of one call together stay below half of that."""

MAX_PART_BYTES = 16 << 10
"""Larger parts of a request (a span, a resource) are checked for nesting before ptars sees them.

ptars 0.0.25 skips unknown protobuf groups by recursion without a limit, about 80 bytes of stack per level and one
byte of input per level: a megabyte of nested groups, a few kilobytes when compressed, would end the process. A part of
this size cannot nest deeper than its length, 1.3 MB of an 8 MB stack; ordinary spans are far smaller.
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


def decode_requests(payloads: Sequence[bytes]) -> DecodedRequests:
    """Spans of many serialised ExportTraceServiceRequests, sound ones only.

    A request that cannot be parsed costs only itself, a span that cannot be used likewise. Attributes without a known
    key are dropped, and text outside the fields Tracelith reads is not looked at.

    Raises:
        ValueError: the payloads together exceed MAX_REQUEST_BYTES; decode fewer at a time.
    """
    if sum(map(len, payloads)) > MAX_REQUEST_BYTES:
        raise ValueError(f"expected at most {MAX_REQUEST_BYTES:,} bytes in one call; decode fewer requests at a time")
    errors = {number: error for number, payload in enumerate(payloads) if (error := _check_nesting(payload))}
    batch = _parse(payloads, errors)
    flat = flatten(batch)
    verdicts = _verdicts(flat, len(payloads), errors)
    return DecodedRequests(replace(flat.raw, rejections=_rejections(flat)), verdicts)


# --- parsing -------------------------------------------------------------------------------------------------------


def _parse(payloads: Sequence[bytes], errors: dict[int, InvalidRequest]) -> pa.RecordBatch:
    """One row per payload, empty for those in errors; payloads that fail are added to errors."""
    try:
        return _parse_sound(payloads, errors)
    except ValueError:
        # One of many is broken. Finding it costs a second pass, which only senders of broken requests cause.
        for number, payload in enumerate(payloads):
            if number not in errors and (problem := _parse_problem(payload)):
                errors[number] = _invalid(problem)
        return _parse_sound(payloads, errors)


def _parse_sound(payloads: Sequence[bytes], errors: dict[int, InvalidRequest]) -> pa.RecordBatch:
    # The empty request is a valid one, so rows stay in step with payloads.
    return _records([b"" if number in errors else payload for number, payload in enumerate(payloads)])


def _records(payloads: Sequence[bytes]) -> pa.RecordBatch:
    """What ptars makes of the payloads; ValueError if one of them is broken, however it is broken."""
    try:
        return REQUESTS.list_to_record_batch(payloads)
    except BaseException as error:
        # ptars 0.0.25 adds a length near 2**64 without looking at overflow, and panics. A panic is no Exception: it
        # would end the thread that decodes, and nothing would be received any more. Its class cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError("failed to decode Protobuf message: a length is impossible") from error


def _parse_problem(payload: bytes) -> str:
    try:
        _records([payload])
    except ValueError as error:
        return str(error)
    return ""


def _check_nesting(payload: bytes) -> InvalidRequest | None:
    """Why the payload must not reach ptars, if so; see MAX_PART_BYTES."""
    if len(payload) <= MAX_PART_BYTES:
        return None
    try:
        if _largest_part(payload) > MAX_PART_BYTES:
            PROJECTED.FromString(payload)  # not the generated class, which refuses all of it for one bad text
    except DecodeError as error:
        return _invalid(str(error))
    return None


def _largest_part(payload: bytes) -> int:
    """Bytes of the largest resource, scope or span. Parsing that far is itself guarded against nesting."""
    largest = 0
    for group in ENVELOPE.FromString(payload).resource_spans:
        for scoped in group.scope_spans:
            largest = max(largest, max(map(len, scoped.scope), default=0), max(map(len, scoped.spans), default=0))
        largest = max(largest, max(map(len, group.resource), default=0))
    return largest


def _invalid(problem: str) -> InvalidRequest:
    return InvalidRequest(
        f"expected a serialised ExportTraceServiceRequest, but its {problem}; "
        "check that the exporter sends traces, as protobuf, and only once compressed"
    )


# --- verdicts ------------------------------------------------------------------------------------------------------


def _verdicts(flat: FlatSpans, requests: int, errors: dict[int, InvalidRequest]) -> tuple[RequestVerdict, ...]:
    kinds = len(REFUSALS)
    counts = np.bincount(flat.request * kinds + flat.refusal, minlength=requests * kinds).reshape(requests, kinds)
    return tuple(
        RequestVerdict(row[0], sum(row[1:]), _reason(row), errors.get(number))
        for number, row in enumerate(counts.tolist())
    )


def _reason(counts: Sequence[int]) -> str:
    """``3 spans refused: trace_id must be … (2), span_id must be … (1)``; empty if none was."""
    refused = sum(counts[1:])
    if not refused:
        return ""
    causes = ", ".join(f"{REFUSALS[number]} ({counts[number]})" for number in range(1, len(REFUSALS)) if counts[number])
    return f"{refused} {'span' if refused == 1 else 'spans'} refused: {causes}"


def _rejections(flat: FlatSpans) -> tuple[Rejection, ...]:
    counts = np.bincount(flat.refusal, minlength=len(REFUSALS)).tolist()
    return tuple(Rejection(REFUSALS[number], counts[number]) for number in range(1, len(REFUSALS)) if counts[number])
