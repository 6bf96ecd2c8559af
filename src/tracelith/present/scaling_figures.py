"""The chart of how many instances services run."""

from collections.abc import Sequence

from tracelith.model.document import ScaledServiceDocument
from tracelith.present import text
from tracelith.present.chart import BLUE, GREEN, GREY, PINK, Chart, Table, axis, chart_id, layout, markup

__all__ = ["AXES", "instance_ranges"]

AXES = {
    "same_axis": "with another service",
    "own_axis": "at hours of its own",
    "unclear": "neither for sure",
    "unknown": "not known",
}

_COLOURS = {"same_axis": PINK, "own_axis": GREEN, "unclear": BLUE, "unknown": GREY}
_MOST_SERVICES = 20
_WHOLE_TICKS = 12  # up to here every whole number has room for a tick


def instance_ranges(services: Sequence[ScaledServiceDocument], period: str) -> Chart:
    """Fewest and most instances of each service at a time, the widest ranges first."""
    known = sorted(
        (row for row in services if row["most_instances"]),
        key=lambda row: (_ends(row)[0] - _ends(row)[1], -_ends(row)[1], row["service"]),
    )
    shown = known[:_MOST_SERVICES][::-1]  # Plotly draws the first bar at the bottom
    bars = {
        "type": "bar",
        "orientation": "h",
        "base": [_ends(row)[0] for row in shown],
        # A service that never changes its number is a thin mark, not nothing.
        "x": [max(_ends(row)[1] - _ends(row)[0], 0.15) for row in shown],
        "y": list(range(len(shown))),
        "marker": {"color": [_COLOURS[row["label"]] for row in shown]},
        "hovertext": [f"{markup(row['service'], 60)}: {_range(row)}<br>scales {AXES[row['label']]}" for row in shown],
        "hoverinfo": "text",
    }
    most = max((_ends(row)[1] for row in shown), default=1)
    dropped = f" The first {len(shown)} of {len(known)} services." if len(shown) < len(known) else ""
    return Chart(
        id=chart_id("instances"),
        title="How many instances ran at a time",
        unit="instances that answered requests",
        period=period,
        reading="From the fewest to the most that were seen in a few hours with enough requests to see them all. Green "
        "services are busy at hours of their own, pink ones whenever another one is; a thin mark never changes."
        + dropped,
        figure={
            "data": [bars],
            "layout": layout(
                90 + 30 * max(len(shown), 1),
                {
                    "title": {"text": "instances"},
                    "range": [0, most * 1.08 + 0.3],
                    **({"dtick": 1} if most <= _WHOLE_TICKS else {}),
                },
                axis([row["service"] for row in shown], showgrid=False),
            ),
        },
        twin=Table.of(
            ("Service", "#Fewest", "#Most", "Scales"),
            (
                (
                    text.printable(row["service"]),
                    text.count(row["fewest_instances"]),
                    text.count(row["most_instances"]),
                    AXES[row["label"]],
                )
                for row in known
            ),
        ),
    )


def _ends(row: ScaledServiceDocument) -> tuple[int, int]:
    return row["fewest_instances"] or 0, row["most_instances"] or 0


def _range(row: ScaledServiceDocument) -> str:
    fewest, most = _ends(row)
    return f"always {most}" if fewest == most else f"{fewest} to {most}"
