"""What the evaluation's page shows, from the evaluation's document: sentences, tables, and a section per question."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup

from tracelith.evaluate.page import words
from tracelith.evaluate.page.degradation import ASKED_COVERAGE, KINDS, MethodLine, Plot, degradation_plots, point
from tracelith.evaluate.page.misses import MissGroup, miss_groups
from tracelith.evaluate.page.plots import coverage_plot, legend_key
from tracelith.present import svg, text
from tracelith.present.chart import Table

__all__ = ["Glance", "LegendKey", "Page", "Section", "page_of"]

OURS = "tracelith"

NOTES = (
    "Every system is simulated, so its truth is known: who calls whom, who waits, what is deployed together, and for "
    "durations a reference run of the same system of its own. Simulator and analyses know nothing of each other. The "
    "whole pipeline is run, from the bytes that a receiver gets to the document that the dashboard shows.",
    "The other methods see the same spans and deployments and are implemented as their authors define them, with their "
    "authors' thresholds where they give any. Most were made for another question or another kind of data; the "
    "sentence beside each says why its figures differ. A method without intervals has no coverage.",
    "Intervals of rates are Wilson's. Subjects of one system share its services and its calendar, so the number of "
    "trials is what the spread between systems leaves of them. Nothing said is neither right nor wrong: it lowers "
    "recall and counts as silent.",
    "The tables are of ordinary conditions: all spans kept, exact clocks. Each plot holds cases that differ by one "
    "condition only.",
)


@dataclass(frozen=True, slots=True)
class LegendKey:
    """A line of the plots and whose it is."""

    title: str
    drawing: Markup


@dataclass(frozen=True, slots=True)
class Section:
    """One question.

    Attributes:
        id: of the element. name, question, subject: of the detector.
        scores: a row per method, heading and drawings: its bars. others: methods beside ours, with explanations.
        legend, plots: how it degrades, empty if that was not measured. flaws: likewise, by what is there or not.
    """

    id: str
    name: str
    question: str
    subject: str
    scores: Table
    heading: str
    drawings: tuple[Markup, ...]
    others: tuple[Mapping[str, Any], ...]
    legend: tuple[LegendKey, ...]
    plots: tuple[Plot, ...]
    flaws: Table


@dataclass(frozen=True, slots=True)
class Glance:
    """All of our scores on one topic. sections: its questions one by one; tables without rows are left out."""

    title: str
    claims: Table
    estimates: Table
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page; tables without rows are left out."""

    subtitle: str
    headline: str
    evaluated: tuple[str, ...]
    cases: Table
    thresholds: Table
    glances: tuple[Glance, ...]
    calibration: Table
    calibration_plot: Markup
    sections: tuple[Section, ...]
    misses: tuple[MissGroup, ...]
    notes: tuple[str, ...]


def page_of(evaluation: Mapping[str, Any]) -> Page:
    """The page of a document of schema ``tracelith.evaluation/1``."""
    detectors = {one["name"]: one for one in evaluation["detectors"]}
    ours = [(detectors[one["detector"]], one) for one in evaluation["scores"] if one["method"] == OURS]
    covered = [(one, score) for one, score in ours if point(score["coverage"]).value is not None]
    sections = {one["name"]: _section(one, evaluation) for one in evaluation["detectors"]}
    return Page(
        subtitle=f"set {text.printable(evaluation['set'])}, seed {evaluation['seed']}",
        headline=_headline(evaluation["thresholds"]),
        evaluated=_evaluated(evaluation),
        cases=_cases(evaluation.get("systems", ())),
        thresholds=_thresholds(evaluation["thresholds"]),
        glances=tuple(_glances(ours, sections)),
        calibration=Table.of(
            ("Interval of", "#Hold the truth", "#Cases"),
            ((one["name"], words.rate(s["coverage"]), text.count(s["coverage"]["cases"])) for one, s in covered),
        ),
        calibration_plot=coverage_plot(
            [(one["name"], point(s["coverage"])) for one, s in covered], 0.95, ASKED_COVERAGE
        ),
        sections=tuple(sections.values()),
        misses=miss_groups(evaluation["misses"], detectors),
        notes=NOTES,
    )


