"""The analysis document for a terminal: what the evidence is worth, every answer with its tables, the findings.

Names come from spans, which anybody can send: every text goes through ``printable`` (no control characters, so no
escape sequences) and into rich's ``Text``, which knows no markup. Colour adds nothing that words do not say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.rule import Rule
from rich.segment import Segment, Segments
from rich.table import Table as RichTable
from rich.text import Text

from tracelith.model.document import AnalysisDocument, FindingDocument
from tracelith.present import summaries, text
from tracelith.present.alike import Alike, alike, brief_line
from tracelith.present.answers import Answer, answers
from tracelith.present.chart import Table
from tracelith.present.section import Part
from tracelith.present.sections import described

__all__ = ["render_analysis"]

MOST_ENTRIES = 10
MOST_TAILS, MOST_HOPS = 4, 3
MOST_PAIRS = 10
MOST_DEFECTS = 5
MOST_ROWS = 5
"""Of a table of a topic that comes after the three headline answers."""
LEAST_NAME_WIDTH = 11
GAP = 2
"""Columns between two columns of a table."""

_SEVERITIES = {"critical": "bold red", "warning": "bold yellow", "info": "cyan"}
_TONES = {"notable": "yellow", "fine": "green", "unknown": "dim"}


def render_analysis(document: AnalysisDocument, console: Console) -> None:
    """Prints the document to the console, as wide as that is; 80 columns are enough.

    Args:
        document: of one environment and period.
        console: where to; without colours (NO_COLOR, a pipe) nothing is lost but the colours.
    """
    depth, tail, together = answers(document)
    parts: list[RenderableType] = [
        *_heading(document),
        *_quality(document),
        *_answer(1, depth, _depth(document)),
        *_answer(2, tail, _tail(document)),
        *_answer(3, together, _deployments(document)),
        *_topics(document, first_number=4),
        *_findings(document),
        *_failures(document),
    ]
    for line in console.render_lines(Group(*parts), pad=False):
        console.print(Segments([*_without_trailing_blanks(line), Segment.line()]), end="")


def _heading(document: AnalysisDocument) -> list[RenderableType]:
    environment = text.printable(document["environment"]) or "no environment named"
    return [Text(f"Tracelith · {environment} · {text.period(document['window'])}", style="bold")]


def _quality(document: AnalysisDocument) -> list[RenderableType]:
    """Data quality comes before the verdict: it says what the verdict is worth."""
    quality = document["quality"]
    lines: list[RenderableType] = [Text(), Text(summaries.quality_sentence(quality))]
    for defect in quality["defects"][:MOST_DEFECTS]:
        share = text.percent(defect["share"])
        lines.append(_indented(Text(f"{defect['title']}: {text.count(defect['count'])} ({share}).", style="yellow")))
        lines.append(_indented(Text(f"{defect['consequence']} {defect['remedy']}", style="dim"), 4))
    if (more := len(quality["defects"]) - MOST_DEFECTS) > 0:
        lines.append(_indented(Text(f"and {more} kinds of defects more")))
    sentence = Text(text.printable(document["verdict"]["sentence"]), style="bold")
    return [*lines, Text(), sentence, Text(summaries.score_sentence(document), style="dim")]


def _answer(number: int, answer: Answer, details: Sequence[RenderableType]) -> list[RenderableType]:
    claim = Text(text.printable(answer.claim), style=_TONES[answer.tone])
    if answer.number:
        claim.append(f"  {text.printable(answer.number)}", style="bold")
    return [
        Text(),
        Rule(Text(f"{number}  {answer.question}", style="bold"), align="left", style="dim"),
        claim,
        Text(text.printable(answer.reading), style="dim"),
        *([Text()] if details else []),
        *details,
    ]


def _depth(document: AnalysisDocument) -> list[RenderableType]:
    known = [entry for entry in document["entry_operations"] if entry["depth"]["p95"]["value"] is not None]
    return [
        *_table(summaries.depth_table(summaries.worst_entries(known)[:MOST_ENTRIES])),
        *_more(len(known) - MOST_ENTRIES, "entry operations"),
        *_note(summaries.unmeasured(document["entry_operations"], "entry operation")),
    ]


def _tail(document: AnalysisDocument) -> list[RenderableType]:
    groups = summaries.tail_groups(document["tail"], MOST_TAILS, MOST_HOPS)
    known = {(row["service"], row["operation"]) for row in document["tail"] if row["share"] is not None}
    tables = [(Text(), Text(summaries.tail_caption(hops)), *_table(summaries.tail_summary(hops))) for hops in groups]
    return [
        *[part for table in tables for part in table][1:],
        *_more(len(known) - MOST_TAILS, "entry operations"),
        *_note(summaries.unmeasured(document["tail"], "tail")),
    ]


def _deployments(document: AnalysisDocument) -> list[RenderableType]:
    codeployment = document["codeployment"]
    pairs = summaries.coupled_pairs(codeployment)
    return [
        Text(summaries.lockstep_sentence(codeployment)),
        *([Text()] if pairs else []),
        *_table(summaries.pairs_table(pairs[:MOST_PAIRS])),
        *_more(len(pairs) - MOST_PAIRS, "coupled pairs"),
    ]


def _topics(document: AnalysisDocument, first_number: int) -> list[RenderableType]:
    """What every further topic says, with its headline parts."""
    lines: list[RenderableType] = []
    for number, (_, section) in enumerate(described(document), start=first_number):
        parts = [line for part in section.headlines() for line in _part(part)]
        lines += _answer(number, section.answer, parts[1:])
    return lines


def _part(part: Part) -> list[RenderableType]:
    rows = part.table.rows if part.table else ()
    return [
        Text(),
        Text(text.printable(part.heading)),
        *_note(text.printable(part.text)),
        *(_table(_terse(part.table.first(MOST_ROWS))) if part.table else ()),
        *_more(len(rows) - MOST_ROWS, "rows"),
    ]


def _terse(table: Table) -> Table:
    """The table with its intervals in brackets alone, as in the tables of the headline answers."""
    rows = tuple(
        tuple(
            cell.replace("(95 %: ", "(") if column.numeric else cell
            for column, cell in zip(table.columns, row, strict=True)
        )
        for row in table.rows
    )
    return replace(table, rows=rows)


def _findings(document: AnalysisDocument) -> list[RenderableType]:
    findings = document["findings"]
    heading = Rule(Text(summaries.findings_count(findings), style="bold"), align="left", style="dim")
    if not findings:
        return [Text(), heading, Text(summaries.no_findings(document))]
    return [Text(), heading, *(part for group in alike(findings) for part in _alike(group))]


def _alike(group: Alike) -> list[RenderableType]:
    parts = [part for finding in group.full for part in _finding(finding)]
    if not group.brief:
        return parts
    lines = (Text(f"- {brief_line(finding)}") for finding in group.brief)
    return [*parts, Text(f"{group.more}:"), *(_indented(line) for line in lines), Text()]


def _finding(finding: FindingDocument) -> list[RenderableType]:
    severity = finding["severity"]
    title = Text.assemble((severity.upper(), _SEVERITIES[severity]), "  ", (text.printable(finding["title"]), "bold"))
    number = text.metric(finding["metric"])
    size = finding["metric"].get("n")
    from_size = f" from {text.count(size)} observations" if number and size else ""
    reading = text.printable(str(finding["metric"].get("reading") or ""))
    lines = [
        Text(f"{number}{from_size}. {reading}" if number else reading),
        Text.assemble(("What to do: ", "bold"), text.printable(finding["advice"])),
        *(Text(line, style="dim") for line in summaries.evidence_lines(finding)),
    ]
    return [title, *(_indented(line) for line in lines if line), Text()]


def _failures(document: AnalysisDocument) -> list[RenderableType]:
    return [
        Text(f"Analysis failed: {text.printable(one['title'])}: {text.printable(one['error'], 300)}", style="bold red")
        for one in document["analyses"]
        if one["error"]
    ]


def _table(table: Table) -> list[RenderableType]:
    return [_Fitted(table)] if table.rows else []


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A table whose numbers stay on one line where the width allows that; names wrap."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = self.table.columns
        # A heading may break between words, a number may not.
        least = [
            max(*(len(word) for word in column.title.split()), *(len(row[place]) for row in self.table.rows))
            if column.numeric
            else LEAST_NAME_WIDTH
            for place, column in enumerate(columns)
        ]
        roomy = sum(least) + GAP * (len(least) - 1) <= options.max_width
        narrow = None if roomy else _narrow_widths(self.table, options.max_width)
        shown = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1), header_style="dim")
        for place, (column, width) in enumerate(zip(columns, least, strict=True)):
            shown.add_column(
                Text(column.title),
                justify="right" if column.numeric else "left",
                overflow="fold",  # a long name goes on in the next line; cut off it could be another's
                width=narrow[place] if narrow else width if roomy and column.numeric else None,
            )
        for row in self.table.rows:
            shown.add_row(*(Text(text.printable(cell)) for cell in row))
        yield shown


def _narrow_widths(table: Table, width: int) -> list[int] | None:
    """Widths for a table with more columns than room, so that words of headings stay whole; None if they cannot.

    What is left over goes, one by one, to the column whose longest cell lacks most.
    """
    longest = [max(len(row[place]) for row in table.rows) for place in range(len(table.columns))]
    widths = [_longest_word(table, place) for place in range(len(table.columns))]
    left = width - sum(widths) - GAP * (len(widths) - 1)
    if left < 0:
        return None
    for _ in range(left):
        place = max(range(len(widths)), key=lambda one: longest[one] / widths[one])
        widths[place] += 1
    return widths


def _longest_word(table: Table, place: int) -> int:
    """What a column needs lest words of its heading, or of its numbers, are broken."""
    column = table.columns[place]
    texts = [column.title, *(row[place] for row in table.rows)] if column.numeric else [column.title]
    return min(LEAST_NAME_WIDTH, max((len(word) for text in texts for word in text.split()), default=1))


def _more(left_out: int, what: str) -> list[RenderableType]:
    return _note(f"and {text.count(left_out)} more {what}; all of them with --format json" if left_out > 0 else "")


def _note(line: str) -> list[RenderableType]:
    return [Text(line, style="dim")] if line else []


def _indented(line: Text, columns: int = 2) -> Padding:
    return Padding(line, (0, 0, 0, columns))


def _without_trailing_blanks(line: list[Segment]) -> list[Segment]:
    """Padding is for the eye; in a file or a copied text it is noise."""
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    return [*kept[:-1], Segment(kept[-1].text.rstrip(), kept[-1].style)] if kept else []
