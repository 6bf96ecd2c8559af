"""The chart of services that hand requests on."""

from collections.abc import Sequence

from tracelith.model.document import PassThroughDocument
from tracelith.present import text
from tracelith.present.chart import BLUE, GREY, VERMILION, Chart, Table, axis, chart_id, layout, markup

__all__ = ["LABELS", "handing_on"]

LABELS = {
    "pass_through": "only hands on",
    "gateway": "gateway",
    "cache": "cache",
    "boundary": "keeps two sides apart",
    "works": "does work of its own",
    "unknown": "not known",
}

_MOST_SERVICES = 15


def handing_on(services: Sequence[PassThroughDocument], period: str) -> Chart:
    """Share of each service's requests that it only hands on; services with none are left out."""
    known = [row for row in services if row["passing_share"]["value"]]
    known.sort(key=lambda row: (-(row["passing_share"]["value"] or 0.0), row["service"]))
    shown = known[:_MOST_SERVICES][::-1]  # Plotly draws the first bar at the bottom
    shares = [100 * (row["passing_share"]["value"] or 0.0) for row in shown]
    limits = [row["passing_share"]["ci"] for row in shown]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": shares,
        "y": list(range(len(shown))),
        "marker": {"color": [_colour(row) for row in shown]},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [100 * ci[1] - share if ci else 0 for ci, share in zip(limits, shares, strict=True)],
            "arrayminus": [share - 100 * ci[0] if ci else 0 for ci, share in zip(limits, shares, strict=True)],
            "thickness": 1.5,
        },
        "hovertext": [
            f"{markup(row['service'], 60)}: {text.estimate(row['passing_share'], 'share')}<br>{LABELS[row['label']]}"
            for row in shown
        ],
        "hoverinfo": "text",
    }
    dropped = f" The first {len(shown)} of {len(known)} services." if len(shown) < len(known) else ""
    return Chart(
        id=chart_id("handing-on"),
        title="How much services only hand on",
        unit="share of the service's requests",
        period=period,
        reading="Coloured services hand on more than half and have no reason that could be seen; blue ones have one "
        f"(listed below), grey ones do other work as well. Whiskers are 95 % intervals.{dropped}",
        figure={
            "data": [bars],
            "layout": layout(
                90 + 34 * max(len(shown), 1),
                {"title": {"text": "requests handed on, %"}, "range": [0, 104]},
                axis([row["service"] for row in shown], showgrid=False),
            ),
        },
        twin=Table.of(
            ("Service", "#Requests", "#Handed on", "What it is"),
            (
                (
                    text.printable(row["service"]),
                    text.count(row["requests"]),
                    text.estimate(row["passing_share"], "share"),
                    LABELS[row["label"]],
                )
                for row in known
            ),
        ),
    )


def _colour(row: PassThroughDocument) -> str:
    if row["label"] == "pass_through":
        return VERMILION
    return GREY if row["label"] in ("works", "unknown") and not row["label_reason"] else BLUE