def _glances(
    ours: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], sections: Mapping[str, Section]
) -> Iterator[Glance]:
    """Detectors come topic by topic; a document of an earlier version names none."""
    for title, group in groupby(ours, key=lambda one: one[0].get("topic", "")):
        scored = list(group)
        yield Glance(
            title,
            words.claims_table("Question", [(one["question"], score) for one, score in scored if _is_claim(one)]),
            words.estimates_table(
                "Question", [(one["question"], score, one) for one, score in scored if not _is_claim(one)]
            ),
            tuple(sections[one["name"]] for one, _ in scored),
        )


def _is_claim(detector: Mapping[str, Any]) -> bool:
    return bool(detector["kind"] == "claim")


def _headline(outcomes: Sequence[Mapping[str, Any]]) -> str:
    if not outcomes:
        return "No bounds were set for these figures."
    failed = [one for one in outcomes if not one["met"]]
    if not failed:
        unsure = sum(_unsure(one) for one in outcomes)
        open_ = f", {unsure} of them only because so few subjects leave it open" if unsure else ""
        return f"All {len(outcomes)} bounds hold{open_}." if len(outcomes) > 1 else f"The one bound holds{open_}."
    named = ", ".join(f"{one['detector']} ({words.MEASURES[one['measure']].lower()})" for one in failed[:4])
    more = f" and {len(failed) - 4} more" if len(failed) > 4 else ""
    return f"{len(failed)} of {len(outcomes)} bounds {'do' if len(failed) > 1 else 'does'} not hold: {named}{more}."


def _unsure(outcome: Mapping[str, Any]) -> bool:
    """Whether the figure itself lies beyond the bound and only its interval reaches it."""
    return not _within(outcome, outcome["value"], outcome["value"])


def _evaluated(evaluation: Mapping[str, Any]) -> tuple[str, ...]:
    cases = evaluation["cases"]
    conditions = sorted({one["condition"] for one in evaluation["degradation"]}, key=list(words.CONDITION_TITLES).index)
    flaws = ", ".join(dict.fromkeys(one["flaw"] for one in evaluation.get("flaws", ()) if one["flaw"]))
    varied = ", ".join(words.CONDITION_TITLES[one] for one in conditions)
    return (
        f"{text.count(cases['done'])} runs of simulated systems with planted truth, {text.count(cases['spans'])} "
        f"spans, through the whole pipeline in {text.milliseconds(cases['seconds'] * 1000)} of computing. "
        f"{len(evaluation['methods'])} methods answered {len(evaluation['detectors'])} questions.",
        *((f"Varied one at a time: {varied}.",) if varied else ()),
        *((f"Flaws of what was observed, one at a time: {flaws}.",) if flaws else ()),
    )


def _cases(systems: Sequence[Mapping[str, Any]]) -> Table:
    return Table.of(
        ("System", "#Runs", "#Systems drawn", "#Weeks", "#Requests each", "Planted"),
        (
            (
                text.printable(one["system"]),
                text.count(one["cases"]),
                text.count(one["seeds"]),
                _span(one["weeks"]),
                _span(one["traces"]),
                "nothing, it is healthy" if one["healthy"] else "yes",
            )
            for one in systems
        ),
    )


def _span(bounds: Sequence[int]) -> str:
    low, high = (text.count(bound) for bound in bounds)
    return low if low == high else f"{low} to {high}"


def _thresholds(outcomes: Sequence[Mapping[str, Any]]) -> Table:
    return Table.of(
        ("Figure", "#Measured", "#Asked", "Holds", "Why"),  # on a phone the first two are what is seen at once
        (
            (
                f"{one['detector']}: {words.MEASURES[one['measure']].lower()}{_of_train(one)}",
                words.rate(one),
                _bounds(one["least"], one["most"]),
                _holds(one),
                one["reason"],
            )
            for one in outcomes
        ),
    )


