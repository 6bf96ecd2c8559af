"""How numbers, times and the words of the analysis document read; every face speaks the same way."""

import math
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tracelith.model.document import WindowDocument

__all__ = [
    "MISSING",
    "UNITS",
    "bounds",
    "count",
    "estimate",
    "format_of",
    "interval",
    "metric",
    "milliseconds",
    "minutes",
    "number",
    "operation_name",
    "p_value",
    "percent",
    "period",
    "plain",
    "printable",
    "size",
    "time",
]

MISSING = "–"
"""Shown where there is no number."""

Format = Callable[[float | None], str]

_WORDS = {
    # status of an estimate
    "ok": "measured",
    "insufficient_data": "not enough data",
    "not_identifiable": "cannot be told from this data",
    # bands of depth and tail share
    "typical": "typical",
    "elevated": "elevated",
    "high": "high",
    "extreme": "extreme",
    "normal": "normal",
    "watch": "worth watching",
    "dominant": "dominant",
    "unknown": "unknown",
    # modes of a call
    "sync": "waits",
    "async": "hands over",
    "mixed": "sometimes waits",
    # hops of the critical path and kinds of callees
    "service": "own work",
    "network": "network and queueing",
    "peer": "waiting for something without spans",
    "datastore": "datastore",
    "destination": "queue or topic",
    "external": "outside system",
    # deployment pairs
    "pair": "coupled as a pair",
    "group": "coupled in a group",
    "calendar": "explained by the calendar",
    "none": "independent",
    "untested": "not tested",
    "a_first": "first before second",
    "b_first": "second before first",
    "undetermined": "no clear order",
    # how an interval was found
    "blocks": "resampled in blocks of time",
    "traces": "resampled trace by trace",
}


def plain(code: str) -> str:
    """Plain words for a code of the document (``insufficient_data``, ``a_first``); unknown codes read as they are."""
    return _WORDS.get(code, code.replace("_", " "))


def printable(text: str, limit: int | None = None) -> str:
    """Untrusted text made safe to look at: one line, no control or direction-changing characters.

    Such characters become U+FFFD, so that a span name can neither move the cursor nor pose as another name.

    Args:
        text: a service, operation or version name as it arrived.
        limit: longest result; the middle of a longer text gives way to an ellipsis.
    """
    if not text.isprintable() or not text.isascii():
        # Cc control, Cf format (bidi overrides, zero width), Cs surrogates, Co private, Zl/Zp line separators.
        text = "".join("\ufffd" if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} else c for c in text)
    if limit is not None and len(text) > limit:
        head = (limit - 1) // 2
        text = f"{text[: limit - 1 - head]}…{text[len(text) - head :]}"
    return text


def operation_name(service: str, operation: str) -> str:
    """How an entry operation is named everywhere: ``gateway · POST /login``."""
    return f"{printable(service)} · {printable(operation)}"


def number(value: float | None, digits: int = 3) -> str:
    """A plain number with so many significant digits and thousands separators; never an exponent."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    decimals = max(0, min(8, digits - 1 - math.floor(math.log10(abs(value)))))
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", "0"} else text.replace("-", "−")


def count(value: float | None) -> str:
    """A whole number with thousands separators."""
    return MISSING if value is None else f"{round(value):,}"


def percent(share: float | None) -> str:
    """A share as a percentage: two significant digits below 10 %, whole per cents above, 99.9 near the end."""
    if share is None or not math.isfinite(share):
        return MISSING
    points = share * 100
    near_the_end = 99 < points < 100
    text = (
        f"{min(points, 99.9):.1f}"
        if near_the_end
        else number(points, 2 if abs(points) < 10 else 3 - (abs(points) < 100))
    )
    return f"{text} %"


def milliseconds(value: float | None) -> str:
    """A duration given in milliseconds, in the unit that reads best."""
    if value is None or not math.isfinite(value):
        return MISSING
    size = abs(value)
    if size >= 120_000:
        return f"{number(value / 60_000)} min"
    if size >= 1000:
        return f"{number(value / 1000)} s"
    return f"{number(value)} ms"


def size(value: float | None) -> str:
    """A number of bytes, in the binary unit that reads best."""
    if value is None or not math.isfinite(value):
        return MISSING
    exponent = min(4, max(0, int(math.log2(abs(value)) // 10))) if value else 0
    return f"{number(value / 1024**exponent)} {('bytes', 'KiB', 'MiB', 'GiB', 'TiB')[exponent]}"


def minutes(value: float | None) -> str:
    """A duration given in minutes."""
    return MISSING if value is None else f"{number(value, 2)} min"


def p_value(p: float | None) -> str:
    """A probability; below 0.0001 only that it is smaller."""
    if p is None:
        return MISSING
    return "< 0.0001" if p < 0.0001 else number(p, 2)


UNITS: Mapping[str, Format] = {
    "": number,
    "ms": milliseconds,
    "minutes": minutes,
    "share": percent,
    "hops": lambda value: f"{number(value)} {'hop' if value == 1 else 'hops'}",
    "count": count,
}
"""Formats by the unit names used in the document."""


def format_of(unit: str) -> Format:
    """The format of a unit; an unknown unit is written behind the number."""
    return UNITS.get(unit, lambda value: f"{number(value)} {printable(unit)}")


def bounds(ci: list[float] | tuple[float, float], unit: str = "") -> str:
    """``95 %: 0.71–0.93``, the unit written once."""
    show = format_of(unit)
    low, high = show(ci[0]), show(ci[1])
    tail = high.rsplit(" ", 1)[-1]
    if " " in high and low.endswith(f" {tail}"):  # the unit once is enough: 64–78 %
        low = low.removesuffix(f" {tail}")
    dash = " to " if "−" in low + high else "–"
    return f"95 %: {low}{dash}{high}"


def interval(value: float | None, ci: list[float] | tuple[float, float] | None, unit: str = "") -> str:
    """``0.83 (95 %: 0.71–0.93)``; without an interval only the number."""
    if value is None:
        return MISSING
    shown = format_of(unit)(value)
    return shown if ci is None else f"{shown} ({bounds(ci, unit)})"


def estimate(document: Mapping[str, Any] | None, unit: str = "") -> str:
    """An estimate of the document with its interval, or in plain words why there is none."""
    if document is None:
        return MISSING
    if document["status"] != "ok":
        return plain(document["status"])
    return interval(document["value"], document["ci"], unit)


def metric(document: Mapping[str, Any]) -> str:
    """The number of a finding with its interval; empty if the finding carries none."""
    value = document.get("value")
    if not isinstance(value, int | float):
        return ""
    return interval(float(value), document.get("ci"), str(document.get("unit") or ""))


def time(iso: str | None, *, seconds: bool = False) -> str:
    """An ISO 8601 time as ``2026-03-02 06:00 UTC``; text that is no time stays as it is."""
    if not iso:
        return MISSING
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return printable(iso)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if seconds else f"{at:%Y-%m-%d %H:%M} UTC"


def period(window: WindowDocument) -> str:
    """The analysed period in words: whole days by date, anything else to the minute."""
    start, end = time(window["start"]), time(window["end"])
    midnight = " 00:00 UTC"
    if start.endswith(midnight) and end.endswith(midnight):
        return f"{start.removesuffix(midnight)} to {end.removesuffix(midnight)} (UTC, end not included)"
    return f"{start} to {end}"
