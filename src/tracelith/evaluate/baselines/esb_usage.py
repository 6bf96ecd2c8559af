"""Degree thresholds on the call graph, by MSANose's rule for a microservice that is used as an enterprise service bus.

Definition: count the incoming and the outgoing connections of each service, sort both lists, and take the mean step
from one number to the next. A service is an outlier of a list if the step up to it is more than twice the mean step.
Who is an outlier of both lists is a service bus. A connection is an operation that calls an operation elsewhere.

Thresholds: twice the mean step, the authors' own.

What it gets wrong: the steps say how the degrees are spread, not whether they are large, so in a small system a service
with two neighbours more than the next one stands out. A gateway or a front end of many parts, which is there to have
many neighbours, cannot be told from a bus that holds the logic of all; and degrees say nothing of deploying, failing
or waiting together. In the sorted list only the service right after a large step is marked, so of two equally large
hubs one is missed.

Source: A. Walker, D. Das, T. Cerny, Automated code-smell detection in microservices through static analysis: a case
study, Applied Sciences 10 (2020), and the tool MSANose. There the connections come from source code, here from traces.
"""

import polars as pl

from tracelith.evaluate.baselines.accusing import alarm
from tracelith.evaluate.baselines.call_graph import linked_spans
from tracelith.evaluate.claims import Claim, Evidence, Method

__all__ = ["METHOD", "degrees", "outliers", "service_buses"]

STEEP = 2.0


def degrees(linked: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Incoming and outgoing connections per service: two frames with columns service and degree.

    Args:
        linked: spans with the row of their parent, see call_graph.linked_spans.
    """
    above = linked["parent"].clip(0)
    connections = (
        linked.with_columns(caller=linked["service"].gather(above), calling=linked["name"].gather(above))
        .filter(pl.col("parent") >= 0, pl.col("caller") != pl.col("service"))
        .select("caller", "calling", callee="service", called="name")
        .unique()
    )
    incoming = connections.group_by(service="callee").agg(pl.len().cast(pl.Int64).alias("degree"))
    outgoing = connections.group_by(service="caller").agg(pl.len().cast(pl.Int64).alias("degree"))
    return incoming, outgoing


def outliers(counted: pl.DataFrame) -> set[str]:
    """Services to which the sorted degrees climb by more than twice the mean step; none among fewer than two."""
    ordered = counted.sort("degree", "service").with_columns(step=pl.col("degree").diff())
    return set(ordered.filter(pl.col("step") > STEEP * pl.col("step").mean())["service"])


def service_buses(spans: pl.DataFrame) -> list[str]:
    """Services that stand out by both degrees, sorted."""
    incoming, outgoing = degrees(linked_spans(spans))
    return sorted(outliers(incoming) & outliers(outgoing))


def _judge(evidence: Evidence) -> list[Claim]:
    return [alarm("esb-usage", accused=bool(service_buses(evidence.spans)))] if evidence.spans.height else []


METHOD = Method(
    name="esb-usage",
    title="Degrees in the call graph with MSANose's rule for a service bus",
    explanation=(
        "It looks at how many neighbours a service has and not at what ties them: a gateway that is there to have many "
        "looks the same as a bus on which everything hangs."
    ),
    detectors=("alarm",),
    judge=_judge,
    needs_spans=True,
)
