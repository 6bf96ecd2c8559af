"""Measures of a graph of services: degrees, density, circles, concentration, and who stands out.

Names in the literature: callers AIS, callees ADS, their product ACS, mutual pairs SIY, density SCF, mean callees ADCS.
Source: metrics.md §13.1; Bogner et al. 2017 for the measures, Gini 1912.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracelith.analysis.components import connected_sets

__all__ = ["FEWEST_COMPARED", "ServiceGraph", "gini", "service_graph", "standing_out"]

TIMES_AS_MANY = 3.0
"""Whoever has so many times as many as the services have on average stands out (own)."""

FEWEST_COMPARED = 8
"""Below so many services no one stands out from the others."""


@dataclass(frozen=True, slots=True)
class ServiceGraph:
    """Services and who calls whom.

    Attributes:
        services: sorted. edges: distinct (caller, callee), sorted, no service to itself.
        callers, callees: distinct neighbours of each service.
    """

    services: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    callers: dict[str, tuple[str, ...]]
    callees: dict[str, tuple[str, ...]]

    @property
    def density(self) -> float | None:
        """Edges of all that are possible, 0 to 1; None with fewer than two services."""
        possible = len(self.services) * (len(self.services) - 1)
        return len(self.edges) / possible if possible else None

    @property
    def mean_callees(self) -> float | None:
        """Edges per service; None without services."""
        return len(self.edges) / len(self.services) if self.services else None

    @property
    def mutual_pairs(self) -> int:
        """Pairs of services that call each other."""
        edges = set(self.edges)
        return sum((callee, caller) in edges for caller, callee in self.edges) // 2

    def instability(self, service: str) -> float | None:
        """Callees of all neighbours: 0 only answers, 1 only asks; None without neighbours."""
        callers, callees = len(self.callers[service]), len(self.callees[service])
        return callees / (callers + callees) if callers + callees else None

    def circles(self) -> list[tuple[str, ...]]:
        """Largest sets of services in which everyone reaches everyone, two services and more, sorted."""
        return sorted(found for found in connected_sets(self.services, self.edges, mutual=True) if len(found) > 1)


def service_graph(services: Collection[str], edges: Iterable[tuple[str, str]]) -> ServiceGraph:
    """The graph; ends of edges are services too."""
    distinct = sorted({(caller, callee) for caller, callee in edges if caller != callee})
    names = tuple(sorted({*services, *(end for edge in distinct for end in edge)}))
    callers: dict[str, list[str]] = {name: [] for name in names}
    callees: dict[str, list[str]] = {name: [] for name in names}
    for caller, callee in distinct:
        callers[callee].append(caller)
        callees[caller].append(callee)
    return ServiceGraph(
        names,
        tuple(distinct),
        {name: tuple(found) for name, found in callers.items()},
        {name: tuple(found) for name, found in callees.items()},
    )


def gini(values: ArrayLike) -> float | None:
    """Concentration: 0 if all are alike, towards 1 if one has it all; None without values or if all are 0."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    total = ordered.sum()
    if not ordered.size or total <= 0:
        return None
    rank = np.arange(1, ordered.size + 1)
    return float((2 * rank - ordered.size - 1) @ ordered / (ordered.size * total))


def standing_out(counts: ArrayLike, least: int) -> NDArray[np.bool_]:
    """Who has at least so many, and several times as many as services have on average.

    Distances from the median in terms of the usual one, as of measurements, say little of numbers so small: most
    services have none, one or two neighbours, so that either the second was outlying or not even the fiftieth.

    Source: own.
    """
    sample = np.asarray(counts, dtype=np.float64)
    if not sample.size:
        return sample > 0
    return sample >= max(least, TIMES_AS_MANY * float(sample.mean()))
