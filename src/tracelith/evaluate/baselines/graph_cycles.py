"""Cycles in the call graph: services that can reach each other along its edges.

Definition: an edge for every two services of which one has a span whose parent is a span of the other; every strongly
connected component of at least two services is a cyclic dependency.

Thresholds: none; one call is an edge.

What it gets wrong: the graph forgets requests. That A calls B for one thing and B calls A for another is a circle in
the picture, though no request ever comes back to where it is from. Messages count like calls, so services that send
each other events are cyclic too; and one stray call ties whole parts of a system into one component.

Source: the smell of cyclic dependencies, D. Taibi, V. Lenarduzzi, On the definition of microservice bad smells, IEEE
Software 35 (2018); on graphs of calls as viewers of traces draw them.
"""

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tracelith.evaluate.baselines.accusing import alarm
from tracelith.evaluate.baselines.call_graph import linked_spans, service_edges
from tracelith.evaluate.claims import Claim, Evidence, Method, cycle_subject

__all__ = ["METHOD", "cycles"]


def cycles(edges: pl.DataFrame) -> list[list[str]]:
    """Sorted names of the services of each cycle.

    Args:
        edges: columns caller and callee.
    """
    services = pl.concat([edges["caller"], edges["callee"]]).unique().sort()
    if services.is_empty():
        return []
    ends = [services.search_sorted(edges[name]).to_numpy().astype(np.int64) for name in ("caller", "callee")]
    size = len(services)
    graph = coo_array((np.ones(len(edges)), (ends[0], ends[1])), shape=(size, size))
    number, component = connected_components(graph, directed=True, connection="strong")
    members = [services.gather(np.flatnonzero(component == one)).to_list() for one in range(number)]
    return sorted(names for names in members if len(names) > 1)


def _judge(evidence: Evidence) -> list[Claim]:
    if evidence.spans.is_empty():
        return []
    found = cycles(service_edges(linked_spans(evidence.spans)))
    claims = [Claim("call-cycle", cycle_subject(names), claimed=True) for names in found]
    return [*claims, alarm("graph-cycles", accused=bool(claims))]


METHOD = Method(
    name="graph-cycles",
    title="Cycles in the call graph",
    explanation=(
        "It looks at who calls whom in all requests together, so two services with business in both directions, or "
        "with messages for each other, are a cycle without any request that comes back."
    ),
    detectors=("call-cycle", "alarm"),
    judge=_judge,
    needs_spans=True,
)
