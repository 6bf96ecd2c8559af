"""Tail latency per hop.

Question: Which hop makes the slowest requests slow, and how much of that is not the entry service's own doing?
Method: Per entry operation, the mean time on each hop of the critical path among the slowest 1 % of requests, minus
    the same among the middle fifth. Those differences add up to exactly what slow requests take longer; each hop's
    part of the sum is its share. With fewer requests the slowest 5 % or 10 % are taken, and the quantile is named.
    Beside it, per edge: exceedance (how much more often a request meets a slow call than a call is slow), propagation
    (how often a slow call makes the request slow) and how much of the tail it explains. Intervals come from
    weighing independent stretches of time anew, with one more like the most influential; of traces when time is short.
Reading: A share below 0.3 is normal, 0.3 to 0.6 worth watching, above 0.6 dominant; a negative share means that the
    hop takes less time in slow requests. Findings rest on the lower bound, and only speak of hops that are not
    the entry service itself or its own datastores. It is a warning when the time is lost two awaited calls away
    or further, so that the tail of one service travels up a chain; one call away it is worth knowing, no more.
Needs: 3,000 complete traces for the slowest 1 %, 600 for 5 %, 300 for 10 %; 1,000 requests for exceedance.
    Slow requests must not all lie in stretches of time longer than about a tenth of the period.
False positives: Requests of different kinds under one name (a hop is not accused if slow requests merely visit it
    more often); cold starts after deployments; timeouts that cut the longest calls; a sampler that prefers slow
    traces without saying so; a period below two hours, whose interval speaks of those hours only.
Source: Euler allocation of expected shortfall (Tasche 1999) on the critical path of Eaton et al., ACM Queue 2022;
    fan-out after Dean and Barroso, CACM 2013.
"""

from collections.abc import Mapping

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.shares import percent
from tracelith.analysis.tail.facts import (
    CALLER_REQUESTS,
    EDGE_CALLS,
    EDGE_REQUESTS,
    EDGE_TAILS,
    HOP_TIMES,
    TAIL_EXEMPLARS,
    observe_tail,
)
from tracelith.analysis.tail.hop_shares import HopShare, hop_shares
from tracelith.forest.view import ForestView
from tracelith.model.findings import Finding, Severity

__all__ = ["ANALYSIS"]

DOMINANT, WATCH = 0.6, 0.3
"""Bands of the tail share (metrics.md §6), compared with its lower bound."""

RULE = "remote-tail-hop"

_ADVICE = {
    "service": "Look at what {hop} does in the example traces: that is where the slow requests wait. If its callers "
    "cannot answer without it, consider keeping what they ask for with them, or one module instead of two.",
    "network": "The time passes between {caller} and {callee}, in neither of them: look at connection set-up, queues "
    "in front of {callee}, retries and proxies. A call inside one module would not pay it.",
    "peer": "{caller} waits for {callee}. If that is a database, look at slow statements, locks and pool size in the "
    "example traces, and at who else uses it; if it is a queue, at who has to answer before the request goes on, for "
    "then the queue only hides the call.",
}


def observe(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts about hops and edges, see tail_facts."""
    return observe_tail(view)


def conclude(evidence: Evidence) -> Conclusion:
    """The document's tail, and a finding per hop that surely makes other people's tail."""
    shares = hop_shares(evidence)
    documents = [{**one.document, "band": _band(one)} for one in shares]
    findings = [_finding(one) for one in shares if _accused(one)]
    findings.sort(key=lambda finding: (-finding.severity.rank, -finding.metric["value"], finding.subjects))
    return Conclusion({"tail": documents}, tuple(findings))


def _band(hop: HopShare) -> str:
    if hop.low is None or hop.document["status"] != "ok":
        return "unknown"
    if not (hop.document["material"] and hop.document["slow_hop"]) or hop.low < WATCH:
        return "normal"
    return "dominant" if hop.low >= DOMINANT else "watch"


def _accused(hop: HopShare) -> bool:
    document = hop.document
    return (
        document["status"] == "ok"
        and document["remote"]
        and document["material"]
        # Slow requests that merely call more often are requests of another kind, not victims of a slow hop.
        and document["slow_hop"]
        and hop.low is not None
        and hop.low >= WATCH
    )


def _finding(hop: HopShare) -> Finding:
    document = hop.document
    label = f"{document['service']} {document['operation']}"
    slowest = percent(1 - document["q"])
    # Where other hops take less time in slow requests, one may cause more than all of the extra time.
    caused = "all" if document["share"] >= 1 else percent(document["share"])
    ends = (document["caller"], document["callee"])
    dominant = hop.low is not None and hop.low >= DOMINANT
    return Finding(
        rule=RULE,
        severity=Severity.WARNING if dominant and document["far"] else Severity.INFO,
        subjects=(label, *dict.fromkeys((document["hop"], *ends))),
        title=f"{document['hop']} causes {caused} of the extra time in the slowest {slowest} of {label}",
        metric={
            "name": "share of the tail's excess",
            "value": document["share"],
            "ci": document["ci"],
            "unit": "share",
            "n": document["tail_traces"],
            "reading": "below 0.3 normal, 0.3–0.6 watch, above 0.6 dominant; shares of all hops add up to 1",
        },
        advice=_ADVICE[document["hop_kind"]].format(hop=document["hop"], caller=ends[0], callee=ends[1]),
        evidence={
            "trace_ids": document["trace_ids"],
            "excess_ms": document["excess_ms"],
            "excess_ci": document["excess_ci"],
            "q": document["q"],
            "hops_away": document["hops_away"],
        },
    )


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=(HOP_TIMES, TAIL_EXEMPLARS, CALLER_REQUESTS, EDGE_CALLS, EDGE_REQUESTS, EDGE_TAILS),
    observe=observe,
    conclude=conclude,
    without_evidence=lambda _reason: {"tail": []},
)
