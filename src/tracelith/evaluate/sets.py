"""Which systems are evaluated under which conditions, as data: a quick set for every change, a full one for hours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tracelith.evaluate.claims import Case
from tracelith.evaluate.detectors import detector
from tracelith.evaluate.thresholds import FULL, QUICK, Threshold
from tracelith.model.errors import InputError

__all__ = ["SETS", "CaseSet", "SetName", "cases_of"]

SetName = Literal["quick", "full"]

CALLS = ("edge", "sync-edge", "awaited-share")
DEPTHS = ("deep-chain", "depth-p50", "depth-p95", "depth-max")
LATENCIES = ("latency-p50", "latency-p95", "latency-p99")
TAILS = ("tail-hop", "tail-share", "tail-excess")
DEPLOYMENTS = (
    "codeployment-pair",
    "codeployment-rate",
    "codeployment-excess",
    "lockstep",
    "solo-rate",
    "lockstep-excess",
)
"""What cases are there for; see detectors.DETECTORS."""


@dataclass(frozen=True, slots=True)
class CaseSet:
    """Cases with what they must show. cases: of a first seed, so that another one draws other systems."""

    name: SetName
    cases: Callable[[int], Sequence[Case]]
    thresholds: tuple[Threshold, ...]


def cases_of(name: SetName, *, seed: int, only: Sequence[str] = ()) -> tuple[tuple[Case, ...], tuple[Threshold, ...]]:
    """The cases of a set and what they must show; with ``only`` just what these detectors need.

    Raises:
        InputError: no such detector.
    """
    for one in only:
        try:
            detector(one)
        except KeyError:
            raise InputError(f"--only {one}: no such detector") from None
    chosen = SETS[name]
    cases = tuple(chosen.cases(seed))
    if not only:
        return cases, chosen.thresholds
    wanted = set(only)
    kept = [replace(case, detectors=tuple(one for one in case.detectors if one in wanted)) for case in cases]
    return (
        tuple(case for case in kept if case.detectors),
        tuple(one for one in chosen.thresholds if one.detector in wanted),
    )


def _quick(seed: int) -> list[Case]:
    return [
        Case("login", seed, 8, 6_000, detectors=(*CALLS, *DEPTHS, *DEPLOYMENTS)),
        Case("healthy", seed, 8, 6_000, healthy=True, detectors=(*CALLS, *DEPTHS, "alarm")),
    ]


SETS = {
    "quick": CaseSet("quick", _quick, QUICK),
    "full": CaseSet("full", _quick, FULL),
}
"""By name."""
