"""Which services are bound to each other without a call, and which calls bind nothing else."""

from collections.abc import Sequence

from tracelith.model.document import AnalysisDocument, CoupledPairDocument, CouplingDocument
from tracelith.present import text
from tracelith.present.answers import Answer
from tracelith.present.chart import Table
from tracelith.present.coupling_figures import LABELS, bonds
from tracelith.present.section import Part, Section, SectionKind

__all__ = ["SECTION"]

_QUESTION = "What binds services that never call each other?"
_MOST_ROWS = 40
_HEADLINE_ROWS = 10
_LINKS = {"calls": "calls", "messages": "messages", "others": "through others", "none": "nothing"}
_FAMILIES = {
    "deploy": "deployed together",
    "failure": "failing together",
    "data": "the same tables, written",
    "scale": "one load",
}


def describe(document: AnalysisDocument, period: str) -> Section:
    """The section of a document."""
    coupling = document["coupling"]
    by_label = {label: [row for row in coupling["pairs"] if row["label"] == label] for label in LABELS}
    parts = [
        _hidden(by_label["hidden"]),
        _more_hidden(by_label["hidden"][_HEADLINE_ROWS:_MOST_ROWS]),
        Part("How pairs of services are bound", chart=bonds(coupling, period)) if coupling["counts"] else None,
        _open(by_label["open"]),
        _free(coupling, by_label["calls_only"]),
    ]
    lead = (
        "A call is coupling that everyone can see. Two services that are released together, fail together or write the "
        "same tables without ever calling each other are bound in a way that no diagram shows, and that somebody finds "
        "out by breaking it."
    )
    return Section(_answer(coupling, by_label["hidden"]), lead, tuple(part for part in parts if part is not None))


def _answer(coupling: CouplingDocument, hidden: Sequence[CoupledPairDocument]) -> Answer:
    if coupling["status"] != "ok":
        return Answer.unknown("coupling", _QUESTION, coupling["reason"])
    counts = coupling["counts"]
    free = counts.get("calls_only", 0)
    healthy = f"Of the pairs that call each other, {text.count(free)} are bound by nothing else: how it should be."
    if not hidden:
        claim = "Nothing that could be told: every bond has a call beside it."
        return Answer("coupling", _QUESTION, claim, "", healthy, "fine")
    first = hidden[0]
    names = f"{text.printable(first['a'], 40)} and {text.printable(first['b'], 40)}"
    ways = " and ".join(_FAMILIES[family] for family in first["families"] if family != "scale")
    claim = f"{names}: {ways}."
    number = text.count(counts.get("hidden", len(hidden)))
    reading = f"Pairs bound without a call or message between them; the surest is named. {healthy}"
    return Answer("coupling", _QUESTION, claim, f"{number} {'pair' if number == '1' else 'pairs'}", reading, "notable")


def _hidden(rows: Sequence[CoupledPairDocument]) -> Part | None:
    if not rows:
        return None
    reading = (
        "Each number is a lower bound from 0 to 1: how much more often than by chance and calendar they deploy "
        "together, how much of the trouble of one is the other's too, how much of their use of common tables "
        "overlaps. A dash where it could not be told."
    )
    return Part("Bound without a call", table=_table(rows[:_HEADLINE_ROWS]), reading=reading, headline=True)


def _more_hidden(rows: Sequence[CoupledPairDocument]) -> Part | None:
    return Part("More pairs bound without a call", table=_table(rows)) if rows else None


def _open(rows: Sequence[CoupledPairDocument]) -> Part | None:
    told = "A call or message connects these, and more than that binds them."
    return Part("Bound, and connected", text=told, table=_table(rows[:_MOST_ROWS])) if rows else None


def _free(coupling: CouplingDocument, rows: Sequence[CoupledPairDocument]) -> Part | None:
    number = coupling["counts"].get("calls_only", 0)
    if not number:
        return None
    told = f"Pairs that call each other, and nothing else that could be told binds them: {text.count(number)}."
    table = Table.of(
        ("Service", "Service", "Connected by", "#Calls"),
        (
            (text.printable(row["a"]), text.printable(row["b"]), _LINKS[row["linked_by"]], text.count(row["calls"]))
            for row in rows[:_MOST_ROWS]
        ),
    )
    return Part("Calls and nothing else", text=told, table=table)


def _table(rows: Sequence[CoupledPairDocument]) -> Table:
    return Table.of(
        (
            "Service",
            "Service",
            "Bound by",
            "Connected by",
            "#Deployments",
            "#Failures",
            "#Data",
            "#Load",
            "What they share",
        ),
        (
            (
                text.printable(row["a"]),
                text.printable(row["b"]),
                ", ".join(_FAMILIES[family] for family in row["families"]),
                _LINKS[row["linked_by"]],
                *(text.number(value, 2) for value in (row["deploys"], row["fails"], row["data"], row["scales"])),
                text.printable(row["reason"], 120),
            )
            for row in rows
        ),
    ).without_empty_columns()


SECTION = SectionKind("coupling", "Coupling", "coupling", describe)
