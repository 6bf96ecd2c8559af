"""What of the shape of a system is worth a finding."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracelith.analysis.names import listed
from tracelith.analysis.shares import percent
from tracelith.analysis.structure.cycles import Circle
from tracelith.analysis.structure.size import MOST_PER_TEAM, MOST_PER_UNIT
from tracelith.model.findings import Finding, Severity

__all__ = ["structure_findings"]

REENTERED = 10
"""Requests that came back before a circle is more than a curiosity (own)."""

REENTRY_SHARE = 0.002
"""Of the requests: rarer circles are seldom worth a change (own)."""

MOST_NAMES = 6


def structure_findings(
    circles: Sequence[Circle], shapes: Sequence[Mapping[str, Any]], size: Mapping[str, Any]
) -> tuple[Finding, ...]:
    """All findings, worst first."""
    found = [
        *(_cycle(circle) for circle in circles),
        *_hubs(shapes),
        *_sizes(shapes),
        *([_too_many(size)] if size["label"] == "too_many" else []),
    ]
    return tuple(sorted(found, key=lambda finding: (-finding.severity.rank, finding.rule, finding.subjects)))


def _cycle(circle: Circle) -> Finding:
    services = tuple(circle.document["services"])
    runtime = circle.document["kind"] == "runtime"
    low = circle.share.low or 0.0
    surely = runtime and circle.times >= REENTERED and low >= REENTRY_SHARE
    names = listed(services, MOST_NAMES)
    share = circle.document["reentry_share"]
    title = (
        f"{names} call each other in a circle: {percent(share['value'] or 0.0)} of the requests through "
        f"{circle.head} come back to it while it waits"
        if runtime
        else f"{names} call each other in a circle, though never for the same request"
    )
    back = " and ".join(circle.document["edges"][-2:])
    return Finding(
        rule="call-cycle",
        severity=Severity.WARNING if surely else Severity.INFO,
        subjects=services,
        title=title,
        metric={
            "name": "requests that come back to a service that waits for them",
            "value": share["value"],
            "ci": share["ci"],
            "unit": "share",
            "n": share["n"],
            "reading": "0 is a tree; every request that comes back holds two workers of the same service",
        },
        advice=(
            "Pass what the callee asks back for along with the call, or move the two operations into one service: "
            "neither can start, scale or fail without the other."
            if runtime
            else f"Look at {back}: neither side can be changed or deployed first. One direction is better a message."
        ),
        evidence={"trace_ids": circle.document["trace_ids"], "edges": circle.document["edges"]},
    )


def _hubs(shapes: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for shape in shapes:
        if shape["hub"]:
            yield Finding(
                rule="hub-service",
                **_about(
                    shape,
                    f"{shape['service']} is a hub: {shape['callers']} services call it and it calls {shape['callees']}",
                    ("services it calls or is called by", shape["callers"] + shape["callees"]),
                    "far more neighbours in both directions than the other services have; a change here can touch all",
                    "Split it by what its callers come for, or let callers that only pass through it call directly.",
                ),
            )


def _sizes(shapes: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for shape in shapes:
        if shape["size"] == "nano":
            yield Finding(
                rule="nano-service",
                **_about(
                    shape,
                    f"{shape['service']} works {_ms(shape['own_ms'])} and is {_ms(shape['network_ms'])} away",
                    ("own time of a request, median, ms", shape["own_ms"]),
                    "less than the way to it: the call costs more than what it does",
                    "Make it a function of the service that calls it.",
                ),
            )
        elif shape["size"] == "mega":
            yield Finding(
                rule="mega-service",
                **_about(
                    shape,
                    f"{shape['service']} has {shape['operations']} operations, far more than the other services",
                    ("operations", shape["operations"]),
                    "many more operations, and callers or work, than the other services have",
                    "If several teams change it, cut it by what its operations are for; one team may well want it so.",
                ),
            )


def _ms(duration: float) -> str:
    return f"{duration:.1f} ms" if duration < 10 else f"{duration:.0f} ms"


def _about(
    shape: Mapping[str, Any], title: str, number: tuple[str, float], reading: str, advice: str
) -> dict[str, Any]:
    """All of a finding about one service but its rule."""
    name, value = number
    metric = {"name": name, "value": value, "ci": None, "unit": "", "n": shape["requests"], "reading": reading}
    about = {"severity": Severity.INFO, "subjects": (shape["service"],), "title": title, "metric": metric}
    return about | {"advice": advice, "evidence": {"trace_ids": []}}


def _too_many(size: Mapping[str, Any]) -> Finding:
    services, units, teams = size["services"], size["units"], size["teams"]
    bound = units is not None and services > MOST_PER_UNIT * units
    of, what = (units, "unit") if bound else (teams, "team")
    return Finding(
        rule="too-many-services",
        severity=Severity.WARNING if bound else Severity.INFO,
        subjects=("system",),
        title=f"There are {services} services, but {size['label_reason']}",
        metric={
            "name": f"services per {what}",
            "value": services / max(of or 1, 1),
            "ci": None,
            "unit": "",
            "n": services,
            "reading": (
                f"1 is a service for each thing that changes on its own; above {MOST_PER_UNIT:g} most borders only cost"
                if bound
                else f"above {MOST_PER_TEAM:g} a team keeps borders that only itself crosses"
            ),
        },
        advice=(
            "Merge what deploys together and shares its data into one module each: the groups say which. "
            "Keep a border where teams, load or criticality differ."
        ),
        evidence={"trace_ids": [], "units": units, "teams": teams},
    )
