"""Markdown: reads well as text, and stays text when it is rendered."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from document_parts import TRACE_IDS
from documents import empty_document, healthy_document, login_document
from golden import assert_golden
from topics import ROWS, only_topic
from tracelith.present.text import printable
from tracelith.report.markdown import escape_markdown, render_markdown
from tracelith.report.sections import MOST_ROWS
from tracelith.report.weekly import WeeklyReport, build_report
from weeks import NOW, WEEK, Archive

GOLDEN = Path(__file__).parent / "golden"
GITHUB = MarkdownIt("gfm-like", {"html": True, "linkify": False})

HOSTILE = (
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "<https://evil.example>",
    "<img src=x onerror=alert(1)>",
    "a|b|c",
    "**bold** `code` ~~gone~~",
    "&lt;b&gt;",
    "back\\slash\\",
    "a\n\n# heading",
)


def test_the_report_reads_as_agreed(login_report: WeeklyReport) -> None:
    assert_golden(GOLDEN / "login.md", render_markdown(login_report))


@pytest.mark.parametrize(("name", "document"), [("empty", empty_document), ("healthy", healthy_document)])
def test_a_report_without_findings_reads_as_agreed(name: str, document: Callable) -> None:
    report = build_report(Archive({WEEK: document()}), WEEK, now=NOW)

    assert_golden(GOLDEN / f"{name}.md", render_markdown(report))


def test_every_row_of_a_table_has_as_many_cells_as_its_heading(hostile_report: Callable[[str], WeeklyReport]) -> None:
    html = GITHUB.render(render_markdown(hostile_report("a|b")))

    tables = re.findall(r"<table>.*?</table>", html, re.DOTALL)
    assert len(tables) >= 5
    for table in tables:
        rows = [len(re.findall(r"<t[hd]\b", row)) for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)]
        assert len(set(rows)) == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_names_from_spans_cannot_become_markup(name: str, hostile_report: Callable[[str], WeeklyReport]) -> None:
    html = GITHUB.render(render_markdown(hostile_report(name)))

    assert not re.search(r"<(a|img|code|s|b)\b", html)
    assert html.count("<h1>") == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_names_in_topics_cannot_become_markup(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    only_topic(monkeypatch, name)

    markdown = render_markdown(build_report(Archive({WEEK: login_document()}), WEEK, now=NOW))

    html = GITHUB.render(markdown)
    assert not re.search(r"<(a|img|code|s|b)\b", html)
    assert html.count("<h1>") == 1
    assert f"the first {MOST_ROWS} of {ROWS}" in html
    assert html.count(TRACE_IDS[0]) >= MOST_ROWS


def test_bare_addresses_do_not_become_links_where_the_renderer_looks_for_them() -> None:
    for name in ("https://evil.example", "www.evil.example", "someone@evil.example", ":tada:"):
        escaped = escape_markdown(name)

        assert re.search(r"(?<!\\)://", escaped) is None
        assert "www." not in escaped
        assert re.search(r"(?<!\\)@", escaped) is None
        assert re.search(r"(?<!\\):\w", escaped) is None


@given(st.text(max_size=40))
def test_escaped_text_reads_as_it_was(name: str) -> None:
    inline = MarkdownIt("commonmark").renderInline(f"x {escape_markdown(name)} x")

    assert unescape(inline).split() == f"x {printable(name)} x".split()
