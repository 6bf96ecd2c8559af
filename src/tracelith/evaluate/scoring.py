"""How right every method is on every detector: rates with intervals, coverage of its own intervals, and errors.

Subjects of one system have much in common (its services, its calendar), so they are no independent trials: intervals
are Wilson's with the number of trials that the spread between systems leaves (Kish 1965, design effect of a ratio),
whatever the conditions they were run under. Where all subjects agree, no spread can be seen, and a correlation of ALIKE
within systems is taken for granted.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.statistics.intervals import proportion_interval
from tracelith.evaluate.detectors import detector

__all__ = ["COVERED", "Rate", "Score", "rate_of", "score", "score_all"]

ALIKE = 0.1
"""Correlation of subjects of one system where none can be measured (own): 20,000 pairs of 25 systems then are worth
some 200 trials, not 20,000."""

_SLACK = 1e-9
"""Numbers of documents are rounded; a bound that equals the truth holds it."""

COVERED = (pl.col("low") <= pl.col("value") + _SLACK) & (pl.col("value") <= pl.col("high") + _SLACK)
"""Whether an interval holds the truth; null where there is none."""

_SYSTEM = ("system", "seed")
"""What a system is drawn from."""

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of subjects with its 95 % interval.

    Attributes:
        value: None without any. hits, n: subjects. cases: systems under a condition that they belong to.
    """

    value: float | None
    low: float
    high: float
    hits: int
    n: int
    cases: int


@dataclass(frozen=True, slots=True)
class Score:
    """One method on one detector.

    Attributes:
        precision: of what it claimed, right. recall: of what is true, claimed. false_alarms: of what is not true,
            claimed all the same. answered: of all subjects, those it did not abstain from.
        alarmed: of the cases with something that is not true, those in which any of it is claimed.
        coverage: of its intervals, those that hold the true number. exact: of its numbers, those met exactly.
        median_error: between number and truth, as a share of the truth where the detector says so; None without any.
    """

    method: str
    detector: str
    subjects: int
    cases: int
    answered: Rate
    precision: Rate | None = None
    recall: Rate | None = None
    false_alarms: Rate | None = None
    alarmed: Rate | None = None
    coverage: Rate | None = None
    exact: Rate | None = None
    median_error: float | None = None

    def document(self) -> dict[str, Any]:
        """The JSON form: the attributes, rates as objects."""
        return asdict(self)


def score_all(judged: pl.DataFrame) -> list[Score]:
    """The scores of every method on every detector that judged rows speak of, in their order."""
    keys = ["method", "detector"]
    parts = judged.partition_by(keys, as_dict=True, maintain_order=True)
    return [score(part, str(method), str(name)) for (method, name), part in parts.items()]


def score(rows: pl.DataFrame, method: str, name: str) -> Score:
    """The score of rows of JUDGED of one method and detector."""
    asked = detector(name)
    total, cases = int(rows["subjects"].sum()), rows["case"].n_unique()
    if asked.kind == "claim":
        claimed = pl.col("claimed").fill_null(value=False)
        return Score(
            method,
            name,
            total,
            cases,
            answered=rate_of(rows, pl.col("claimed").is_not_null()),
            precision=rate_of(rows.filter("claimed"), pl.col("positive")),
            recall=rate_of(rows.filter("positive"), claimed),
            false_alarms=rate_of(rows.filter(~pl.col("positive")), claimed),
            alarmed=rate_of(_by_case(rows.filter(~pl.col("positive")), claimed), pl.col("any")),
        )
    numbers = rows.filter(pl.col("estimate").is_not_null())
    with_interval = numbers.filter(pl.col("low").is_not_null(), pl.col("high").is_not_null())
    return Score(
        method,
        name,
        total,
        cases,
        answered=rate_of(rows, pl.col("estimate").is_not_null()),
        coverage=rate_of(with_interval, COVERED) if len(with_interval) else None,
        exact=rate_of(numbers, pl.col("estimate") == pl.col("value")) if asked.exact else None,
        median_error=_median_error(numbers, relative=asked.relative),
    )


def _median_error(numbers: pl.DataFrame, *, relative: bool) -> float | None:
    error = (pl.col("estimate") - pl.col("value")).abs()
    if relative:
        error = error / pl.max_horizontal(pl.col("value").abs(), 1e-9)
    median = numbers.select(error.median()).item() if len(numbers) else None
    return None if median is None else float(median)


def _by_case(rows: pl.DataFrame, hit: pl.Expr) -> pl.DataFrame:
    """One row per case: column any, whether the expression holds for any of its subjects."""
    return rows.group_by("case", *_SYSTEM).agg(hit.any().alias("any"), subjects=pl.lit(1, pl.Int64))


def rate_of(rows: pl.DataFrame, hit: pl.Expr) -> Rate:
    """The share of the rows' subjects for which the expression holds, systems being the independent units."""
    by_system = rows.group_by(_SYSTEM).agg(
        n=pl.col("subjects").sum(), hits=pl.when(hit).then("subjects").otherwise(0).sum()
    )
    n, hits = (by_system.sort(_SYSTEM)[name].to_numpy().astype(np.float64) for name in ("n", "hits"))
    total, cases = float(n.sum()), rows["case"].n_unique()
    if not total:
        return Rate(None, 0.0, 1.0, 0, 0, 0)
    share = float(hits.sum() / total)
    trials = total / _design_effect(n, hits, share)
    low, high = proportion_interval(share * trials, trials)
    return Rate(share, float(low), float(high), int(hits.sum()), int(total), cases)


def _design_effect(n: Float64, hits: Float64, share: float) -> float:
    """How many times larger the variance of the share is than with independent subjects; at least 1."""
    systems, total = len(n), float(n.sum())
    if not 0 < share < 1:
        return 1 + (float((n**2).sum()) / total - 1) * ALIKE
    if systems < 2:
        return 1.0
    between = float(((hits - share * n) ** 2).sum()) * systems / (systems - 1) / total**2
    return max(1.0, between / (share * (1 - share) / total))
