"""What fails if all calls to a service fail: powers multiplied along the calls of each entry operation.

The calls of a request are taken to be independent of each other: a caller that makes a call in half of its requests,
and fails in eight of ten when it fails, fails in four of ten if the callee is gone. Requests that make one call are
often those that make another; the number is then off by what they share, which its interval does not say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.failures.edges import Edge
from tracelith.analysis.failures.tables import ENTRY_EDGES, ENTRY_OUTCOMES
from tracelith.analysis.statistics.intervals import proportion_interval
from tracelith.model.facts import FactReader
from tracelith.model.findings import Estimate, State

__all__ = ["EntryCalls", "EntryRadius", "Radius", "fails_with", "radii"]

Float64 = NDArray[np.float64]
_Power = Mapping[tuple[str, str], float]

FAILS_WITH = 0.5
"""From this probability on a service fails with another one (metrics.md §9.3)."""

_UNKNOWN_MAY_ADD = 0.05
"""A radius is told if unknown powers could move it by no more; otherwise only its bounds are."""

_ROUNDS = 12
"""Calls that lead back to a caller are followed so often; without cycles one round per hop suffices."""


@dataclass(frozen=True, slots=True)
class EntryRadius:
    """Share of the requests of one entry operation that fail if all calls to a service fail."""

    service: str
    operation: str
    requests: int
    radius: Estimate


@dataclass(frozen=True, slots=True)
class Radius:
    """What fails with a node.

    Attributes:
        radius: share of all requests from outside. reach: share of entry operations whose requests ever reach it.
        entries: those with requests that reach it, most affected first. failing_with_it: services.
        hops: awaited calls between it and the nearest entry service.
    """

    node: str
    kind: str
    radius: Estimate
    reach: float
    entries: tuple[EntryRadius, ...]
    failing_with_it: tuple[str, ...]
    hops: int


@dataclass(frozen=True, slots=True)
class EntryCalls:
    """Calls of one entry operation.

    Attributes:
        nodes: it reaches, the entry service first. caller, callee: index into nodes, per edge.
        share: of the caller's requests that make the call.
    """

    service: str
    operation: str
    requests: int
    weight: float
    nodes: tuple[str, ...]
    caller: NDArray[np.int64]
    callee: NDArray[np.int64]
    share: Float64


def radii(facts: FactReader, edges: Sequence[Edge]) -> list[Radius]:
    """Every node that requests from outside wait for, largest radius first."""
    calls = facts.merged(ENTRY_EDGES)
    asked = facts.merged(ENTRY_OUTCOMES).group_by("service", "operation").agg(pl.col("requests", "weight").sum())
    of_entry = calls.partition_by(["service", "operation"], as_dict=True)
    entries = [
        _entry(service, operation, requests, weight, of_entry.get((service, operation), calls.clear()))
        for service, operation, requests, weight in asked.sort("service", "operation").iter_rows()
    ]
    powers = _powers(edges)
    kinds = dict(zip(calls["callee"], calls["callee_kind"], strict=True))
    found = _by_node(entries, [_failing(entry, powers) for entry in entries], kinds)
    found.sort(key=lambda one: (-(one.radius.value or -1.0), -(one.radius.low or 0.0), one.node))
    return _with_victims(found, edges)


def _entry(service: str, operation: str, requests: int, weight: float, calls: pl.DataFrame) -> EntryCalls:
    nodes = tuple(dict.fromkeys((service, *sorted({*calls["caller"], *calls["callee"]}))))
    code = {name: number for number, name in enumerate(nodes)}
    into = dict(calls.group_by("callee").agg(pl.col("requests").sum()).iter_rows())
    reached = [min(requests, into.get(caller, requests)) for caller in calls["caller"]]
    return EntryCalls(
        service,
        operation,
        requests,
        weight,
        nodes,
        np.array([code[name] for name in calls["caller"]], dtype=np.int64),
        np.array([code[name] for name in calls["callee"]], dtype=np.int64),
        np.clip(calls["requests"].to_numpy() / np.maximum(np.array(reached, dtype=np.float64), 1.0), 0, 1),
    )


def _powers(edges: Sequence[Edge]) -> Sequence[tuple[_Power, float]]:
    """Powers of edges, and the one to use for all others: a lower bound, the value between two, an upper bound."""
    known = [edge for edge in edges if edge.power.state is State.OK and not edge.common_cause]
    low = {(edge.caller, edge.callee): edge.power.low or 0.0 for edge in known}
    value = {(edge.caller, edge.callee): edge.power.value or 0.0 for edge in known}
    high = {(edge.caller, edge.callee): edge.power.high or 0.0 for edge in known}
    return (low, 0.0), (value, 0.0), (value, 1.0), (high, 1.0)


def _failing(entry: EntryCalls, powers: Sequence[tuple[_Power, float]]) -> Float64:
    """Probability that a request fails if all calls to a node do: float64[nodes, sets of powers]."""
    return np.stack([fails_with(entry, power, unknown) for power, unknown in powers], axis=1)


def fails_with(entry: EntryCalls, power: _Power, unknown: float) -> Float64:
    """Probability that a request fails if all calls to a node do, float64, along entry.nodes.

    Args:
        power: by caller and callee. unknown: of edges that are not in power.

    Source: metrics.md §9.3, with the share of requests that take an edge in place of single traces.
    """
    pairs = zip(entry.caller.tolist(), entry.callee.tolist(), strict=True)
    passed = entry.share * np.array(
        [power.get((entry.nodes[caller], entry.nodes[callee]), unknown) for caller, callee in pairs], dtype=np.float64
    )
    gone = np.eye(len(entry.nodes))
    fails = gone
    for _ in range(_ROUNDS):
        spared = np.ones_like(gone)
        np.multiply.at(spared, entry.caller, 1 - passed[:, None] * fails[entry.callee])
        before, fails = fails, np.maximum(1 - spared, gone)
        if np.allclose(before, fails, atol=1e-6):
            break
    of_entry: Float64 = fails[0]
    return of_entry


def _by_node(entries: Sequence[EntryCalls], failing: Sequence[Float64], kinds: Mapping[str, str]) -> list[Radius]:
    """The radius of each node that any entry operation reaches."""
    requests = np.repeat([entry.requests for entry in entries], [len(entry.nodes) for entry in entries])
    estimates = iter(_estimates(np.concatenate(failing), requests) if failing else ())
    reached: dict[str, list[EntryRadius]] = {node: [] for node in sorted(kinds)}
    whole, hops = dict.fromkeys(reached, np.zeros(4)), dict[str, int]()
    total = max(sum(entry.weight for entry in entries), 1e-9)
    for entry, bounds in zip(entries, failing, strict=True):
        near = _hops(entry)
        for place, (node, estimate) in enumerate(zip(entry.nodes, estimates, strict=False)):
            if place:
                reached[node].append(EntryRadius(entry.service, entry.operation, entry.requests, estimate))
                whole[node] = whole[node] + entry.weight * bounds[place] / total
                hops[node] = min(near[place], hops.get(node, near[place]))
    everything = np.full(len(whole), sum(entry.requests for entry in entries))
    of_all = _estimates(np.stack(list(whole.values())), everything) if whole else []
    return [
        Radius(node, kinds[node], radius, len(told) / len(entries), _most_affected_first(told), (), hops.get(node, 0))
        for (node, told), radius in zip(reached.items(), of_all, strict=True)
    ]


def _most_affected_first(told: Sequence[EntryRadius]) -> tuple[EntryRadius, ...]:
    return tuple(
        sorted(told, key=lambda one: (-(one.radius.value or 0.0), -(one.radius.low or 0.0), one.service, one.operation))
    )


def _estimates(bounds: Float64, requests: NDArray[np.int64]) -> list[Estimate]:
    """From radii at lower bounds, at values (without and with unknown powers) and at upper bounds, float64[n, 4]."""
    low, high = proportion_interval(bounds[:, [0, 3]] * requests[:, None], requests[:, None])
    reason = "its failures, or those of services between, are too rare to know what they do to their callers"
    rows = zip(bounds[:, 1].tolist(), bounds[:, 2].tolist(), low[:, 0].tolist(), high[:, 1].tolist(), strict=True)
    return [
        Estimate(None, least_sure, most_sure, asked, state=State.INSUFFICIENT_DATA, reason=reason)
        if most - least > _UNKNOWN_MAY_ADD
        else Estimate((least + most) / 2, least_sure, most_sure, asked, float(asked))
        for (least, most, least_sure, most_sure), asked in zip(rows, requests.tolist(), strict=True)
    ]


def _hops(entry: EntryCalls) -> list[int]:
    """Calls on the shortest way from the entry service to each node, 0 to those that no call of it reaches."""
    callees: dict[int, list[int]] = {}
    for caller, callee in zip(entry.caller.tolist(), entry.callee.tolist(), strict=True):
        callees.setdefault(caller, []).append(callee)
    hops = {0: 0}
    for node in (pending := [0]):
        for callee in callees.get(node, ()):
            if callee not in hops:
                hops[callee] = hops[node] + 1
                pending.append(callee)
    return [hops.get(place, 0) for place in range(len(entry.nodes))]


def _with_victims(found: Sequence[Radius], edges: Sequence[Edge]) -> list[Radius]:
    """The same with the services that fail if a node does: along callers whose powers multiply to FAILS_WITH."""
    callers: dict[str, list[tuple[str, float]]] = {}
    for edge in edges:
        if edge.power.state is State.OK and edge.power.value is not None and not edge.common_cause:
            callers.setdefault(edge.callee, []).append((edge.caller, edge.power.value))
    told = []
    for one in found:
        best = {one.node: 1.0}
        pending = [one.node]
        while pending:
            node = pending.pop()
            for caller, power in callers.get(node, ()):
                product = best[node] * power
                if product >= FAILS_WITH and product > best.get(caller, 0.0):
                    best[caller] = product
                    pending.append(caller)
        victims = tuple(sorted(best.keys() - {one.node}))
        told.append(Radius(one.node, one.kind, one.radius, one.reach, one.entries, victims, one.hops))
    return told
