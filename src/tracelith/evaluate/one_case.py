"""One case from its description to judged rows: simulate, observe, ask every method, compare with the truth."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import polars as pl

from tracelith.evaluate.baselines import METHODS
from tracelith.evaluate.claims import Case, Method, Truth
from tracelith.evaluate.flaws import defects_of
from tracelith.evaluate.judging import JUDGED, judge
from tracelith.evaluate.our_claims import TRACELITH
from tracelith.evaluate.pipeline import observe
from tracelith.evaluate.truth import truths_of
from tracelith.simulate import Simulation, simulate
from tracelith.simulate.defects import NO_DEFECTS
from tracelith.simulate.systems import draw_random

__all__ = ["ALL_METHODS", "UNTIL", "CaseResult", "evaluate_case", "simulation_of"]

ALL_METHODS: tuple[Method, ...] = (TRACELITH, *METHODS)
"""Ours first, then the baselines."""

UNTIL = datetime(2026, 11, 16, tzinfo=UTC)
"""Every case ends on this Monday: results must not depend on when they are computed."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A finished case. rows: of JUDGED; seconds: wall time; spans: simulated and observed."""

    case: Case
    rows: pl.DataFrame
    seconds: float
    spans: int


def evaluate_case(case: Case, methods: Sequence[Method] = ALL_METHODS) -> CaseResult:
    """The judged claims of all methods.

    Raises:
        AnalysisFailed: our own pipeline failed on it.
    """
    started = time.perf_counter()
    simulation = simulation_of(case)
    asked = [method for method in methods if set(method.detectors) & set(case.detectors)]
    evidence = observe(simulation, with_spans=any(method.needs_spans for method in asked))
    truths: list[Truth] = truths_of(case, simulation)
    parts = [judge(case, truths, method, method.judge(evidence)) for method in asked]
    rows = pl.concat(parts) if parts else pl.DataFrame(schema=JUDGED)
    return CaseResult(case, rows, round(time.perf_counter() - started, 3), evidence.document["quality"]["spans"])


def simulation_of(case: Case) -> Simulation:
    """The case's run, the same each time and on every machine.

    Raises:
        ConfigurationError: no such system.
    """
    trains = case.train_share
    system = case.system if trains is None else draw_random(case.system, case.seed, trains)
    run = partial(simulate, system, seed=case.seed, weeks=case.weeks, traces=case.traces, until=UNTIL)
    ideal = run()
    defects = defects_of(case, ideal.system)
    return ideal if defects == NO_DEFECTS else run(defects=defects)
