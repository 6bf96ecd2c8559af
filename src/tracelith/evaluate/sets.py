"""Which systems are evaluated under which conditions, as data: a quick set for every change, a full one for hours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tracelith.evaluate.claims import Case
from tracelith.evaluate.detectors import Topic, detector, of_topics
from tracelith.evaluate.flaws import FLAWS
from tracelith.evaluate.thresholds import FULL, QUICK, Threshold
from tracelith.model.errors import InputError
from tracelith.simulate import SYSTEMS

__all__ = ["HEALTHY_STORIES", "SETS", "TROUBLED_STORIES", "CaseSet", "SetName", "cases_of"]

SetName = Literal["quick", "full"]

REQUESTS = of_topics("requests", "calls")
DEPLOYMENTS = of_topics("deployments")
SYMPTOMS = of_topics("data", "failures", "queues", "structure", "coupling")
CALM = ("deep-chain", "depth-p50", "depth-p95", "depth-max", *of_topics("calls"))
"""What cases are there for. Scaling needs more traffic than stories of half a year have."""

HEALTHY_STORIES = frozenset(("healthy", "train", "trading", "modular", "gateway"))
"""Named systems with nothing to warn about, but that ``train`` is released together."""

TROUBLED_STORIES = frozenset(("login", "kafka", "payment", "fifty"))
"""Named systems with something to find. Every story is in one of the two, lest a new one be judged by oversight."""

TRAIN_SHARES = (0.0, 0.3, 0.7)
"""Of the deployments that wait for a train: none, some, and more than most teams would admit."""


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


_TANGLED = (2, 3, 5, 6, 10)
"""Of the first systems of seed 1, small ones in which much is planted: looked up in their truths before any was run."""

_FAILING = (13, 20, 24, 46, 49, 70)
"""Likewise, with services that fail together and some storms of retries, which few systems have."""


def _quick(seed: int) -> list[Case]:
    first = seed * 1_000  # of one seed all systems are others than of another
    return [
        *_stories(seed, traces=4_000),
        *_runtime("random-tail", range(first, first + 5), traces=16_000),
        *_runtime("random-depth", range(first, first + 3), traces=3_000),
        *_releases(range(first, first + 4)),
        *_symptoms("random-tangled", _TANGLED, "data", "queues", "structure", "calls", first=first, traces=8_000),
        *_symptoms("random-failures", _FAILING, "failures", first=first, traces=14_000),
        *_symptoms("random-scaling", range(2), "scaling", first=first, traces=20_000),
        *_symptoms("random-coupled", range(3), "coupling", first=first, traces=6_000, weeks=26),
        *_healthy(range(first, first + 4), traces=2_000),
    ]


def _full(seed: int) -> list[Case]:
    first = seed * 1_000_000
    few = range(first + 10_000, first + 10_020)
    return _interleaved(
        [case for number in range(3) for case in _stories(first + number, traces=20_000)],
        _runtime("random-tail", range(first, first + 80), traces=16_000),
        _runtime("random-depth", range(first, first + 60), traces=6_000),
        _runtime("random-coupled", range(first, first + 20), traces=16_000),
        _releases(range(first, first + 40)),
        _symptoms("random-data", range(first, first + 40), "data", traces=16_000),
        _symptoms("random-failures", range(first, first + 40), "failures", traces=24_000),
        _symptoms("random-queues", range(first, first + 40), "queues", "requests", "calls", traces=16_000),
        _symptoms("random-structure", range(first, first + 40), "structure", traces=12_000),
        _symptoms("random-scaling", range(first, first + 20), "scaling", traces=40_000, weeks=2),
        _symptoms("random-coupled", range(first, first + 30), "coupling", "data", traces=12_000, weeks=26),
        _healthy(range(first, first + 100), traces=6_000),
        _varied(few, "sampling", (1.0, 0.1, 0.01), traces=60_000),
        _varied(few, "lost", (0.0, 0.01, 0.05, 0.2), traces=12_000),
        _varied(few, "skew_ms", (0.0, 2.0, 10.0, 50.0), traces=12_000),
        _shorter(few, weeks=(4, 8, 26)),
        _flawed("random-queues", few[:8], "queues", "requests", "calls", traces=12_000),
        _flawed("random-failures", few[:8], "failures", traces=16_000),
        _flawed("random-structure", few[:8], "structure", "calls", traces=8_000),
        _flawed("random-data", few[:8], "data", traces=8_000),
    )


def _interleaved(*kinds: Sequence[Case]) -> list[Case]:
    """Every kind evenly spread over the whole, so that what is finished early already speaks of all of them."""
    placed = [
        ((at + 0.5) / len(kind), number, case) for number, kind in enumerate(kinds) for at, case in enumerate(kind)
    ]
    return [case for _, _, case in sorted(placed, key=lambda one: one[:2])]


def _stories(seed: int, *, traces: int) -> list[Case]:
    """Every named system, for half a year."""
    detectors = (*REQUESTS, *DEPLOYMENTS, *SYMPTOMS)
    return [
        Case(
            name,
            seed,
            26,
            traces,
            healthy=name in HEALTHY_STORIES,
            detectors=(*detectors, "alarm") if name in HEALTHY_STORIES else detectors,
        )
        for name in SYSTEMS
    ]


def _runtime(system: str, seeds: range, *, traces: int) -> list[Case]:
    """Random systems observed for a week: how requests run does not depend on the calendar beyond that."""
    return [Case(system, seed, 1, traces, detectors=REQUESTS) for seed in seeds]


def _symptoms(
    system: str, seeds: Sequence[int], *topics: Topic, traces: int, weeks: int = 1, first: int = 0
) -> list[Case]:
    """Random systems with planted symptoms; a week has every hour that most of them need, deployments take months.

    Args:
        seeds: counted from the first.
    """
    return [Case(system, first + seed, weeks, traces, detectors=of_topics(*topics)) for seed in seeds]


def _releases(seeds: range) -> list[Case]:
    """Half a year of deployments with and without a train; traces only show that the system lives."""
    return [
        Case("random-codeployment", seed, 26, 400, train_share=share, detectors=DEPLOYMENTS)
        for seed in seeds
        for share in TRAIN_SHARES
    ]


def _healthy(seeds: range, *, traces: int) -> list[Case]:
    detectors = (*CALM, *DEPLOYMENTS, *SYMPTOMS, "alarm")
    return [Case("random-healthy", seed, 12, traces, healthy=True, detectors=detectors) for seed in seeds]


def _varied(
    seeds: range, condition: Literal["sampling", "lost", "skew_ms"], values: Sequence[float], *, traces: int
) -> list[Case]:
    """The same systems under several values of one condition, the ordinary value among them."""
    cases = (Case("random-tail", seed, 1, traces, detectors=REQUESTS, varies=condition) for seed in seeds)
    return [_under(case, condition, value) for case in cases for value in values]


def _flawed(system: str, seeds: range, *topics: Topic, traces: int) -> list[Case]:
    """The same systems without and with each flaw of what is observed."""
    return [
        Case(system, seed, 1, traces, flaw=flaw, detectors=of_topics(*topics), varies="flaw")
        for seed in seeds
        for flaw in ("", *FLAWS)
    ]


def _under(case: Case, condition: str, value: float) -> Case:
    if condition == "sampling":
        return replace(case, sampling=value)
    return replace(case, lost=value) if condition == "lost" else replace(case, skew_ms=value)


def _shorter(seeds: range, *, weeks: Sequence[int]) -> list[Case]:
    return [
        Case("random-codeployment", seed, period, 400, train_share=share, detectors=DEPLOYMENTS, varies="weeks")
        for seed in seeds
        for share in (0.0, 0.7)
        for period in weeks
    ]


SETS = {
    "quick": CaseSet("quick", _quick, QUICK),
    "full": CaseSet("full", _full, FULL),
}
"""By name."""
