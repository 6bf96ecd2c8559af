"""The shape of the system: circles, hubs, and how many services there are for what they do."""

from collections.abc import Sequence

from tracelith.analysis.names import listed
from tracelith.model.document import AnalysisDocument, CycleDocument, ServiceShapeDocument, SystemSizeDocument
from tracelith.present import text
from tracelith.present.answers import Answer
from tracelith.present.chart import Table
from tracelith.present.section import Part, Section, SectionKind
from tracelith.present.structure_figures import neighbours

__all__ = ["SECTION"]

_QUESTION = "Do calls go in circles, and are there too many services?"
_MOST_ROWS = 100
_FEWEST_SHOWN = 4
_KINDS = {"runtime": "the same request comes back", "between_requests": "different requests"}
_SIZES = {"nano": "very small", "ordinary": "ordinary", "mega": "very large", "unknown": "not known"}


def describe(document: AnalysisDocument, period: str) -> Section:
    """The section of a document."""
    structure = document["structure"]
    services = structure["services"]
    parts = [
        _cycles(structure["cycles"]),
        _size(structure["size"]) if services else None,
        _standing_out(services),
        Part("Who calls and is called", chart=neighbours(services, period)) if len(services) >= _FEWEST_SHOWN else None,
        _services(services),
    ]
    lead = (
        "Services that call each other in a circle cannot be started, tested or scaled one without the other. A "
        "service that everything goes through decides for everyone. And every service costs: each should change, scale "
        "or fail on its own, or it is only a border in the way."
    )
    return Section(_answer(document), lead, tuple(part for part in parts if part is not None))


def _answer(document: AnalysisDocument) -> Answer:
    structure = document["structure"]
    if structure["status"] != "ok":
        return Answer.unknown("structure", _QUESTION, structure["reason"])
    size = structure["size"]
    accused = {one["rule"] for one in document["findings"] if one["severity"] != "info"}
    services, calls = text.count(size["services"]), text.count(size["edges"])
    reading = f"{services} services, {calls} pairs of caller and callee that waits. {_judged(size)}"
    runtime = [cycle for cycle in structure["cycles"] if cycle["kind"] == "runtime"]
    if runtime and "call-cycle" in accused:
        share = text.estimate(runtime[0]["reentry_share"], "share")
        claim = f"{_named(runtime[0]['services'])} call each other in a circle."
        told = "Share of the requests through a service of the circle that come back to it. "
        return Answer("structure", _QUESTION, claim, share, told + reading, "notable")
    if size["label"] == "too_many":
        claim = f"{services} services are more than stand on their own."
        number = "" if size["units"] is None else f"{services} services, {text.count(size['units'])} units"
        return Answer("structure", _QUESTION, claim, number, reading, "notable")
    claim = "No request goes in circles." if not runtime else "Hardly any request goes in circles."
    return Answer("structure", _QUESTION, claim, "", reading, "fine")


def _judged(size: SystemSizeDocument) -> str:
    if size["label"] == "unknown":
        return f"Whether they are too many is not known: {text.printable(size['label_reason'])}."
    reason = f": {text.printable(size['label_reason'])}" if size["label_reason"] else ""
    return f"Their number is {'too large' if size['label'] == 'too_many' else 'no problem'}{reason}."


def _named(names: Sequence[str]) -> str:
    return listed([text.printable(name, 40) for name in names], 5)


def _cycles(cycles: Sequence[CycleDocument]) -> Part | None:
    if not cycles:
        return None
    table = Table.of(
        ("Services", "Calls", "Closed by", "#Requests that come back"),
        (
            (
                ", ".join(text.printable(name) for name in cycle["services"]),
                ", ".join(text.printable(edge, 80) for edge in cycle["edges"][:8]),
                _KINDS[cycle["kind"]],
                text.estimate(cycle["reentry_share"], "share"),
            )
            for cycle in cycles[:_MOST_ROWS]
        ),
        (cycle["trace_ids"] for cycle in cycles[:_MOST_ROWS]),
    )
    reading = (
        "A request that comes back to a service which still waits for it holds two of its workers: when all are taken, "
        "the service waits for itself. Circles that only different requests close are harmless at run time, but "
        "neither side can be changed first."
    )
    return Part("Circles", table=table, reading=reading, headline=True)


