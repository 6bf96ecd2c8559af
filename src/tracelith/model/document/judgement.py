"""What follows from all parts together: findings and the verdict."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

__all__ = ["FindingDocument", "VerdictDocument"]


class FindingDocument(TypedDict):
    """JSON form of tracelith.model.findings.Finding."""

    id: str
    rule: str
    severity: Literal["info", "warning", "critical"]
    subjects: list[str]
    title: str
    metric: dict[str, Any]
    evidence: dict[str, Any]
    advice: str
    first_seen: NotRequired[str]  # when a running server first made the claim; it may have gone and come back since


class VerdictDocument(TypedDict):
    """The score of metrics.md §15, or why there is none yet."""

    score: float | None
    ci_low: float | None
    ci_high: float | None
    coverage: float  # share of the score's weight that had evidence
    label: str
    sentence: str  # the answer in one plain sentence
    components: list[dict[str, Any]]  # [{name, family, value, weight, status}]