def _of_train(outcome: Mapping[str, Any]) -> str:
    share = outcome.get("train_share")
    return "" if share is None else f", {text.percent(share)} on a train"


def _holds(outcome: Mapping[str, Any]) -> str:
    """Whether a bound holds, and why where the figure alone does not show it."""
    if outcome["value"] is None:
        return "no: not measured"
    within = _within(outcome, outcome["value"], outcome["value"])
    if outcome["met"]:
        return "yes" if within else "yes: its interval reaches the bound"
    by_interval = outcome["decided_by"] == "interval"
    too_few = _within(outcome, outcome["high"], outcome["low"]) if by_interval else within
    return "no: too few to tell" if too_few else "no"


def _within(outcome: Mapping[str, Any], high: float, low: float) -> bool:
    """Whether the higher figure reaches the lower bound, and the lower one the upper bound."""
    least, most = outcome["least"], outcome["most"]
    return (least is None or high >= least) and (most is None or low <= most)


def _bounds(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f"{text.percent(least).removesuffix(' %')}–{text.percent(most)}"
    return f"at least {text.percent(least)}" if least is not None else f"at most {text.percent(most)}"


def _section(detector: Mapping[str, Any], evaluation: Mapping[str, Any]) -> Section:
    methods = {one["name"]: one for one in evaluation["methods"]}
    scores = {one["method"]: one for one in evaluation["scores"] if one["detector"] == detector["name"]}
    degraded = [one for one in evaluation["degradation"] if one["detector"] == detector["name"]]
    named = [name for name in methods if name in scores or any(one["method"] == name for one in degraded)]
    lines = {name: MethodLine(_short(name), KINDS[min(place, len(KINDS) - 1)]) for place, name in enumerate(named)}
    rows = [(_short(name), scores[name]) for name in named if name in scores]
    claim, drawn = detector["kind"] == "claim", _drawn(detector, [score for _, score in rows])
    bars = tuple(_bar(score[drawn]) for _, score in rows)
    return Section(
        id=f"question-{detector['name']}",
        name=detector["name"],
        question=detector["question"],
        subject=detector["subject"],
        scores=words.claims_table("Method", rows)
        if claim
        else words.estimates_table("Method", [(label, score, detector) for label, score in rows]),
        heading=f"{words.MEASURES[drawn]}, zero to all",
        drawings=bars if any(bars) else (),
        others=tuple(methods[name] for name in named if name != OURS),
        legend=tuple(LegendKey(line.title, legend_key(line.kind)) for line in lines.values()),
        plots=tuple(degradation_plots(detector, degraded, lines)),
        flaws=_flaws(detector, evaluation.get("flaws", ())),
    )


def _flaws(detector: Mapping[str, Any], flawed: Sequence[Mapping[str, Any]]) -> Table:
    """Our scores without and with each flaw of what is observed."""
    ours = [one for one in flawed if one["method"] == OURS and one["detector"] == detector["name"]]
    rows = [((one["flaw"] or "none").capitalize(), one) for one in ours]
    if _is_claim(detector):
        return words.claims_table("Flaw", rows)
    return words.estimates_table("Flaw", [(label, score, detector) for label, score in rows])


def _short(name: str) -> str:
    return "Tracelith" if name == OURS else name


def _drawn(detector: Mapping[str, Any], scores: Sequence[Mapping[str, Any]]) -> str:
    """The rate that sets methods apart: recall is easily had by accusing everybody."""
    if detector["name"] == "alarm":
        return "false_alarms"
    if detector["kind"] == "claim":
        return "precision"
    return "coverage" if any(score["coverage"] is not None for score in scores) else "exact"


def _bar(rate: Mapping[str, Any] | None) -> Markup:
    measured = point(rate)
    if measured.value is None or measured.low is None or measured.high is None:
        return Markup()
    return svg.interval_bar(measured.value, (measured.low, measured.high), (0.0, 1.0))
