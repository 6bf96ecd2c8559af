"""What an analysis concludes: estimates with intervals, and findings a person can act on."""

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any

__all__ = ["Estimate", "Finding", "Severity", "State", "finding_id"]


class State(StrEnum):
    """Whether a number may be read. Missing evidence never reads as healthy."""

    OK = "ok"
    INSUFFICIENT_DATA = "insufficient_data"
    NOT_IDENTIFIABLE = "not_identifiable"


class Severity(StrEnum):
    """How much a finding matters; ``analyze --fail-on`` compares them."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number that says how sure it is.

    Attributes:
        value: the point estimate, None unless it may be shown.
        low, high: 95 % interval, None where there is none.
        n: observations behind it. n_eff: the same after weighting (Kish).
        state: ok, or why there is no number.
        reason: one sentence, when state is not ok: what is missing and how to get it.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    n_eff: float = 0.0
    state: State = State.OK
    reason: str = ""

    def document(self) -> dict[str, Any]:
        """The JSON form: {value, ci: [low, high] | null, n, n_eff, status, reason}."""
        return {
            "value": self.value,
            "ci": None if self.low is None or self.high is None else [self.low, self.high],
            "n": self.n,
            "n_eff": round(self.n_eff, 3),
            "status": str(self.state),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim with its number, its evidence and what to do.

    Attributes:
        rule: stable identifier of the kind of claim, e.g. ``deep-synchronous-chain``.
        subjects: what it is about, most important first: services, or ``service operation``.
        title: the claim as one sentence with its number.
        metric: {name, value, ci, unit, n, reading}: the number, and how to read it.
        evidence: {trace_ids: up to three hex ids, ...}: where to look.
        advice: what to do about it, one or two sentences.
    """

    rule: str
    severity: Severity
    subjects: tuple[str, ...]
    title: str
    metric: dict[str, Any]
    advice: str
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Stable across runs: the same rule on the same subjects is the same finding."""
        return finding_id(self.rule, self.subjects)

    def document(self) -> dict[str, Any]:
        """The JSON form of the finding."""
        return {
            "id": self.id,
            "rule": self.rule,
            "severity": str(self.severity),
            "subjects": list(self.subjects),
            "title": self.title,
            "metric": self.metric,
            "evidence": self.evidence,
            "advice": self.advice,
        }


def finding_id(rule: str, subjects: tuple[str, ...]) -> str:
    """Twelve hex digits that name a rule applied to these subjects, whatever the numbers are."""
    return blake2b("\x1f".join((rule, *subjects)).encode(), digest_size=6).hexdigest()
