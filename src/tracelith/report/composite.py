"""The analysis document of a week: requests of that week, deployments of half a year.

A week has thousands of requests but a handful of deployments, and the pair test is calibrated on 26 weeks
(metrics.md §7). So two documents become one, coupling with the deployments it rests on; groups and verdict are drawn
anew from the result.
"""

from collections.abc import Mapping
from typing import Any, Protocol, cast

from tracelith.analysis.judgement.groups import coupled_groups
from tracelith.analysis.judgement.verdict import verdict_of
from tracelith.analysis.running.assemble import rounded
from tracelith.model.document import AnalysisDocument
from tracelith.model.findings import Severity
from tracelith.present.answers import topic_of
from tracelith.report.week import IsoWeek

__all__ = ["DEPLOYMENT_WEEKS", "Documents", "document_of_week"]

DEPLOYMENT_WEEKS = 26
LONG: Mapping[str, str] = {"codeployment": "deployments", "coupling": "coupling"}
"""Parts of the document that are about half a year, and the topic of their findings."""

LONG_ANALYSES = frozenset({"codeployment", "hidden_coupling"})
"""Whose errors count as those of the longer period."""


class Documents(Protocol):
    """Where analysis documents come from: the engine, or the API of a running server."""

    def __call__(self, environment: str | None, start_ns: int, end_ns: int) -> AnalysisDocument:
        """Everything concluded about one environment (None: the one with most spans) and half-open period."""
        ...


def document_of_week(documents: Documents, week: IsoWeek, environment: str | None) -> AnalysisDocument:
    """The document of one week, with the deployments of the 26 weeks that end with it.

    Args:
        documents: asked twice.
        week: the one to describe.
        environment: None for the one with most spans in the 26 weeks, so that a quiet week does not change it.
    """
    long = documents(environment, week.back(DEPLOYMENT_WEEKS - 1).start_ns, week.end_ns)
    short = documents(long["environment"] if environment is None else environment, week.start_ns, week.end_ns)
    findings = [
        *(finding for finding in short["findings"] if topic_of(finding["rule"]) not in LONG.values()),
        *(finding for finding in long["findings"] if topic_of(finding["rule"]) in LONG.values()),
    ]
    findings.sort(key=lambda finding: -Severity(finding["severity"]).rank)
    errors = {row["name"]: row["error"] for row in long["analyses"] if row["name"] in LONG_ANALYSES}
    composite: dict[str, Any] = {
        **short,
        **{part: given for part, given in long.items() if part in LONG},
        "findings": findings,
        "analyses": [{**row, "error": errors.get(row["name"], row["error"])} for row in short["analyses"]],
    }
    composite["groups"] = coupled_groups(composite)
    composite["verdict"] = verdict_of(composite)
    return cast("AnalysisDocument", rounded(composite))
