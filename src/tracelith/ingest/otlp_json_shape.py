"""The shape of an OTLP/JSON trace request: the fields Tracelith reads, typed as the specification types them.

None of these structs can be part of a cycle, so the garbage collector need not visit them (``gc=False``): a request
holds hundreds of thousands.

Those named Kept hold also what is read only where attributes are kept. Its fields are Raw, not parsed here, so that
nothing in them can cost a span; they have structs of their own because even empty fields cost time.
"""

from typing import Annotated, Literal

import msgspec

from tracelith.ingest.raw_columns import MAX_TIME_NS

__all__ = [
    "KEPT_REQUEST",
    "KEPT_SPAN",
    "NOTHING",
    "REQUEST",
    "SPAN",
    "UNDECODED_REQUEST",
    "AnyValue",
    "KeptAnyValue",
    "KeptLink",
    "KeptSpan",
    "KeptStatus",
    "KeyValue",
    "Request",
    "Resource",
    "ResourceSpans",
    "ScopeSpans",
    "Span",
    "UndecodedRequest",
    "UndecodedResourceSpans",
]

_Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_NS)]
_Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_UInt32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class AnyValue(msgspec.Struct, gc=False, rename="camel"):
    """An attribute's value; arrays, maps and bytes are skipped unread."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | None = None
    double_value: float | Literal["NaN", "Infinity", "-Infinity"] | None = None  # these three, too, become floats


class KeyValue(msgspec.Struct, gc=False):
    """One attribute."""

    key: str | None = None
    value: AnyValue | None = None


class Link(msgspec.Struct, gc=False, rename="camel"):
    """A span link."""

    trace_id: str | None = None
    span_id: str | None = None


class Status(msgspec.Struct, gc=False):
    """A span's status."""

    code: _Int32 | None = None


class Span(msgspec.Struct, gc=False, rename="camel"):
    """One span."""

    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    flags: _UInt32 | None = None
    name: str | None = None
    kind: _Int32 | None = None
    start_time_unix_nano: _Nanoseconds | None = None
    end_time_unix_nano: _Nanoseconds | None = None
    attributes: list[KeyValue] | None = None
    status: Status | None = None
    links: list[Link] | None = None


class Scope(msgspec.Struct, gc=False):
    """The instrumentation scope."""

    name: str | None = None


class Resource(msgspec.Struct, gc=False):
    """What emitted the spans."""

    attributes: list[KeyValue] | None = None


class ScopeSpans(msgspec.Struct, gc=False, rename="camel"):
    """Spans of one scope."""

    scope: Scope | None = None
    instrumentation_library: Scope | None = None  # its name before OTLP 0.15
    spans: list[Span] | None = None


class ResourceSpans(msgspec.Struct, gc=False, rename="camel"):
    """Spans of one resource; the second list is what OTLP before 0.15 wrote."""

    resource: Resource | None = None
    scope_spans: list[ScopeSpans] | None = None
    instrumentation_library_spans: list[ScopeSpans] | None = None


class Request(msgspec.Struct, gc=False, rename="camel"):
    """ExportTraceServiceRequest, which is also TracesData."""

    resource_spans: list[ResourceSpans] | None = None


# --- with what is only kept ---------------------------------------------------------------------------------------

NOTHING = msgspec.Raw(b"null")


class KeptAnyValue(AnyValue, gc=False, rename="camel"):
    """An attribute's value of any type."""

    array_value: msgspec.Raw = NOTHING
    kvlist_value: msgspec.Raw = NOTHING
    bytes_value: msgspec.Raw = NOTHING


class KeptKeyValue(KeyValue, gc=False):
    """One attribute."""

    value: KeptAnyValue | None = None


class KeptLink(Link, gc=False, rename="camel"):
    """A span link with its attributes."""

    attributes: msgspec.Raw = NOTHING


class KeptStatus(Status, gc=False):
    """A span's status with its message."""

    message: msgspec.Raw = NOTHING


class KeptSpan(Span, gc=False, rename="camel"):
    """One span with all it says."""

    attributes: list[KeptKeyValue] | None = None  # type: ignore[assignment]  # lists are invariant; nobody adds to this
    status: KeptStatus | None = None
    links: list[KeptLink] | None = None  # type: ignore[assignment]  # as above
    events: msgspec.Raw = NOTHING


class KeptResource(Resource, gc=False):
    """What emitted the spans, with all its attributes."""

    attributes: list[KeptKeyValue] | None = None  # type: ignore[assignment]  # as above


class KeptScopeSpans(ScopeSpans, gc=False, rename="camel"):
    """Spans of one scope."""

    spans: list[KeptSpan] | None = None  # type: ignore[assignment]  # as above


class KeptResourceSpans(ResourceSpans, gc=False, rename="camel"):
    """Spans of one resource."""

    resource: KeptResource | None = None
    scope_spans: list[KeptScopeSpans] | None = None  # type: ignore[assignment]  # as above
    instrumentation_library_spans: list[KeptScopeSpans] | None = None  # type: ignore[assignment]  # as above


class KeptRequest(Request, gc=False, rename="camel"):
    """A request with all it says."""

    resource_spans: list[KeptResourceSpans] | None = None  # type: ignore[assignment]  # as above


# --- taken apart --------------------------------------------------------------------------------------------------


class UndecodedScopeSpans(msgspec.Struct, gc=False, rename="camel"):
    """ScopeSpans whose spans are still bytes, for taking a request apart span by span."""

    scope: Scope | None = None
    instrumentation_library: Scope | None = None
    spans: list[msgspec.Raw] | None = None


class UndecodedResourceSpans(msgspec.Struct, gc=False, rename="camel"):
    """ResourceSpans of undecoded spans."""

    resource: KeptResource | None = None
    scope_spans: list[UndecodedScopeSpans] | None = None
    instrumentation_library_spans: list[UndecodedScopeSpans] | None = None


class UndecodedRequest(msgspec.Struct, gc=False, rename="camel"):
    """A request of undecoded spans."""

    resource_spans: list[UndecodedResourceSpans] | None = None


# strict=False is protobuf's rule that 64-bit numbers may be text and integral floats are integers.
REQUEST = msgspec.json.Decoder(Request, strict=False)
KEPT_REQUEST: msgspec.json.Decoder[Request] = msgspec.json.Decoder(KeptRequest, strict=False)
UNDECODED_REQUEST = msgspec.json.Decoder(UndecodedRequest, strict=False)
SPAN = msgspec.json.Decoder(Span, strict=False)
KEPT_SPAN: msgspec.json.Decoder[Span] = msgspec.json.Decoder(KeptSpan, strict=False)
