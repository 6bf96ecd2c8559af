"""The chart of blast radii: which share of all requests fails with each service."""

from collections.abc import Sequence

from tracelith.model.document import BlastRadiusDocument
from tracelith.present import text
from tracelith.present.chart import BLUE, VERMILION, Chart, Table, axis, chart_id, layout, markup

__all__ = ["blast_radius", "radius_table"]

_MOST_BARS = 15
_LARGE = 0.5
"""From half of all requests on a bar is drawn in the colour of warnings."""


def blast_radius(services: Sequence[BlastRadiusDocument], period: str) -> Chart:
    """Share of all requests that fail with each service, largest first; those without a number are in the table."""
    known = [one for one in services if one["radius"]["value"] is not None]
    shown = known[:_MOST_BARS][::-1]  # Plotly draws the first bar at the bottom
    shares = [100 * (one["radius"]["value"] or 0.0) for one in shown]
    lows = [100 * (one["radius"]["ci"] or [0.0, 0.0])[0] for one in shown]
    highs = [100 * (one["radius"]["ci"] or [0.0, 0.0])[1] for one in shown]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": shares,
        "y": list(range(len(shown))),
        "marker": {"color": [VERMILION if low >= 100 * _LARGE else BLUE for low in lows]},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, high - share) for high, share in zip(highs, shares, strict=True)],
            "arrayminus": [max(0.0, share - low) for low, share in zip(lows, shares, strict=True)],
            "thickness": 1.5,
        },
        "hovertext": [
            f"{markup(one['service'], 60)}<br>{text.estimate(one['radius'], 'share')} of all requests fail with it"
            for one in shown
        ],
        "hoverinfo": "text",
    }
    dropped = f" The {len(shown)} largest of {len(known)}." if len(known) > len(shown) else ""
    return Chart(
        id=chart_id("radius"),
        title="Requests that fail with each service",
        unit="share of all requests from outside",
        period=period,
        reading="Whiskers reach from what surely fails to what may fail. Services in front of everything are expected "
        f"to be long; the further away a service is from the door, the less it should be.{dropped}",
        figure={
            "data": [bars],
            "layout": layout(
                90 + 28 * max(len(shown), 1),
                {"title": {"text": "share of all requests, %"}, "rangemode": "tozero"},
                axis([one["service"] for one in shown], showgrid=False),
            ),
        },
        twin=radius_table(services),
    )


def radius_table(services: Sequence[BlastRadiusDocument]) -> Table:
    """Radii with what was seen when services did fail."""
    return Table.of(
        (
            "Service",
            "#All requests failing with it",
            "#Seen while it failed",
            "#Operations that reach it",
            "Fail with it",
            "Loses most",
        ),
        (
            (
                text.printable(one["service"]),
                text.estimate(one["radius"], "share"),
                text.estimate(one["observed"], "share") if one["observed"]["value"] is not None else text.MISSING,
                text.percent(one["structural_reach"]),
                ", ".join(text.printable(name, 40) for name in one["failing_with_it"]) or text.MISSING,
                _loses_most(one),
            )
            for one in services
        ),
    ).without_empty_columns()


def _loses_most(service: BlastRadiusDocument) -> str:
    if not service["entries"]:
        return text.MISSING
    first = service["entries"][0]
    return text.operation_name(first["service"], first["operation"])
