"""The columns of every frame that crosses a package border, each named and typed once.

Frames are Polars frames. Ids are unsigned 64-bit integers (a trace id is two of them), times are
integer nanoseconds since 1970 UTC, durations integer nanoseconds. An id of 0 means "none".

The life of a span:

    RawSpans        what a decoder or a reader produces: text as it came, attributes in long form
      └─ described  known attributes became RESOURCE and OPERATION rows, the rest is dropped
          └─ interned  text became integer codes: the SPAN rows that are stored
"""

from dataclasses import dataclass, field
from enum import IntEnum

import polars as pl

from tracelith.model.semantic_conventions import KNOWN_KEYS

__all__ = [
    "ATTRIBUTE",
    "DEPLOYMENT",
    "DETAIL",
    "LINK",
    "OPERATION",
    "OPERATION_TEXT",
    "OTHER",
    "RAW_LINK",
    "RAW_SPAN",
    "RESOURCE",
    "RESOURCE_TEXT",
    "SPAN",
    "WINDOW_NS",
    "InternedBatch",
    "Kind",
    "Outcome",
    "RawSpans",
    "Rejection",
    "Status",
    "UnusedTexts",
    "is_folded",
]

WINDOW_NS = 300_000_000_000
"""Length of an analysis window. A trace belongs to the window in which its earliest span starts."""


OTHER = "(other)"
"""Stands in RESOURCE and OPERATION rows for texts beyond the limits of their service: many things under one name."""


def is_folded(name: str) -> bool:
    """Whether a name (of an operation, a service, a peer such as ``postgresql (other)``) stands for many."""
    return name.endswith(OTHER)


class Kind(IntEnum):
    """OTLP span kinds; UNSPECIFIED is common in the wild."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class Status(IntEnum):
    """OTLP status codes."""

    UNSET = 0
    OK = 1
    ERROR = 2


class Outcome(IntEnum):
    """What became of the work a span describes (metrics.md §9.1).

    FAILED: status ERROR, HTTP 5xx, or a gRPC code that means the server failed.
    REFUSED: the request was at fault (4xx, NOT_FOUND, ...): not a failure of the callee.
    CANCELLED: the caller went away first (499, CANCELLED): never evidence against the callee.
    """

    FINE = 0
    FAILED = 1
    REFUSED = 2
    CANCELLED = 3


# --- what decoders and readers produce -------------------------------------------------------------------

RAW_SPAN = pl.Schema(
    {
        "trace_hi": pl.UInt64,
        "trace_lo": pl.UInt64,
        "span_id": pl.UInt64,
        "parent_id": pl.UInt64,  # 0: a root
        "start_ns": pl.Int64,
        "end_ns": pl.Int64,  # as it came, even before start_ns: describe clamps the duration and flags the span
        "name": pl.String,
        "kind": pl.UInt8,
        "status": pl.UInt8,
        "trace_state": pl.String,  # W3C tracestate, empty if none
        "flags": pl.UInt32,  # OTLP span flags
        "scope": pl.String,  # instrumentation scope name
        "resource_row": pl.UInt32,  # row number in the batch's resources
    }
)

ATTRIBUTE = pl.Schema([("row", pl.UInt32()), ("key", pl.Enum(KNOWN_KEYS)), ("value", pl.String())])
"""Attributes in long form: ``row`` counts spans (or resources) of the same batch. Only keys that mean something to
Tracelith are kept, as numbers: most of the cost of an attribute is its text. Numbers and booleans are
written as text (``200``, ``0.5``, ``true``); arrays and maps are not kept."""

RAW_LINK = pl.Schema({"row": pl.UInt32, "trace_hi": pl.UInt64, "trace_lo": pl.UInt64, "span_id": pl.UInt64})

DETAIL = pl.Schema({"span": pl.Binary, "resource": pl.Binary, "left_out": pl.UInt32})
"""All that spans say, for a person who reads one trace: no analysis looks at it, and it is kept on request only.
``span`` is an OTLP Span message in protobuf that holds nothing but attributes, events, links and status, ``resource`` a
Resource message. ``left_out`` counts the attributes, events and links that were too large to keep."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Spans that could not be taken, and why, in words a sender can act on."""

    reason: str
    spans: int


