"""How the figures of an evaluation read: rates with interval and number, errors in their unit, conditions, answers."""

from collections.abc import Mapping
from typing import Any

from tracelith.present import text
from tracelith.present.chart import Table

__all__ = [
    "CONDITION_TITLES",
    "MEASURES",
    "answer",
    "claims_table",
    "condition_text",
    "error",
    "estimates_table",
    "rate",
    "said",
]

MEASURES = {
    "precision": "Precision",
    "recall": "Recall",
    "false_alarms": "False alarms",
    "alarmed": "Systems with false alarms",
    "answered": "Answered",
    "coverage": "Coverage",
    "exact": "Met exactly",
}
"""Titles of the rates of a score."""

CONDITION_TITLES = {
    "sampling": "traces kept",
    "lost": "spans lost",
    "skew_ms": "error of clocks",
    "weeks": "weeks of data",
    "train_share": "deployments on a release train",
}

_CONDITION_UNITS = {"sampling": "share", "lost": "share", "skew_ms": "ms", "weeks": "count", "train_share": "share"}


def rate(value: Mapping[str, Any] | None) -> str:
    """``83 % (95 %: 71–93 %) of 120``; a dash if nothing was there to be counted."""
    if value is None or value["value"] is None:
        return text.MISSING
    return f"{text.interval(value['value'], (value['low'], value['high']), 'share')} of {text.count(value['n'])}"


def error(value: float | None, detector: Mapping[str, Any]) -> str:
    """A distance from the truth in the detector's unit: shares as percentage points, relative ones as a per cent."""
    if value is None:
        return text.MISSING
    if detector["relative"]:
        return text.percent(value)
    if detector["unit"] == "share":
        return f"{text.number(value * 100, 2)} points"
    return text.format_of(detector["unit"])(value)


def condition_text(condition: str, at: float) -> str:
    """A value of a condition as the axis names it."""
    return text.format_of(_CONDITION_UNITS.get(condition, ""))(at)


def answer(claimed: bool | None) -> str:
    """Yes, no, or nothing said."""
    return "nothing" if claimed is None else "yes" if claimed else "no"


def said(miss: Mapping[str, Any], detector: Mapping[str, Any]) -> tuple[str, str]:
    """What was said about a subject, and what is true; numbers stay on one line with their units."""
    if detector["kind"] == "claim":
        return answer(miss["claimed"]), answer(miss["positive"])
    unit = detector["unit"]
    bounds = None if miss["low"] is None or miss["high"] is None else (miss["low"], miss["high"])
    told, true = text.interval(miss["estimate"], bounds, unit), text.format_of(unit)(miss["value"])
    return told.replace(" %", "\xa0%"), true.replace(" ", "\xa0")


def claims_table(first: str, rows: list[tuple[str, Mapping[str, Any]]]) -> Table:
    """Scores of detectors that accuse or acquit: a label and a score each."""
    return Table.of(
        (first, "#Precision", "#Recall", "#False alarms", "#Silent", "#Cases"),
        (
            (
                label,
                rate(score["precision"]),
                rate(score["recall"]),
                rate(score["false_alarms"]),
                _silent(score),
                text.count(score["cases"]),
            )
            for label, score in rows
        ),
    )


def estimates_table(first: str, rows: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]) -> Table:
    """Scores of detectors that tell a number: a label, the score and the detector each."""
    return Table.of(
        (first, "#Coverage", "#Met exactly", "#Median error", "#Silent", "#Cases"),
        (
            (
                label,
                rate(score["coverage"]),
                rate(score["exact"]),
                error(score["median_error"], detector),
                _silent(score),
                text.count(score["cases"]),
            )
            for label, score, detector in rows
        ),
    ).without_empty_columns()


def _silent(score: Mapping[str, Any]) -> str:
    answered = score["answered"]["value"]
    return text.MISSING if answered is None else text.percent(1 - answered)
