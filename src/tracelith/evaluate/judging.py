"""Claims beside truths: one row for every subject that a method was right, wrong or silent about."""

from collections.abc import Sequence

import polars as pl

from tracelith.evaluate.claims import SEPARATOR, Case, Claim, Method, Truth
from tracelith.evaluate.detectors import DETECTORS

__all__ = ["CASE_COLUMNS", "JUDGED", "judge", "of_case"]

CASE_COLUMNS = pl.Schema(
    {
        "case": pl.String,
        "system": pl.String,
        "seed": pl.Int64,
        "weeks": pl.Int64,
        "traces": pl.Int64,
        "sampling": pl.Float64,
        "lost": pl.Float64,
        "skew_ms": pl.Float64,
        "train_share": pl.Float64,
        "flaw": pl.String,
        "healthy": pl.Boolean,
        "varies": pl.String,
    }
)
"""What is known of each row's case; see claims.Case."""

_ROW = pl.Schema(
    {
        "method": pl.String,
        "detector": pl.String,
        "subject": pl.String,
        "claimed": pl.Boolean,  # null: abstained
        "positive": pl.Boolean,  # null: for estimates
        "estimate": pl.Float64,  # null: abstained, or a method without numbers
        "low": pl.Float64,
        "high": pl.Float64,
        "value": pl.Float64,
        "subjects": pl.Int64,  # how many the row stands for: rightly acquitted ones are counted together
    }
)

JUDGED = pl.Schema({**CASE_COLUMNS, **_ROW})
"""One row per case, method, detector and subject."""

_CLAIM = pl.Schema(
    {
        "detector": pl.String,
        "subject": pl.String,
        "claimed": pl.Boolean,
        "estimate": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "told": pl.Boolean,
    }
)
_TRUTH = pl.Schema(
    {"detector": pl.String, "subject": pl.String, "positive": pl.Boolean, "value": pl.Float64, "known": pl.Boolean}
)
_KEY = ["detector", "subject"]


def judge(case: Case, truths: Sequence[Truth], method: Method, claims: Sequence[Claim]) -> pl.DataFrame:
    """The method's rows of JUDGED for this case, sorted by detector and subject.

    A subject that a method does not mention is acquitted. A claim about a subject of which no truth speaks is a false
    alarm where the detector says so, and not judged elsewhere; alarms are judged on healthy systems only. Subjects that
    were rightly acquitted become one row without a subject for each detector.
    """
    asked = sorted(set(method.detectors) & set(case.detectors))
    rows = _beside(truths, claims).filter(pl.col("detector").is_in(asked))
    judged = pl.concat([_accusations(rows, healthy=case.healthy), _estimates(rows)])
    return of_case(case, judged.sort(["detector", "subject"]).with_columns(method=pl.lit(method.name))).cast(JUDGED)


def of_case(case: Case, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with what is known of their case before them: the columns of JUDGED."""
    known = {"case": case.name} | {name: getattr(case, name) for name in list(CASE_COLUMNS)[1:]}
    columns = [pl.lit(value, CASE_COLUMNS[name]).alias(name) for name, value in known.items()]
    return rows.with_columns(columns).select(list(JUDGED))


def _beside(truths: Sequence[Truth], claims: Sequence[Claim]) -> pl.DataFrame:
    """All subjects that truths or claims speak of; ``known`` and ``told`` say which of them do."""
    true = pl.DataFrame(
        [(one.detector, one.subject, one.positive, one.value, True) for one in truths], schema=_TRUTH, orient="row"
    )
    told = pl.DataFrame(
        [(one.detector, one.subject, one.claimed, one.estimate, one.low, one.high, True) for one in claims],
        schema=_CLAIM,
        orient="row",
    )
    first = told.unique(_KEY, keep="first", maintain_order=True)
    joined = true.join(first, on=_KEY, how="full", coalesce=True)
    return joined.with_columns(pl.col("known", "told").fill_null(value=False))


def _accusations(rows: pl.DataFrame, *, healthy: bool) -> pl.DataFrame:
    invented = [one.name for one in DETECTORS if one.invented and one.name != "alarm"]
    unknown_is_false = pl.col("detector").is_in(invented) | (pl.lit(healthy) & (pl.col("detector") == "alarm"))
    judged = (
        rows.filter(pl.col("detector").is_in(_of_kind("claim")))
        .with_columns(
            positive=pl.when(~pl.col("known") & unknown_is_false).then(pl.lit(value=False)).otherwise("positive"),
            claimed=pl.when("told").then("claimed").when(_silent()).then(None).otherwise(pl.lit(value=False)),
            subjects=pl.lit(1, pl.Int64),
        )
        .filter(pl.col("positive").is_not_null())
        .select(list(_ROW)[1:])
    )
    acquitted = (~pl.col("positive") & ~pl.col("claimed")).fill_null(value=False)
    together = judged.filter(acquitted).group_by("detector", "claimed", "positive").agg(pl.col("subjects").sum())
    return pl.concat([judged.filter(~acquitted), together.with_columns(subject=pl.lit(""))], how="diagonal").select(
        judged.columns
    )


def _silent() -> pl.Expr:
    """Whether nothing at all was said of a subject of which one of several places is to be named."""
    naming = pl.col("detector").is_in([one.name for one in DETECTORS if one.naming])
    subject = pl.col("subject").str.split(SEPARATOR).list.first()
    return naming & ~pl.col("told").any().over("detector", subject)


def _estimates(rows: pl.DataFrame) -> pl.DataFrame:
    chosen = pl.col("detector").is_in([one.name for one in DETECTORS if one.chosen])
    judged = rows.filter(
        pl.col("detector").is_in(_of_kind("estimate")), pl.col("value").is_not_null(), pl.col("told") | ~chosen
    )
    nothing = pl.lit(None, pl.Boolean)
    return judged.with_columns(claimed=nothing, positive=nothing, subjects=pl.lit(1, pl.Int64)).select(list(_ROW)[1:])


def _of_kind(kind: str) -> list[str]:
    return [one.name for one in DETECTORS if one.kind == kind]
