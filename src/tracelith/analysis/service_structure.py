"""Shape of the system.

Question: Do calls go in circles, does everything go through one place, and are there more services than needed?
Method: Services and their awaited calls make a graph: its circles, and who has far more callers and callees than the
    others (at least four of each, and three times as many as services have on average). A path of awaited
    calls that comes back to a service still waiting above is a circle that one request goes round. Services with one
    operation that works shorter than it takes to reach it are very small; those with far more operations than the
    others (at least eight) and with far more callers or most of the work are very large. Services that surely deploy
    together or write each other's data are counted as one unit.
Reading: A circle that the same request goes round is a warning: both services have to be there, and a full pool of
    workers on one waits for itself. One that only different requests close is worth knowing. Instability is the share
    of a service's neighbours that it calls: 0 only answers, 1 only asks. More than three services to a unit are more
    than the system can use.
Needs: 10 requests that come back for a warning; 200 requests of a service and 8 services for hubs and sizes; known
    deployments for the number of units.
False positives: Gateways, declared or with most of their requests from outside, are no hubs. Answers that come back
    as messages close no circle. Size says nothing about a service that has a team or a load of its own.
Source: Taibi and Lenarduzzi, IEEE Software 2018, for the smells; Bogner et al. 2017 for the measures; limits and
    units own.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.call_facts import CALL_EDGES
from tracelith.analysis.structure.cycles import circles
from tracelith.analysis.structure.facts import (
    CYCLE_EXEMPLARS,
    OWN_TIMES,
    RUNTIME_CYCLES,
    SERVICE_TRACES,
    SERVICE_WORK,
    observe_structure,
)
from tracelith.analysis.structure.findings import structure_findings
from tracelith.analysis.structure.graph import service_graph
from tracelith.analysis.structure.services import service_shapes, work_of_services
from tracelith.analysis.structure.size import system_size
from tracelith.forest.view import ForestView
from tracelith.model.findings import State
from tracelith.model.schema import is_folded

__all__ = ["ANALYSIS"]


def observe(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts about services and circles, see structure.facts."""
    return observe_structure(view)


def conclude(evidence: Evidence) -> Conclusion:
    """The document's structure, and findings about what stands out."""
    calls = _awaited_calls(evidence)
    work = work_of_services(evidence, calls)
    if work.rows.is_empty():
        return Conclusion(without_evidence("no service handled a request in this period"))
    graph = service_graph(work.rows["service"].to_list(), calls.select("caller", "callee").iter_rows())
    found = circles(evidence, graph)
    shapes = service_shapes(work, graph, evidence.declarations)
    size = system_size(evidence, graph, work)
    part = {
        "size": size,
        "services": shapes,
        "cycles": [circle.document for circle in found],
        "status": str(State.OK),
        "reason": "",
    }
    return Conclusion({"structure": part}, structure_findings(found, shapes, size))


def _awaited_calls(evidence: Evidence) -> pl.DataFrame:
    """Edges between services on which most calls are waited for; without services that stand for many."""
    calls = evidence.facts.merged(CALL_EDGES).filter(
        (pl.col("callee_kind") == "service")
        & (pl.col("caller") != pl.col("callee"))
        & (pl.col("awaited") > pl.col("deferred"))
    )
    names = {*calls["caller"], *calls["callee"]}
    folded = [name for name in names if is_folded(name)]
    return calls.filter(~pl.col("caller").is_in(folded) & ~pl.col("callee").is_in(folded))


def without_evidence(reason: str) -> dict[str, Any]:
    """The part when nothing can be said."""
    size = {
        "services": 0,
        "edges": 0,
        "mutual_pairs": 0,
        "label": "unknown",
        "label_reason": reason,
        **dict.fromkeys(
            (
                "density",
                "mean_callees",
                "callers_gini",
                "requests_per_second",
                "requests_per_second_per_service",
                "teams",
                "services_per_team",
                "units",
            )
        ),
    }
    state = str(State.INSUFFICIENT_DATA)
    return {"structure": {"size": size, "services": [], "cycles": [], "status": state, "reason": reason}}


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=(SERVICE_WORK, OWN_TIMES, SERVICE_TRACES, RUNTIME_CYCLES, CYCLE_EXEMPLARS),
    observe=observe,
    conclude=conclude,
    without_evidence=without_evidence,
    after_others=True,
)
