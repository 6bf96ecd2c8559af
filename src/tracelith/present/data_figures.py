"""The chart about data: which services meet at which tables, and what they do there."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tracelith.model.document import TableDocument
from tracelith.present import text
from tracelith.present.chart import BLUE, GREY, PINK, VERMILION, Chart, Table, axis, chart_id, layout, markup

__all__ = ["shared_table_map", "table_name"]

_MOST_TABLES, _MOST_SERVICES = 30, 30

_ROLES: Sequence[tuple[str, str, str]] = (
    ("its own", BLUE, "square"),
    ("reads", PINK, "circle"),
    ("joins", PINK, "diamond"),
    ("writes", VERMILION, "x"),
    ("once or twice", GREY, "circle-open"),
)


def table_name(row: TableDocument, limit: int | None = None) -> str:
    """The table with its namespace, made printable."""
    name = ".".join(part for part in (row["namespace"], row["table"]) if part)
    return text.printable(name, limit)


def shared_table_map(tables: Sequence[TableDocument], period: str) -> Chart:
    """Tables against services: a mark where a service uses a table, its shape and colour for what it does there."""
    shown = list(tables[:_MOST_TABLES])[::-1]  # Plotly draws the first row at the bottom
    counts = Counter(use["service"] for row in shown for use in row["users"])
    services = sorted(counts, key=lambda name: (-counts[name], name))[:_MOST_SERVICES]
    column = {service: place for place, service in enumerate(services)}
    marks: dict[str, list[tuple[int, int, str]]] = {role: [] for role, _, _ in _ROLES}
    for place, row in enumerate(shown):
        for use in row["users"]:
            if use["service"] in column:
                role = role_of(row, use)
                told = (
                    f"{markup(use['service'])}, {markup(row['table'])}<br>{role}: {text.count(use['reads'])} reads, "
                    f"{text.count(use['writes'])} writes on {text.count(use['days'])} days"
                )
                marks[role].append((column[use["service"]], place, told))
    left_out = len(tables) - len(shown) + len(counts) - len(services)
    dropped = " Only the tables shared worst and the services that meet most are drawn." if left_out else ""
    return Chart(
        id=chart_id("tables"),
        title="Which services meet at which tables",
        unit="one mark per service and table",
        period=period,
        reading="A row with one mark would be a table of one's own. Squares are owners, crosses write to what is not "
        "theirs, diamonds join it to something else, circles read it; hollow ones were seen once or twice." + dropped,
        figure={
            "data": [_marks(role, colour, symbol, marks[role]) for role, colour, symbol in _ROLES if marks[role]],
            "layout": layout(
                150 + 30 * max(len(shown), 1),
                axis(services, tickangle=-45, side="bottom"),
                axis([table_name(row) for row in shown]),
                showlegend=True,
                legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            ),
        },
        twin=_twin(tables),
        wide=True,
    )


def role_of(row: TableDocument, use: Any) -> str:
    """What a service is to a table, in a word."""
    if use["service"] == row["owner"]:
        return "its own"
    if not use["regular"]:
        return "once or twice"
    if use["writes"]:
        return "writes"
    return "joins" if use["joined"] >= use["reads"] else "reads"


def _marks(role: str, colour: str, symbol: str, places: Sequence[tuple[int, int, str]]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": role,
        "x": [x for x, _, _ in places],
        "y": [y for _, y, _ in places],
        "marker": {"color": colour, "symbol": symbol, "size": 11},
        "hovertext": [told for _, _, told in places],
        "hoverinfo": "text",
    }


def _twin(tables: Sequence[TableDocument]) -> Table:
    return Table.of(
        ("Table", "Service", "Role", "#Reads", "#Writes", "#Days"),
        (
            (
                table_name(row),
                text.printable(use["service"]),
                role_of(row, use),
                text.count(use["reads"]),
                text.count(use["writes"]),
                text.count(use["days"]),
            )
            for row in tables
            for use in row["users"]
        ),
    )
