"""Which services only pass requests on, and whether the system is cut by technical layer."""

from collections.abc import Sequence

from tracelith.analysis.names import listed
from tracelith.model.document import AnalysisDocument, LayersDocument, LayerSplitDocument, PassThroughDocument
from tracelith.present import text
from tracelith.present.answers import Answer
from tracelith.present.chart import Table
from tracelith.present.layer_figures import LABELS, handing_on
from tracelith.present.section import Part, Section, SectionKind

__all__ = ["SECTION"]

_QUESTION = "Which services only pass requests on?"
_MOST_ROWS = 100


def describe(document: AnalysisDocument, period: str) -> Section:
    """The section of a document."""
    layers = document["layers"]
    accused = [row for row in layers["services"] if row["label"] == "pass_through"]
    spared = [row for row in layers["services"] if row["label_reason"]]
    parts = [
        _splits(layers["splits"]),
        _accused(accused),
        _chart(layers["services"], period),
        _operations(accused),
        _spared(spared),
    ]
    lead = (
        "A service that makes one call per request, always the same, and does next to nothing itself costs a hop, a "
        "deployment and a way to fail, and owns nothing. Two in a row are a system cut by layer instead of by what the "
        "business does: nearly every change then touches all of them."
    )
    return Section(_answer(layers), lead, tuple(part for part in parts if part is not None))


def _answer(layers: LayersDocument) -> Answer:
    share = layers["pass_through_share"]
    names = [text.printable(row["service"], 40) for row in layers["services"] if row["label"] == "pass_through"]
    reading = (
        f"Of {text.count(share['n'])} services that could be judged; those that hand on for a reason that traces show "
        "(gateways, guards, caches, borders between teams) are not counted."
    )
    number = text.estimate(share, "share")
    if layers["splits"]:
        split = layers["splits"][0]
        claim = f"The system is cut by layer: {_chain(split)}."
        told = (
            "Share of the requests from outside that pass all of them; from 80 % on nearly every change needs all of "
            f"them. {listed(names, 4)} only hand on what they are asked."
        )
        return Answer("layers", _QUESTION, claim, text.estimate(split["trace_share"], "share"), told, "notable")
    if names:
        verb = "only hands" if len(names) == 1 else "only hand"
        return Answer("layers", _QUESTION, f"{listed(names, 4)} {verb} requests on.", number, reading, "notable")
    if layers["status"] != "ok":
        return Answer.unknown("layers", _QUESTION, layers["reason"])
    claim = "Every service does something of its own."
    return Answer("layers", _QUESTION, claim, number, reading, "fine")


def _chain(split: LayerSplitDocument) -> str:
    return " → ".join(text.printable(name, 40) for name in split["services"])


def _splits(splits: Sequence[LayerSplitDocument]) -> Part | None:
    if not splits:
        return None
    table = Table.of(
        (
            "Layers, outermost first",
            "#Requests through all",
            "#Entry operations",
            "#Same operation below",
            "#Hops saved",
        ),
        (
            (
                _chain(split),
                text.estimate(split["trace_share"], "share"),
                text.percent(split["entry_share"]),
                text.percent(split["purity"]),
                text.count(split["hops_saved"]),
            )
            for split in splits
        ),
        (split["trace_ids"] for split in splits),
    )
    reading = (
        "Entry operations: those most of whose requests pass all layers. Same operation below: how surely an operation "
        "of one layer stands for one of the next. Hops saved: calls in a row that one request in twenty would save at "
        "least if the layers were one service."
    )
    return Part("Layers that nearly every request passes", table=table, reading=reading, headline=True)


def _accused(services: Sequence[PassThroughDocument]) -> Part | None:
    if not services:
        return None
    rows = services[:_MOST_ROWS]
    table = Table.of(
        ("Service", "Hands on to", "#Requests", "#Handed on", "#Hops saved", "#Time saved"),
        (
            (
                text.printable(row["service"]),
                ", ".join(text.printable(name) for name in _behind(row)),
                text.count(row["requests"]),
                text.estimate(row["passing_share"], "share"),
                text.number(row["hops_saved"]),
                text.estimate(row["saved_ms"], "ms"),
            )
            for row in rows
        ),
        (row["trace_ids"] for row in rows),
    )
    reading = (
        "Handed on: requests of operations that make one call and nothing else. Hops and time saved: what its callers' "
        "requests would save if it were one with what it calls; the time is network and queueing, its own work stays."
    )
    return Part("Services that only hand requests on", table=table, reading=reading, headline=True)


def _behind(row: PassThroughDocument) -> list[str]:
    return sorted({one["callee"] for one in row["operations"] if one["passes_through"] and one["callee"]})


def _chart(services: Sequence[PassThroughDocument], period: str) -> Part | None:
    if not any(row["passing_share"]["value"] for row in services):
        return None
    return Part("How much is handed on", chart=handing_on(services, period))


def _operations(services: Sequence[PassThroughDocument]) -> Part | None:
    rows = [(row, one) for row in services for one in row["operations"]][:_MOST_ROWS]
    if not rows:
        return None
    table = Table.of(
        ("Operation", "Usually calls", "#Requests", "#One call only", "#Own time", "#Same callee", "#Index"),
        (
            (
                text.operation_name(row["service"], one["operation"]),
                text.operation_name(one["callee"], one["callee_operation"] or "") if one["callee"] else text.MISSING,
                text.count(one["requests"]),
                text.estimate(one["single_call_share"], "share"),
                text.percent(one["own_time_share"]),
                text.percent(one["purity"]),
                text.estimate(one["index"]),
            )
            for row, one in rows
        ),
    )
    reading = (
        "Own time: the part of the median request in which no call was under way. The index multiplies one call only, "
        "others' time and same callee: 1 hands everything on, 0 nothing."
    )
    return Part("Their operations", table=table, reading=reading)


def _spared(services: Sequence[PassThroughDocument]) -> Part | None:
    if not services:
        return None
    rows = services[:_MOST_ROWS]
    table = Table.of(
        ("Service", "What it is", "Why it is not accused", "#Handed on"),
        (
            (
                text.printable(row["service"]),
                LABELS[row["label"]],
                text.printable(row["label_reason"]),
                text.estimate(row["passing_share"], "share"),
            )
            for row in rows
        ),
        (row["trace_ids"] for row in rows),
    )
    return Part("Services that hand on for a reason", table=table)


SECTION = SectionKind("layers", "Layers", "layers", describe)
