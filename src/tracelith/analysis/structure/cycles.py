"""Circles of awaited calls, and whether one and the same request goes round."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from tracelith.analysis.base import Evidence
from tracelith.analysis.exemplars import newest, slowest_ids
from tracelith.analysis.statistics.bootstrap import block_length_ns
from tracelith.analysis.statistics.intervals import proportion_in_time
from tracelith.analysis.structure.facts import CYCLE_EXEMPLARS, RUNTIME_CYCLES, SERVICE_TRACES, services_of
from tracelith.analysis.structure.graph import ServiceGraph
from tracelith.model.findings import Estimate

__all__ = ["Circle", "circles"]

MOST_CIRCLES = 50
"""Circles in the document, those most requests go round first."""

MOST_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle's document, with what findings are judged by.

    Attributes:
        share: of the requests that pass the service that is come back to, those that do come back.
        times: requests that came back the most frequent way. head: the service that these came back to.
    """

    document: dict[str, Any]
    share: Estimate
    times: int
    head: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """Facts: traces per service, and per path that comes back, in blocks of time; examples of such paths."""

    passed: pl.DataFrame
    back: pl.DataFrame
    examples: pl.DataFrame


def circles(evidence: Evidence, graph: ServiceGraph) -> list[Circle]:
    """Circles that requests go round, most of them first, then those that only different requests close."""
    passed, back = (
        evidence.facts.by_window(table, block_length_ns(evidence.start_ns, evidence.end_ns))
        for table in (SERVICE_TRACES, RUNTIME_CYCLES)
    )
    seen = _Seen(passed, back, newest(evidence.facts, CYCLE_EXEMPLARS))
    paths = evidence.facts.merged(RUNTIME_CYCLES).sort("traces", "path", descending=[True, False])
    ways: dict[tuple[str, ...], list[str]] = {}
    for path in paths["path"].to_list():
        ways.setdefault(tuple(sorted(set(services_of(path)))), []).append(path)
    found = [_runtime(services, paths.filter(pl.col("path").is_in(taken)), seen) for services, taken in ways.items()]
    for services in graph.circles():
        members = set(services)
        # A large circle that requests go round in smaller ones is told by those.
        if not any(members.issuperset(smaller) for smaller in ways):
            edges = [edge for edge in graph.edges if members.issuperset(edge)]
            found.append(_between_requests(services, edges, seen))
    found.sort(key=lambda circle: (circle.document["kind"] != "runtime", -circle.times, circle.document["services"]))
    return found[:MOST_CIRCLES]


def _runtime(services: tuple[str, ...], paths: pl.DataFrame, seen: _Seen) -> Circle:
    """A circle that requests go round; paths are its ways, the most frequent first."""
    head = services_of(paths["path"][0])[0]
    same_head = [path for path in paths["path"] if services_of(path)[0] == head]
    share = _share(seen, head, same_head)
    ranks = seen.examples.filter(pl.col("path").is_in(paths["path"].to_list()))["rank"]
    edges = sorted({step for path in paths["path"] for step in _steps(services_of(path))})
    document = _document(services, edges, share, "runtime", slowest_ids(ranks)[:MOST_EXAMPLES])
    return Circle(document, share, int(paths["traces"][0]), head)


def _steps(path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    return zip(path, (*path[1:], path[0]), strict=True)


def _share(seen: _Seen, service: str, paths: list[str]) -> Estimate:
    """Of the requests that pass the service, those that come back to it along one of these paths."""
    # A request may take several of the paths: as many as take the most frequent one surely come back.
    back = seen.back.filter(pl.col("path").is_in(paths)).group_by("window_ns").agg(back=pl.col("traces").max())
    passed = seen.passed.filter(pl.col("service") == service)
    blocks = passed.join(back, on="window_ns", how="left").fill_null(0).sort("window_ns")
    part, whole = (blocks[name].cast(pl.Float64).to_numpy() for name in ("back", "traces"))
    return proportion_in_time(part, whole, float(whole.sum()), n=int(whole.sum()))


def _between_requests(services: tuple[str, ...], edges: list[tuple[str, str]], seen: _Seen) -> Circle:
    blocks = seen.passed.filter(pl.col("service").is_in(services)).group_by("window_ns").agg(pl.col("traces").max())
    whole = blocks.sort("window_ns")["traces"].cast(pl.Float64).to_numpy()
    share = proportion_in_time(0 * whole, whole, float(whole.sum()), n=int(whole.sum()))
    return Circle(_document(services, edges, share, "between_requests", []), share, 0, services[0])


def _document(
    services: tuple[str, ...], edges: list[tuple[str, str]], share: Estimate, kind: str, trace_ids: list[str]
) -> dict[str, Any]:
    return {
        "services": list(services),
        "edges": [f"{caller} → {callee}" for caller, callee in edges],
        "reentry_share": share.document(),
        "kind": kind,
        "trace_ids": trace_ids,
    }
