"""Which requests make many small calls where one would do."""

from collections.abc import Sequence

from tracelith.model.document import AnalysisDocument, ChatterDocument, ChattyEdgeDocument
from tracelith.present import text
from tracelith.present.answers import Answer
from tracelith.present.chart import Table
from tracelith.present.chatter_figures import time_in_loops
from tracelith.present.section import Part, Section, SectionKind

__all__ = ["SECTION"]

_QUESTION = "Which requests ask the same thing again and again?"
_MOST_ROWS = 50
_HEADLINE_ROWS = 8
_ASKED = {"request": "a request", "message": "a message", "job": "a job"}
_LABELS = {"loop": "in a loop", "batch": "all at once", "few": "now and then", "unknown": "not known"}


def describe(document: AnalysisDocument, period: str) -> Section:
    """The section of a document."""
    chatter = document["chatter"]
    told = [edge for edge in chatter["edges"] if edge["label"] in ("loop", "batch")]
    waited = [edge for edge in told if edge["label"] == "loop" and edge["asked"] == "request"]
    others = [edge for edge in told if edge not in waited]
    parts = [
        _loops(waited),
        _more_loops(waited[_HEADLINE_ROWS:_MOST_ROWS]),
        Part("Time spent in loops", chart=time_in_loops(waited, period)) if waited else None,
        _unawaited(others),
        _most_calls(chatter["edges"]),
    ]
    lead = (
        "A page that reads a list and then each of its rows one by one is the slower the longer the list, and keeps "
        "whoever it asks busy with small change. One question for all rows takes as long as one."
    )
    return Section(_answer(document, chatter, waited), lead, tuple(part for part in parts if part is not None))


def _answer(document: AnalysisDocument, chatter: ChatterDocument, waited: Sequence[ChattyEdgeDocument]) -> Answer:
    if chatter["status"] != "ok":
        return Answer.unknown("chatter", _QUESTION, chatter["reason"])
    if not waited:
        reading = "No request makes five or more of the same call one after the other in more than 1 case of 20."
        return Answer("chatter", _QUESTION, "None that people wait for.", "", reading, "fine")
    accused = [one for one in document["findings"] if one["rule"] == "chatty-calls" and one["severity"] != "info"]
    worst = waited[0]
    operation = text.operation_name(worst["caller"], worst["operation"])
    more = f" {len(waited) - 1} more calls are made in loops." if len(waited) > 1 else ""
    claim = f"{operation} calls {text.printable(worst['callee'], 60)} in a loop."
    reading = (
        f"Calls of {text.printable(worst['callee_operation'], 80)} per request, in the busiest 1 of 20; together they "
        f"take {text.milliseconds(worst['total_ms'])} of a request, of which one call for all would save up to "
        f"{text.milliseconds(worst['saved_ms'])}.{more}"
    )
    number = text.estimate(worst["p95_calls"]) if worst["p95_calls"]["value"] else text.number(worst["mean_calls"])
    return Answer("chatter", _QUESTION, claim, f"{number} calls", reading, "notable" if accused else "fine")


def _loops(edges: Sequence[ChattyEdgeDocument]) -> Part | None:
    if not edges:
        return None
    reading = (
        "In a row: calls that each began after all before them had ended, in the busiest 1 request of 20. In a loop: "
        "requests with five or more in a row. Saved at most: if one call did the work of all."
    )
    return Part("Calls in a loop", table=_table(edges[:_HEADLINE_ROWS]), reading=reading, headline=True)


def _more_loops(edges: Sequence[ChattyEdgeDocument]) -> Part | None:
    return Part("More calls in a loop", table=_table(edges)) if edges else None


def _unawaited(edges: Sequence[ChattyEdgeDocument]) -> Part | None:
    if not edges:
        return None
    told = "Nobody waits longer for these: they run side by side, or in jobs and behind queues."
    table = Table.of(
        ("Operation", "Calls", "For what", "Done by", "How", "#Calls per request", "#Time"),
        (
            (
                *_who(edge),
                _ASKED[edge["asked"]],
                _LABELS[edge["label"]],
                text.number(edge["mean_calls"]),
                text.milliseconds(edge["total_ms"]),
            )
            for edge in edges[:_MOST_ROWS]
        ),
        (edge["trace_ids"] for edge in edges[:_MOST_ROWS]),
    )
    return Part("Many calls that nobody waits for one by one", text=told, table=table)


def _most_calls(edges: Sequence[ChattyEdgeDocument]) -> Part | None:
    if not edges:
        return None
    rows = sorted(edges, key=lambda edge: (-edge["mean_calls"], edge["caller"], edge["operation"]))[:_MOST_ROWS]
    reading = "All calls that some request makes more than once, those made most often first."
    return Part("Calls made more than once", table=_table(rows), reading=reading)


def _table(edges: Sequence[ChattyEdgeDocument]) -> Table:
    return Table.of(
        (
            "Operation",
            "Calls",
            "For what",
            "#Calls per request",
            "#In a row",
            "#Requests in a loop",
            "#Time",
            "#Saved at most",
        ),
        (
            (
                *_who(edge),
                text.number(edge["mean_calls"]),
                text.number(edge["in_a_row_p95"]),
                text.estimate(edge["loop_share"], "share"),
                text.milliseconds(edge["total_ms"]),
                text.milliseconds(edge["saved_ms"]),
            )
            for edge in edges
        ),
        (edge["trace_ids"] for edge in edges),
    )


def _who(edge: ChattyEdgeDocument) -> tuple[str, str, str]:
    return (
        text.operation_name(edge["caller"], edge["operation"]),
        text.printable(edge["callee"]),
        text.printable(edge["callee_operation"], 80),
    )


SECTION = SectionKind("chatter", "Chatter", "chatter", describe)
