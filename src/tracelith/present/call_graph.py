"""The chart of who calls whom: services in layers from the entry downwards, one arrow per edge."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tracelith.model.document import EdgeDocument
from tracelith.present import text
from tracelith.present.chart import BLUE, GREEN, GREY, PINK, VERMILION, Chart, Table, chart_id, layout, markup

__all__ = ["call_graph", "edge_table"]

_MOST_EDGES = 90
_MODES = {"sync": (BLUE, "solid"), "async": (GREEN, "dot"), "mixed": (PINK, "dash")}
_KINDS = {"service": (BLUE, "circle"), "datastore": (GREY, "square"), "destination": (GREEN, "diamond")}
_ROW_HEIGHT = 74
_SWEEPS = 6
_STAGGER = 0.3
_BEND = 0.3


def call_graph(edges: Sequence[EdgeDocument], period: str) -> Chart:
    """Arrows from callers to callees, by how the caller waits; the busiest edges if there are many."""
    shown = sorted(edges, key=lambda edge: (-edge["calls"], edge["caller"], edge["callee"]))[:_MOST_EDGES]
    places = _places(shown)
    rows = 1 + max((-y for _, y in places.values()), default=0)
    dropped = f" The {len(shown)} busiest of {len(edges)} edges are drawn." if len(shown) < len(edges) else ""
    return Chart(
        id=chart_id("calls"),
        title="Who calls whom",
        unit="arrows by how the caller waits",
        period=period,
        reading="Solid arrows wait for the answer, dotted ones hand over, dashed ones do either. "
        "Squares are datastores, diamonds queues." + dropped,
        figure={
            "data": [
                *(_arrows([edge for edge in shown if edge["mode"] == mode], places, mode) for mode in _MODES),
                _nodes(shown, places),
            ],
            "layout": layout(
                int(90 + _ROW_HEIGHT * rows),
                {"visible": False, "range": [-0.4, max((x for x, _ in places.values()), default=0) + 0.4]},
                {"visible": False, "range": [-rows + 0.3, 0.7]},
                showlegend=True,
                legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
            ),
        },
        twin=edge_table(edges),
        wide=True,
    )


def edge_table(edges: Sequence[EdgeDocument]) -> Table:
    """Edges with traffic, waiting, failures and network time."""
    return Table.of(
        ("Caller", "Callee", "Kind", "Mode", "#Calls", "#Awaited", "#Failed", "#Retries", "#Network"),
        (
            (
                text.printable(edge["caller"]),
                text.printable(edge["callee"]),
                "service" if edge["callee_kind"] == "service" else text.plain(edge["callee_kind"]),
                text.plain(edge["mode"]),
                text.count(edge["calls"]),
                text.estimate(edge["awaited_share"], "share"),
                text.count(edge["failures"]),
                text.count(edge["retries"]),
                text.milliseconds(edge["network_ms"]),
            )
            for edge in edges
        ),
    )


def _places(edges: Sequence[EdgeDocument]) -> dict[str, tuple[float, float]]:
    """Column and row of every node: the column is the longest way from a node nobody calls, cycles cut.

    Within a column, nodes stand near the middle of their neighbours (a few sweeps of the barycentre rule), and
    neighbouring columns are staggered so that a line past a column does not run through its nodes.
    """
    column = _columns(edges)
    neighbours: dict[str, set[str]] = defaultdict(set)
    for edge in edges:
        neighbours[edge["caller"]].add(edge["callee"])
        neighbours[edge["callee"]].add(edge["caller"])
    members = [
        sorted(name for name in column if column[name] == col) for col in range(1 + max(column.values(), default=0))
    ]
    row = {name: index - len(names) / 2 for names in members for index, name in enumerate(names)}
    for _ in range(_SWEEPS):
        for names in members:
            middle = {
                name: sum(row[other] for other in neighbours[name]) / max(len(neighbours[name]), 1) for name in names
            }
            names.sort(key=lambda name: (middle[name], name))
            row |= {name: index - len(names) / 2 for index, name in enumerate(names)}
    tallest = max(map(len, members), default=0)
    return {
        name: (float(col), -(tallest / 2 + row[name] + _STAGGER * (col % 3)))
        for col, names in enumerate(members)
        for name in names
    }


def _columns(edges: Sequence[EdgeDocument]) -> dict[str, int]:
    callees: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        if edge["caller"] != edge["callee"]:
            callees[edge["caller"]].append(edge["callee"])
    called = {callee for names in callees.values() for callee in names}
    names = sorted(set(callees) | called)
    column = {name: 0 for name in names if name not in called} or dict.fromkeys(names[:1], 0)
    # As many rounds as nodes settle every acyclic part; the cap is what cuts cycles.
    for _ in range(len(names)):
        changed = False
        for caller in list(column):
            for callee in callees[caller]:
                further = min(column[caller] + 1, len(names) - 1)
                if column.get(callee, -1) < further and (callee not in column or not _reaches(callees, callee, caller)):
                    column[callee] = further
                    changed = True
        if not changed:
            break
    return {name: column.get(name, 0) for name in names}


def _reaches(callees: dict[str, list[str]], start: str, goal: str) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        fresh = [callee for callee in callees.get(name, ()) if callee not in seen]
        seen.update(fresh)
        waiting.extend(fresh)
    return False


def _arrows(edges: Sequence[EdgeDocument], places: dict[str, tuple[float, float]], mode: str) -> dict[str, Any]:
    colour, dash = _MODES[mode]
    x: list[float | None] = []
    y: list[float | None] = []
    for edge in edges:
        (x0, y0), (x1, y1) = places[edge["caller"]], places[edge["callee"]]
        # A line past other columns bends upwards, out of the way of the nodes between.
        x += [x0, (x0 + x1) / 2, x1, None]
        y += [y0, (y0 + y1) / 2 + _BEND * max(0.0, abs(x1 - x0) - 1), y1, None]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": text.plain(mode),
        "visible": True if edges else "legendonly",
        "showlegend": bool(edges),
        "x": x,
        "y": y,
        "line": {"color": colour, "dash": dash, "width": 1.5, "shape": "spline"},
        # Only the far end carries an arrow head, turned along the line and held off the node.
        "marker": {
            "symbol": "arrow",
            "angleref": "previous",
            "standoff": 9,
            "size": [0, 0, 11, 0] * len(edges),
            "color": colour,
            "line": {"width": 0},
        },
        "hoverinfo": "skip",
    }


def _nodes(edges: Sequence[EdgeDocument], places: dict[str, tuple[float, float]]) -> dict[str, Any]:
    kinds = {edge["callee"]: edge["callee_kind"] for edge in edges} | {edge["caller"]: "service" for edge in edges}
    calls: dict[str, int] = defaultdict(int)
    for edge in edges:
        calls[edge["callee"]] += edge["calls"]
    names = list(places)
    looks = [_KINDS.get(kinds[name], (VERMILION, "circle")) for name in names]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "showlegend": False,
        "x": [places[name][0] for name in names],
        "y": [places[name][1] for name in names],
        "text": [markup(name, 20) for name in names],
        "textposition": "bottom center",
        "marker": {"size": 14, "color": [look[0] for look in looks], "symbol": [look[1] for look in looks]},
        "hovertext": [f"{markup(name, 60)}<br>called {text.count(calls[name])} times" for name in names],
        "hoverinfo": "text",
    }
