"""What a chart is: a Plotly figure with title, unit, period, how to read it, and the same numbers as a table.

Figures are plain dictionaries in Plotly's schema, not graph objects: importing those costs a second at start and
they bring a template of their own. The tests feed every figure to graph objects, which check each property.
Colours of text, grid and background are left out; the page fills them in for light or dark.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from tracelith.present import text

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "PINK",
    "VERMILION",
    "Chart",
    "Column",
    "Table",
    "axis",
    "chart_id",
    "layout",
    "markup",
]

# Four of Okabe and Ito's colours (told apart with every kind of colour blindness), those with a contrast of at least
# 3 : 1 on white and on the dark background alike. Orange, sky blue and yellow fail on white.
BLUE = "#2478b5"
VERMILION = "#d55e00"
GREEN = "#009e73"
PINK = "#c4679a"
GREY = "#7d858f"

_LABEL_LENGTH = 30


@dataclass(frozen=True, slots=True)
class Column:
    """Heading of a table column; numeric columns align right."""

    title: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of ready text; untrusted until a template escapes it.

    Attributes:
        traces: ids of example traces for each row, links where links are possible; empty if rows have none.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    traces: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(
        cls, headings: Iterable[str], rows: Iterable[Iterable[str]], traces: Iterable[Iterable[str]] = ()
    ) -> "Table":
        """A table from headings, those of numeric columns marked with a leading ``#``.

        Raises:
            ValueError: a row has another number of cells than there are headings, or not every row has its traces.
        """
        columns = tuple(Column(heading.removeprefix("#"), heading.startswith("#")) for heading in headings)
        table = cls(columns, tuple(tuple(row) for row in rows), tuple(tuple(ids) for ids in traces))
        if wrong := [row for row in table.rows if len(row) != len(columns)]:
            raise ValueError(f"{len(columns)} headings, but {len(wrong[0])} cells in a row: {wrong[0]}")
        if table.traces and len(table.traces) != len(table.rows):
            raise ValueError(f"{len(table.rows)} rows, but examples for {len(table.traces)}")
        return table

    def first(self, rows: int) -> "Table":
        """The table with so many of its rows at most."""
        return Table(self.columns, self.rows[:rows], self.traces[:rows])

    def with_examples(self) -> "Table":
        """The table with an example trace of each row in a column of its own, where rows have any."""
        if not any(self.traces):
            return Table(self.columns, self.rows)
        examples = (ids[0] if ids else text.MISSING for ids in self.traces)
        rows = tuple((*row, example) for row, example in zip(self.rows, examples, strict=True))
        return Table((*self.columns, Column("Example trace")), rows)

    def without_empty_columns(self) -> "Table":
        """The table without numeric columns in which no row has a number."""
        kept = [
            index
            for index, column in enumerate(self.columns)
            if not column.numeric or any(row[index] != text.MISSING for row in self.rows)
        ]
        return Table(
            tuple(self.columns[index] for index in kept),
            tuple(tuple(row[index] for index in kept) for row in self.rows),
            self.traces,
        )


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure and all that must stand beside it.

    Attributes:
        id: fixed element id, safe in HTML and CSS.
        title, unit, period, reading: caption. reading says how to read it, in a sentence or two.
        figure: Plotly figure, {data, layout}; JSON-ready, all untrusted text escaped for Plotly's markup.
        twin: the same numbers as text.
        wide: needs room: scrolls sideways on a phone instead of being squeezed.
    """

    id: str
    title: str
    unit: str
    period: str
    reading: str
    figure: dict[str, Any]
    twin: Table
    wide: bool = False


def chart_id(kind: str, *subject: str) -> str:
    """An element id that is the same on every rendering; subjects may hold any characters."""
    digest = blake2b("\x1f".join(subject).encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f"chart-{kind}-{digest}" if subject else f"chart-{kind}"


def markup(untrusted: str, limit: int | None = _LABEL_LENGTH) -> str:
    """Untrusted text for a label: Plotly reads a subset of HTML, links included, and formulas between dollar signs."""
    shown = text.printable(untrusted, limit)
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "&#36;")


def layout(height: int, xaxis: Mapping[str, Any], yaxis: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The layout all charts share: no decoration, room for labels, no dragging that traps a scrolling finger."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
        "font": {"size": 13},
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
        "xaxis": _axis(xaxis),
        "yaxis": _axis(yaxis),
        **more,
    }


def axis(names: Iterable[str], **more: Any) -> dict[str, Any]:
    """A category axis by position: names may repeat after shortening, and may look like numbers or dates."""
    labels = [markup(name) for name in names]
    positions = list(range(len(labels)))
    bounds = [-0.6, len(labels) - 0.4]
    return {"tickvals": positions, "ticktext": labels, "range": bounds, "zeroline": False, **more}


def _axis(given: Mapping[str, Any]) -> dict[str, Any]:
    axis = {"automargin": True, "fixedrange": True, **given}
    if "title" in axis:  # by default larger than all other text
        axis["title"] = {**axis["title"], "font": {"size": 13}}
    return axis
