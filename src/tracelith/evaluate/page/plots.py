"""Plots of the evaluation's page: rates with intervals over a condition, and coverage beside its nominal value.

Drawn as SVG with their own axes and words, not by the dashboard's plotting library: the page stays one small file
without a script, under a policy that allows none, and prints as it looks. Colours are classes, which the page sets for
light and dark. Built as an element tree, so nothing can break out of an attribute. Small enough to be readable at the
width of a phone; several stand beside each other on a screen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as Tree

from markupsafe import Markup

__all__ = ["Point", "Series", "coverage_plot", "interval_plot", "legend_key"]

WIDTH, HEIGHT = 340, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 8, 10, 38
_ROW, _NAME = 26, 132
_LEAST_COVERAGE = 0.7
_SPREAD = 5.0
"""Points of different methods under one condition stand so far apart, so that their intervals can be told apart."""


@dataclass(frozen=True, slots=True)
class Point:
    """A measured rate.

    Attributes:
        value: None where nothing could be measured; the line breaks there.
        low, high: its 95 % interval, None for none.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One line.

    Attributes:
        kind: class of its colour and dashes; "ours" is drawn strongest and last. points: one per condition.
    """

    kind: str
    points: tuple[Point, ...]


def interval_plot(
    conditions: Sequence[str],
    series: Sequence[Series],
    axis_title: str,
    *,
    bottom: float = 0.0,
    band: tuple[float, float] | None = None,
) -> Markup:
    """Lines over conditions, equally far apart, with whiskers over the intervals.

    Args:
        conditions: labels below the axis, in order.
        series: lines with one point for each condition.
        axis_title: below the labels.
        bottom: value at the lower edge, the upper is 1; whiskers that reach further down end there.
        band: lower and upper bound of the values asked for, shaded.
    """

    drawing = _drawing(HEIGHT)
    places = [_x(index, len(conditions)) for index in range(len(conditions))]

    def height(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * (max(value, bottom) - bottom) / (1 - bottom)

    if band is not None:
        _shade(drawing, (_LEFT, height(band[1])), (WIDTH - _RIGHT, height(band[0])))
    for quarter in range(5):
        value = bottom + (1 - bottom) * quarter / 4
        _line(drawing, "grid", (_LEFT, height(value)), (WIDTH - _RIGHT, height(value)))
        _text(drawing, "end", (_LEFT - 5, height(value) + 4), f"{value * 100:.3g} %")
    for place, label in zip(places, conditions, strict=True):
        _text(drawing, "middle", (place, HEIGHT - _BOTTOM + 16), label)
    _text(drawing, "middle", ((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 5), axis_title, kind="axis-title")
    behind = sorted(range(len(series)), key=lambda index: series[index].kind == "ours")
    for index in behind:
        shift = (index - (len(series) - 1) / 2) * _SPREAD
        _polyline(drawing, series[index], [place + shift for place in places], height)
    return _markup(drawing)


def coverage_plot(rows: Sequence[tuple[str, Point]], nominal: float, asked: tuple[float, float]) -> Markup:
    """Dots with whiskers, one row each: how often intervals cover the truth, beside how often they should.

    A row stands out where its whole interval lies beside what is asked for, most where it lies below. Whiskers that
    reach further down than the axis end there.

    Args:
        rows: label and coverage, measured.
        nominal: drawn as a line. asked: bounds of what is asked for, shaded.
    """
    left = max(0.0, min([_LEAST_COVERAGE, *(point.value - 0.05 for _, point in rows if point.value is not None)]))
    edge = WIDTH - _RIGHT - 8

    def place(value: float) -> float:
        return _NAME + (edge - _NAME) * (max(value, left) - left) / (1 - left)

    drawing = _drawing(len(rows) * _ROW + 30)
    bottom = len(rows) * _ROW + 4
    _shade(drawing, (place(asked[0]), 0), (place(asked[1]), bottom))
    _line(drawing, "nominal", (place(nominal), 0), (place(nominal), bottom))
    for value in (left, nominal):
        _text(drawing, "middle", (place(value), bottom + 16), f"{value * 100:.3g} %")
    for number, (label, point) in enumerate(rows):
        y = number * _ROW + _ROW / 2 + 2
        _line(drawing, "grid", (_NAME, y), (edge, y))
        _text(drawing, "start", (0, y + 4), label)
        if point.value is None or point.low is None or point.high is None:
            continue
        kind = "ours narrow" if point.high < asked[0] else "ours wide" if point.low > asked[1] else "ours"
        _line(drawing, f"whisker {kind}", (place(point.low), y), (place(point.high), y))
        _dot(drawing, kind, place(point.value), y)
    return _markup(drawing)


def legend_key(kind: str) -> Markup:
    """A short piece of a line as it is drawn, for the legend."""
    drawing = Tree.Element("svg", {"class": "key", "viewBox": "0 0 28 10", "aria-hidden": "true"})
    _line(drawing, f"line {kind}", (1, 5), (27, 5))
    _dot(drawing, kind, 14, 5)
    return _markup(drawing)


def _polyline(drawing: Tree.Element, series: Series, places: Sequence[float], height: Callable[[float], float]) -> None:
    previous: tuple[float, float] | None = None
    for place, point in zip(places, series.points, strict=True):
        if point.value is None:
            previous = None
            continue
        here = (place, height(point.value))
        if previous is not None:
            _line(drawing, f"line {series.kind}", previous, here)
        if point.low is not None and point.high is not None:
            _line(drawing, f"whisker {series.kind}", (place, height(point.low)), (place, height(point.high)))
        _dot(drawing, series.kind, *here)
        previous = here


def _x(index: int, count: int) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * (index + 0.5) / count


def _drawing(height: int) -> Tree.Element:
    # Hidden from screen readers: the table beside it says the same in words and numbers.
    return Tree.Element("svg", {"class": "plot", "viewBox": f"0 0 {WIDTH} {height}", "aria-hidden": "true"})


def _shade(drawing: Tree.Element, corner: tuple[float, float], opposite: tuple[float, float]) -> None:
    (x, y), (right, lower) = corner, opposite
    places = {"x": _number(x), "y": _number(y), "width": _number(right - x), "height": _number(lower - y)}
    Tree.SubElement(drawing, "rect", {"class": "asked", **places})


def _line(drawing: Tree.Element, kind: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    places = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    Tree.SubElement(drawing, "line", {"class": kind, **{name: _number(value) for name, value in places.items()}})


def _dot(drawing: Tree.Element, kind: str, x: float, y: float) -> None:
    radius = 3.6 if kind.startswith("ours") else 2.6
    Tree.SubElement(
        drawing, "circle", {"class": f"dot {kind}", "cx": _number(x), "cy": _number(y), "r": _number(radius)}
    )


def _text(drawing: Tree.Element, anchor: str, place: tuple[float, float], words: str, *, kind: str = "label") -> None:
    places = {"x": _number(place[0]), "y": _number(place[1]), "text-anchor": anchor}
    Tree.SubElement(drawing, "text", {"class": kind, **places}).text = words


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _markup(drawing: Tree.Element) -> Markup:
    text = Tree.tostring(drawing, encoding="unicode", short_empty_elements=False)
    return Markup(text)  # noqa: S704 - serialised from an element tree, which escapes what it holds
