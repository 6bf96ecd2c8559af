"""The place whose durations have the largest ratio of p99 to p50, as dashboards per service invite to read them.

Definition: for the traces of each entry operation, the ratio of the 99th percentile to the median of the durations of
each place: the spans in which a service answers, and its calls of each datastore, topic or outside host. The place
with the largest ratio is named as what makes slow requests slow. At least 100 durations are needed at a place, below
which there is no 99th percentile.

Thresholds: none; the largest is named. fewer than 100 durations have no slowest hundredth.

What it gets wrong: the ratio is relative, so a cache that mostly takes .1 ms and sometimes 2 outdoes a service that
takes 300 ms and sometimes 2,000, which is what users feel. Durations of a service hold those of all that it waits for,
so the cause and everybody above it look alike. Along a chain of independent services the ratio falls with depth
although the tail grows (10.1 for one lognormal hop, 2.6 for ten), and quantiles do not add up to the whole.

Source: common practice on dashboards of request durations; why it misleads is worked out beside our own definition
(tail attribution by expected shortfall, whose parts do add up).
"""

import polars as pl

from tracelith.evaluate.claims import Claim, Evidence, Method, hop_subject
from tracelith.model.schema import Kind

__all__ = ["METHOD", "ratios", "worst_places"]

LEAST_DURATIONS = 100


def ratios(spans: pl.DataFrame) -> pl.DataFrame:
    """Columns service and name (of the entry operation), place, durations, and ratio of p99 to p50; sorted."""
    entries = (
        spans.filter(pl.col("parent_id") == 0)
        .group_by("trace_id")
        .agg(pl.col("service", "name").sort_by("start_ns", "span_id").first())
    )
    answers = pl.col("kind").is_in([int(Kind.SERVER), int(Kind.CONSUMER)]) | (pl.col("parent_id") == 0)
    calls = pl.col("kind").is_in([int(Kind.CLIENT), int(Kind.PRODUCER)]) & pl.col("peer").is_not_null()
    place = pl.when(calls).then(pl.format("{} → {}", "service", "peer")).when(answers).then(pl.col("service"))
    median = pl.col("duration_ns").quantile(0.5, "nearest")
    return (
        spans.select("trace_id", "duration_ns", place=place)
        .filter(pl.col("place").is_not_null())
        .join(entries, on="trace_id")
        .group_by("service", "name", "place")
        .agg(
            pl.len().cast(pl.Int64).alias("durations"),
            ratio=pl.col("duration_ns").quantile(0.99, "nearest") / pl.max_horizontal(median, 1),
        )
        .sort("service", "name", "place")
    )


def worst_places(spans: pl.DataFrame) -> pl.DataFrame:
    """The place with the largest ratio of each entry operation: columns service, name, place and ratio."""
    measured = ratios(spans).filter(pl.col("durations") >= LEAST_DURATIONS)
    worst = measured.sort("ratio", descending=True, maintain_order=True)
    return worst.unique(["service", "name"], keep="first", maintain_order=True).sort("service", "name")


def _judge(evidence: Evidence) -> list[Claim]:
    worst = worst_places(evidence.spans).select("service", "name", "place")
    return [Claim("tail-hop", hop_subject(*row), claimed=True) for row in worst.iter_rows()]


METHOD = Method(
    name="quantile-ratio",
    title="Largest ratio of p99 to p50 among the places of a request",
    explanation=(
        "A ratio forgets how long the time is: a fast cache with rare hiccups outdoes the slow service that users "
        "feel, and whoever waits for the culprit looks like the culprit."
    ),
    detectors=("tail-hop",),
    judge=_judge,
    needs_spans=True,
)
