"""The document of an evaluation made by hand: two systems, two methods, four questions, and one condition varied."""

from dataclasses import replace
from typing import Any

from tracelith.evaluate.claims import Case, Claim, Method, Truth
from tracelith.evaluate.judging import judge
from tracelith.evaluate.one_case import CaseResult
from tracelith.evaluate.summary import summarise
from tracelith.evaluate.thresholds import Threshold

__all__ = ["BOUNDS", "evaluation", "results"]

QUESTIONS = ("codeployment-pair", "codeployment-rate", "depth-max", "alarm")
LOGIN = Case("login", 7, 26, 3_000, detectors=QUESTIONS[:3])
HEALTHY = Case("random-healthy", 8, 8, 2_000, healthy=True, detectors=("alarm", "codeployment-pair"))
CASES = (LOGIN, HEALTHY, *(replace(LOGIN, lost=share, varies="lost") for share in (0.0, 0.05, 0.2)))

BOUNDS = (
    Threshold("codeployment-pair", "recall", 0.5, None, 2, "asked of it"),
    Threshold("codeployment-pair", "precision", 0.4, None, 500, "of many pairs"),
    Threshold("depth-max", "exact", 1.0, None, 1, "asked of it"),
    Threshold("codeployment-rate", "coverage", 0.92, 0.98, 1, "of a 95 % interval", "interval"),
    Threshold("latency-p99", "coverage", 0.92, 0.98, 1, "of a 95 % interval", "interval"),
)


def evaluation(*, name: str = "auth", bounds: tuple[Threshold, ...] = BOUNDS, cases: int = 5) -> dict[str, Any]:
    """What summary.Summary says of it; ``name`` is a service that every subject is about."""
    summary = summarise(results(name, cases), set_name="by hand", seed=7, methods=(_OURS, _OTHER), thresholds=bounds)
    document = summary.document()
    for detector in document["detectors"]:  # their wording may change, the page's stays
        detector["question"] = f"What about {detector['name']}?"
    return document


def results(name: str = "auth", cases: int = 5) -> list[CaseResult]:
    """The finished cases of it."""
    return [_result(case, name) for case in CASES[:cases]]


def _silent(_evidence: object) -> list[Claim]:
    return []


_OURS = Method("tracelith", "Tracelith", "What it prints.", QUESTIONS, _silent)
_OTHER = Method("day-counter", "Days in common", "It counts days and knows no chance.", QUESTIONS[::3], _silent)


def _result(case: Case, name: str) -> CaseResult:
    pairs = [f"{name} + s{number:02d}" for number in range(8)]
    truths = [
        *(Truth("codeployment-pair", pair, positive=place < 4) for place, pair in enumerate(pairs)),
        *(Truth("codeployment-rate", pair, value=0.7) for pair in pairs[:4]),
        Truth("depth-max", f"{name} POST /login", value=4.0),
    ]
    ours = [
        *(Claim("codeployment-pair", pair, claimed=True) for pair in pairs[: 3 if case.lost < 0.1 else 1]),
        *(Claim("codeployment-rate", pair, estimate=0.6, low=0.5, high=0.8) for pair in pairs[:3]),
        Claim("codeployment-rate", pairs[3], estimate=0.9, low=0.8, high=0.95),
        Claim("depth-max", f"{name} POST /login", estimate=4.0 if case.lost < 0.1 else None),
        Claim("alarm", "system-lockstep", claimed=False),
    ]
    other = [
        *(Claim("codeployment-pair", pair, claimed=True) for pair in pairs[:6]),
        Claim("alarm", "day-counter", claimed=True),
    ]
    if case.healthy:
        truths = []
    rows = [judge(case, truths, _OURS, ours), judge(case, truths, _OTHER, other)]
    return CaseResult(case, rows[0].vstack(rows[1]), seconds=2.5, spans=12_345)
