"""Which services always scale together, and which need machines at hours of their own."""

from collections.abc import Sequence

from tracelith.analysis.names import listed
from tracelith.model.document import AnalysisDocument, AxisPairDocument, ScaledServiceDocument, ScalingDocument
from tracelith.present import text
from tracelith.present.answers import Answer
from tracelith.present.chart import Table
from tracelith.present.scaling_figures import AXES, instance_ranges
from tracelith.present.section import Part, Section, SectionKind

__all__ = ["SECTION"]

_QUESTION = "Which services scale together?"
_MOST_ROWS = 100


def describe(document: AnalysisDocument, period: str) -> Section:
    """The section of a document."""
    scaling = document["scaling"]
    same = [row for row in scaling["pairs"] if row["label"] == "same_axis"]
    own = [row for row in scaling["services"] if row["label"] == "own_axis"]
    other = [row for row in scaling["pairs"] if row["label"] != "same_axis" and row["status"] == "ok"]
    parts = [
        _same(same),
        _own(own),
        _chart(scaling["services"], period),
        _services(scaling["services"]),
        _others(other),
    ]
    lead = (
        "One reason to keep services apart is that they need different numbers of machines. Where one causes all "
        "requests of the other and the two rise and fall as one, that reason is missing; where a service is busy when "
        "the others are not, it is there. Traces see load, not processors or memory: ask before you merge."
    )
    return Section(_answer(scaling), lead, tuple(part for part in parts if part is not None))


def _answer(scaling: ScalingDocument) -> Answer:
    share = scaling["same_axis_share"]
    if scaling["status"] != "ok":
        return Answer.unknown("scaling", _QUESTION, scaling["reason"])
    own = [text.printable(row["service"], 40) for row in scaling["services"] if row["label"] == "own_axis"]
    apart = (
        f"{listed(own, 3)} {'is' if len(own) == 1 else 'are'} busy at hours of {'its' if len(own) == 1 else 'their'}"
    )
    told = f" {apart} own." if own else ""
    reading = (
        f"Share of {text.count(share['n'])} services with enough requests that always grow and shrink with another "
        f"one. It is no fault, but no reason to keep them apart either.{told}"
    )
    number = text.estimate(share, "share")
    if scaling["groups"]:
        group = [text.printable(name, 40) for name in scaling["groups"][0]]
        return Answer("scaling", _QUESTION, f"{listed(group, 5)} answer to one load.", number, reading, "fine")
    return Answer("scaling", _QUESTION, "No service only follows another one's load.", number, reading, "fine")


def _same(pairs: Sequence[AxisPairDocument]) -> Part | None:
    # Of a chain of services, who calls whom says enough: the rest follows.
    direct = [row for row in pairs if row["direct"]][:_MOST_ROWS]
    if not direct:
        return None
    reading = (
        "Caused: share of the second service's requests that stand below one of the first. Follows: by how many per "
        "cent its rate changes when the first one's changes by one. Ratio varies: how unsteady the ratio of both rates "
        "is, chance taken out; 15 % and less is steady."
    )
    return Part("Pairs on one load", table=_pair_table(direct), reading=reading, headline=True)


def _pair_table(pairs: Sequence[AxisPairDocument]) -> Table:
    return Table.of(
        (
            "Service",
            "Causes requests of",
            "#Per request",
            "#Caused",
            "#Follows",
            "#Ratio varies",
            "#Instances",
            "Verdict",
        ),
        (
            (
                text.printable(row["a"]),
                text.printable(row["b"]),
                text.number(row["calls_per_request"]),
                text.estimate(row["dominance"], "share") if row["dominance"]["value"] is not None else text.MISSING,
                text.estimate(row["elasticity"]) if row["elasticity"]["value"] is not None else text.MISSING,
                text.percent(row["ratio_cv"]),
                text.number(row["instance_correlation"], 2),
                AXES[row["label"]],
            )
            for row in pairs
        ),
    ).without_empty_columns()


def _own(services: Sequence[ScaledServiceDocument]) -> Part | None:
    if not services:
        return None
    reading = "The ratio of their requests to those of most other services surely varies by more than 50 %."
    return Part("Services with busy hours of their own", table=_service_table(services), reading=reading, headline=True)


def _service_table(services: Sequence[ScaledServiceDocument]) -> Table:
    return Table.of(
        ("Service", "#Requests", "#Per second", "#Instances", "Most called by", "#Its share", "Scales"),
        (
            (
                text.printable(row["service"]),
                text.count(row["requests"]),
                text.number(row["per_second"]),
                _instances(row),
                text.printable(row["main_caller"]) if row["main_caller"] else text.MISSING,
                text.estimate(row["main_caller_share"], "share") if row["main_caller"] else text.MISSING,
                AXES[row["label"]],
            )
            for row in services[:_MOST_ROWS]
        ),
    )


def _instances(row: ScaledServiceDocument) -> str:
    fewest, most = row["fewest_instances"], row["most_instances"]
    return text.count(most) if fewest == most else f"{text.count(fewest)} to {text.count(most)}"


def _chart(services: Sequence[ScaledServiceDocument], period: str) -> Part | None:
    if not any(row["most_instances"] for row in services):
        return None
    return Part("Instances", chart=instance_ranges(services, period))


def _services(services: Sequence[ScaledServiceDocument]) -> Part | None:
    if not services:
        return None
    known = [row for row in services if row["label"] != "unknown"]
    unknown = len(services) - len(known)
    told = f"{text.count(unknown)} {'service' if unknown == 1 else 'services'} handled too few requests to tell."
    return Part("All services", told if unknown else "", _service_table(known))


def _others(pairs: Sequence[AxisPairDocument]) -> Part | None:
    if not pairs:
        return None
    reading = (
        "Pairs of which one causes most requests of the other, but not surely on one load, and pairs that are surely "
        "busy at different hours."
    )
    return Part("Other pairs", table=_pair_table(pairs[:_MOST_ROWS]), reading=reading)


SECTION = SectionKind("scaling", "Scaling", "scaling", describe)
