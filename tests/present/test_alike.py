"""Findings of one rule are told together: the worst in full, the others in a line."""

from html import unescape
from io import StringIO
from typing import Any

from rich.console import Console

from document_parts import finding
from findings import repeating_document
from tracelith.model.document import AnalysisDocument
from tracelith.present.alike import alike, brief_line
from tracelith.present.terminal import render_analysis
from tracelith.report.html import render_html
from tracelith.report.markdown import render_markdown
from tracelith.report.weekly import build_report
from weeks import NOW, WEEK, Archive


def _finding(rule: str, title: str) -> Any:
    return finding(rule, "warning", [title], title, ("hops", 4.0, [3.0, 5.0], "hops", 100, ""), "Ask for less.")


def _findings(*rules: str) -> list[Any]:
    return [_finding(rule, f"Claim {place}.") for place, rule in enumerate(rules)]


def test_rules_come_in_the_order_of_their_worst_finding() -> None:
    groups = alike(_findings("a", "b", "a", "b", "a", "a"))

    assert [[one["title"][-2] for one in group.full] for group in groups] == [["0", "2"], ["1", "3"]]
    assert [[one["title"][-2] for one in group.brief] for group in groups] == [["4", "5"], []]
    assert groups[0].more == "2 more of this kind"


def test_a_single_one_left_over_is_told_in_full() -> None:
    (group,) = alike(_findings("a", "a", "a"))

    assert (len(group.full), group.brief) == (3, ())


def test_a_line_has_the_claim_and_its_number() -> None:
    assert brief_line(_finding("a", "Four \x1b[31mhops.")) == "Four \ufffd[31mhops. 4 hops (95 %: 3–5 hops)"


def test_every_face_tells_two_of_a_kind_in_full_and_the_others_in_a_line() -> None:
    document = repeating_document(5)
    advice = " ".join(document["findings"][0]["advice"].split())
    report = build_report(Archive({WEEK: document}), WEEK, now=NOW)

    for told in (_in_a_terminal(document), render_markdown(report), render_html(report)):
        words = " ".join(unescape(told).replace("\\", "").split())
        assert words.count(advice) == 2
        assert "3 more of this kind:" in words
        assert all(f"Login {number} waits." in words for number in range(1, 6))


def _in_a_terminal(document: AnalysisDocument) -> str:
    output = StringIO()
    render_analysis(document, Console(file=output, width=400))
    return output.getvalue()
