"""The result of an evaluation as one JSON document, schema ``tracelith.evaluation/1``.

Keys are promises: within a major version fields are added, never renamed or removed.

    schema, version (of Tracelith), set, seed
    cases       {done, seconds, spans}
    systems     [{system, healthy, cases, seeds, weeks, traces}] in order of name; weeks and traces as [least, most]
    methods     [{name, title, explanation}]
    detectors   [{name, question, subject, kind, unit, topic}] topic: title of the table it belongs to
    scores      [Score] of cases under ordinary conditions
    degradation [{condition, at, ...Score}] of the same systems under several values of one condition
    flaws       [{flaw, ...Score}] of the same systems without any flaw, and with each
    misses      [{case, system, seed, weeks, traces, train_share, method, detector, subject, claimed, positive,
                estimate, low, high, value}] what our own pipeline got wrong, then what it said nothing of, at most
                MOST_MISSES of each detector
    thresholds  [Outcome]; met: all of them are
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import polars as pl

import tracelith
from tracelith.evaluate.claims import Method
from tracelith.evaluate.detectors import DETECTORS, TOPICS
from tracelith.evaluate.flaws import FLAWS
from tracelith.evaluate.one_case import CaseResult
from tracelith.evaluate.scoring import COVERED, Score, score_all
from tracelith.evaluate.thresholds import Outcome, Threshold, check

__all__ = ["CONDITIONS", "MOST_MISSES", "SCHEMA", "Degraded", "Flawed", "Summary", "summarise"]

SCHEMA = "tracelith.evaluation/1"

CONDITIONS = ("sampling", "lost", "skew_ms", "weeks", "train_share")
"""Fields of a case by which results are also told apart."""

MOST_MISSES = 40


@dataclass(frozen=True, slots=True)
class Degraded:
    """The score under one value of one condition."""

    condition: str
    at: float
    score: Score


@dataclass(frozen=True, slots=True)
class Flawed:
    """The score with one flaw of what is observed; without any if it is empty."""

    flaw: str
    score: Score


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything measured; see the module for its JSON form.

    Attributes:
        judged: all rows of JUDGED.
    """

    set_name: str
    seed: int
    results: tuple[CaseResult, ...]
    methods: tuple[Method, ...]
    judged: pl.DataFrame
    scores: tuple[Score, ...]
    degradation: tuple[Degraded, ...]
    flaws: tuple[Flawed, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def met(self) -> bool:
        """Whether every threshold is met."""
        return all(outcome.met for outcome in self.outcomes)

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        asked = set(self.judged["detector"].unique())
        return {
            "schema": SCHEMA,
            "version": tracelith.__version__,
            "set": self.set_name,
            "seed": self.seed,
            "cases": {
                "done": len(self.results),
                "seconds": round(sum(result.seconds for result in self.results), 1),
                "spans": sum(result.spans for result in self.results),
            },
            "systems": _systems(self.results),
            "methods": [{"name": one.name, "title": one.title, "explanation": one.explanation} for one in self.methods],
            "detectors": [
                {
                    "name": one.name,
                    "question": one.question,
                    "subject": one.subject,
                    "kind": one.kind,
                    "unit": one.unit,
                    "relative": one.relative,
                    "topic": TOPICS[one.topic],
                }
                for one in DETECTORS
                if one.name in asked
            ],
            "scores": [one.document() for one in self.scores],
            "degradation": [
                {"condition": one.condition, "at": one.at, **one.score.document()} for one in self.degradation
            ],
            "flaws": [{"flaw": one.flaw, **one.score.document()} for one in self.flaws],
            "misses": _misses(self.judged).to_dicts(),
            "thresholds": [one.document() for one in self.outcomes],
            "met": self.met,
        }


def summarise(
    results: Sequence[CaseResult],
    *,
    set_name: str,
    seed: int,
    methods: Sequence[Method],
    thresholds: Sequence[Threshold],
) -> Summary:
    """Scores, degradation and thresholds of these results."""
    places = {one.name: place for place, one in enumerate(methods)}
    order = {one.name: place for place, one in enumerate(DETECTORS)}
    judged = pl.concat([result.rows for result in results]).sort(
        pl.col("detector").replace_strict(order, default=len(order)),
        pl.col("method").replace_strict(places, default=len(places)),
        "case",
        "subject",
    )
    scores = score_all(judged.filter(pl.col("varies") == ""))
    return Summary(
        set_name,
        seed,
        tuple(results),
        tuple(methods),
        judged,
        tuple(scores),
        tuple(_degradation(judged)),
        tuple(_flawed(judged)),
        tuple(check(judged, thresholds)),
    )


def _systems(results: Sequence[CaseResult]) -> list[dict[str, Any]]:
    """What was run, by system."""
    cases = sorted((result.case for result in results), key=lambda case: (case.system, case.healthy))
    found = []
    for (system, healthy), group in groupby(cases, key=lambda case: (case.system, case.healthy)):
        members = list(group)
        weeks, traces = [case.weeks for case in members], [case.traces for case in members]
        found.append(
            {
                "system": system,
                "healthy": healthy,
                "cases": len(members),
                "seeds": len({case.seed for case in members}),
                "weeks": [min(weeks), max(weeks)],
                "traces": [min(traces), max(traces)],
            }
        )
    return found


def _degradation(judged: pl.DataFrame) -> list[Degraded]:
    """Scores by condition."""
    found = []
    for condition in CONDITIONS:
        rows = _comparable(judged, condition)
        for (at,), part in sorted(rows.partition_by(condition, as_dict=True, maintain_order=True).items()):
            found += [Degraded(condition, float(at), one) for one in score_all(part)]
    return found


def _flawed(judged: pl.DataFrame) -> list[Flawed]:
    """Scores by flaw, without any first."""
    parts = judged.filter(pl.col("varies") == "flaw").partition_by("flaw", as_dict=True, maintain_order=True)
    order = ["", *FLAWS]
    return [
        Flawed(str(flaw), one)
        for (flaw,), part in sorted(parts.items(), key=lambda item: order.index(str(item[0][0])))
        for one in score_all(part)
    ]


def _comparable(judged: pl.DataFrame, condition: str) -> pl.DataFrame:
    """Cases that differ by the condition only."""
    if condition == "train_share":  # how a system is released, and no defect of what is observed: all are ordinary
        return judged.filter(pl.col("varies") == "", pl.col(condition).is_not_null())
    return judged.filter(pl.col("varies") == condition)


def _misses(judged: pl.DataFrame) -> pl.DataFrame:
    """What our own pipeline got wrong under ordinary conditions, or did not say."""
    exact = [one.name for one in DETECTORS if one.exact]
    wrong_claim = pl.col("positive").is_not_null() & pl.col("claimed").ne_missing(pl.col("positive"))
    inexact = pl.col("detector").is_in(exact) & (pl.col("estimate") != pl.col("value"))
    wrong = judged.filter(
        pl.col("method") == "tracelith",
        pl.col("varies") == "",
        wrong_claim | (~COVERED | inexact).fill_null(value=False),
    )
    columns = [
        "case",
        "system",
        "seed",
        "weeks",
        "traces",
        "train_share",
        "method",
        "detector",
        "subject",
        "claimed",
        "positive",
    ]
    silent = pl.col("positive").is_not_null() & pl.col("claimed").is_null()
    errors_first = pl.concat([wrong.filter(~silent), wrong.filter(silent)])
    chosen = errors_first.group_by("detector", maintain_order=True).head(MOST_MISSES)
    return chosen.select(*columns, "estimate", "low", "high", "value")
