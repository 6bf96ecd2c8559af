"""Degree of coupling as code-maat computes it for files in commits, here for services on calendar days.

Definition: a change set is whatever changed within a sliding window of ``temporal period`` days, named after the last
day in it with a change; change sets with more than 30 members are dropped. The degree of two members is the number of
change sets with both over the mean of their numbers of change sets, in per cent. A pair is told if that mean is at
least 5, the change sets with both are at least 5, and the degree is between 30 and 100.

Thresholds: the tool's own defaults (minimum revisions 5, minimum shared revisions 5, minimum coupling 30, maximum
coupling 100, maximum change set size 30). A period of one day is what its documentation proposes for teams that change
things in several commits; deployments of several services are several events, so they need one.

What it gets wrong: two services that are deployed twice a week for reasons of their own share a day in five by chance
alone, and those of a release train share all of its days. The degree knows no chance, so both read as coupling; and
the more often a service is deployed, the more of the others it is coupled with. Dropping large change sets helps only
against trains of more than 30 services.

Source: A. Tornhill, code-maat (analyses ``coupling`` and option ``temporal-period``), and the books Your Code as a
Crime Scene (2015) and Software Design X-Rays (2018).
"""

from dataclasses import dataclass

import polars as pl

from tracelith.evaluate.baselines.accusing import pair_claims
from tracelith.evaluate.baselines.windows import DAY_NS, fixed_windows, pair_counts
from tracelith.evaluate.claims import Claim, Evidence, Method

__all__ = ["METHOD", "Options", "change_sets", "coupled_pairs"]


@dataclass(frozen=True, slots=True)
class Options:
    """The tool's options under their own names; degrees in per cent."""

    min_revs: int = 5
    min_shared_revs: int = 5
    min_coupling: float = 30.0
    max_coupling: float = 100.0
    max_changeset_size: int = 30
    temporal_period_days: int = 1


def change_sets(deployments: pl.DataFrame, period_days: int) -> pl.DataFrame:
    """Services by change set, numbered by the last day with a deployment; columns service and window.

    Windows slide by a day and lie wholly between the first and the last day, so that with longer periods a deployment
    counts in several of them, fewer at the edges.
    """
    on_days = fixed_windows(deployments, DAY_NS)
    first, last = on_days["window"].min(), on_days["window"].max()
    days = on_days.select(rev="window").unique().sort("rev")
    ends = on_days.select(
        "service", end=pl.int_ranges(pl.col("window"), pl.col("window") + period_days, dtype=pl.Int64)
    ).explode("end")
    whole = ends.filter(pl.col("end").is_between(pl.lit(first) + period_days - 1, pl.lit(last)))
    named = whole.sort("end").join_asof(days, left_on="end", right_on="rev", strategy="backward")
    return named.select("service", window="rev").unique()


def coupled_pairs(deployments: pl.DataFrame, options: Options) -> pl.DataFrame:
    """The tool's table: columns a, b, degree (per cent) and average_revs, strongest first."""
    incidence = change_sets(deployments, options.temporal_period_days)
    sizes = pl.len().over("window")
    small = incidence.filter(sizes <= options.max_changeset_size)
    average = (pl.col("with_a") + pl.col("with_b")) / 2
    return (
        pair_counts(small)
        .with_columns(degree=100 * pl.col("both") / average, average_revs=average)
        .filter(
            pl.col("average_revs") >= options.min_revs,
            pl.col("both") >= options.min_shared_revs,
            pl.col("degree") >= options.min_coupling,
            pl.col("degree").floor() <= options.max_coupling,
        )
        .select("a", "b", "degree", "average_revs")
        .sort("degree", "average_revs", "a", "b", descending=[True, True, False, False])
    )


def _judge(evidence: Evidence) -> list[Claim]:
    return pair_claims("code-maat", coupled_pairs(evidence.deployments, Options()))


METHOD = Method(
    name="code-maat",
    title="Degree of coupling on calendar days (code-maat)",
    explanation=(
        "It counts shared days and knows no chance: busy services share days with everybody, and a release train "
        "couples all who ride on it."
    ),
    detectors=("codeployment-pair", "alarm"),
    judge=_judge,
)
