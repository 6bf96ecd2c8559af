"""The page: complete in itself, inert, and legible on phones, on screens and on paper."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from document_parts import TRACE_IDS
from documents import empty_document, healthy_document, login_document
from topics import ROWS, only_topic
from tracelith.report.html import content_security_policy, render_html
from tracelith.report.sections import MOST_ROWS
from tracelith.report.weekly import WeeklyReport, build_report
from weeks import NOW, WEEK, Archive

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOSTILE = (
    "<script>fetch('//evil.example')</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><svg onload=alert(1)>",
    "{{ 7*7 }}",
)


class Page(HTMLParser):
    """Elements and attributes of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_the_page_says_headline_changes_quality_answers_findings_and_method(login_report: WeeklyReport) -> None:
    page = Page(render_html(login_report)).text

    parts = [
        "Week 2026-W09 23 February to 1 March 2026, UTC",
        "2 findings: 2 warnings; against 2026-W08: 1 new, 1 known before, 1 gone.",
        "What changed",
        "Gone",
        "Numbers that moved beyond doubt since 2026-W08",
        "What the evidence is worth",
        "Answers",
        "permissions makes 71 % of the slow tail of POST /login.",
        "What to do:",
        "How the numbers come about",
    ]
    place = 0
    for part in parts:
        place = page.index(part, place)  # raises if it is missing, or comes too early


def test_every_number_of_a_finding_comes_with_interval_and_sample_size(login_report: WeeklyReport) -> None:
    page = Page(render_html(login_report)).text

    assert "71 % (95 %: 64–78 %) from 3,010 observations" in page


def test_the_page_holds_no_script_no_inline_style_and_no_reference_to_anything_outside(
    login_report: WeeklyReport,
) -> None:
    page = Page(render_html(login_report))

    assert not {"script", "link", "img", "iframe", "object", "a", "form"} & set(page.elements)
    names = {name for name, _ in page.attributes}
    assert not {"href", "src", "style", "xlink:href", "action"} & names
    assert not [name for name in names if name.startswith("on")]


def test_the_page_forbids_itself_everything_but_its_own_style_sheet(login_report: WeeklyReport) -> None:
    page = Page(render_html(login_report))

    assert ("content", content_security_policy()) in page.attributes
    assert "default-src 'none'" in content_security_policy()
    assert "unsafe" not in content_security_policy()


@pytest.mark.parametrize("name", HOSTILE)
def test_names_from_spans_cannot_become_markup(name: str, hostile_report: Callable[[str], WeeklyReport]) -> None:
    page = Page(render_html(hostile_report(name)))

    assert not {"script", "img"} & set(page.elements)
    assert name in page.text
    assert not [attribute for attribute, _ in page.attributes if attribute.startswith("on")]


@pytest.mark.parametrize(
    ("document", "headline", "meaning"),
    [
        (
            empty_document,
            "No traces arrived in 2026-W09; nothing can be said about it.",
            "Without traces nothing could be found; that is no sign of health.",
        ),
        (
            healthy_document,
            "No findings in what could be measured.",
            "What was not measured is no sign of health.",
        ),
    ],
)
def test_a_report_without_findings_says_what_that_means(document: Callable, headline: str, meaning: str) -> None:
    page = Page(render_html(build_report(Archive({WEEK: document()}), WEEK, now=NOW))).text

    assert headline in page
    assert meaning in page


def test_topics_show_the_first_rows_of_their_headline_parts_with_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    only_topic(monkeypatch)

    page = Page(render_html(build_report(Archive({WEEK: login_document()}), WEEK, now=NOW))).text

    assert f"Tables; the first {MOST_ROWS} of {ROWS}" in page
    assert page.count("orders 1") > page.count("orders 2") > 0
    assert f"orders {MOST_ROWS - 1} " in page
    assert f"orders {MOST_ROWS} " not in page
    assert page.count(TRACE_IDS[0]) >= MOST_ROWS
    assert "Only on the page" not in page
    assert page.index("What orders is about.") < page.index("About orders.") < page.index("Few are fine.")


@pytest.mark.parametrize("name", HOSTILE)
def test_names_in_topics_cannot_become_markup(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    only_topic(monkeypatch, name)

    page = Page(render_html(build_report(Archive({WEEK: login_document()}), WEEK, now=NOW)))

    assert not {"script", "img"} & set(page.elements)
    assert not [attribute for attribute, _ in page.attributes if attribute.startswith("on")]
    assert page.text.count(name) > MOST_ROWS


def test_a_failed_analysis_is_named(login_report: WeeklyReport) -> None:
    login_report.document["analyses"][1]["error"] = "ValueError: <no such column>"

    page = Page(render_html(login_report)).text

    assert "failed, so its part is missing: ValueError: <no such column>" in page


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it_without_complaint_in_any_width_and_light(
    login_report: WeeklyReport, tmp_path: Path, browser: "Browser", scheme: str, width: int
) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_html(login_report), encoding="utf-8")
    page = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}).new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))

    page.goto(file.as_uri())

    assert said == []
    assert asked == [file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # The style sheet was let in by its hash, and the drawings stretch to their cells.
    assert page.evaluate("getComputedStyle(document.querySelector('.drawing')).display") == "block"
    assert page.evaluate("document.querySelector('.drawing').getBoundingClientRect().width") > 60
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 28)"
    assert dark == (scheme == "dark")
    page.context.close()


@pytest.mark.browser
def test_on_paper_it_is_dark_on_white_and_no_table_is_cut_off(
    login_report: WeeklyReport, tmp_path: Path, browser: "Browser"
) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_html(login_report), encoding="utf-8")
    page = browser.new_context(color_scheme="dark", viewport={"width": 680, "height": 960}).new_page()
    page.goto(file.as_uri())

    page.emulate_media(media="print", color_scheme="dark")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    widest = page.evaluate("Math.max(...[...document.querySelectorAll('table')].map(table => table.scrollWidth))")
    assert widest <= 680
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    page.context.close()
