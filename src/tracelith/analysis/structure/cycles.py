"""Circles of awaited calls, and whether one and the same request goes round."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
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
        times: requests that came back. again: the services that are come back to.
    """

    document: dict[str, Any]
    share: Estimate
    times: int
    again: tuple[str, ...]


def circles(evidence: Evidence, graph: ServiceGraph) -> list[Circle]:
    """Circles that requests go round, most of them first, then those that only different requests close."""
    passed = evidence.facts.by_window(SERVICE_TRACES, block_length_ns(evidence.start_ns, evidence.end_ns))
    examples = {
        str(path): slowest_ids(part["rank"])
        for (path,), part in newest(evidence.facts, CYCLE_EXEMPLARS).partition_by("path", as_dict=True).items()
    }
    runtime = list(_runtime(evidence, passed, examples))
    runtime.sort(key=lambda circle: (-circle.times, circle.document["services"]))
    gone_round = {service for circle in runtime for service in circle.document["services"]}
    # A large circle through which smaller ones run at run time is told by those.
    closed = [found for found in graph.circles() if not gone_round.intersection(found)]
    between = [_between_requests(graph, found, passed) for found in closed]
    return (runtime + between)[:MOST_CIRCLES]


def _runtime(evidence: Evidence, passed: pl.DataFrame, examples: Mapping[str, list[str]]) -> Iterator[Circle]:
    merged = evidence.facts.merged(RUNTIME_CYCLES)
    ways: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for path in merged.sort("traces", "path", descending=[True, False])["path"].to_list():
        ways[tuple(sorted(set(services_of(path))))].append(path)
    for services, paths in ways.items():
        heads = tuple(dict.fromkeys(services_of(path)[0] for path in paths))
        times = int(merged.filter(pl.col("path").is_in(paths))["traces"].max())  # type: ignore[arg-type]  # never empty
        share = _share(evidence, paths, heads, passed)
        ids = [one for path in paths for one in examples.get(path, [])]
        steps = {step for path in paths for step in _steps(services_of(path))}
        yield Circle(
            _document(services, sorted(steps), share, "runtime", list(dict.fromkeys(ids))[:MOST_EXAMPLES]),
            share,
            times,
            heads,
        )


def _steps(path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    return zip(path, (*path[1:], path[0]), strict=True)


def _share(evidence: Evidence, paths: list[str], heads: tuple[str, ...], passed: pl.DataFrame) -> Estimate:
    """Of the requests that pass the first service of the most frequent path, those that come back to it that way."""
    same_head = [path for path in paths if services_of(path)[0] == heads[0]]
    length = block_length_ns(evidence.start_ns, evidence.end_ns)
    back = (
        evidence.facts.by_window(RUNTIME_CYCLES, length)
        .filter(pl.col("path").is_in(same_head))
        .group_by("window_ns")
        .agg(back=pl.col("traces").max())
    )
    blocks = passed.filter(pl.col("service") == heads[0]).join(back, on="window_ns", how="left").fill_null(0)
    blocks = blocks.sort("window_ns")
    part, whole = (blocks[name].cast(pl.Float64).to_numpy() for name in ("back", "traces"))
    traces = int(whole.sum())
    return proportion_in_time(part, whole, float(traces), n=traces)


def _between_requests(graph: ServiceGraph, services: tuple[str, ...], passed: pl.DataFrame) -> Circle:
    members = set(services)
    edges = [edge for edge in graph.edges if members.issuperset(edge)]
    blocks = passed.filter(pl.col("service").is_in(services)).group_by("window_ns").agg(pl.col("traces").max())
    whole = blocks.sort("window_ns")["traces"].cast(pl.Float64).to_numpy()
    share = proportion_in_time(0 * whole, whole, float(whole.sum()), n=int(whole.sum()))
    return Circle(_document(services, edges, share, "between_requests", []), share, 0, ())


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
