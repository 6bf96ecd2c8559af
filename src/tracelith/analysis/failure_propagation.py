"""What fails when a service fails.

Question: Do failures stay where they happen, and what do requests from outside lose if a service is gone?
Method: Per call from one service to another, how often the caller fails if the callee's last attempt failed, and if
    nothing did; from both, the share of failures that fail the caller (noisy-or power), counted over requests in which
    nothing else failed, and compared once more within single minutes, so that a cause both share does not count.
    Multiplied along the calls of a request they say what fails if a service is gone. A failed request is followed
    down its failed calls to where that began; stretches of time in which an origin fails far beyond its usual share
    are told as a story: what failed first, what went along, what was lost outside. Services that fail in the same
    stretches on their own account fail together. Attempts per call, hidden failures and cut-off calls are counted.
Reading: hard: most failures of the callee fail its caller (lower bound 0.6 or more); soft: hardly any does (upper bound
    0.2); partial in between. A cascade is a warning, critical if an entry operation lost half of its requests for ten
    minutes. Hidden failures, hard chains and missing limits are worth knowing, no more.
Needs: 10 requests in which a callee fails alone and 100 without any failure, per call; a service that never failed
    says nothing about what fails with it. Cascades need 10 failures at their origin and five minutes.
False positives: Cancelled calls are no failures of the callee, and 4xx are nobody's; what outlives its request cannot
    have failed it. A sampler that keeps failed traces and does not say so makes powers look smaller than they are, or
    larger if it looks at the entry only: if failures are common all the time, or far more traces come while much
    fails, no share of failures is told. Two calls that always fail in the same requests cannot be told apart. Chains
    of calls are taken to be independent of each other.
Source: Noisy-or power after Cheng 1997, intervals after Wilson 1927, comparison within minutes after Mantel and
    Haenszel 1959, bad stretches after Viterbi 1967; hidden failures after Lee et al. (Uber) 2024; retries after
    the Google SRE book; the rest own.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.failures.cascades import cascade_document, cascade_findings, is_cascade
from tracelith.analysis.failures.claims import (
    chain_findings,
    hidden_findings,
    radius_findings,
    storm_findings,
    together_findings,
    wait_findings,
)
from tracelith.analysis.failures.edges import examples_of, failing_edges
from tracelith.analysis.failures.entries import availabilities, time_blocks
from tracelith.analysis.failures.observed import NEVER_SEEN, Observed, observed_radius
from tracelith.analysis.failures.observing import observe_failures
from tracelith.analysis.failures.radius import Radius, radii
from tracelith.analysis.failures.request_clock import RequestClock
from tracelith.analysis.failures.retrying import retried_edges
from tracelith.analysis.failures.sampled import kept_for_errors
from tracelith.analysis.failures.spreading import distances, entry_windows, spreads_of
from tracelith.analysis.failures.stretches import find_troubles
from tracelith.analysis.failures.tables import (
    ENTRY_EDGES,
    ENTRY_OUTCOMES,
    FAILED_EDGES,
    FAILED_MINUTES,
    FAILED_NODES,
    FAILURE_EXEMPLARS,
    RETRIED_MINUTES,
    SLOW_CALLS,
)
from tracelith.analysis.failures.together import failure_pairs
from tracelith.analysis.failures.waiting import longest_waits
from tracelith.analysis.statistics.bootstrap import block_length_ns
from tracelith.forest.view import ForestView
from tracelith.model.findings import State

__all__ = ["ANALYSIS"]

_CASCADES_TOLD = 200
"""Of cascades, those that lost most; findings rest on all of them."""

_PAIRS_TOLD = 200
"""Of pairs that fail together, the surest; a common outage of fifty services has 1,225."""


def observe(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts about failures, see failures.tables."""
    return observe_failures(view)


def conclude(evidence: Evidence) -> Conclusion:
    """The document's part ``failures``, and findings."""
    facts, block_ns = evidence.facts, block_length_ns(evidence.start_ns, evidence.end_ns)
    blocks = time_blocks(facts, block_ns)
    if blocks.is_empty():
        return Conclusion(without_evidence("no request from outside could be followed to its end"))
    by_window, troubles = entry_windows(facts), find_troubles(facts)
    clock, biased = RequestClock.of(by_window, evidence.end_ns), kept_for_errors(facts, blocks, troubles)
    edges = failing_edges(facts, block_ns, biased=biased)
    spreads = spreads_of(troubles, by_window, distances(edges))
    cascades = sorted(filter(is_cascade, spreads), key=lambda spread: (-spread.failed, spread.stretch.start_ns))
    pairs = failure_pairs(troubles.stretches, clock, (evidence.start_ns, evidence.end_ns))
    entries = availabilities(facts, blocks, block_ns, edges, biased=biased)
    retries, waits = retried_edges(facts, block_ns, clock), longest_waits(facts)
    by_edge, by_entry = examples_of(facts, "edge"), examples_of(facts, "hidden")
    reached = radii(facts, edges)
    observed = observed_radius(spreads)
    failures = {str(node): (int(asked), int(failed)) for node, _, asked, failed, _ in facts.merged(FAILED_NODES).rows()}
    document = {
        "edges": [edge.document(by_edge.get((edge.caller, edge.callee), [])) for edge in edges],
        "services": [_radius(one, observed.get(one.node), failures.get(one.node, (0, 0))) for one in reached],
        "entries": [one.document(by_entry.get((one.service, one.operation), [])) for one in entries],
        "cascades": [cascade_document(spread) for spread in cascades[:_CASCADES_TOLD]],
        "retries": [one.document() for one in retries],
        "timeouts": [one.document() for one in waits],
        "pairs": [pair.document() for pair in pairs[:_PAIRS_TOLD]],
        "status": str(State.OK),
        "reason": biased,
    }
    findings = [
        *cascade_findings(cascades),
        *together_findings(pairs, troubles.stretches, observed),
        *storm_findings(retries),
        *radius_findings(reached, observed, {spread.stretch.node for spread in cascades}),
        *chain_findings(entries, by_edge),
        *hidden_findings(entries, by_entry),
        *wait_findings(waits),
    ]
    findings.sort(key=lambda finding: -finding.severity.rank)
    return Conclusion({"failures": document}, tuple(findings))


def without_evidence(reason: str) -> Mapping[str, Any]:
    """The part without evidence."""
    lists = ("edges", "services", "entries", "cascades", "retries", "timeouts", "pairs")
    empty: dict[str, Any] = {name: [] for name in lists}
    return {"failures": {**empty, "status": str(State.INSUFFICIENT_DATA), "reason": reason}}


def _radius(one: Radius, seen: Observed | None, failures: tuple[int, int]) -> dict[str, Any]:
    requests, failed = failures
    return {
        "service": one.node,
        "kind": one.kind,
        "requests": requests,
        "failures": failed,
        "radius": one.radius.document(),
        "structural_reach": one.reach,
        "observed": (seen.share if seen else NEVER_SEEN).document(),
        "entries": [
            {
                "service": entry.service,
                "operation": entry.operation,
                "requests": entry.requests,
                "radius": entry.radius.document(),
            }
            for entry in one.entries
        ],
        "failing_with_it": list(one.failing_with_it),
    }


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=(
        FAILED_EDGES,
        FAILED_NODES,
        FAILED_MINUTES,
        ENTRY_OUTCOMES,
        ENTRY_EDGES,
        RETRIED_MINUTES,
        SLOW_CALLS,
        FAILURE_EXEMPLARS,
    ),
    observe=observe,
    conclude=conclude,
    without_evidence=without_evidence,
)
