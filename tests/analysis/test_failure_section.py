"""What page, report and terminal say about failures."""

from typing import Any, cast

from analysis.failing import FINE, concluded
from tracelith.analysis.failure_propagation import without_evidence
from tracelith.model.document import AnalysisDocument
from tracelith.present.section import Section
from tracelith.present.sections.failures import SECTION


def described(document: dict[str, Any]) -> Section:
    return SECTION.describe(cast(AnalysisDocument, document), "5 January")


def test_a_hard_dependency_is_the_answer() -> None:
    section = described(concluded((FINE.replace("ms", "ms !"), 30), (FINE, 300)))

    assert section.answer.claim.startswith("shop fails whenever price does")
    table = next(part.table for part in section.parts if part.heading == "Who fails with whom")
    assert table is not None
    assert table.rows[0][:2] == ("shop", "price")
    assert table.rows[0][-1] == "cannot do without it"
    assert len(table.traces[0]) == 3
    assert [part.heading for part in section.parts if part.chart] == ["What would fail with each service"]


def test_names_from_spans_are_made_printable() -> None:
    evil = "pri\u202ece"
    section = described(concluded((FINE.replace("price ", f"{evil} ").replace("ms", "ms !"), 30), (FINE, 300)))

    cells = [cell for part in section.parts if part.table for row in part.table.rows for cell in row]
    assert any("\ufffd" in cell for cell in cells)
    assert not any("\u202e" in cell for cell in cells)


def test_a_period_without_failures_says_that_it_says_nothing() -> None:
    answer = described(concluded((FINE, 300))).answer

    assert (answer.claim, answer.tone) == ("Too little failed to say.", "unknown")


def test_without_evidence_the_reason_is_said() -> None:
    document = concluded((FINE, 3)) | dict(without_evidence("nothing came"))

    section = described(document)

    assert (section.answer.tone, section.answer.reading) == ("unknown", "nothing came")
    assert section.parts == ()