@dataclass(frozen=True, slots=True)
class RawSpans:
    """A batch of spans as any decoder or reader produces it.

    Attributes:
        spans: RAW_SPAN rows; the row number is the ``row`` of span_attributes and links.
        span_attributes: ATTRIBUTE rows; of keys in KNOWN_SPAN_KEYS.
        resource_count: number of resources; ``resource_row`` is below it.
        resource_attributes: ATTRIBUTE rows of resources.
        links: RAW_LINK rows.
        rejections: what was refused on the way, never silently.
        details: DETAIL rows, one per span in their order; None unless asked for.
    """

    spans: pl.DataFrame
    span_attributes: pl.DataFrame
    resource_count: int
    resource_attributes: pl.DataFrame
    links: pl.DataFrame
    rejections: tuple[Rejection, ...] = field(default=())
    details: pl.DataFrame | None = None


# --- what is stored ------------------------------------------------------------------------------------------

RESOURCE_TEXT = pl.Schema(
    {
        "service": pl.String,  # "namespace/name", or "name" without a namespace; "unknown_service" if absent
        "environment": pl.String,  # deployment.environment.name, empty if absent
        "version": pl.String,  # service.version, empty if absent
        "instance": pl.String,  # service.instance.id, else pod, container or host
        "host": pl.String,
        "language": pl.String,
    }
)
RESOURCE = pl.Schema([("resource", pl.UInt32()), *RESOURCE_TEXT.items()])

OPERATION_TEXT = pl.Schema(
    {
        "name": pl.String,  # span name; URL-like names normalised (/users/8231 becomes /users/{id})
        "kind": pl.UInt8,
        "protocol": pl.String,  # http | rpc | db | messaging | "" : the family of the span's attributes
        "http_method": pl.String,
        "http_route": pl.String,
        "peer_system": pl.String,  # postgresql, kafka, ...; "unknown" if unnamed; empty if neither datastore nor broker
        "peer_address": pl.String,  # host:port of the other side, as the client saw it; empty on SERVER spans
        "peer_service": pl.String,  # service.peer.name / peer.service, named like a service; empty on SERVER spans
        "peer_namespace": pl.String,  # database or keyspace
        "peer_object": pl.String,  # table or collection; messaging destination
        "peer_action": pl.String,  # SELECT, ...; publish | receive | process | settle
        "peer_statement": pl.String,  # of a datastore: each operation, then its tables: "SELECT orders users"
        "consumer_group": pl.String,
        "scope": pl.String,
    }
)
OPERATION = pl.Schema([("operation", pl.UInt32()), *OPERATION_TEXT.items()])

SPAN = pl.Schema(
    {
        "trace_hi": pl.UInt64,
        "trace_lo": pl.UInt64,
        "span_id": pl.UInt64,
        "parent_id": pl.UInt64,
        "start_ns": pl.Int64,
        "duration_ns": pl.Int64,
        "resource": pl.UInt32,
        "operation": pl.UInt32,
        "status": pl.UInt8,
        "outcome": pl.UInt8,
        "attempt": pl.UInt8,  # http.request.resend_count, capped at 255
        "defects": pl.UInt8,  # bit 0: end before start (clamped to zero duration)
        "weight": pl.Float32,  # adjusted count from tracestate ot=th; null: sampling unknown, NOT 1
    }
)

LINK = pl.Schema(
    {
        "trace_hi": pl.UInt64,
        "trace_lo": pl.UInt64,
        "span_id": pl.UInt64,
        "linked_trace_hi": pl.UInt64,
        "linked_trace_lo": pl.UInt64,
        "linked_span_id": pl.UInt64,
        "start_ns": pl.Int64,  # of the linking span: places the row in time for windows and retention
    }
)

DEPLOYMENT = pl.Schema(
    {
        "service": pl.String,
        "environment": pl.String,
        "version": pl.String,
        "at_ns": pl.Int64,
        "earliest_ns": pl.Int64,  # the deployment happened in [earliest_ns, at_ns]
        "source": pl.String,  # traces | csv | api | commits (a commit log: kept, but no evidence of deployments)
    }
)


@dataclass(frozen=True, slots=True)
class InternedBatch:
    """Rows ready for the store; one batch becomes part of one transaction.

    Attributes:
        spans: SPAN rows. links: LINK rows.
        resources, operations: RESOURCE and OPERATION rows whose codes are new with this batch.
        details: DETAIL rows, one per span in their order; None unless they are kept.
    """

    spans: pl.DataFrame
    links: pl.DataFrame
    resources: pl.DataFrame
    operations: pl.DataFrame
    details: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class UnusedTexts:
    """Codes of RESOURCE and OPERATION rows that no span of the commits up to ``upto`` uses."""

    resources: frozenset[int]
    operations: frozenset[int]
    upto: int

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.resources or self.operations)
