"""Services that scale together or apart.

Question: Which services always need to grow and shrink together, and which need machines at hours of their own?
Method: Requests of every service over time, sampled ones counted as what they stand for, in stretches as short as
    their number allows. Two services are on one axis if one causes at least 95 % of the other's requests, by any path
    (lower bound), the ratio of their rates varies by at most 15 % (upper bound), and changes of one follow those of
    the other one to one (interval within 0.8 to 1.2; R² of 0.8 and more). A service has an axis of its own if the
    ratio of its rate to those of most others surely varies by more than 50 %. What single requests and sampling add
    to these numbers by chance is taken out; intervals come from leaving out or drawing anew whole days.
Reading: One axis: the two never need different numbers of instances because of their load, so scaling is no reason to
    keep them apart. Own axis: it is one. Rising and falling by the clock is neither: two services that never call
    each other follow the same working day.
Needs: 7 days with a weekend among them, and 40 requests a day of the rarer service of a pair.
False positives: One load need not mean one resource: processor, memory and accelerators are not in traces, nor is the
    wish to keep a failure or a secret apart; ask before merging. Requests whose cause was not traced are nobody's.
Source: Own; total least squares after Deming 1943.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.scaling.document import part_without_evidence, scaling_part
from tracelith.analysis.scaling.facts import CAUSED_REQUESTS, SERVICE_INSTANCES, SERVICE_LOAD, observe_scaling
from tracelith.analysis.shares import percent
from tracelith.forest.view import ForestView
from tracelith.model.findings import Finding, Severity

__all__ = ["ANALYSIS"]

RULE = "same-scaling-axis"


def observe(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts about load, see scaling.facts."""
    return observe_scaling(view)


def conclude(evidence: Evidence) -> Conclusion:
    """The document's scaling, and a finding per pair on one axis of which one calls the other."""
    part = scaling_part(evidence)
    callers = {row["service"]: row["main_caller"] for row in part["services"]}
    findings = [
        _finding(pair, callers[pair["b"]] == pair["a"])
        for pair in part["pairs"]
        if pair["label"] == "same_axis" and pair["direct"]
    ]
    return Conclusion({"scaling": part}, tuple(findings))


def _finding(pair: Mapping[str, Any], only_caller: bool) -> Finding:
    a, b, dominance = pair["a"], pair["b"], pair["dominance"]
    merge = (
        f"{a} is the one that calls {b}: unless {b} needs another kind of machine or has to fail alone, it can be a "
        f"module of {a}."
        if only_caller
        else f"Scale {a} and {b} as one, and look at who stands between them."
    )
    return Finding(
        rule=RULE,
        severity=Severity.INFO,
        subjects=(a, b),
        title=f"{b} grows and shrinks with {a}, which causes {percent(dominance['value'])} of its requests",
        metric={
            "name": "share of requests caused",
            "value": dominance["value"],
            "ci": dominance["ci"],
            "unit": "share",
            "n": dominance["n"],
            "reading": "above 0.95, with a steady ratio of rates, the two answer to one load",
        },
        advice=merge,
        evidence={
            "trace_ids": [],
            "elasticity": pair["elasticity"]["value"],
            "ratio_cv": pair["ratio_cv"],
            "calls_per_request": pair["calls_per_request"],
        },
    )


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=(SERVICE_LOAD, SERVICE_INSTANCES, CAUSED_REQUESTS),
    observe=observe,
    conclude=conclude,
    without_evidence=lambda reason: {"scaling": part_without_evidence(reason)},
)
