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

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.names import listed
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
    """The document's scaling, and a finding per group on one axis."""
    part = scaling_part(evidence)
    same = [pair for pair in part["pairs"] if pair["label"] == "same_axis"]
    callers = {row["service"]: row["main_caller"] for row in part["services"]}
    return Conclusion({"scaling": part}, tuple(_finding(group, same, callers) for group in part["groups"]))


def _finding(group: Sequence[str], same: Sequence[Mapping[str, Any]], callers: Mapping[str, str | None]) -> Finding:
    """One finding for all services on one axis: the one that sets the pace first, then those that follow."""
    pairs = [pair for pair in same if pair["a"] in group]
    leads = Counter(pair["a"] for pair in pairs)
    leads.subtract(pair["b"] for pair in pairs)
    head = max(group, key=lambda name: (leads[name], name))
    others = [name for name in group if name != head]
    weakest = min(
        (pair for pair in pairs if pair["a"] == head),
        key=lambda pair: (pair["dominance"]["ci"][0], pair["a"], pair["b"]),
    )
    grow = "grow and shrink" if len(others) > 1 else "grows and shrinks"
    theirs = "their" if len(others) > 1 else "its"
    caused = percent(weakest["dominance"]["value"])
    owned = [name for name in others if callers[name] in group]
    return Finding(
        rule=RULE,
        severity=Severity.INFO,
        subjects=(head, *others),
        title=f"{listed(others, 4)} {grow} with {head}, the cause of {caused} of {theirs} requests",
        metric={
            "name": "share of requests caused, least of the services",
            "value": weakest["dominance"]["value"],
            "ci": weakest["dominance"]["ci"],
            "unit": "share",
            "n": weakest["dominance"]["n"],
            "reading": "above 0.95, with a steady ratio of rates, services answer to one load",
        },
        advice=f"Load is no reason to keep them apart. {listed(owned[:3], 3)} {'is' if len(owned[:3]) == 1 else 'are'} "
        "called within the group alone or nearly so: candidates for modules of their callers, unless they need other "
        "machines or have to fail alone."
        if owned
        else "Load is no reason to keep them apart: scale them as one.",
        evidence={"trace_ids": [], "pairs": len(pairs), "caused_least": [weakest["a"], weakest["b"]]},
    )


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=(SERVICE_LOAD, SERVICE_INSTANCES, CAUSED_REQUESTS),
    observe=observe,
    conclude=conclude,
    without_evidence=lambda reason: {"scaling": part_without_evidence(reason)},
)
