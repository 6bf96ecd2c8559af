"""All that one span says, in words for a person: what the option to keep attributes keeps."""

from dataclasses import dataclass

__all__ = ["Attributes", "SpanDetails", "SpanEvent", "SpanLink"]

Attributes = tuple[tuple[str, str], ...]
"""Keys and values as text, in the order they came; of arrays and maps the text is JSON. Not escaped."""


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened during the span, such as an exception. at_ns: 0 if it was not told."""

    name: str
    at_ns: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class SpanLink:
    """Another span that this one names as related, by hexadecimal ids."""

    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class SpanDetails:
    """One span's attributes and those of its resource, its events, links and status message.

    Attributes:
        left_out: attributes, events and links that were too large to keep.
    """

    attributes: Attributes
    resource: Attributes
    events: tuple[SpanEvent, ...]
    links: tuple[SpanLink, ...]
    status_message: str
    left_out: int
