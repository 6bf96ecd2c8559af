"""Charts about deployments: when each service deploys, which pairs coincide, and who leads."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from tracelith.model.document import CodeploymentDocument, PairDocument
from tracelith.present import text
from tracelith.present.chart import BLUE, VERMILION, Chart, Table, axis, chart_id, layout, markup

__all__ = ["COUPLED", "deployment_timeline", "lead_lag", "pair_matrix"]

COUPLED = frozenset({"pair", "group"})
"""Labels of pairs that deploy together more than the calendar explains."""

_MOST_SERVICES = 40
_NUMBERED_CELLS = 14
_MOST_PAIRS = 20
_MOST_TWIN_ROWS = 500


def deployment_timeline(codeployment: CodeploymentDocument, period: str) -> Chart:
    """One line per service, one mark per deployment; members of coupled groups stand together and are coloured."""
    deployments = codeployment["deployments"]
    counts = Counter(row["service"] for row in deployments)
    groups = {service: index for index, group in enumerate(codeployment["groups"]) for service in group["services"]}
    order = sorted(counts, key=lambda name: (groups.get(name, len(groups)), -counts[name], name))[:_MOST_SERVICES][::-1]
    rank = {service: index for index, service in enumerate(order)}
    shown = [row for row in deployments if row["service"] in rank]
    dropped = (
        f" The {len(order)} services with most deployments of {len(counts)} are drawn."
        if len(order) < len(counts)
        else ""
    )
    return Chart(
        id=chart_id("timeline"),
        title="When each service deploys",
        unit="one mark per deployment; a whisker reaches back to the earliest moment it can have happened",
        period=period,
        reading="Marks in a column are deployments at the same time. Services that deploy together more than the "
        "calendar explains stand on top, as diamonds." + dropped,
        figure={
            "data": [
                _marks([row for row in shown if row["service"] in groups], rank, VERMILION, "diamond"),
                _marks([row for row in shown if row["service"] not in groups], rank, BLUE, "circle"),
            ],
            "layout": layout(90 + 30 * max(len(order), 1), {"type": "date", "tickformat": "%-d %b\n%Y"}, axis(order)),
        },
        twin=Table.of(
            ("Service", "Version", "Deployed at", "Not before", "Known from"),
            (
                (
                    text.printable(row["service"]),
                    text.printable(row["version"]),
                    text.time(row["at"]),
                    text.time(row["earliest"]),
                    row["source"],
                )
                for row in sorted(deployments, key=lambda row: (row["at"], row["service"]), reverse=True)[
                    :_MOST_TWIN_ROWS
                ]
            ),
        ),
        wide=True,
    )


def pair_matrix(codeployment: CodeploymentDocument, period: str) -> Chart:
    """Heat map of the conservative excess of every tested pair."""
    pairs = [pair for pair in codeployment["pairs"] if pair["excess_low"] is not None]
    order = _strongest_first(pairs)[:_MOST_SERVICES]
    rank = {service: index for index, service in enumerate(order)}
    size = len(order)
    cells: list[list[float | None]] = [[None] * size for _ in order]
    notes = [["the same service" if x == y else "not tested" for x in range(size)] for y in range(size)]
    for pair in pairs:
        if pair["a"] in rank and pair["b"] in rank:
            low = pair["excess_low"] or 0.0
            note = (
                f"{markup(pair['a'])} and {markup(pair['b'])}<br>{pair['coincidences']} together of "
                f"{pair['deployments_a']} and {pair['deployments_b']}<br>"
                f"at least {text.number(low, 2)} beyond the calendar, {text.plain(pair['label'])}"
            )
            for x, y in ((rank[pair["a"]], rank[pair["b"]]), (rank[pair["b"]], rank[pair["a"]])):
                cells[y][x] = max(0.0, min(1.0, low))
                notes[y][x] = note
    heat: dict[str, Any] = {
        "type": "heatmap",
        "z": cells,
        "x": list(range(size)),
        "y": list(range(size)),
        "zmin": 0,
        "zmax": 1,
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": False,
        "hovertext": notes,
        "hoverinfo": "text",
        "colorbar": {"title": {"text": "excess"}, "thickness": 12, "outlinewidth": 0, "len": 0.9},
    }
    if size <= _NUMBERED_CELLS:
        heat |= {"text": [[text.number(cell, 2) if cell is not None else "" for cell in row] for row in cells]}
        heat |= {"texttemplate": "%{text}"}
    return Chart(
        id=chart_id("pairs"),
        title="Which services deploy together",
        unit="lower end of the 95 % interval of the excess, 0 to 1",
        period=period,
        reading="0: no more often than the calendar alone makes them meet. 1: always together. Empty: not enough "
        "deployments to tell.",
        figure={
            "data": [heat],
            "layout": layout(
                150 + 30 * max(size, 3),
                axis(order, showgrid=False, tickangle=-45, side="bottom"),
                axis(order, showgrid=False, autorange="reversed"),
            ),
        },
        twin=pair_twin(pairs),
        wide=True,
    )


def lead_lag(codeployment: CodeploymentDocument, period: str) -> Chart:
    """Minutes by which the second service of a coupled pair follows the first, with intervals."""
    pairs = [pair for pair in codeployment["pairs"] if pair["label"] in COUPLED and _lag(pair) is not None]
    shown = pairs[:_MOST_PAIRS][::-1]
    lags = [_lag(pair) or (0.0, 0.0, 0.0) for pair in shown]
    names = [f"{pair['a']} → {pair['b']}" for pair in shown]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": [lag[0] for lag in lags],
        "y": list(range(len(shown))),
        "marker": {"color": BLUE, "size": 10},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [high - middle for middle, _, high in lags],
            "arrayminus": [middle - low for middle, low, _ in lags],
            "color": BLUE,
            "thickness": 2,
        },
        "hovertext": [
            f"{markup(name, 60)}<br>{text.estimate(pair['lag_minutes'], 'minutes')}"
            for name, pair in zip(names, shown, strict=True)
        ],
        "hoverinfo": "text",
    }
    return Chart(
        id=chart_id("lag"),
        title="Who deploys first",
        unit="median minutes from the first service's deployment to the second's",
        period=period,
        reading="Right of zero the second service follows the first. An interval that crosses zero shows no order."
        + (f" The strongest {_MOST_PAIRS} of {len(pairs)} pairs are drawn." if len(pairs) > _MOST_PAIRS else ""),
        figure={
            "data": [dots],
            "layout": layout(
                90 + 32 * max(len(shown), 1),
                {"title": {"text": "minutes"}, "zeroline": True, "rangemode": "tozero"},
                axis(names, showgrid=False),
            ),
        },
        twin=Table.of(
            ("First", "Second", "#Lag", "Order", "#p of the order"),
            (
                (
                    text.printable(pair["a"]),
                    text.printable(pair["b"]),
                    text.estimate(pair["lag_minutes"], "minutes"),
                    text.plain(pair["direction"]),
                    text.p_value(pair["sign_p"]),
                )
                for pair in pairs
            ),
        ),
    )


def pair_twin(pairs: Iterable[PairDocument]) -> Table:
    """Tested pairs with the numbers behind the colours."""
    return Table.of(
        ("Service", "Service", "#Together", "#Excess, at least", "#q", "Reading"),
        (
            (
                text.printable(pair["a"]),
                text.printable(pair["b"]),
                f"{pair['coincidences']} of {pair['deployments_a']} and {pair['deployments_b']}",
                text.number(pair["excess_low"], 2),
                text.p_value(pair["q_value"]),
                text.plain(pair["label"]),
            )
            for pair in pairs
        ),
    )


def _marks(rows: Sequence[dict[str, Any]], rank: dict[str, int], colour: str, symbol: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [row["at"] for row in rows],
        "y": [rank[row["service"]] for row in rows],
        "marker": {"color": colour, "size": 9, "symbol": symbol, "opacity": 0.85},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [0] * len(rows),
            "arrayminus": [_uncertainty_ms(row) for row in rows],
            "color": colour,
            "thickness": 1,
            "width": 0,
        },
        "hovertext": [
            f"{markup(row['service'])} {markup(row['version'])}<br>{text.time(row['at'])}"
            f"<br>known from {markup(row['source'])}"
            for row in rows
        ],
        "hoverinfo": "text",
    }


def _uncertainty_ms(row: dict[str, Any]) -> float:
    """Length of the interval in which the deployment can have happened; Plotly measures date axes in milliseconds."""
    return (datetime.fromisoformat(row["at"]) - datetime.fromisoformat(row["earliest"])).total_seconds() * 1000


def _strongest_first(pairs: Iterable[PairDocument]) -> list[str]:
    """Services by their strongest pair, so that coupled groups stand together in the corner."""
    strength: dict[str, float] = {}
    for pair in pairs:
        for service in (pair["a"], pair["b"]):
            strength[service] = max(strength.get(service, -1.0), pair["excess_low"] or 0.0)
    return sorted(strength, key=lambda name: (-strength[name], name))


def _lag(pair: PairDocument) -> tuple[float, float, float] | None:
    lag = pair["lag_minutes"]
    if lag is None or lag["value"] is None:
        return None
    low, high = lag["ci"] or (lag["value"], lag["value"])
    return lag["value"], low, high
