"""What an evaluation must show, as data: below these figures it fails, and says which one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from tracelith.evaluate.scoring import Rate, score

__all__ = ["FULL", "QUICK", "Outcome", "Threshold", "check"]

Measure = Literal["answered", "precision", "recall", "false_alarms", "alarmed", "coverage", "exact"]

_ROUNDING = 1e-12

FEW = 10
"""From so many subjects on nothing is spared: one of them is no more than a tenth (own)."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """One bound on one of our own figures.

    Attributes:
        least, most: the share must lie between them; None is no bound.
        spared: so many subjects may be wrong beside those that the bound allows, where there are fewer than FEW of
            them: of nine, .9 would allow none.
        decided_by: ``value`` compares the share itself; ``interval`` fails only where the whole 95 % interval lies
            beyond the bound, for figures of few subjects.
        subjects: with fewer the figure is not judged, and that too is a failure: a bound that nothing reaches tests
            nothing.
        reason: where the bound comes from.
        systems: only cases of these count; all if empty. train_share: only cases with this share; None for all.
    """

    detector: str
    measure: Measure
    least: float | None
    most: float | None
    subjects: int
    reason: str
    decided_by: Literal["value", "interval"] = "value"
    systems: tuple[str, ...] = ()
    train_share: float | None = None
    spared: int = 0

    def allows(self, low: float, high: float) -> bool:
        """Whether any figure between the two is within the bounds."""
        enough = self.least is None or high >= self.least - _ROUNDING
        return enough and (self.most is None or low <= self.most + _ROUNDING)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A threshold and what was measured."""

    threshold: Threshold
    rate: Rate | None
    met: bool

    @property
    def settled(self) -> bool:
        """Whether the figure itself is within the bounds, and not only an end of its interval."""
        rate = self.rate
        return rate is not None and rate.value is not None and self.threshold.allows(rate.value, rate.value)

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        one, rate = self.threshold, self.rate
        return {
            "detector": one.detector,
            "measure": one.measure,
            "systems": list(one.systems),
            "train_share": one.train_share,
            "least": one.least,
            "most": one.most,
            "reason": one.reason,
            "decided_by": one.decided_by,
            "spared": one.spared,
            "value": rate.value if rate else None,
            "low": rate.low if rate else None,
            "high": rate.high if rate else None,
            "n": rate.n if rate else 0,
            "met": self.met,
        }


def check(judged: pl.DataFrame, thresholds: Sequence[Threshold], method: str = "tracelith") -> list[Outcome]:
    """The outcome of every threshold, on rows of JUDGED of one method under ordinary conditions."""
    ours = judged.filter(pl.col("method") == method, pl.col("varies") == "")
    return [_outcome(one, ours) for one in thresholds]


def _outcome(threshold: Threshold, ours: pl.DataFrame) -> Outcome:
    of_these = pl.col("system").is_in(threshold.systems) if threshold.systems else pl.lit(value=True)
    if threshold.train_share is not None:
        of_these &= pl.col("train_share") == threshold.train_share
    rows = ours.filter(pl.col("detector") == threshold.detector, of_these)
    rate: Rate | None = getattr(score(rows, "", threshold.detector), threshold.measure) if len(rows) else None
    if rate is None or rate.value is None or rate.n < threshold.subjects:
        return Outcome(threshold, rate, met=False)
    return Outcome(threshold, rate, met=threshold.allows(*_decisive(threshold, rate, rate.value)))


def _decisive(threshold: Threshold, rate: Rate, value: float) -> tuple[float, float]:
    """The lowest and highest figure in favour of which a measured one is read."""
    if threshold.decided_by == "interval":
        return rate.low, rate.high
    spared = threshold.spared / rate.n if rate.n < FEW else 0.0
    return max(value - spared, 0.0), min(value + spared, 1.0)


_ISSUE = "asked of the headline analyses"
_NOMINAL = "a 95 % interval should cover 92 to 98 %"
_BUCKETS = "nominal, or more: a bound is known no better than its bucket, which is 2 % wide"
_BOUNDED = "nominal, or more: bounds are drawn conservatively where little fails"
_RELEASES = ("random-codeployment",)
"""Half a year each, with no, some and most deployments on a train."""
_TAILS = ("random-tail", "random-coupled")
"""Stories have incidents that happen once."""

_PLANTED: Mapping[str, str] = {
    "foreign-use": "random-data",
    "foreign-write": "random-data",
    "foreign-read": "random-data",
    "foreign-join": "random-data",
    "lock-contention": "random-data",
    "hard-dependency": "random-failures",
    "failure-cascade": "random-failures",
    "failing-together": "random-failures",
    "retry-storm": "random-failures",
    "missing-timeout": "random-failures",
    "sync-over-async": "random-queues",
    "group-stall": "random-queues",
    "shared-group": "random-queues",
    "pass-through": "random-structure",
    "chatty": "random-structure",
    "call-cycle": "random-structure",
    "hub-service": "random-structure",
    "mega-service": "random-structure",
    "nano-service": "random-structure",
    "same-axis": "random-scaling",
    "own-axis": "random-scaling",
    "hidden-coupling": "random-coupled",
}
"""Symptoms, and the random systems in which they are planted."""


_MERGED = frozenset(("random-data", "random-queues", "random-structure"))

_TANGLED = {name: "random-tangled" for name, system in _PLANTED.items() if system in _MERGED}
"""Where the quick set asks for them: a few systems with several symptoms each take a fraction of the time."""


