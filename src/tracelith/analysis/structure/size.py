"""How many services there are for what they do, for whom, and for how many of them stand on their own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracelith.analysis.base import Evidence
from tracelith.analysis.components import connected_sets
from tracelith.analysis.statistics.bootstrap import block_length_ns
from tracelith.analysis.structure.facts import SERVICE_TRACES
from tracelith.analysis.structure.graph import ServiceGraph, gini
from tracelith.analysis.structure.services import WorkOfServices, team_of

__all__ = ["MANY_SERVICES", "MOST_PER_TEAM", "MOST_PER_UNIT", "system_size"]

MANY_SERVICES = 20
"""Below so many services nobody loses count (own); twice the median of published open-source systems (metrics.md
§13.1)."""

MOST_PER_UNIT = 3.0
"""Services per unit that deploys and changes on its own; above it two of three borders divide nothing (own)."""

MOST_PER_TEAM = 8.0
"""Services that a team can look after, on average (own)."""

NAMED_SHARE = 0.8
"""Of the services whose team is known, for teams to be counted at all."""


def system_size(evidence: Evidence, graph: ServiceGraph, work: WorkOfServices) -> dict[str, Any]:
    """The document's size."""
    services = len(graph.services)
    seconds = _seconds(evidence)
    known = not work.rows["outside_unknown"].sum()
    per_second = float(work.rows["outside_weight"].sum()) / seconds if known and seconds else None
    teams = _teams(evidence, graph.services)
    units = _units(graph.services, evidence.concluded)
    label, reason = _judge(services, units, teams)
    return {
        "services": services,
        "edges": len(graph.edges),
        "density": graph.density,
        "mean_callees": graph.mean_callees,
        "mutual_pairs": graph.mutual_pairs,
        "callers_gini": gini([len(callers) for callers in graph.callers.values()]),
        "requests_per_second": per_second,
        "requests_per_second_per_service": per_second / services if per_second is not None and services else None,
        "teams": teams,
        "services_per_team": services / teams if teams else None,
        "units": units,
        "label": label,
        "label_reason": reason,
    }


def _seconds(evidence: Evidence) -> float:
    """Length of the part of the period in which there were traces."""
    length = block_length_ns(evidence.start_ns, evidence.end_ns)
    begins = evidence.facts.by_window(SERVICE_TRACES, length)["window_ns"]
    if begins.is_empty():
        return 0.0
    first, last = max(int(begins[0]), evidence.start_ns), min(int(begins[-1]) + length, evidence.end_ns)
    return (last - first) / 1e9


def _teams(evidence: Evidence, services: Sequence[str]) -> int | None:
    owners = [owner for service in services if (owner := team_of(service, evidence.declarations)) is not None]
    return len(set(owners)) if owners and len(owners) >= NAMED_SHARE * len(services) else None


def _units(services: Sequence[str], concluded: Mapping[str, Any]) -> int | None:
    """Groups of services that surely deploy together or write each other's data, single services among them.

    None where nothing is known of deployments: then every service would look as if it stood on its own.
    """
    codeployment = concluded.get("codeployment")
    tested = codeployment and any(pair["label"] != "untested" for pair in codeployment["pairs"])
    if not services or not tested:
        return None
    return len(connected_sets(services, _bound(concluded)))


def _bound(concluded: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for pair in concluded["codeployment"]["pairs"]:
        if pair["label"] in ("pair", "group"):
            yield pair["a"], pair["b"]
    for pair in concluded.get("datastores", {}).get("pairs", ()):
        if pair["written"] and pair["overlap"]["status"] == "ok":
            yield pair["a"], pair["b"]


def _judge(services: int, units: int | None, teams: int | None) -> tuple[str, str]:
    if not services:
        return "unknown", "no services seen"
    if services < MANY_SERVICES:
        return "ordinary", f"fewer than {MANY_SERVICES} services"
    if units is not None and services > MOST_PER_UNIT * units:
        return "too_many", f"they deploy and change data as {units} unit{'s' if units > 1 else ''}"
    if teams is not None and services > MOST_PER_TEAM * teams:
        return "too_many", f"{teams} team{'s' if teams > 1 else ''} look after them"
    if units is None and teams is None:
        return "unknown", "neither deployments nor teams are known"
    return "ordinary", ""
