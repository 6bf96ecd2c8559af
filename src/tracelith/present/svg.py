"""Small static drawings for table cells: they need no script, print well, and stand beside the number they draw.

Every drawing stretches to the width of its cell (``preserveAspectRatio="none"``), so it holds shapes and no text.
Colours are classes, which the page sets for light, dark and print. Built as an element tree, so nothing can break out
of an attribute.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as Tree

from markupsafe import Markup

__all__ = ["axis_of", "columns", "hop_bars", "interval_bar", "tick_strip"]

WIDTH, HEIGHT = 1000, 20
_LEAST_AXIS_HOPS = 5
"""Shallow operations are drawn on the scale of ordinary ones, so that two tables compare."""


def interval_bar(value: float, ci: Sequence[float] | None, axis: tuple[float, float]) -> Markup:
    """A bar from zero to the value, and a whisker over its interval.

    Args:
        value: to draw.
        ci: lower and upper bound, None for no whisker.
        axis: values at the left and right edge; must contain zero.
    """
    drawing = _drawing("interval")
    zero, end = _place(0.0, axis), _place(value, axis)
    _rect(drawing, "bar", x=min(zero, end), y=4, width=max(abs(end - zero), 1), height=HEIGHT - 8)
    _line(drawing, "zero", (zero, 0), (zero, HEIGHT))
    if ci is not None:
        low, high = (_place(bound, axis) for bound in ci)
        middle = HEIGHT / 2
        _line(drawing, "whisker", (low, middle), (high, middle))
        for cap in (low, high):
            _line(drawing, "whisker", (cap, middle - 4), (cap, middle + 4))
    return _markup(drawing)


def axis_of(rows: Iterable[tuple[float, Sequence[float] | None]], least: float = 0.0) -> tuple[float, float]:
    """An axis on which all these values and intervals fit, zero included, and at least up to ``least``."""
    edges = [edge for value, ci in rows for edge in (value, *(ci or ()))]
    low, high = min([0.0, *edges]), max([0.0, least, *edges])
    return low, high if high > low else low + 1.0


def hop_bars(histogram: Sequence[Mapping[str, Any]], *, measured: bool = True) -> Markup:
    """One column per number of awaited hops from 0 on, as high as its share of the requests.

    Args:
        histogram: rows with hops and share.
        measured: whether there are enough requests to judge; otherwise no column is coloured as good or bad.
    """
    drawing = _drawing("hops")
    shares = {int(row["hops"]): float(row["share"]) for row in histogram}
    columns = max([_LEAST_AXIS_HOPS, *shares]) + 1
    step = WIDTH / columns
    for hops in range(columns):
        share = shares.get(hops, 0.0)
        height = max(HEIGHT * share, 1.5 if share else 0.7)  # a rare depth is still seen, and so is the base line
        _rect(
            drawing,
            _band(hops, share, measured),
            x=hops * step + step * 0.08,
            y=HEIGHT - height,
            width=step * 0.84,
            height=height,
        )
    return _markup(drawing)


def columns(values: Sequence[float], places: int) -> Markup:
    """One column per value, as high as its share of the highest.

    Args:
        values: not negative, oldest first.
        places: room for so many; fewer values stand at the right, so that the newest is always at the edge.
    """
    drawing = _drawing("columns")
    highest = max(values, default=0.0) or 1.0
    step = WIDTH / places
    for place, value in enumerate(values[-places:], places - min(places, len(values))):
        height = max(HEIGHT * value / highest, 1.0 if value else 0.4)  # little is still seen, and so is nothing at all
        kind = "bar" if value else "empty"
        _rect(drawing, kind, x=place * step, y=HEIGHT - height, width=step * 0.84, height=height)
    return _markup(drawing)


def tick_strip(moments: Iterable[float], grid: Iterable[float], kind: str) -> Markup:
    """A tick for each moment on a strip.

    Args:
        moments, grid: places of ticks and of faint lines, as shares of the width from 0 to 1.
        kind: class of the ticks.
    """
    drawing = _drawing("strip")
    for place in grid:
        _line(drawing, "grid", (place * WIDTH, 0), (place * WIDTH, HEIGHT))
    for place in moments:
        _line(drawing, kind, (place * WIDTH, 3), (place * WIDTH, HEIGHT - 3))
    return _markup(drawing)


def _band(hops: int, share: float, measured: bool) -> str:
    if not share:
        return "empty"
    if not measured:
        return "unsure"
    return "shallow" if hops <= 2 else "deep" if hops <= 4 else "deepest"


def _drawing(kind: str) -> Tree.Element:
    # Hidden from screen readers: the same row says it in words and numbers.
    attributes = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "preserveAspectRatio": "none", "aria-hidden": "true"}
    return Tree.Element("svg", {"class": f"drawing {kind}", **attributes})


def _rect(drawing: Tree.Element, kind: str, *, x: float, y: float, width: float, height: float) -> None:
    places = {"x": _number(x), "y": _number(y), "width": _number(width), "height": _number(height)}
    Tree.SubElement(drawing, "rect", {"class": kind, **places})


def _line(drawing: Tree.Element, kind: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    (x1, y1), (x2, y2) = start, end
    places = {"x1": _number(x1), "y1": _number(y1), "x2": _number(x2), "y2": _number(y2)}
    Tree.SubElement(drawing, "line", {"class": kind, **places, "vector-effect": "non-scaling-stroke"})


def _place(value: float, axis: tuple[float, float]) -> float:
    return WIDTH * (value - axis[0]) / (axis[1] - axis[0])


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _markup(drawing: Tree.Element) -> Markup:
    text = Tree.tostring(drawing, encoding="unicode", short_empty_elements=False)
    return Markup(text)  # noqa: S704 - serialised from an element tree, which escapes what it holds
