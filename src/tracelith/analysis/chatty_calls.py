"""Chatty calls.

Question: Which requests make many small calls where one would do?
Method: For every request, calls to the same place for the same thing are put together; attempts of one call count once,
    and what nobody waits for does not count. Calls that each begin after all before them have ended are in a row: a
    loop, as when a list is read and then each of its rows. Calls that overlap are a batch. For each call the 95th
    percentile per request and the share of requests with a loop of five or more are estimated over time.
Reading: A loop takes as long as all its calls together, and longer with every row that is added. The time saved at most
    is what would be left out if one call did the work of all. A batch costs the callee as much, but the request waits
    only for its slowest call.
Needs: 30 requests that make the call, 200 for the 95th percentile.
False positives: Reading page after page looks like a loop, so up to four in a row are none. Reads from a cache, and
    loops in jobs and behind queues, where nobody waits, are told without accusing anybody.
Source: Own; the 1 + n query problem of object-relational mappers, more than ten calls as in metrics of published
    call graphs (Luo et al., SoCC 2021).
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.chatter.edges import MANY_CALLS, ChattyEdge, chatty_edges
from tracelith.analysis.chatter.facts import CHATTY_EXEMPLARS, LOOP_CALLS, REPEATED_CALLS, observe_chatter
from tracelith.analysis.shares import percent
from tracelith.forest.view import ForestView
from tracelith.model.findings import Finding, Severity, State

__all__ = ["ANALYSIS"]

RULE = "chatty-calls"

THE_RULE = 0.5
"""A loop in surely more than half of the requests is how the operation works, however short it is."""

CACHES = ("redis", "valkey", "memcached", "hazelcast", "infinispan", "ignite", "geode")
"""Systems made for many small reads. One of them may be a database here, but a read costs it next to nothing."""


def observe(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts about repeated calls, see chatter.facts."""
    return observe_chatter(view)


def conclude(evidence: Evidence) -> Conclusion:
    """The document's chatter, and a finding for each call that is surely made in a loop or many times at once."""
    merged = evidence.facts.merged(REPEATED_CALLS)
    if merged.is_empty():
        return Conclusion(without_evidence("nobody waited for a call in this period"))
    edges = chatty_edges(evidence, merged)
    findings = [finding for edge in edges if (finding := _finding(edge)) is not None]
    findings.sort(key=lambda finding: (-finding.severity.rank, -finding.metric["value"], finding.subjects))
    known = not edges or any(edge.loops.state is State.OK for edge in edges)
    part = {
        "edges": [edge.document for edge in edges],
        "status": str(State.OK if known else State.INSUFFICIENT_DATA),
        "reason": "" if known else edges[0].document["reason"],
    }
    return Conclusion({"chatter": part}, tuple(findings))


def without_evidence(reason: str) -> dict[str, Any]:
    """The part when nothing can be said."""
    return {"chatter": {"edges": [], "status": str(State.INSUFFICIENT_DATA), "reason": reason}}


def _finding(edge: ChattyEdge) -> Finding | None:
    row = edge.document
    if row["label"] not in ("loop", "batch"):
        return None
    looped = row["label"] == "loop"
    told = edge.in_a_row if looped and edge.in_a_row.value is not None else edge.calls
    subject = f"{row['caller']} {row['operation']}"
    value = told.value if told.value is not None else row["mean_calls"]
    how = "in a row" if looped else "at once"
    typical = (
        f"{percent(row['loop_share']['value'])} of its requests call {row['callee']} "
        f"{LOOP_CALLS} times or more in a row"
        if looped
        else f"one in twenty of its requests calls {row['callee']} more than {MANY_CALLS} times at once"
    )
    return Finding(
        rule=RULE,
        severity=_severity(edge),
        subjects=(subject, row["callee"], row["callee_operation"]),
        title=f"{subject} is chatty: {typical} for {row['callee_operation']}",
        metric={
            "name": f"same calls {how} per request, p95",
            "value": value,
            "ci": None if told.low is None else [told.low, told.high],
            "unit": "",
            "n": row["requests"],
            "reading": f"1 is one call; {LOOP_CALLS} and more in a row are a loop, which grows with the number of rows",
        },
        advice=_advice(row, looped),
        evidence={
            "trace_ids": row["trace_ids"],
            "asked": row["asked"],
            "loop_share": row["loop_share"]["value"],
            "total_ms": row["total_ms"],
            "saved_ms": row["saved_ms"],
        },
    )


def _severity(edge: ChattyEdge) -> Severity:
    """A warning where people wait for a loop that is long, or short and the rule."""
    row = edge.document
    cached = row["callee_kind"] == "datastore" and row["callee"].split(" ", 1)[0] in CACHES
    if row["label"] != "loop" or row["asked"] != "request" or cached:
        return Severity.INFO
    long = edge.in_a_row.low is not None and edge.in_a_row.low > MANY_CALLS
    ruled = edge.loops.low is not None and edge.loops.low >= THE_RULE
    return Severity.WARNING if long or ruled else Severity.INFO


def _advice(row: Mapping[str, Any], looped: bool) -> str:
    if not looped:
        return f"Ask {row['callee']} once for all of them: every call costs it as much as a single one."
    if row["callee_kind"] == "datastore":
        return (
            "Read all rows with one statement (a join, or IN with the list of keys): "
            f"of {row['total_ms']:.0f} ms per request up to {row['saved_ms']:.0f} ms would go."
        )
    return (
        f"Give {row['callee']} an operation that answers for a whole list, or move the loop to where the data is: "
        f"of {row['total_ms']:.0f} ms per request up to {row['saved_ms']:.0f} ms would go."
    )


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=(REPEATED_CALLS, CHATTY_EXEMPLARS),
    observe=observe,
    conclude=conclude,
    without_evidence=without_evidence,
)
