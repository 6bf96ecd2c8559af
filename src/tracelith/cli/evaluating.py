"""``tracelith evaluate``: how right every analysis is, on systems with planted truth, beside what others would say."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from tracelith.cli.interrupts import ended_by_sigterm
from tracelith.cli.options import Format
from tracelith.cli.progress import bar
from tracelith.evaluate.detectors import TOPICS, detector
from tracelith.evaluate.one_case import ALL_METHODS
from tracelith.evaluate.page import render_page
from tracelith.evaluate.running import run_cases
from tracelith.evaluate.scoring import Rate, Score
from tracelith.evaluate.sets import SetName, cases_of
from tracelith.evaluate.summary import Degraded, Flawed, Summary, summarise
from tracelith.evaluate.thresholds import Outcome
from tracelith.model.errors import InputError

__all__ = ["evaluate"]

THRESHOLD_MISSED = 1
PLAIN_WIDTH = 120
"""Columns when the output is no terminal; a terminal of 80 shows every figure too."""

KINDS = ("claim", "estimate")

CONDITION_TITLES = {
    "sampling": "share of traces kept",
    "lost": "share of spans lost",
    "skew_ms": "error of clocks in ms",
    "weeks": "weeks of data",
    "train_share": "share of deployments on a train",
}


def evaluate(
    set_name: SetName,
    *,
    seed: int,
    only: Sequence[str],
    jobs: int | None,
    out: Path | None,
    page: Path | None,
    output: Format,
) -> int:
    """Runs the set, prints what was measured, and returns the exit code: 1 where a threshold is missed.

    Raises:
        InputError: no such detector, or a folder or file that cannot be used.
        AnalysisFailed: a case could not be evaluated.
    """
    cases, thresholds = cases_of(set_name, seed=seed, only=only)
    if page is not None and not page.resolve().parent.is_dir():
        raise InputError(f"--page {page}: there is no folder {page.resolve().parent}")
    with ended_by_sigterm(), bar(f"evaluating, {len(cases)} cases") as advance:
        results = run_cases(cases, jobs=jobs or os.cpu_count() or 1, out=out, on_progress=advance)
    summary = summarise(results, set_name=set_name, seed=seed, methods=ALL_METHODS, thresholds=thresholds)
    if out is not None:
        (out / "evaluation.json").write_text(json.dumps(summary.document(), indent=2) + "\n", encoding="utf-8")
    if output == "json":
        typer.echo(json.dumps(summary.document(), indent=2))
    else:
        _print(summary)
    if page is not None:
        page.write_text(render_page(summary.document()), encoding="utf-8")
    return 0 if summary.met else THRESHOLD_MISSED


def _print(summary: Summary) -> None:
    console = Console()
    console = console if console.is_terminal else Console(width=PLAIN_WIDTH)
    spans = sum(result.spans for result in summary.results)
    console.print(
        f"{len(summary.results)} cases of the {summary.set_name} set, seed {summary.seed}, {spans:,} spans. "
        "Per cent of subjects, in brackets the 95 % interval; below ours what other methods come to.\n"
    )
    for table in _topic_tables(summary):
        console.print(table)
    for condition in dict.fromkeys(one.condition for one in summary.degradation):
        console.print(_degradation_table([one for one in summary.degradation if one.condition == condition]))
    if summary.flaws:
        console.print(_flaws_table(summary.flaws))
    console.print(_thresholds_table(summary.outcomes))
    missed = sum(not outcome.met for outcome in summary.outcomes)
    unsure = sum(outcome.met and not outcome.settled for outcome in summary.outcomes)
    left_open = f"; {unsure} open, as only the interval of few subjects reaches the bound" if unsure else ""
    met = "no threshold missed" if unsure else "all thresholds met"
    told = f"{missed} of {len(summary.outcomes)} thresholds missed" if missed else met
    console.print(f"{told}{left_open}")


def _topic_tables(summary: Summary) -> Iterator[Table]:
    """What was measured, topic by topic: claims, then estimates, ours before what others say of the same."""
    for topic, title in TOPICS.items():
        scores = [one for one in summary.scores if detector(one.detector).topic == topic]
        claims, estimates = ([one for one in scores if detector(one.detector).kind == kind] for kind in KINDS)
        if claims:
            table = _table(title, "claims", "precision", "recall", "false alarms", "silent", "subjects")
            for one in claims:
                shares = map(_short, (one.precision, one.recall, one.false_alarms))
                table.add_row(_label(one), *shares, _silent(one), f"{one.subjects:,}")
            yield table
        if estimates:
            table = _table(title, "numbers", "cover", "exact", "median error", "silent", "subjects")
            for one in estimates:
                shares = map(_short, (one.coverage, one.exact))
                table.add_row(_label(one), *shares, _error(one), _silent(one), f"{one.subjects:,}")
            yield table


def _label(score: Score) -> str:
    return score.detector if score.method == ALL_METHODS[0].name else f"  {score.method}"


def _silent(score: Score) -> str:
    return "–" if score.answered.value is None else f"{1 - score.answered.value:.0%}"


def _degradation_table(rows: Sequence[Degraded]) -> Table:
    """What our own pipeline is worth by the value of one condition."""
    ours = [one for one in rows if one.score.method == ALL_METHODS[0].name]
    values = sorted({one.at for one in ours})
    title = f"By {CONDITION_TITLES[rows[0].condition]}"
    table = _table(title, "detector", "measure", *(f"{value:g}" for value in values))
    by_detector: dict[str, dict[float, Score]] = {}
    for one in ours:
        by_detector.setdefault(one.score.detector, {})[one.at] = one.score
    for name, scores in by_detector.items():
        for measure in ("precision", "recall", "false_alarms", "coverage", "exact", "answered"):
            rates = [getattr(scores[value], measure) if value in scores else None for value in values]
            if any(rate is not None and rate.n for rate in rates):
                table.add_row(name, measure.replace("_", " "), *map(_short, rates))
    return table


def _flaws_table(rows: Sequence[Flawed]) -> Table:
    """What our own pipeline is worth with each flaw of what is observed; the figure that says most of a detector."""
    table = _table("With flaws of what is observed", "flaw", "detector", "right", "found", "silent")
    for one in rows:
        score = one.score
        if score.method == ALL_METHODS[0].name:
            right, found = (score.precision, score.recall) if score.precision else (score.coverage or score.exact, None)
            table.add_row(one.flaw or "none", score.detector, _short(right), _short(found), _silent(score))
    return table


def _thresholds_table(outcomes: Sequence[Outcome]) -> Table:
    table = _table("Thresholds", "", "figure", "asked", "measured", "of", "because")
    table.columns[-1].no_wrap = False
    for one in outcomes:
        asked = one.threshold
        least = "" if asked.least is None else f"≥ {asked.least:.0%}"
        bounds = [least, "" if asked.most is None else f"≤ {asked.most:.0%}"]
        train = "" if asked.train_share is None else f" ({asked.train_share:.0%} on trains)"
        table.add_row(
            _verdict(one),
            f"{asked.detector} {asked.measure.replace('_', ' ')}{train}",
            " ".join(filter(None, bounds)),
            _short(one.rate),
            "" if one.rate is None else f"{one.rate.n:,}",
            asked.reason,
        )
    return table


def _verdict(outcome: Outcome) -> str:
    """Open: the figure lies beyond its bound, and only its interval, of few subjects, reaches it."""
    if not outcome.met:
        return "MISSED"
    return "met" if outcome.settled else "open"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _short(rate: Rate | None) -> str:
    if rate is None or rate.value is None:
        return "–"
    low, high = (f"{100 * bound:.0f}" for bound in (rate.low, rate.high))
    return f"{_per_cent(rate.value)} ({low}–{high})"


def _per_cent(share: float) -> str:
    """With a digit after the point where a whole number would hide that some are missing."""
    return f"{100 * share:.0f}" if share in (0, 1) else f"{100 * share:.1f}"


def _error(score: Score) -> str:
    asked = detector(score.detector)
    if score.median_error is None:
        return "–"
    if asked.relative or asked.unit == "share":
        return f"{score.median_error:.1%}"
    return f"{score.median_error:.3g} {asked.unit}"
