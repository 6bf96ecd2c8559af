"""What the spans of a waterfall say in full, made safe to show and short enough for a page."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tracelith.forest.view import ForestView
from tracelith.model.details import Attributes, SpanDetails
from tracelith.present import text
from tracelith.present.waterfall import tree_order

__all__ = ["MOST_CHARS", "DetailLookup", "DetailSection", "SpanText", "span_texts"]

DetailLookup = Callable[[int, int], SpanDetails | None]
"""Details of a span of one trace by its id and kind; None if none are kept."""

MOST_CHARS = 2_000_000
"""Shown on a page; once so much is shown, further spans show none. Spans can say a quarter of a megabyte each."""

_MOST_VALUE_CHARS = 6_000
_MOST_KEY_CHARS = 200


@dataclass(frozen=True, slots=True)
class DetailSection:
    """Keys and values under one heading; made printable, values may have several lines; not escaped for HTML."""

    title: str
    pairs: Attributes


@dataclass(frozen=True, slots=True)
class SpanText:
    """All that one span says: what it comes to in a line, and the sections."""

    summary: str
    sections: tuple[DetailSection, ...]


def span_texts(view: ForestView, details: DetailLookup) -> tuple[SpanText | None, ...]:
    """For each row of the waterfall of the same view what its span says; empty if no span of it says anything."""
    texts, shown = list[SpanText | None](), 0
    for span in tree_order(view):
        told = None
        if shown < MOST_CHARS:
            told = details(int(view.forest.span_id[span]), int(view.forest.kind[span]))
        texts.append(_span_text(told, int(view.forest.start_ns[span])) if told else None)
        shown += _size(texts[-1])
    return tuple(texts) if any(texts) else ()


def _span_text(told: SpanDetails, start_ns: int) -> SpanText:
    sections = [
        DetailSection("Attributes", _pairs(told.attributes)),
        DetailSection("Status", _pairs([("message", told.status_message)] if told.status_message else [])),
        *(
            DetailSection(f"Event {_word(event.name)}{_after(event.at_ns, start_ns)}", _pairs(event.attributes))
            for event in told.events
        ),
        *(
            DetailSection(
                f"Link to span {_word(link.span_id)} of trace {_word(link.trace_id)}", _pairs(link.attributes)
            )
            for link in told.links
        ),
        DetailSection("Resource", _pairs(told.resource)),
    ]
    counts = [
        _counted(len(told.attributes), "attribute"),
        _counted(len(told.events), "event"),
        _counted(len(told.links), "link"),
        f"{told.left_out:,} too large to keep" if told.left_out else "",
    ]
    summary = ", ".join(filter(None, counts)) or "resource"
    return SpanText(
        summary, tuple(section for section in sections if section.pairs or section.title.startswith(("E", "L")))
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number > 1)}" if number else ""


def _after(at_ns: int, start_ns: int) -> str:
    return f", {text.milliseconds((at_ns - start_ns) / 1e6)} after the start" if at_ns else ""


def _pairs(attributes: Iterable[tuple[str, str]]) -> Attributes:
    return tuple((_word(key), _lines(value)) for key, value in attributes)


def _word(untrusted: str) -> str:
    return text.printable(untrusted, _MOST_KEY_CHARS)


def _lines(untrusted: str) -> str:
    """The value with its lines, as stack traces have them."""
    lines = untrusted[:_MOST_VALUE_CHARS].expandtabs(4).splitlines()
    more = len(untrusted) - _MOST_VALUE_CHARS
    if more > 0:
        lines.append(f"… [{more:,} characters more]")
    return "\n".join(map(text.printable, lines))


def _size(told: SpanText | None) -> int:
    sections = told.sections if told else ()
    return sum(len(section.title) + sum(len(k) + len(v) for k, v in section.pairs) for section in sections)