def _size(size: SystemSizeDocument) -> Part:
    rows = (
        ("Services", text.count(size["services"])),
        ("Units that deploy and change data on their own", text.count(size["units"])),
        ("Teams", text.count(size["teams"])),
        ("Services per team", text.number(size["services_per_team"], 2)),
        ("Pairs of a caller that waits and a callee", text.count(size["edges"])),
        ("Share of all possible pairs", text.percent(size["density"])),
        ("Callees per service, mean", text.number(size["mean_callees"], 2)),
        ("Pairs that call each other both ways", text.count(size["mutual_pairs"])),
        ("Concentration of callers (Gini: 0 even, 1 all at one)", text.number(size["callers_gini"], 2)),
        ("Requests from outside per second", text.number(size["requests_per_second"])),
        ("The same per service", text.number(size["requests_per_second_per_service"])),
    )
    known = tuple(row for row in rows if row[1] != text.MISSING)
    reading = (
        "A unit is a set of services that surely deploy together or write each other's data; a service bound to nobody "
        "is one by itself. More than three services to a unit are more than the system can use."
    )
    return Part("Size", text=_judged(size), table=Table.of(("What", "#How many"), known), reading=reading)


def _standing_out(services: Sequence[ServiceShapeDocument]) -> Part | None:
    rows = [row for row in services if row["hub"] or row["size"] in ("nano", "mega")]
    if not rows:
        return None
    table = Table.of(
        ("Service", "What stands out", "Why", "#Callers", "#Callees", "#Operations", "#Own time", "#Way to it"),
        (
            (
                text.printable(row["service"]),
                " and ".join([*(["a hub"] if row["hub"] else []), *_sized(row)]),
                text.printable(row["size_reason"]) or "far more neighbours in both directions than others",
                text.count(row["callers"]),
                text.count(row["callees"]),
                text.count(row["operations"]),
                text.milliseconds(row["own_ms"]),
                text.milliseconds(row["network_ms"]),
            )
            for row in rows[:_MOST_ROWS]
        ),
    )
    return Part("Services that stand out", table=table, headline=True)


def _sized(row: ServiceShapeDocument) -> list[str]:
    return [_SIZES[row["size"]]] if row["size"] in ("nano", "mega") else []


def _services(services: Sequence[ServiceShapeDocument]) -> Part | None:
    if not services:
        return None
    teams = any(row["team"] for row in services)
    table = Table.of(
        (
            "Service",
            *(["Team"] if teams else []),
            "Only called by",
            "#Callers",
            "#Callees",
            "#Instability",
            "#Operations",
            "#Requests",
            "#Own time",
            "#Share of all work",
        ),
        (
            (
                text.printable(row["service"]),
                *([text.printable(row["team"] or text.MISSING)] if teams else []),
                text.printable(row["only_caller"] or text.MISSING),
                text.count(row["callers"]),
                text.count(row["callees"]),
                text.number(row["instability"], 2),
                text.count(row["operations"]),
                text.count(row["requests"]),
                text.milliseconds(row["own_ms"]),
                text.percent(row["own_time_share"]),
            )
            for row in services[:_MOST_ROWS]
        ),
    )
    reading = (
        "Instability: callees among all neighbours, 0 only answers, 1 only asks; calls should lead from the unstable "
        "to the stable. Own time: median time in which the service worked itself, per request. Share of all work: of "
        "the own time of all services."
    )
    return Part("All services", table=table.without_empty_columns(), reading=reading)


SECTION = SectionKind("structure", "Structure", "structure", describe)
