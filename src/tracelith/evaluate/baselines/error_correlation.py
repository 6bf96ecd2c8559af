"""Correlation of error rates: whoever fails in the same minutes as its callee depends on it.

Definition: the share of failed spans of each service in each minute. A caller depends on a callee if the correlation of
the two series (Pearson), over minutes in which both have spans, is at least .7.

Thresholds: .7, by convention a strong correlation; dashboards and alert correlation leave the line to their users.

What it gets wrong: correlation has no direction and no cause. Two callees of one broken service rise and fall together
without calling each other; a caller that passes on one failure in ten has the same correlation as one that passes on
all of them, only smaller numbers; and errors of other origin in the same minutes hide a hard dependency.

Source: K. Pearson's correlation coefficient; error rates of neighbours in the service map are what monitoring tools
correlate to find the cause of an incident.
"""

import polars as pl

from tracelith.evaluate.baselines.call_graph import linked_spans, service_edges
from tracelith.evaluate.claims import Claim, Evidence, Method, edge_subject

__all__ = ["METHOD", "correlations"]

STRONG = 0.7
MINUTE_NS = 60_000_000_000
FEWEST_MINUTES = 30


def correlations(spans: pl.DataFrame) -> pl.DataFrame:
    """Columns caller, callee and correlation, sorted; null where nothing fails or too little is seen."""
    minutes = spans.group_by("service", minute=pl.col("start_ns") // MINUTE_NS).agg(pl.col("failed").mean())
    edges = service_edges(linked_spans(spans)).select("caller", "callee")
    both = edges.join(minutes, left_on="caller", right_on="service").join(
        minutes, left_on=["callee", "minute"], right_on=["service", "minute"], suffix="_below"
    )
    known = both.group_by("caller", "callee").agg(correlation=pl.corr("failed", "failed_below"), minutes=pl.len())
    clear = (pl.col("minutes") >= FEWEST_MINUTES) & pl.col("correlation").is_finite()
    return known.select("caller", "callee", pl.when(clear).then("correlation")).sort("caller", "callee")


def _judge(evidence: Evidence) -> list[Claim]:
    if evidence.spans.is_empty():
        return []
    return [
        Claim("hard-dependency", edge_subject(caller, callee), claimed=None if rate is None else rate >= STRONG)
        for caller, callee, rate in correlations(evidence.spans).iter_rows()
    ]


METHOD = Method(
    name="error-correlation",
    title="Correlation of error rates by the minute",
    explanation=(
        "It compares when two services fail and not whether the failure of one call fails the request that made it."
    ),
    detectors=("hard-dependency",),
    judge=_judge,
    needs_spans=True,
)
