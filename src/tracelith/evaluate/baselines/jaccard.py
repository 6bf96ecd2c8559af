"""Jaccard index of two services on windows of an hour: windows with both over windows with either.

Definition: J = k / (a + b - k), with a and b windows in which the one and the other was deployed and k with both.
A pair is told if J is at least .5, in at least 5 shared windows.

Thresholds: no author sets one for deployments. One half is where a pair is deployed together as often as apart; 5
shared windows is code-maat's minimum. An hour is the time in which our own test lets two deployments coincide (30
minutes either way), so that the comparison is about the method and not about the scale.

What it gets wrong: it is symmetric, so a service that is always dragged along by one that is deployed three times as
often never reaches .5; fixed windows cut deployments apart that lie minutes from each other (two moments 20 minutes
apart fall into different hours one time in three); and a release train that nearly all deployments wait for makes a
pair of any two on board.

Source: P. Jaccard, Bulletin de la Société Vaudoise des Sciences Naturelles 37 (1901); as a measure of co-change it is
found in many tools that mine repositories.
"""

import polars as pl

from tracelith.evaluate.baselines.accusing import pair_claims
from tracelith.evaluate.baselines.windows import HOUR_NS, fixed_windows, pair_counts
from tracelith.evaluate.claims import Claim, Evidence, Method

__all__ = ["METHOD", "jaccard_index", "similar_pairs"]

LEAST_INDEX = 0.5
LEAST_SHARED = 5


def jaccard_index(with_a: pl.Expr, with_b: pl.Expr, both: pl.Expr) -> pl.Expr:
    """Windows with both over windows with either, 0 to 1."""
    return both / (with_a + with_b - both)


def similar_pairs(deployments: pl.DataFrame, window_ns: int = HOUR_NS) -> pl.DataFrame:
    """Pairs at or above both thresholds: columns a, b and index, sorted by name."""
    index = jaccard_index(pl.col("with_a"), pl.col("with_b"), pl.col("both"))
    counts = pair_counts(fixed_windows(deployments, window_ns)).with_columns(index=index)
    return counts.filter(pl.col("index") >= LEAST_INDEX, pl.col("both") >= LEAST_SHARED).select("a", "b", "index")


def _judge(evidence: Evidence) -> list[Claim]:
    return pair_claims("jaccard", similar_pairs(evidence.deployments))


METHOD = Method(
    name="jaccard",
    title="Jaccard index of at least .5 on windows of an hour",
    explanation=(
        "It asks for as many deployments together as apart, so a service that a busier one drags along is missed; "
        "fixed windows cut coincidences apart, and a full release train still passes for coupling."
    ),
    detectors=("codeployment-pair", "alarm"),
    judge=_judge,
)
