"""The chart of tail attribution: what each hop adds to the slowest requests of one entry operation."""

from collections.abc import Sequence

from tracelith.model.document import TailDocument
from tracelith.present import text
from tracelith.present.chart import BLUE, GREY, PINK, VERMILION, Chart, Table, axis, chart_id, layout, markup

__all__ = ["tail_attribution", "tail_edges", "tail_table"]

_MOST_HOPS = 10
_SEEN_SHARE = 0.005  # thinner bars cannot be seen
_BAND_COLOURS = {"dominant": VERMILION, "watch": PINK, "normal": BLUE}


def tail_attribution(hops: Sequence[TailDocument], period: str) -> Chart:
    """Share of the tail's extra time per hop, with intervals; hops of one entry operation."""
    known = sorted(
        (hop for hop in hops if hop["share"] is not None), key=lambda hop: (-(hop["share"] or 0), hop["hop"])
    )
    visible = [hop for rank, hop in enumerate(known) if rank < 3 or abs(hop["share"] or 0.0) >= _SEEN_SHARE]
    shown = visible[:_MOST_HOPS][::-1]  # Plotly draws the first bar at the bottom
    q = known[0]["q"] if known else 0.99
    shares = [(hop["share"] or 0.0) * 100 for hop in shown]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": shares,
        "y": list(range(len(shown))),
        "marker": {"color": [_BAND_COLOURS.get(hop["band"], GREY) for hop in shown]},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [
                (hop["ci"][1] * 100 - share) if hop["ci"] else 0 for hop, share in zip(shown, shares, strict=True)
            ],
            "arrayminus": [
                (share - hop["ci"][0] * 100) if hop["ci"] else 0 for hop, share in zip(shown, shares, strict=True)
            ],
            "thickness": 1.5,
        },
        "hovertext": [
            f"{markup(hop['hop'], 60)}<br>{text.interval(hop['share'], hop['ci'], 'share')} of the extra time"
            f"<br>{text.interval(hop['excess_ms'], hop['excess_ci'], 'ms')} more than usual"
            for hop in shown
        ],
        "hoverinfo": "text",
    }
    dropped = f" The {len(known) - len(shown)} smallest of {len(known)} hops are in the table only."
    subject = (known[0]["service"], known[0]["operation"]) if known else ()
    return Chart(
        id=chart_id("tail", *subject),
        title="Where the extra time of slow requests is spent",
        unit=f"share of what the slowest {text.percent(1 - q)} take longer than a middling request",
        period=period,
        reading="All hops add up to 100 %. Whiskers are 95 % intervals; a hop below zero is faster in slow requests."
        + (dropped if len(shown) < len(known) else ""),
        figure={
            "data": [bars],
            "layout": layout(
                90 + 34 * max(len(shown), 1),
                {"title": {"text": "share of the extra time, %"}, "zeroline": True},
                axis([hop["hop"] for hop in shown], showgrid=False),
            ),
        },
        twin=tail_table(known),
    )


def tail_table(hops: Sequence[TailDocument]) -> Table:
    """The hops of one entry operation with their share of the extra time."""
    return Table.of(
        ("Hop", "Kind", "#Share of extra time", "#Extra time", "#Usual mean", "Reading"),
        (
            (
                text.printable(hop["hop"]),
                text.plain(hop["hop_kind"]),
                text.interval(hop["share"], hop["ci"], "share"),
                text.interval(hop["excess_ms"], hop["excess_ci"], "ms"),
                text.milliseconds(hop["mean_ms"]),
                text.plain(hop["band"]),
            )
            for hop in hops
        ),
    )


def tail_edges(hops: Sequence[TailDocument]) -> Table:
    """How slow calls on each edge go together with slow requests; only edges where that is known."""
    known = [hop for hop in hops if hop["exceedance"] is not None or hop["propagation"] is not None]
    called = {hop["callee"] for hop in known if hop["hop_kind"] != "service"}
    # A service's own time carries the numbers of the calls into it; where the call has a row, once is enough.
    known = [hop for hop in known if hop["hop_kind"] != "service" or hop["callee"] not in called]
    return Table.of(
        (
            "Call",
            "#Requests with a slow call, times 1 in 100",
            "#Slow request if the call is slow",
            "#Slow call if the request is slow",
            "#Effective fan-out",
            "#Network share",
        ),
        (
            (
                f"{'calls' if hop['caller'] == hop['callee'] else text.printable(hop['caller'])} → "
                f"{text.printable(hop['callee'])}",
                text.interval(hop["exceedance"], hop["exceedance_ci"]),
                text.estimate(hop["propagation"], "share"),
                text.estimate(hop["explained"], "share"),
                text.number(hop["effective_fan_out"], 2),
                text.percent(hop["network_share"]),
            )
            for hop in known
        ),
    ).without_empty_columns()
