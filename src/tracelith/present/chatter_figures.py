"""The chart of loops: the time a request spends in them, and what would be left with one call for all."""

from collections.abc import Sequence

from tracelith.model.document import ChattyEdgeDocument
from tracelith.present import text
from tracelith.present.chart import BLUE, VERMILION, Chart, Table, axis, chart_id, layout, markup

__all__ = ["time_in_loops"]

_MOST_LOOPS = 12


def time_in_loops(edges: Sequence[ChattyEdgeDocument], period: str) -> Chart:
    """Mean time per request in each loop, in two parts: one call, and all that one call for all would save."""
    ranked = sorted(edges, key=lambda edge: (-edge["total_ms"], edge["caller"], edge["operation"]))
    shown = ranked[:_MOST_LOOPS][::-1]  # Plotly draws the first bar at the bottom
    parts = (
        ("left with one call", BLUE, [edge["total_ms"] - edge["saved_ms"] for edge in shown]),
        ("saved at most", VERMILION, [edge["saved_ms"] for edge in shown]),
    )
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "x": values,
            "y": list(range(len(shown))),
            "marker": {"color": colour},
            "hovertext": [
                f"{markup(edge['operation'], 60)}: {text.milliseconds(value)} {name}"
                for edge, value in zip(shown, values, strict=True)
            ],
            "hoverinfo": "text",
        }
        for name, colour, values in parts
    ]
    dropped = f" The {len(shown)} longest of {len(ranked)} loops." if len(shown) < len(ranked) else ""
    return Chart(
        id=chart_id("time-in-loops"),
        title="Time that requests spend in loops",
        unit="milliseconds per request, mean",
        period=period,
        reading=f"The whole bar is what the calls take together now.{dropped}",
        figure={
            "data": bars,
            "layout": layout(
                110 + 34 * max(len(shown), 1),
                {"title": {"text": "ms per request"}},
                axis([f"{edge['operation']} → {edge['callee']}" for edge in shown], showgrid=False),
                barmode="stack",
                showlegend=True,
                legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
            ),
        },
        twin=Table.of(
            ("Operation", "Calls", "#Time now", "#Saved at most"),
            (
                (
                    text.operation_name(edge["caller"], edge["operation"]),
                    text.printable(edge["callee"]),
                    text.milliseconds(edge["total_ms"]),
                    text.milliseconds(edge["saved_ms"]),
                )
                for edge in ranked
            ),
        ),
    )
