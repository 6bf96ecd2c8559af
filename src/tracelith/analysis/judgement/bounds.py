"""What each component of the score is measured by: lower and upper bound, from the parts of the document.

A part that could not be told leaves its component out; one that was looked at and found fine counts with the healthy
end of its scale. Where less than half of it could be told, only the worst there can be counts: missing evidence never
reads as healthy, and a weak sign of coupling never makes a score lower than no sign.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tracelith.analysis.judgement.score import COMPONENTS
from tracelith.analysis.statistics.intervals import wilson
from tracelith.model.findings import State

__all__ = ["BOUNDS", "Bounds"]

Document = Mapping[str, Any]

Bounds = tuple[float | None, float | None]
NOTHING: Bounds = (None, None)

ENOUGH = 0.5
"""Share of what there is that must be known (own)."""

READ_WEIGHT = 0.5
"""What a table that others read counts, beside one that others write: a reader is broken by a change of the table,
a writer breaks its owner as well (own)."""

_RAMP = {measure.name: measure for measure in COMPONENTS}


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
    """Effective writers of the worst table, or one more than the share of tables that are not their owners' alone.

    A table that others write counts with the share of its writes that is theirs, one that they read or seldom write
    with less, and the less the fewer tables there are: that one service reads the only table is a weak sign.
    """
    tables = [one for one in document.get("datastores", {}).get("tables", ()) if one["status"] == State.OK]
    if not tables:
        return NOTHING
    written = [table for table in tables if table["level"] == "written"]
    used = sum(table["level"] != "own" for table in tables)
    taken = sorted(map(_taken_over, written), reverse=True)
    # Those that are hardly written count for more as read; how many those are is what makes most of all.
    shares = [_used_share(taken[:count], used - count, len(tables)) for count in range(len(taken) + 1)]
    worst = [tuple(table["effective_writers"]["ci"]) for table in written if table["effective_writers"]["ci"]]
    return _largest([tuple(1 + share for share in max(shares)), *worst])


def _used_share(taken: Sequence[tuple[float, float]], read: int, tables: int) -> tuple[float, float]:
    """Share of tables that others use, weighed by how; bounds."""
    low, high = (sum(bounds) / tables for bounds in zip(*taken, strict=True)) if taken else (0.0, 0.0)
    if read:
        seen_low, seen_high = wilson(read, tables)
        low, high = low + READ_WEIGHT * float(seen_low), high + READ_WEIGHT * float(seen_high)
    return low, high


def _taken_over(table: Document) -> tuple[float, float]:
    """How far a table is in the hands of others than its owner: the share of its writes, or how many write alike."""
    foreign, writers = table["foreign_write_share"]["ci"], table["effective_writers"]["ci"]
    low, high = _largest([tuple(foreign or (0.0, 0.0)), tuple(bound - 1 for bound in writers or (1.0, 1.0))])
    return min(1.0, low or 0.0), min(1.0, high or 0.0)


def _failure(document: Document) -> Bounds:
    """How surely a failure reaches a service that does not even call the one that failed, or takes it along.

    That whoever calls a service fails with it is what one awaited call means, and no sign of a monolith. Nor is it a
    sign of health that two services fail apart while it is unknown what becomes of failures along the other chains.
    """
    failures = document.get("failures", {})
    powers = {
        (edge["caller"], edge["callee"]): tuple(edge["power"]["ci"])
        for edge in failures.get("edges", ())
        if edge["callee_kind"] == "service" and edge["status"] == State.OK and edge["power"]["ci"]
    }
    together = [
        tuple(pair["overlap"]["ci"]) for pair in failures.get("pairs", ()) if pair["coupled"] and pair["overlap"]["ci"]
    ]
    chains = _chains_of_two(document["edges"])
    no_way = failures.get("status") == State.OK and bool(document["edges"]) and not chains
    if no_way:
        together.append((0.0, 0.0))
    through = [
        (powers[first][0] * powers[second][0], powers[first][1] * powers[second][1])
        for first, second in chains
        if first in powers and second in powers
    ]
    return _known_enough("failure", [*through, *together], len(through) + no_way, max(len(chains), 1))


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
    pairs = document.get("scaling", {}).get("pairs", ())
    same = [pair["dominance"]["ci"] for pair in pairs if pair["label"] == "same_axis" and pair["dominance"]["ci"]]
    free = sum(map(_of_own_axis, pairs))
    return _known_enough("axis", [*map(tuple, same), *[(0.0, 0.0)] * min(free, 1)], free + len(same), len(pairs))


def _of_own_axis(pair: Document) -> bool:
    """Surely not one load: others cause too much of it, or it answers differently. Whatever is unclear may be one."""
    ci = pair["dominance"]["ci"]
    foreign = pair["status"] == State.OK and pair["label"] != "same_axis" and ci and ci[1] < _RAMP["axis"].most
    return bool(pair["label"] == "own_axis" or foreign)


def _known_enough(name: str, bounds: Sequence[tuple[Any, ...]], known: int, of: int) -> Bounds:
    """The largest of what is known; nothing if most is not known, unless it is the worst there can be."""
    low, high = _largest(bounds)
    worst = low is not None and low >= _RAMP[name].most
    return (low, high) if worst or known >= ENOUGH * of else NOTHING


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
