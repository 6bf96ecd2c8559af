"""What spans say in full, beside the rows of the waterfall."""

from collections.abc import Mapping

import pytest

from tracelith.forest.view import ForestView
from tracelith.model.details import SpanDetails, SpanEvent, SpanLink
from tracelith.present import span_details as module
from tracelith.present.span_details import SpanText, span_texts
from tracelith.present.waterfall import waterfall
from traces import view_of


def details(**said: object) -> SpanDetails:
    nothing: Mapping[str, object] = {
        "attributes": (), "resource": (), "events": (), "links": (), "status_message": "", "left_out": 0,
    }  # fmt: skip
    return SpanDetails(**{**nothing, **said})


def shop() -> ForestView:
    return view_of("""
        shop SERVER GET /page 0..100ms
          shop CLIENT price 0..60ms
        """)


def texts_of(said: SpanDetails) -> SpanText:
    first, *_ = span_texts(shop(), lambda _span, kind: said if kind == 2 else None)
    assert first is not None
    return first


def test_each_row_of_the_waterfall_gets_what_its_span_says() -> None:
    view = shop()
    names = {2: "served", 3: "called"}

    texts = span_texts(view, lambda _span, kind: details(attributes=(("who", names[kind]),)))

    assert [row.name for row in waterfall(view).rows] == ["GET /page", "price"]
    assert [text.sections[0].pairs for text in texts if text] == [(("who", "served"),), (("who", "called"),)]


def test_a_trace_without_details_has_no_texts_at_all() -> None:
    assert span_texts(shop(), lambda *_: None) == ()


def test_a_line_says_what_there_is_and_what_was_too_large() -> None:
    start_ns = int(shop().forest.start_ns.min())
    event = SpanEvent("exception", start_ns + 5_000_000, (("type", "Error"),))
    link = SpanLink("0a" * 16, "0b" * 8, ())

    text = texts_of(details(attributes=(("a", "1"), ("b", "2")), events=(event,), links=(link,), left_out=3))

    assert text.summary == "2 attributes, 1 event, 1 link, 3 too large to keep"
    assert [section.title for section in text.sections] == [
        "Attributes",
        "Event exception, 5 ms after the start",
        f"Link to span {'0b' * 8} of trace {'0a' * 16}",
    ]


def test_values_keep_their_lines_and_lose_what_could_mislead() -> None:
    text = texts_of(details(attributes=(("trace\u202e", "Error\n\tat a\x00b\u202e"),)))

    assert text.sections[0].pairs == (("trace\ufffd", "Error\n    at a\ufffdb\ufffd"),)


def test_a_long_value_says_how_much_of_it_is_not_shown() -> None:
    ((_, value),) = texts_of(details(attributes=(("long", "x" * 10_000),))).sections[0].pairs

    assert value == "x" * 6_000 + "\n… [4,000 characters more]"


def test_a_page_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CHARS", 100)

    texts = span_texts(shop(), lambda *_: details(attributes=(("long", "x" * 200),)))

    assert [text is not None for text in texts] == [True, False]
