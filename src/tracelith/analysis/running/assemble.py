"""Puts what the analyses concluded into one analysis document; parts without evidence say why they are empty."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from tracelith.analysis.base import Analysis, Evidence
from tracelith.analysis.judgement.groups import coupled_groups
from tracelith.analysis.judgement.verdict import verdict_of
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.concluding import Concluded
from tracelith.analysis.running.observing import FOREST, PROCESS
from tracelith.analysis.times import iso_time
from tracelith.model.document import SCHEMA, AnalysisDocument
from tracelith.model.findings import Finding

__all__ = ["SIGNIFICANT_DIGITS", "assemble_document", "rounded"]

SIGNIFICANT_DIGITS = 6
"""Sums of fractional weights differ in their last bits with the order of addition; no reader needs those bits."""

OTHER_STEPS = {FOREST: "Putting traces together", PROCESS: "All of some windows"}
"""What may fail beside an analysis."""


def assemble_document(
    analyses: Sequence[Analysis],
    evidence: Evidence,
    concluded: Concluded,
    environments: Sequence[str],
    *,
    first_seen_ns: Mapping[str, int],
    generated_at: datetime,
) -> AnalysisDocument:
    """The document of one environment and period.

    Args:
        analyses: that ran, in the order they are shown.
        evidence: what they looked at.
        concluded: what they said.
        environments: all that have data in the period.
        first_seen_ns: when findings were first recorded, by their id.
        generated_at: now.
    """
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "environment": evidence.environment,
        "generated_at": generated_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "window": {"start": iso_time(evidence.start_ns), "end": iso_time(evidence.end_ns)},
        **_without_evidence("the analysis failed, see analyses"),
        **concluded.document,
        "findings": [_finding(finding, first_seen_ns.get(finding.id)) for finding in concluded.findings],
        "analyses": _analyses(analyses, concluded.failures),
    }
    document["quality"] = {**document["quality"], "environments": list(environments)}
    document["groups"] = coupled_groups(document)
    document["verdict"] = verdict_of(document)
    return cast("AnalysisDocument", rounded(document))


def rounded(value: Any) -> Any:
    """The same JSON value with every float to SIGNIFICANT_DIGITS, and None for what JSON cannot write."""
    if isinstance(value, Mapping):
        return {str(key): rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(value) else None
    return value


def _finding(finding: Finding, first_seen_ns: int | None) -> dict[str, Any]:
    seen = {} if first_seen_ns is None else {"first_seen": iso_time(first_seen_ns)}
    return {**finding.document(), **seen}


def _analyses(analyses: Sequence[Analysis], failures: Mapping[str, str]) -> list[dict[str, Any]]:
    rows = [
        {
            "name": analysis.name,
            "title": analysis.title,
            "sections": dict(analysis.sections),
            "error": failures.get(analysis.name),
        }
        for analysis in analyses
    ]
    known = {analysis.name for analysis in analyses}
    others = [
        {"name": name, "title": OTHER_STEPS[name], "sections": {}, "error": error}
        for name, error in failures.items()
        if name not in known
    ]
    return rows + others


def _without_evidence(reason: str) -> dict[str, Any]:
    """What each part says when its analysis did not run to its end."""
    parts = (analysis.without_evidence(reason) for analysis in registered_analyses())
    return {name: part for said in parts for name, part in said.items()}
