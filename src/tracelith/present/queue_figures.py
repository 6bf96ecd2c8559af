"""The chart of consumer groups that stood still: when, and for how long."""

from collections.abc import Sequence

from tracelith.model.document import StallDocument, WindowDocument
from tracelith.present import text
from tracelith.present.chart import BLUE, GREY, PINK, VERMILION, Chart, Table, axis, chart_id, layout, markup

__all__ = ["stall_timeline"]

_MOST_GROUPS = 12
_MOST_STALLS = 400
_COLOURS = {"slow_handler": VERMILION, "deployment": BLUE, "instances": PINK, "unknown": GREY}


def stall_timeline(stalls: Sequence[StallDocument], window: WindowDocument, period: str) -> Chart:
    """Stalls by time and length, one row of marks per group."""
    groups = list(dict.fromkeys(_label(stall) for stall in stalls))[:_MOST_GROUPS]
    shown = [stall for stall in stalls if _label(stall) in groups][:_MOST_STALLS]
    place = {group: len(groups) - 1 - number for number, group in enumerate(groups)}
    longest = max((stall["seconds"] for stall in shown), default=1.0)
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": [stall["start"] for stall in shown],
        "y": [place[_label(stall)] for stall in shown],
        "marker": {
            "color": [_COLOURS[stall["cause"]] for stall in shown],
            "size": [8 + 16 * (stall["seconds"] / longest) ** 0.5 for stall in shown],
        },
        "hovertext": [
            f"{markup(_label(stall), 80)}<br>{text.time(stall['start'], seconds=True)}"
            f"<br>{text.milliseconds(stall['seconds'] * 1000)}, {text.count(stall['waiting'])} messages waiting"
            for stall in shown
        ],
        "hoverinfo": "text",
    }
    return Chart(
        id=chart_id("stalls"),
        title="When consumer groups stood still",
        unit="one mark per stall; larger marks lasted longer",
        period=period,
        reading="Marks one above the other hit several groups at once: look at what they share, the broker above all.",
        figure={
            "data": [marks],
            "layout": layout(
                110 + 34 * max(len(groups), 1),
                {"type": "date", "range": [window["start"], window["end"]], "zeroline": False},
                axis(groups[::-1], showgrid=True),
            ),
        },
        twin=Table.of(
            ("Group", "From", "Until", "#For", "#Messages waiting"),
            (
                (
                    text.printable(_label(stall)),
                    text.time(stall["start"], seconds=True),
                    text.time(stall["end"], seconds=True),
                    text.milliseconds(stall["seconds"] * 1000),
                    text.count(stall["waiting"]),
                )
                for stall in shown
            ),
        ),
    )


def _label(stall: StallDocument) -> str:
    return f"{stall['destination']} {stall['group']}".strip()
