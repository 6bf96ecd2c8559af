"""The chart of neighbours: how many services call each service, and how many it calls."""

from collections import defaultdict
from collections.abc import Sequence

from tracelith.model.document import ServiceShapeDocument
from tracelith.present import text
from tracelith.present.chart import BLUE, VERMILION, Chart, Table, chart_id, layout, markup

__all__ = ["neighbours"]

_MOST_NAMES = 6
_NAMED_DEGREE = 3


def neighbours(services: Sequence[ServiceShapeDocument], period: str) -> Chart:
    """One mark per number of callers and callees; its size says how many services have these numbers."""
    places: dict[tuple[int, int], list[ServiceShapeDocument]] = defaultdict(list)
    for row in services:
        places[row["callers"], row["callees"]].append(row)
    spots = sorted(places.items())
    marks = {
        "type": "scatter",
        "mode": "markers+text",
        "x": [callers for (callers, _), _ in spots],
        "y": [callees for (_, callees), _ in spots],
        "text": [_label(place, rows) for place, rows in spots],
        "textposition": "top center",
        "cliponaxis": False,
        "marker": {
            "size": [min(34.0, 8 + 4 * len(rows) ** 0.5) for _, rows in spots],
            "color": [VERMILION if any(row["hub"] for row in rows) else BLUE for _, rows in spots],
            "opacity": 0.8,
        },
        "hovertext": [
            f"{callers} callers, {callees} callees<br>"
            + "<br>".join(markup(row["service"], 40) for row in rows[:_MOST_NAMES])
            + (f"<br>and {len(rows) - _MOST_NAMES} more" if len(rows) > _MOST_NAMES else "")
            for (callers, callees), rows in spots
        ],
        "hoverinfo": "text",
    }
    return Chart(
        id=chart_id("neighbours"),
        title="Callers and callees of services",
        unit="number of services",
        period=period,
        reading="Larger marks stand for several services. What stands far up and far to the right at once is a hub; "
        "entrances stand on the left, what everybody needs stands far right at the bottom.",
        figure={
            "data": [marks],
            "layout": layout(
                360,
                {"title": {"text": "services that call it"}, "rangemode": "tozero", "dtick": _step(spots, 0)},
                {"title": {"text": "services it calls"}, "rangemode": "tozero", "dtick": _step(spots, 1)},
            ),
        },
        twin=Table.of(
            ("Service", "#Callers", "#Callees"),
            (
                (text.printable(row["service"]), text.count(row["callers"]), text.count(row["callees"]))
                for row in services
            ),
        ),
    )


def _label(place: tuple[int, int], rows: Sequence[ServiceShapeDocument]) -> str:
    """Names only where they are what a reader looks for, and do not lie on each other."""
    return markup(rows[0]["service"], 20) if len(rows) == 1 and max(place) >= _NAMED_DEGREE else ""


def _step(spots: Sequence[tuple[tuple[int, int], object]], side: int) -> int:
    """Whole steps, about eight on an axis."""
    return max(1, max((place[side] for place, _ in spots), default=0) // 8)
