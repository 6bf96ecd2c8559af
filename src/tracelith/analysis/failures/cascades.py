"""Failures that took others along, told in order; and the finding for each origin."""

from collections.abc import Sequence
from typing import Any

from tracelith.analysis.failures.spreading import Spread
from tracelith.analysis.names import listed
from tracelith.analysis.shares import percent
from tracelith.analysis.statistics.intervals import proportion
from tracelith.analysis.times import iso_time, lasting
from tracelith.model.findings import Finding, Severity

__all__ = ["cascade_document", "cascade_findings", "is_cascade"]

RULE = "failure-cascade"

SHORTEST_MINUTES = 5
"""A deployment, a restarted instance or a broken connection pool fails a handful of requests for a minute or two, and
whoever waits for them fails too: worth no story."""

LOST_HALF, LONG_MINUTES = 0.5, 10
"""From this share of an entry operation's requests, for so long, a cascade is critical."""


def is_cascade(spread: Spread) -> bool:
    """Whether other services failed because of the origin, for longer than a hiccup."""
    return bool(spread.victims) and spread.stretch.minutes >= SHORTEST_MINUTES


def cascade_document(spread: Spread) -> dict[str, Any]:
    """The JSON form."""
    stretch = spread.stretch
    origin = {
        "service": stretch.node,
        "from_time": iso_time(stretch.start_ns),
        "minutes": stretch.minutes,
        "failed_share": min(1.0, stretch.failures / stretch.requests),
    }
    steps = [
        {
            "service": victim.service,
            "from_time": iso_time(victim.from_ns),
            "minutes": victim.minutes,
            "failed_share": victim.failed_share,
        }
        for victim in spread.victims
    ]
    entries = [
        {
            "service": loss.service,
            "operation": loss.operation,
            "requests": loss.requests,
            "failed": loss.failed,
            "failed_share": loss.share,
        }
        for loss in spread.losses
    ]
    return {
        "start": iso_time(stretch.start_ns),
        "end": iso_time(stretch.end_ns),
        "minutes": stretch.minutes,
        "origin": stretch.node,
        "steps": [origin, *steps],
        "entries": entries,
        "failed_requests": spread.failed,
        "requests": spread.requests,
        "trace_ids": list(spread.trace_ids),
    }


def cascade_findings(cascades: Sequence[Spread]) -> list[Finding]:
    """One finding per origin: its worst occurrence."""
    by_origin: dict[str, list[Spread]] = {}
    for spread in cascades:
        by_origin.setdefault(spread.stretch.node, []).append(spread)
    return [_finding(told) for told in by_origin.values()]


def _finding(told: list[Spread]) -> Finding:
    worst = max(told, key=lambda spread: (spread.failed, len(spread.victims), -spread.stretch.start_ns))
    stretch, victims = worst.stretch, [victim.service for victim in worst.victims]
    lost = proportion(worst.failed, worst.requests)
    hardest = max(worst.losses, key=lambda loss: (loss.share, loss.failed), default=None)
    critical = hardest is not None and hardest.share >= LOST_HALF and stretch.minutes >= LONG_MINUTES
    title = f"{stretch.node} failed for {lasting(60 * stretch.minutes)} and took {listed(victims, 3, first=2)} along"
    if hardest is not None:
        title += f": {percent(hardest.share)} of {hardest.service} {hardest.operation} were lost"
    return Finding(
        rule=RULE,
        severity=Severity.CRITICAL if critical else Severity.WARNING,
        subjects=(stretch.node, *victims),
        title=title,
        metric={
            "name": "share of requests from outside that failed because of it",
            "value": lost.value,
            "ci": None if lost.low is None else [lost.low, lost.high],
            "unit": "share",
            "n": worst.requests,
            "reading": "of all requests from outside while it lasted; 0 would mean that nobody outside noticed",
        },
        advice=_advice(stretch.node, stretch.kind, victims),
        evidence={
            "trace_ids": list(worst.trace_ids),
            "occurrences": len(told),
            "start": iso_time(stretch.start_ns),
            "end": iso_time(stretch.end_ns),
            "failed_requests": worst.failed,
        },
    )


def _advice(origin: str, kind: str, victims: list[str]) -> str:
    first = victims[0]
    if kind == "service":
        return (
            f"Decide what {first} answers without {origin}: an older answer, a part of the page, a message that is "
            f"worked off later. If it can do nothing without {origin}, the two are one service in all but deployment."
        )
    return (
        f"Look at what {origin} was busy with at that time, and at how long {first} waits for it and how often it "
        "tries again; what can be answered without it should be."
    )
