"""A topic of our own in place of the real ones, for tests of those who render whatever a topic says."""

import pytest

from document_parts import TRACE_IDS
from tracelith.model.document import AnalysisDocument
from tracelith.present import sections
from tracelith.present.answers import Answer
from tracelith.present.chart import Chart, Table
from tracelith.present.section import Part, Section, SectionKind

__all__ = ["ROWS", "only_topic"]

ROWS = 30
"""Of the tables of the topic, more than anybody shows."""


def only_topic(monkeypatch: pytest.MonkeyPatch, name: str = "orders") -> None:
    """Lets one topic say everything a topic can, with the name in every place where names from spans may be."""

    def describe(_document: AnalysisDocument, period: str) -> Section:
        return Section(
            Answer("data", "Who uses whose data?", f"{name} is used by all.", "12 %", f"Read {name} as it is.", "fine"),
            f"What {name} is about.",
            (
                Part("Tables", f"About {name}.", _table(name), reading="Few are fine.", headline=True),
                Part("Drawn", chart=_chart(name, period), headline=True),
                Part("Nothing to show", table=Table.of(("Table",), ()), headline=True),
                Part("Only on the page", table=_table(name)),
            ),
        )

    kind = SectionKind("data", "Data", "datastores", describe)
    monkeypatch.setattr(sections, "sections", lambda: (kind,))


def _table(name: str) -> Table:
    rows = [(f"{name} {number}", "12.5 % (95 %: 10–15 %)", str(number)) for number in range(ROWS)]
    return Table.of(("Table", "#Share of others", "#Calls"), rows, [TRACE_IDS] * (ROWS - 1) + [[]])


def _chart(name: str, period: str) -> Chart:
    twin = Table.of(("Service", "#Minutes"), [(name, "5 min")])
    return Chart("chart-x", f"Minutes of {name}", "minutes", period, "Longer is worse.", {}, twin)
