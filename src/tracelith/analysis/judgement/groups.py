"""Groups of services that fail more than one independence together: the candidates for becoming one module."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracelith.analysis.components import connected_sets
from tracelith.analysis.coupling.bonds import bonds_of
from tracelith.analysis.coupling.links import Pair, pair_of
from tracelith.analysis.judgement.score import COMPONENTS, component
from tracelith.model.findings import State

__all__ = ["coupled_groups"]

Document = Mapping[str, Any]

_DEPLOY = next(measure for measure in COMPONENTS if measure.name == "deploy")
_DEPTH = next(measure for measure in COMPONENTS if measure.name == "depth")

_VERBS = {
    "deploy": "deploys",
    "runtime": "answers",
    "data": "keeps its data",
    "failure": "fails",
    "queues": "waits behind its queues",
}
"""What services of a group do as one, by family, in the order they are told."""


@dataclass(frozen=True, slots=True)
class _Ties:
    """What ties two services, by family: pairs, with how surely where that is known."""

    pairs: Mapping[str, Mapping[Pair, float]]
    waits: frozenset[tuple[str, str]]

    def within(self, family: str, members: set[str]) -> dict[Pair, float]:
        return {pair: low for pair, low in self.pairs[family].items() if members.issuperset(pair)}


def coupled_groups(document: Document) -> list[dict[str, Any]]:
    """Services that deploy together, or write each other's data and depend on each other at run time; worst first.

    One family alone makes no group, but for deployments: to wait for somebody is what calls are for, and a table that
    others read is told where data are told. The score is the strongest evidence for this group alone, 0 to 1: how
    surely its members deploy together, how much of their data they share, or how deep the chains are that run through
    at least two of them.
    """
    ties = _ties(document)
    running = ties.pairs["runtime"].keys() | ties.pairs["failure"].keys() | ties.pairs["queues"].keys()
    bound = [pair for pair in ties.pairs["data"] if pair in running]
    sets = [tuple(group["services"]) for group in document["codeployment"]["groups"]]
    grouped = {service for members in sets for service in members}
    others = sorted({service for pair in bound for service in pair} - grouped)
    sets += [members for members in connected_sets(others, bound) if len(members) > 1]
    rows = [_group(sorted(members), ties, document) for members in sets]
    return sorted(rows, key=lambda row: (-len(row["families"]), -row["score"], row["services"]))


def _ties(document: Document) -> _Ties:
    bonds = bonds_of(document)
    waits = frozenset(
        (edge["caller"], edge["callee"])
        for edge in document["edges"]
        if edge["callee_kind"] == "service" and edge["mode"] == "sync" and edge["status"] == State.OK
    )
    sure = {family: {pair: low for pair, low in known.items() if low > 0} for family, known in bonds.strength.items()}
    pairs = {
        "deploy": sure["deploy"],
        "data": sure["data"],
        "failure": sure["failure"] | dict.fromkeys(_hard(document), 1.0),
        "runtime": dict.fromkeys((pair_of(*edge) for edge in waits), 1.0),
        "queues": dict.fromkeys(_asked_over_queues(document), 1.0),
    }
    return _Ties(pairs, waits)


def _hard(document: Document) -> Iterator[Pair]:
    """Services one of which cannot do without the other."""
    for edge in document.get("failures", {}).get("edges", ()):
        if edge["dependency"] == "hard" and edge["callee_kind"] == "service":
            yield pair_of(edge["caller"], edge["callee"])


def _asked_over_queues(document: Document) -> Iterator[Pair]:
    for row in document.get("queues", {}).get("waits", ()):
        if row["label"] == "waits":
            yield from (pair_of(row["service"], other) for other in row["answered_by"] if other != row["service"])


def _group(services: Sequence[str], ties: _Ties, document: Document) -> dict[str, Any]:
    members = set(services)
    strengths = {family: ties.within(family, members) for family in _VERBS}
    families = [family for family, pairs in strengths.items() if pairs]
    together: Document = next(
        (group for group in document["codeployment"]["groups"] if members == set(group["services"])), {}
    )
    if together and "deploy" not in families:
        families.insert(0, "deploy")
    deployed = component(_DEPLOY, together.get("strongest_excess_low")).value or 0.0
    depths = [_depth(entry, members) for entry in document["entry_operations"]] if strengths["runtime"] else []
    return {
        "services": list(services),
        "score": max([deployed, *depths, *strengths["data"].values()]),
        "label": _label(families),
        "families": families,
        "waits": [f"{caller} → {callee}" for caller, callee in sorted(ties.waits) if {caller, callee} <= members],
    }


def _label(families: Sequence[str]) -> str:
    verbs = [verb for family, verb in _VERBS.items() if family in families]
    if verbs == [_VERBS["deploy"]]:
        return "deploys together"
    return f"{', '.join(verbs[:-1])} and {verbs[-1]} as one"


def _depth(operation: Document, members: set[str]) -> float:
    p95 = operation["depth"]["p95"]
    through = any(len(members.intersection(chain["services"])) >= 2 for chain in operation["chains"])
    if operation["status"] != State.OK or not p95["ci"] or not through:
        return 0.0
    return component(_DEPTH, p95["ci"][0]).value or 0.0
