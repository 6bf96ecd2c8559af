"""Every analysis concludes from the same evidence; one that fails is named and does not stop the others.

Most look at facts alone. A few ask what the others found, such as which services are bound without calling each other:
they conclude last, and see the parts of the document that are there by then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tracelith.analysis.base import Analysis, Evidence
from tracelith.analysis.running.observing import describe_failure
from tracelith.model.findings import Finding

__all__ = ["Concluded", "conclude_all"]


@dataclass(frozen=True, slots=True)
class Concluded:
    """What all analyses said.

    Attributes:
        document: their top-level keys of the analysis document.
        findings: worst first, then in the order of the analyses: those that conclude after the others come last.
        failures: what went wrong, by analysis name.
    """

    document: Mapping[str, Any]
    findings: tuple[Finding, ...]
    failures: Mapping[str, str]


def conclude_all(analyses: Sequence[Analysis], evidence: Evidence, failures: Mapping[str, str]) -> Concluded:
    """Runs conclude of every analysis.

    Args:
        analyses: to run.
        evidence: one environment and period.
        failures: of the observation before, by analysis name; conclude adds its own.
    """
    document: dict[str, Any] = {}
    findings: list[Finding] = []
    failed = dict(failures)
    for last in (False, True):
        seen = replace(evidence, concluded=dict(document))
        for analysis in analyses:
            if analysis.after_others is not last:
                continue
            try:
                conclusion = analysis.conclude(seen)
            except MemoryError:
                raise
            except Exception as error:
                failed[analysis.name] = describe_failure(error)
                continue
            document |= conclusion.document
            findings.extend(conclusion.findings)
    findings.sort(key=lambda finding: -finding.severity.rank)
    return Concluded(document, tuple(findings), failed)
