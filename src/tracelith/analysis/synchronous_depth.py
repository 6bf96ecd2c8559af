"""Synchronous depth.

Question: How many services does a request wait for, one behind the other, before it can be answered?
Method: In every complete trace the awaited calls that cross a service border are counted along the critical path;
    calls to datastores and other parties without spans are counted apart, deferred work starts a chain of its own.
    Per entry operation the distribution gives median, p95 and maximum. Intervals are distribution free
    (Woodruff's inversion), with requests worth as few independent ones as the spread between stretches of time says.
Reading: 0 hops means one service did it all. Up to 2 is typical, 3 to 4 elevated, 5 to 6 high, 7 and more extreme.
    Every hop adds its latency, its failures and its deployments to the request. Findings rest on the lower bound.
Needs: 200 complete traces of the entry operation, and fewer than 5 % orphan spans around it.
False positives: A mesh proxy that looks like a service adds a hop; recursion and retries make long tails; the bands
    compare with published systems that are instrumented differently.
Source: Definition and bands own; reference distributions from Huye et al., USENIX ATC 2023; intervals after
    Woodruff 1952.
"""

from collections.abc import Mapping

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.chains.entry_latency import ENTRY_LATENCY, observe_entry_latency
from tracelith.analysis.chains.entry_operations import EntryOperation, entry_operations
from tracelith.analysis.chains.facts import CHAIN_DEPTH, CHAIN_EXEMPLARS, CHAIN_PATHS, observe_depth
from tracelith.forest.view import ForestView
from tracelith.model.findings import Finding, Severity

__all__ = ["ANALYSIS", "DEEP_HOPS", "VERY_DEEP_HOPS"]

DEEP_HOPS = 3
VERY_DEEP_HOPS = 5
"""Where the bands "elevated" and "high" begin (metrics.md §4); compared with the lower bound of p95."""

RULE = "deep-synchronous-chain"


def observe(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts about chains, see depth_facts and entry_latency."""
    return {**observe_depth(view), ENTRY_LATENCY.name: observe_entry_latency(view)}


def conclude(evidence: Evidence) -> Conclusion:
    """The document's entry_operations, and a finding for each whose requests surely wait for a deep chain."""
    operations = entry_operations(evidence)
    findings = [finding for operation in operations if (finding := _finding(operation)) is not None]
    findings.sort(key=lambda finding: (-finding.severity.rank, -finding.metric["value"], finding.subjects))
    return Conclusion({"entry_operations": [operation.document for operation in operations]}, tuple(findings))


def _finding(operation: EntryOperation) -> Finding | None:
    p95 = operation.p95
    if operation.document["status"] != "ok" or p95.value is None or p95.low is None or p95.low < DEEP_HOPS:
        return None
    document = operation.document
    chain = max(document["chains"], key=lambda chain: (chain["hops"] >= p95.low, chain["traces"], chain["hops"]))
    label, hops = f"{document['service']} {document['operation']}", int(p95.value)
    started = "Once its message arrives, " if document["restarted"] else ""
    title = f"{started}{label} waits for {hops} services in a row in at least 5 % of its requests"
    return Finding(
        rule=RULE,
        severity=Severity.CRITICAL if p95.low >= VERY_DEEP_HOPS else Severity.WARNING,
        subjects=(label, *dict.fromkeys(chain["services"])),
        title=title,
        metric={
            "name": "awaited service hops, p95",
            "value": p95.value,
            "ci": [p95.low, p95.high],
            "unit": "hops",
            "n": p95.n,
            "reading": "0 = one service did it all; up to 2 typical, 3–4 elevated, 5–6 high, 7 and more extreme",
        },
        advice=(
            f"{' → '.join(chain['services'])} answer as one: merge neighbours that are always called together, "
            "pass what the last one needs with the request, or let the work that nobody waits for be deferred."
        ),
        evidence={"trace_ids": chain["trace_ids"], "chain": chain["services"], "share": chain["share"]},
    )


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=(ENTRY_LATENCY, CHAIN_DEPTH, CHAIN_PATHS, CHAIN_EXEMPLARS),
    observe=observe,
    conclude=conclude,
    without_evidence=lambda _reason: {"entry_operations": []},
)
