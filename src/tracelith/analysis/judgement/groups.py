"""Groups of services that fail more than one independence together: the candidates for becoming one module."""

from collections.abc import Mapping, Sequence
from typing import Any

from tracelith.analysis.judgement.score import COMPONENTS, component
from tracelith.model.findings import State

__all__ = ["coupled_groups"]

_DEPLOY = next(measure for measure in COMPONENTS if measure.name == "deploy")
_DEPTH = next(measure for measure in COMPONENTS if measure.name == "depth")


def coupled_groups(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Services that deploy together, and whether they also wait for each other; strongest first.

    The score is the stronger half of the evidence for this group alone, 0 to 1: how surely its members deploy
    together, or how deep the chains are that run through at least two of them.
    """
    waits = _waiting_pairs(document["edges"])
    rows = [_group(group, waits, document["entry_operations"]) for group in document["codeployment"]["groups"]]
    return sorted(rows, key=lambda row: (-len(row["families"]), -row["score"], row["services"]))


def _waiting_pairs(edges: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    return {
        (edge["caller"], edge["callee"])
        for edge in edges
        if edge["callee_kind"] == "service" and edge["mode"] == "sync" and edge["status"] == State.OK
    }


def _group(
    group: Mapping[str, Any], waits: set[tuple[str, str]], operations: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    services = sorted(group["services"])
    members = set(services)
    inside = {(caller, callee) for caller, callee in waits if caller in members and callee in members}
    families = ["deploy", "runtime"] if inside else ["deploy"]
    together = component(_DEPLOY, group.get("strongest_excess_low")).value or 0.0
    depths = (_depth(operation, members) for operation in operations) if inside else ()
    return {
        "services": services,
        "score": max([together, *depths]),
        "label": "deploys and answers as one" if inside else "deploys together",
        "families": families,
        "waits": [f"{caller} → {callee}" for caller, callee in sorted(inside)],
    }


def _depth(operation: Mapping[str, Any], members: set[str]) -> float:
    p95 = operation["depth"]["p95"]
    through = any(len(members.intersection(chain["services"])) >= 2 for chain in operation["chains"])
    if operation["status"] != State.OK or not p95["ci"] or not through:
        return 0.0
    return component(_DEPTH, p95["ci"][0]).value or 0.0
