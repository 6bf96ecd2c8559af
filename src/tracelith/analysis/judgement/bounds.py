"""What each component of the score is measured by: lower and upper bound, from the parts of the document.

A part that could not be told leaves its component out; one that was looked at and found fine counts with the healthy
end of its scale. Shares of services and of tables are counts of all there are, and have no interval of their own.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tracelith.model.findings import State

__all__ = ["BOUNDS", "Bounds"]

Document = Mapping[str, Any]

Bounds = tuple[float | None, float | None]
NOTHING: Bounds = (None, None)


def _deploy(document: Document) -> Bounds:
    codeployment = document["codeployment"]
    system = codeployment["system"]["lockstep_excess"]
    bounds = [tuple(system["ci"])] if system["status"] == State.OK and system["ci"] else []
    for pair in codeployment["pairs"]:
        if pair["status"] == State.OK and pair["excess_low"] is not None:
            coupled = pair["label"] in ("pair", "group")
            bounds.append((pair["excess_low"] if coupled else 0.0, pair["excess"] if coupled else 0.0))
    return _largest(bounds)


def _depth(document: Document) -> Bounds:
    p95s = (one["depth"]["p95"] for one in document["entry_operations"] if one["status"] == State.OK)
    return _largest([tuple(p95["ci"]) for p95 in p95s if p95["ci"]])


def _tail(document: Document) -> Bounds:
    known = [row for row in document["tail"] if row["status"] == State.OK and row["ci"]]
    # A tail that is not worth speaking of, or that the entry service or its next neighbour makes, couples nothing.
    coupling = ("remote", "far", "material", "slow_hop")
    return _largest([tuple(row["ci"]) if all(row[name] for name in coupling) else (0.0, 0.0) for row in known])


def _writers(document: Document) -> Bounds:
    """Effective writers of the worst table, or one more than the share of tables that others than their owner use."""
    tables = [one for one in document.get("datastores", {}).get("tables", ()) if one["status"] == State.OK]
    if not tables:
        return NOTHING
    used = sum(table["level"] != "own" for table in tables) / len(tables)
    written = [table["effective_writers"]["ci"] for table in tables if table["level"] == "written"]
    return _largest([(1 + used, 1 + used), *(tuple(ci) for ci in written if ci)])


def _failure(document: Document) -> Bounds:
    """How surely a failure reaches a service that does not even call the one that failed, or takes it along.

    That whoever calls a service fails with it is what one awaited call means, and no sign of a monolith.
    """
    failures = document.get("failures", {})
    powers = {
        (edge["caller"], edge["callee"]): tuple(edge["power"]["ci"])
        for edge in failures.get("edges", ())
        if edge["callee_kind"] == "service" and edge["status"] == State.OK and edge["power"]["ci"]
    }
    together = [
        tuple(pair["overlap"]["ci"]) if pair["coupled"] and pair["overlap"]["ci"] else (0.0, 0.0)
        for pair in failures.get("pairs", ())
    ]
    chains = _chains_of_two(document["edges"])
    if failures.get("status") == State.OK and document["edges"] and not chains:
        together.append((0.0, 0.0))
    through = [
        (powers[first][0] * powers[second][0], powers[first][1] * powers[second][1])
        for first, second in chains
        if first in powers and second in powers
    ]
    return _largest([*through, *together])


def _chains_of_two(edges: Iterable[Document]) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Awaited calls between services, one behind the other."""
    waits = [
        (edge["caller"], edge["callee"])
        for edge in edges
        if edge["callee_kind"] == "service" and edge["mode"] != "async" and edge["caller"] != edge["callee"]
    ]
    onward = defaultdict(list)
    for caller, callee in waits:
        onward[caller].append((caller, callee))
    return [(first, second) for first in waits for second in onward[first[1]] if second[1] != first[0]]


def _queues(document: Document) -> Bounds:
    """Share of the requests of entry operations that wait for what becomes of a message."""
    queues = document.get("queues", {})
    requests = sum(one["traces"] for one in document["entry_operations"] if not one["restarted"])
    sent = any(edge["callee_kind"] == "destination" or edge["mode"] == "async" for edge in document["edges"])
    if not requests or (sent and queues.get("status") != State.OK):
        return NOTHING
    waiting: dict[tuple[str, str], int] = {}
    for row in queues.get("waits", ()):
        if row["label"] == "waits":
            key = row["service"], row["operation"]
            waiting[key] = max(waiting.get(key, 0), row["requests"])
    share = min(1.0, sum(waiting.values()) / requests)
    return share, share


def _pass_through(document: Document) -> Bounds:
    share = document.get("layers", {}).get("pass_through_share")
    return (share["value"], share["value"]) if share and share["status"] == State.OK else NOTHING


def _axis(document: Document) -> Bounds:
    """How much of a service's load the one it scales with causes, for the pair that is surest."""
    pairs = [pair for pair in document.get("scaling", {}).get("pairs", ()) if pair["status"] == State.OK]
    return _largest(
        [
            tuple(pair["dominance"]["ci"]) if pair["label"] == "same_axis" and pair["dominance"]["ci"] else (0.0, 0.0)
            for pair in pairs
        ]
    )


def _largest(bounds: Sequence[tuple[Any, ...]]) -> Bounds:
    if not bounds:
        return NOTHING
    return max(float(low) for low, _ in bounds), max(float(high) for _, high in bounds)


BOUNDS: Mapping[str, Callable[[Document], Bounds]] = MappingProxyType(
    {
        "deploy": _deploy,
        "depth": _depth,
        "tail": _tail,
        "writers": _writers,
        "failure": _failure,
        "queues": _queues,
        "pass_through": _pass_through,
        "axis": _axis,
    }
)
"""By the name of the component."""
