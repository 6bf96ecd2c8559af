"""How figures change with sampling, lost spans, clocks, weeks of data and release trains: plots and their twins."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tracelith.evaluate.page import words
from tracelith.evaluate.page.plots import Point, Series, interval_plot
from tracelith.present.chart import Table

__all__ = ["ASKED_COVERAGE", "KINDS", "MethodLine", "Plot", "degradation_plots", "point"]

ASKED_COVERAGE = (0.92, 0.98)
"""Of 95 % intervals, this share should hold the truth."""

KINDS = ("ours", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
"""Classes of lines, in the order of methods; the last is for all further ones."""

_DOWNWARDS = ("sampling",)
"""Conditions that get worse as their value falls; plots read from better to worse."""

Score = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MethodLine:
    """How a method is drawn. kind: one of KINDS."""

    title: str
    kind: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing and the same numbers as a table."""

    title: str
    drawing: Markup
    table: Table


def degradation_plots(
    detector: Mapping[str, Any], rows: Sequence[Score], methods: Mapping[str, MethodLine]
) -> list[Plot]:
    """A plot for each condition and rate of a detector that was measured under at least two values of the condition.

    Args:
        rows: of ``degradation`` in the document, of this detector.
        methods: by name, in the order of tables.
    """
    plots = []
    for condition in words.CONDITION_TITLES:
        plots += list(
            _of_condition(detector, condition, [one for one in rows if one["condition"] == condition], methods)
        )
    return plots


def point(rate: Mapping[str, Any] | None) -> Point:
    """A rate of the document as a point with whiskers."""
    if rate is None or rate["value"] is None:
        return Point(None)
    return Point(rate["value"], rate["low"], rate["high"])


def _of_condition(
    detector: Mapping[str, Any], condition: str, rows: Sequence[Score], methods: Mapping[str, MethodLine]
) -> Iterator[Plot]:
    values = sorted({row["at"] for row in rows}, reverse=condition in _DOWNWARDS)
    if len(values) < 2:
        return
    found = {(row["method"], row["at"]): row for row in rows}
    labels = [words.condition_text(condition, value) for value in values]
    title = words.CONDITION_TITLES[condition]
    for measure in _measures(detector):
        rates = {name: [_rate(found, name, value, measure) for value in values] for name in methods}
        shown = {name: line for name, line in methods.items() if any(rates[name])}
        if not shown:
            continue
        series = [Series(line.kind, tuple(map(point, rates[name]))) for name, line in shown.items()]
        yield Plot(
            f"{words.MEASURES[measure]} by {title}",
            interval_plot(labels, series, title, **_axis(measure, series)),
            Table.of(
                (title.capitalize(), *(f"#{line.title}" for line in shown.values())),
                ((label, *(words.rate(rates[name][row]) for name in shown)) for row, label in enumerate(labels)),
            ),
        )


def _axis(measure: str, series: Sequence[Series]) -> dict[str, Any]:
    """Coverage has a band to be in, and is looked at closely as long as it is not far from it."""
    if measure != "coverage":
        return {}
    least = min(point.value for line in series for point in line.points if point.value is not None)
    return {"band": ASKED_COVERAGE, "bottom": 0.6 if least > 0.65 else 0.0}


def _rate(found: Mapping[tuple[str, float], Score], method: str, at: float, measure: str) -> Mapping[str, Any] | None:
    row = found.get((method, at))
    rate: Mapping[str, Any] | None = row[measure] if row else None
    return rate if rate is not None and rate["value"] is not None else None


def _measures(detector: Mapping[str, Any]) -> tuple[str, ...]:
    if detector["name"] == "alarm":
        return ("false_alarms",)
    return ("precision", "recall") if detector["kind"] == "claim" else ("coverage", "exact")
