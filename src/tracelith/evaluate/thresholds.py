"""What an evaluation must show, as data: below these figures it fails, and says which one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tracelith.evaluate.scoring import Rate, Score

__all__ = ["FULL", "QUICK", "Outcome", "Threshold", "check"]

Measure = Literal["answered", "precision", "recall", "false_alarms", "coverage", "exact"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One bound on one of our own figures.

    Attributes:
        least, most: the share must lie between them; None is no bound.
        decided_by: ``value`` compares the share itself; ``interval`` fails only where the whole 95 % interval lies
            beyond the bound, for figures of few subjects.
        subjects: with fewer the figure is not judged, and that too is a failure: a bound that nothing reaches tests
            nothing.
        reason: where the bound comes from.
    """

    detector: str
    measure: Measure
    least: float | None
    most: float | None
    subjects: int
    reason: str
    decided_by: Literal["value", "interval"] = "value"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A threshold and what was measured."""

    threshold: Threshold
    rate: Rate | None
    met: bool

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        one, rate = self.threshold, self.rate
        return {
            "detector": one.detector,
            "measure": one.measure,
            "least": one.least,
            "most": one.most,
            "reason": one.reason,
            "decided_by": one.decided_by,
            "value": rate.value if rate else None,
            "low": rate.low if rate else None,
            "high": rate.high if rate else None,
            "n": rate.n if rate else 0,
            "met": self.met,
        }


def check(scores: Sequence[Score], thresholds: Sequence[Threshold], method: str = "tracelith") -> list[Outcome]:
    """The outcome of every threshold whose detector was asked for."""
    of_method = {one.detector: one for one in scores if one.method == method}
    return [_outcome(one, of_method.get(one.detector)) for one in thresholds]


def _outcome(threshold: Threshold, score: Score | None) -> Outcome:
    rate: Rate | None = getattr(score, threshold.measure) if score else None
    if rate is None or rate.value is None or rate.n < threshold.subjects:
        return Outcome(threshold, rate, met=False)
    low, high = (rate.value, rate.value) if threshold.decided_by == "value" else (rate.high, rate.low)
    enough = threshold.least is None or low >= threshold.least - 1e-12
    below = threshold.most is None or high <= threshold.most + 1e-12
    return Outcome(threshold, rate, met=enough and below)


_ISSUE = "asked of the headline analyses"
_NOMINAL = "a 95 % interval should cover 92 to 98 %"

FULL = (
    Threshold("depth-p50", "exact", 1.0, None, 50, _ISSUE),
    Threshold("depth-p95", "exact", 1.0, None, 50, _ISSUE),
    Threshold("edge", "precision", 1.0, None, 100, _ISSUE),
    Threshold("edge", "recall", 0.99, None, 100, "rare calls may not have happened"),
    Threshold("sync-edge", "precision", 0.99, None, 100, _ISSUE),
    Threshold("tail-hop", "recall", 0.95, None, 50, _ISSUE),
    Threshold("tail-share", "coverage", 0.92, 0.98, 100, _NOMINAL, "interval"),
    Threshold("latency-p50", "coverage", 0.92, 0.98, 100, _NOMINAL, "interval"),
    Threshold("latency-p95", "coverage", 0.92, 0.98, 100, _NOMINAL, "interval"),
    Threshold("latency-p99", "coverage", 0.92, 0.98, 100, _NOMINAL, "interval"),
    Threshold("codeployment-pair", "precision", 0.9, None, 50, _ISSUE),
    Threshold("codeployment-pair", "recall", 0.9, None, 50, _ISSUE),
    Threshold("codeployment-excess", "coverage", 0.92, 0.98, 100, _NOMINAL, "interval"),
    Threshold("solo-rate", "coverage", 0.92, 0.98, 50, _NOMINAL, "interval"),
    Threshold("lockstep-excess", "coverage", 0.92, 0.98, 50, _NOMINAL, "interval"),
    Threshold("alarm", "false_alarms", None, 0.05, 100, "healthy systems are not accused", "interval"),
)
"""Of the full set."""

QUICK = (
    Threshold("depth-max", "exact", 1.0, None, 4, _ISSUE),
    Threshold("edge", "precision", 1.0, None, 4, _ISSUE),
    Threshold("codeployment-pair", "precision", 0.9, None, 4, _ISSUE),
    Threshold("codeployment-pair", "recall", 0.9, None, 4, _ISSUE),
)
"""Of the quick set: the same cases each time, so any change of these figures is a change of ours."""
