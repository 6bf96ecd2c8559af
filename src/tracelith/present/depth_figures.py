"""Charts about one entry operation: how many hops its requests wait for, and how long they take."""

import math
from typing import Any

from tracelith.model.document import EntryOperationDocument
from tracelith.present import text
from tracelith.present.chart import BLUE, GREEN, VERMILION, Chart, Table, chart_id, layout

__all__ = ["depth_distribution", "latency_histogram"]


def depth_distribution(entry: EntryOperationDocument, period: str) -> Chart:
    """Share of requests by awaited service hops on the critical path."""
    rows = entry["depth"]["histogram"]
    hops = [row["hops"] for row in rows]
    bars = {
        "type": "bar",
        "x": hops,
        "y": [row["share"] * 100 for row in rows],
        "marker": {"color": [_depth_colour(hop) for hop in hops]},
        "hovertext": [
            f"{text.UNITS['hops'](row['hops'])}: {text.count(row['traces'])} requests, {text.percent(row['share'])}"
            for row in rows
        ],
        "hoverinfo": "text",
        "width": 0.7,
    }
    return Chart(
        id=chart_id("depth", entry["service"], entry["operation"]),
        title="How many service hops requests wait for",
        unit="share of requests by awaited hops in a row",
        period=period,
        reading="0 means one service answered alone. Up to 2 hops are typical; from 3 on, every hop adds its failures "
        "and its slow moments to each request.",
        figure={
            "data": [bars],
            "layout": layout(
                260,
                {
                    "title": {"text": "awaited hops"},
                    "dtick": 1,
                    "zeroline": False,
                    "range": [-0.6, max([*hops, 4]) + 0.6],
                },
                {"title": {"text": "requests, %"}, "rangemode": "tozero"},
            ),
        },
        twin=Table.of(
            ("#Awaited hops", "#Requests", "#Share"),
            ((str(row["hops"]), text.count(row["traces"]), text.percent(row["share"])) for row in rows),
        ),
    )


def latency_histogram(entry: EntryOperationDocument, period: str) -> Chart:
    """Requests by duration on a logarithmic axis, with the quantiles that may be reported."""
    rows = entry["latency_histogram"]
    edges = [max(row["from_ms"], 1e-3) for row in rows]
    counts = [row["traces"] for row in rows]
    if rows:  # the step of the last bucket needs its right edge
        edges.append(rows[-1]["to_ms"])
        counts.append(rows[-1]["traces"])
    area = {
        "type": "scatter",
        "mode": "lines",
        "line": {"shape": "hv", "color": BLUE, "width": 1.5},
        "fill": "tozeroy",
        "x": edges,
        "y": counts,
        "hovertext": [_bucket(row) for row in rows] + ([_bucket(rows[-1])] if rows else []),
        "hoverinfo": "text",
    }
    shapes, annotations = _quantile_marks(entry)
    return Chart(
        id=chart_id("latency", entry["service"], entry["operation"]),
        title="How long requests take",
        unit="requests by duration, logarithmic",
        period=period,
        reading="A long slope to the right is the tail. Quantiles are marked only where enough requests back them.",
        figure={
            "data": [area],
            "layout": layout(
                260,
                {"type": "log", "title": {"text": "duration"}, **_log_ticks(edges)},
                {"title": {"text": "requests"}, "rangemode": "tozero"},
                shapes=shapes,
                annotations=annotations,
                margin={"l": 8, "r": 12, "t": 34, "b": 8},
            ),
        },
        twin=Table.of(
            ("#From", "#To", "#Requests"),
            (
                (text.milliseconds(row["from_ms"]), text.milliseconds(row["to_ms"]), text.count(row["traces"]))
                for row in rows
            ),
        ),
    )


def _depth_colour(hops: int) -> str:
    """Green to 2 hops, blue to 4, vermilion beyond: the bands of metrics.md §4."""
    return GREEN if hops <= 2 else BLUE if hops <= 4 else VERMILION


def _bucket(row: dict[str, Any]) -> str:
    span = f"{text.milliseconds(row['from_ms'])} to {text.milliseconds(row['to_ms'])}"
    return f"{span}: {text.count(row['traces'])} requests"


def _log_ticks(edges: list[float]) -> dict[str, Any]:
    """Ticks at 1, 2 and 5 of each decade, or at each decade where that would be crowded; with units."""
    if not edges:
        return {}
    low, high = math.floor(math.log10(edges[0])), math.ceil(math.log10(max(edges[-1], edges[0])))
    steps = (1, 2, 5) if high - low <= 3 else (1,)
    ticks = [step * 10.0**decade for decade in range(low, high + 1) for step in steps]
    return {"tickvals": ticks, "ticktext": [text.milliseconds(tick) for tick in ticks]}


def _quantile_marks(entry: EntryOperationDocument) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    shapes, annotations = [], []
    for name, quantile in entry["latency_ms"].items():
        if quantile["value"] is None or quantile["value"] <= 0:
            continue
        place = {"xref": "x", "yref": "paper"}
        line = {"color": VERMILION, "width": 1.5, "dash": "dot"}
        at = quantile["value"]
        shapes.append({"type": "line", **place, "x0": at, "x1": at, "y0": 0, "y1": 1, "line": line})
        # On a logarithmic axis annotations are placed by exponent, shapes by value.
        label = {"text": name, "showarrow": False, "yanchor": "bottom", "font": {"size": 12}}
        annotations.append({**place, "x": math.log10(at), "y": 1, **label})
    return shapes, annotations
