"""Calls between services.

Question: Who calls whom, and does the caller wait for the answer?
Method: CLIENT and SERVER side of a call count as one, attempts of one logical call as one with retries. Each call
    votes: awaited if it ends within its caller's span, deferred if it was handed over or outlives its caller. The
    votes of an edge give its mode. The network tax is client time minus server time: each is measured on one clock.
Reading: sync means that the caller waits for most calls (lower bound of the awaited share above one half), async that
    it does not; mixed edges do both, or are too rare to say. The blocking share is how much of the callee's time
    lies on the critical path of its caller's request.
Needs: 10 calls whose mode could be decided.
False positives: A caller whose span ends before its background thread does looks deferred. A reply over a queue counts
    as awaited where a span of its receipt, or a link, leads back to the message; where answers leave no span, such a
    call looks deferred here, and the analysis of queues looks at how long its requests take instead.
Source: Own; span kinds from the OpenTelemetry specification, intervals after Wilson 1927, of as many
    independent calls as the spread between time blocks is worth.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.call_facts import CALL_EDGES, observe_edges
from tracelith.analysis.statistics.bootstrap import block_length_ns
from tracelith.analysis.statistics.intervals import proportion, proportion_in_time
from tracelith.forest.view import ForestView
from tracelith.model.findings import Estimate, State

__all__ = ["ANALYSIS"]

NEEDED_CALLS = 10


def observe(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts about edges, see call_facts."""
    return {CALL_EDGES.name: observe_edges(view)}


def conclude(evidence: Evidence) -> Conclusion:
    """The document's edges, busiest first."""
    edge = list(CALL_EDGES.keys)
    rows = evidence.facts.merged(CALL_EDGES).sort("calls", "caller", "callee", descending=[True, False, False])
    by_block = evidence.facts.by_window(CALL_EDGES, block_length_ns(evidence.start_ns, evidence.end_ns))
    votes = by_block.partition_by(edge, as_dict=True, maintain_order=True)
    return Conclusion({"edges": [_edge(row, votes[tuple(row[key] for key in edge)]) for row in rows.to_dicts()]})


def _edge(row: Mapping[str, Any], votes: pl.DataFrame) -> dict[str, Any]:
    awaited_votes, decided_votes = (
        votes.select(pl.sum_horizontal(names).cast(pl.Float64)).to_series().to_numpy()
        for names in (["awaited"], ["awaited", "deferred"])
    )
    decided = row["awaited"] + row["deferred"]
    reason = f"{NEEDED_CALLS} calls whose mode can be decided are needed, {decided} came"
    awaited = proportion(row["awaited"], decided, minimum=NEEDED_CALLS, reason=reason)
    # An edge that is always awaited is written so: it did not happen to be in each of a few minutes.
    if 0 < row["awaited"] < decided:
        awaited = proportion_in_time(
            awaited_votes, decided_votes, float(decided), n=decided, minimum=NEEDED_CALLS, reason=reason
        )
    return {
        "caller": row["caller"],
        "callee": row["callee"],
        "callee_kind": row["callee_kind"],
        "mode": _mode(awaited),
        "awaited_share": awaited.document(),
        "calls": row["calls"],
        "undecided_calls": row["calls"] - decided,
        "traces": row["traces"],
        "failures": row["failures"],
        "retries": row["attempts"] - row["calls"],
        "network_ms": _ratio(row["network_ns"] / 1e6, row["network_calls"]),
        "blocking_share": _ratio(row["blocking_ns"], row["callee_ns"]),
        "status": str(awaited.state),
        "reason": awaited.reason,
    }


def _mode(awaited: Estimate) -> str:
    if awaited.state is State.OK and awaited.low is not None and awaited.high is not None:
        if awaited.low > 0.5:
            return "sync"
        if awaited.high < 0.5:
            return "async"
    return "mixed"


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=(CALL_EDGES,),
    observe=observe,
    conclude=conclude,
    without_evidence=lambda _reason: {"edges": []},
)
