"""What each service is like in comparison to the others: a hub, very small, very large, called by one alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from tracelith.analysis.base import Evidence
from tracelith.analysis.statistics.histograms import representative
from tracelith.analysis.structure.facts import OWN_TIME_FACTOR, OWN_TIMES, SERVICE_WORK
from tracelith.analysis.structure.graph import FEWEST_COMPARED, ServiceGraph, standing_out
from tracelith.model.declarations import Declarations
from tracelith.model.schema import is_folded

__all__ = ["HUB_DEGREE", "NEEDED_REQUESTS", "WorkOfServices", "service_shapes", "team_of", "work_of_services"]

NEEDED_REQUESTS = 200
"""Requests of a service before its size is spoken of."""

HUB_DEGREE = 4
"""Callers and callees that a hub has at least (own): among services with one neighbour each, three stand out."""

MEGA_OPERATIONS = 8
"""Operations that a very large service has at least (own): what one table needs is done with half as many."""

MOST_WORK = 0.5
"""Of all own time, above which a service does more than all the others together."""

ONLY_CALLER_SHARE = 0.95
"""Of the calls to a service (metrics.md §12)."""

GATEWAY_SHARE = 0.5
"""A service with this share of its requests from outside is a door, and doors have many rooms behind them."""


@dataclass(frozen=True, slots=True)
class WorkOfServices:
    """Sums per service, one row each.

    Attributes:
        rows: service, requests, own_ns, outside, outside_weight, outside_unknown, operations.
        own_ms: median own time of a request, by service.
        calls: calls between services: caller, callee, calls, awaited, deferred, network_calls, network_ns.
    """

    rows: pl.DataFrame
    own_ms: Mapping[str, float]
    calls: pl.DataFrame


def work_of_services(evidence: Evidence, calls: pl.DataFrame) -> WorkOfServices:
    """What the facts say of each service; services that stand for many are left out."""
    work = evidence.facts.merged(SERVICE_WORK)
    sums = list(SERVICE_WORK.sums)
    rows = work.group_by("service").agg(pl.col(sums).sum(), operations=pl.col("operation").n_unique()).sort("service")
    rows = rows.filter(~pl.Series([is_folded(name) for name in rows["service"]], dtype=pl.Boolean))
    medians = {
        str(service): _median_ms(part)
        for (service,), part in evidence.facts.merged(OWN_TIMES).partition_by("service", as_dict=True).items()
    }
    return WorkOfServices(rows, medians, calls)


def _median_ms(rows: pl.DataFrame) -> float:
    ordered = rows.sort("bucket")
    share = ordered["requests"].cum_sum().to_numpy() / float(ordered["requests"].sum())
    bucket = float(ordered["bucket"].to_numpy()[int(np.searchsorted(share, 0.5))])
    middle = bucket * OWN_TIME_FACTOR + OWN_TIME_FACTOR / 2 if bucket >= 0 else -1.0
    return float(representative(middle)) / 1e6


def team_of(service: str, declarations: Declarations) -> str | None:
    """Who owns a service: as declared, else the namespace it gives itself."""
    namespace, slash, _ = service.rpartition("/")
    return declarations.service_owners.get(service) or (namespace if slash else None)


def service_shapes(work: WorkOfServices, graph: ServiceGraph, declarations: Declarations) -> list[dict[str, Any]]:
    """One document per service, those with most neighbours first."""
    rows = {row["service"]: row for row in work.rows.to_dicts()}
    hubs = _hubs(graph, rows, declarations)
    total_own = float(work.rows["own_ns"].sum()) or 1.0
    large = _mega(work.rows, graph)
    by_callee = {str(callee): part for (callee,), part in work.calls.partition_by("callee", as_dict=True).items()}
    shapes = []
    for service in graph.services:
        row = rows.get(service)
        calls = by_callee.get(service)
        network_ms = _network_ms(calls)
        size, reason = _size(row, service in large, work.own_ms.get(service), network_ms, graph.callees[service])
        shapes.append(
            {
                "service": service,
                "team": team_of(service, declarations),
                "callers": len(graph.callers[service]),
                "callees": len(graph.callees[service]),
                "instability": graph.instability(service),
                "operations": row["operations"] if row else 0,
                "requests": row["requests"] if row else 0,
                "own_time_share": row["own_ns"] / total_own if row else None,
                "own_ms": work.own_ms.get(service),
                "network_ms": network_ms,
                "hub": service in hubs,
                "size": size,
                "size_reason": reason,
                "only_caller": _only_caller(calls, row),
            }
        )
    return sorted(shapes, key=lambda shape: (-shape["callers"] - shape["callees"], shape["service"]))


def _hubs(graph: ServiceGraph, rows: Mapping[str, Mapping[str, Any]], declarations: Declarations) -> set[str]:
    """Services with far more callers and callees than others have; gateways are meant to have them."""
    if len(graph.services) < FEWEST_COMPARED:
        return set()
    asked, asking = (
        standing_out([len(neighbours[service]) for service in graph.services], HUB_DEGREE)
        for neighbours in (graph.callers, graph.callees)
    )
    found = {graph.services[at] for at in np.flatnonzero(asked & asking)}
    return {service for service in found if service not in declarations.gateways and not _door(rows.get(service))}


def _door(row: Mapping[str, Any] | None) -> bool:
    return row is not None and row["outside"] >= GATEWAY_SHARE * row["requests"]


def _mega(rows: pl.DataFrame, graph: ServiceGraph) -> set[str]:
    """Services with far more operations than others have, and far more callers or most of the work."""
    judged = rows.filter(pl.col("requests") >= NEEDED_REQUESTS)
    if len(judged) < FEWEST_COMPARED:
        return set()
    callers = [len(graph.callers.get(service, ())) for service in judged["service"]]
    many = standing_out(judged["operations"], MEGA_OPERATIONS)
    busy = judged["own_ns"].to_numpy() > MOST_WORK * float(rows["own_ns"].sum())
    asked = standing_out(callers, HUB_DEGREE)
    return {str(judged["service"][int(at)]) for at in np.flatnonzero(many & (busy | asked))}


def _size(
    row: Mapping[str, Any] | None,
    large: bool,
    own_ms: float | None,
    network_ms: float | None,
    callees: tuple[str, ...],
) -> tuple[str, str]:
    if row is None or row["requests"] < NEEDED_REQUESTS or own_ms is None:
        return "unknown", f"{NEEDED_REQUESTS} requests are needed, {row['requests'] if row else 0} came"
    if large:
        return "mega", "far more operations than the other services, and far more callers or most of the work"
    small = row["operations"] == 1 and network_ms is not None and own_ms < network_ms
    if small and callees:
        return "nano", "one operation that works for a shorter time than it takes to reach it, and asks on"
    return "ordinary", ""


def _network_ms(calls: pl.DataFrame | None) -> float | None:
    timed = 0 if calls is None else int(calls["network_calls"].sum())
    return float(calls["network_ns"].sum()) / timed / 1e6 if calls is not None and timed else None


def _only_caller(calls: pl.DataFrame | None, row: Mapping[str, Any] | None) -> str | None:
    if calls is None or row is None:
        return None
    first = calls.sort("calls", "caller", descending=[True, False]).row(0, named=True)
    whole = max(int(calls["calls"].sum()) + row["outside"], 1)
    return str(first["caller"]) if first["calls"] >= ONLY_CALLER_SHARE * whole else None