def _of_symptoms(planted: Mapping[str, str], fewest: int, spared: int = 0) -> Iterator[Threshold]:
    """What is asked of every symptom. fewest: subjects that claims and planted cases must be."""
    for name, system in planted.items():
        for measure in ("precision", "recall"):
            yield Threshold(name, measure, 0.9, None, fewest, _ISSUE, systems=(system,), spared=spared)


FULL = (
    Threshold("depth-p50", "exact", 1.0, None, 50, _ISSUE),
    Threshold("depth-p95", "exact", 1.0, None, 50, _ISSUE),
    Threshold("depth-p95", "answered", 0.8, None, 50, "silence is no answer"),
    Threshold("edge", "precision", 1.0, None, 100, _ISSUE),
    Threshold("edge", "recall", 0.99, None, 100, "rare calls may not have happened"),
    Threshold("sync-edge", "precision", 0.99, None, 100, _ISSUE),
    Threshold("tail-hop", "recall", 0.95, None, 50, _ISSUE, systems=_TAILS),
    Threshold("tail-finding", "recall", 0.9, None, 30, _ISSUE),
    Threshold("tail-finding", "precision", 0.9, None, 30, _ISSUE),
    Threshold("tail-excess", "coverage", 0.92, 0.98, 100, _NOMINAL, "interval"),
    Threshold("tail-share", "coverage", 0.92, 0.98, 100, _NOMINAL, "interval"),
    Threshold("latency-p50", "coverage", 0.92, None, 100, _BUCKETS, "interval"),
    Threshold("latency-p95", "coverage", 0.92, None, 100, _BUCKETS, "interval"),
    Threshold("latency-p99", "coverage", 0.92, None, 100, _BUCKETS, "interval"),
    Threshold("codeployment-pair", "precision", 0.9, None, 50, _ISSUE, systems=_RELEASES),
    Threshold("codeployment-pair", "recall", 0.9, None, 50, _ISSUE, systems=_RELEASES),
    *(
        Threshold("codeployment-pair", "recall", 0.9, None, 30, _ISSUE, "interval", _RELEASES, at)
        for at in (0, 0.3, 0.7)
    ),
    Threshold("codeployment-excess", "coverage", 0.92, 0.98, 100, _NOMINAL, "interval"),
    Threshold("solo-rate", "coverage", 0.92, 0.98, 50, _NOMINAL, "interval"),
    Threshold("lockstep-excess", "coverage", 0.92, 0.98, 50, _NOMINAL, "interval"),
    *_of_symptoms(_PLANTED, fewest=20),
    Threshold("foreign-write-share", "coverage", 0.92, None, 10, _NOMINAL, "interval"),
    Threshold("propagation-power", "coverage", 0.92, None, 30, _BOUNDED, "interval"),
    Threshold("availability", "coverage", 0.92, None, 100, _NOMINAL, "interval"),
    Threshold("hidden-errors", "coverage", 0.92, None, 100, _NOMINAL, "interval"),
    Threshold("blast-radius", "coverage", 0.92, None, 100, _BOUNDED, "interval"),
    Threshold("lag-p50", "coverage", 0.92, None, 50, _BUCKETS, "interval"),
    Threshold("lag-p95", "coverage", 0.92, None, 50, _BUCKETS, "interval"),
    Threshold("alarm", "false_alarms", None, 0.05, 100, "no rule accuses healthy systems", "interval"),
    Threshold("alarm", "alarmed", None, 0.05, 50, "healthy systems are not accused of anything", "interval"),
)
"""Of the full set."""

_ASKED_AT_ONCE = {name: system for name, system in {**_PLANTED, **_TANGLED}.items() if name != "retry-storm"}
"""Storms of retries are left to the full set: the systems that are asked about failures here hold three of them."""

QUICK = (
    Threshold("deep-chain", "precision", 1.0, None, 8, _ISSUE),
    Threshold("depth-p50", "exact", 1.0, None, 20, _ISSUE),
    Threshold("depth-p95", "exact", 1.0, None, 20, _ISSUE),
    Threshold("depth-p95", "answered", 0.8, None, 20, "silence is no answer"),
    Threshold("edge", "precision", 1.0, None, 100, _ISSUE),
    Threshold("edge", "recall", 0.95, None, 100, "rare calls may not have happened"),
    Threshold("sync-edge", "precision", 0.99, None, 100, _ISSUE),
    Threshold("tail-hop", "recall", 0.95, None, 5, _ISSUE, systems=_TAILS),
    Threshold("tail-finding", "recall", 0.9, None, 3, _ISSUE, "interval"),
    Threshold("tail-finding", "precision", 0.9, None, 3, _ISSUE, "interval"),
    Threshold("tail-share", "coverage", 0.92, 0.98, 40, _NOMINAL, "interval"),
    Threshold("latency-p95", "coverage", 0.92, None, 20, _NOMINAL, "interval"),
    Threshold("codeployment-pair", "precision", 0.9, None, 20, _ISSUE, systems=_RELEASES),
    Threshold("codeployment-pair", "recall", 0.9, None, 20, _ISSUE, "interval", _RELEASES),
    Threshold("codeployment-excess", "coverage", 0.92, None, 100, _NOMINAL, "interval"),
    *_of_symptoms(_ASKED_AT_ONCE, fewest=3, spared=1),
    Threshold("propagation-power", "coverage", 0.92, None, 5, _BOUNDED, "interval"),
    Threshold("alarm", "alarmed", None, 0.05, 8, "healthy systems are not accused of anything"),
)
"""Of the quick set: the same systems each time, so any change of these figures is a change of ours."""
