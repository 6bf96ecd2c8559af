"""The chart of coupling: how many pairs of services are bound, with and without a call."""

from tracelith.model.document import CouplingDocument
from tracelith.present import text
from tracelith.present.chart import BLUE, GREEN, GREY, VERMILION, Chart, Table, axis, chart_id, layout

__all__ = ["LABELS", "bonds"]

LABELS = {
    "hidden": "bound without a call",
    "open": "bound, and they call",
    "calls_only": "they call, nothing else",
    "unknown": "not known",
}
"""What is said of a pair; pairs that nothing connects are left out."""

_COLOURS = {"hidden": VERMILION, "open": BLUE, "calls_only": GREEN, "unknown": GREY}


def bonds(coupling: CouplingDocument, period: str) -> Chart:
    """Pairs by how they are bound."""
    labels = list(LABELS)[::-1]  # Plotly draws the first bar at the bottom
    counts = [coupling["counts"].get(label, 0) for label in labels]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": counts,
        "y": list(range(len(labels))),
        "marker": {"color": [_COLOURS[label] for label in labels]},
        "text": [text.count(count) for count in counts],
        "textposition": "outside",
        "cliponaxis": False,
        "hoverinfo": "skip",
    }
    others = coupling["counts"].get("none", 0)
    return Chart(
        id=chart_id("bonds"),
        title="Pairs of services, by what connects and binds them",
        unit="pairs of services",
        period=period,
        reading=f"Bound: they surely deploy together, fail together or write the same tables. The other "
        f"{text.count(others)} pairs have nothing to do with each other, as far as could be told.",
        figure={
            "data": [bars],
            "layout": layout(
                230,
                {"title": {"text": "pairs"}, "rangemode": "tozero"},
                axis([LABELS[label] for label in labels], showgrid=False),
            ),
        },
        twin=Table.of(
            ("Pairs", "#How many"), ((LABELS[label], text.count(coupling["counts"].get(label, 0))) for label in LABELS)
        ),
    )
