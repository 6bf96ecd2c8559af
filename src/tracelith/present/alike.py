"""Findings of one rule together: the worst in full, the others a line each, lest one symptom fill a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracelith.model.document import FindingDocument
from tracelith.present import text

__all__ = ["Alike", "alike", "brief_line"]

TOLD_IN_FULL = 2
"""Of each rule: the third says the same again about other services, with the same advice."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Findings of one rule, worst first: those told in full, and those told in a line."""

    full: tuple[FindingDocument, ...]
    brief: tuple[FindingDocument, ...]

    @property
    def more(self) -> str:
        """``3 more of this kind``."""
        return f"{len(self.brief)} more of this kind"


def alike(findings: Sequence[FindingDocument]) -> list[Alike]:
    """Findings by rule, in the order in which the rules come first; a single one left over is told in full, too."""
    by_rule: dict[str, list[FindingDocument]] = {}
    for finding in findings:
        by_rule.setdefault(finding["rule"], []).append(finding)
    cuts = ((group, len(group) if len(group) == TOLD_IN_FULL + 1 else TOLD_IN_FULL) for group in by_rule.values())
    return [Alike(tuple(group[:cut]), tuple(group[cut:])) for group, cut in cuts]


def brief_line(finding: FindingDocument) -> str:
    """Title and number in one line."""
    number = text.metric(finding["metric"])
    return f"{text.printable(finding['title'])} {number}".rstrip()
