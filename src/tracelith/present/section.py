"""What a page, a part of the report and a part of the terminal's answer say about one topic: described once.

A section is text and tables; dashboard, report and terminal each render it in their own way and add nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from tracelith.model.document import AnalysisDocument
from tracelith.present.answers import Answer, Topic
from tracelith.present.chart import Chart, Table

__all__ = ["Describe", "Part", "Section", "SectionKind"]


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to look at.

    Attributes:
        heading: what it shows. text: a sentence or two before it, untrusted names made printable.
        table, chart: the numbers. A chart has its own table, so a part has one of the two, or neither.
        reading: how to read it.
        headline: short enough for the terminal and the weekly report; other parts are on the page alone.
    """

    heading: str
    text: str = ""
    table: Table | None = None
    chart: Chart | None = None
    reading: str = ""
    headline: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Everything said about one topic.

    Attributes:
        answer: question, claim and number, as on the overview.
        lead: what is looked at and why, in a sentence or two.
        parts: most important first; those without rows are left out by whoever builds them.
    """

    answer: Answer
    lead: str
    parts: tuple[Part, ...]

    def headlines(self) -> tuple[Part, ...]:
        """The parts for the terminal and the report that have something to show; a chart as its table."""
        shown = (
            replace(part, table=part.table or (part.chart.twin if part.chart else None), chart=None)
            for part in self.parts
            if part.headline
        )
        return tuple(part for part in shown if part.text or (part.table and part.table.rows))


Describe = Callable[[AnalysisDocument, str], Section]
"""Section of a document; the second argument is its period in words, for charts."""


@dataclass(frozen=True, slots=True)
class SectionKind:
    """One topic: its page is ``/<topic>``.

    Attributes:
        title: for navigation, a word or two.
        part: key of the analysis document it describes, also the path of the JSON API.
        describe: makes the section.
    """

    topic: Topic
    title: str
    part: str
    describe: Describe
