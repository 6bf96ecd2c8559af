"""The call graph that trace viewers draw: whoever is the parent of a span in another service calls that service.

Definition: an edge for every two services of which one has a span whose parent is a span of the other, with the number
of such spans. An edge is a dependency, waited for or not. The depth of a trace is the largest number of edges on the
way from its root to one of its spans. Its quantiles over the traces of an entry operation are the depth of the
operation; at p95 of three or more it is called deep.

Thresholds: three is the one that our own question uses, so that the comparison is about how hops are counted.

What it gets wrong: a parent is not somebody who waits. Messages taken from a queue an hour later, and calls whose
answer nobody reads, count like a call that holds up the user; so asynchronous systems look deep and tied together.
Consumers that begin a trace of their own, with a link to the message, are missing instead. And a span that got lost
cuts its trace in two: the depth shrinks silently, and its edges vanish.

Source: service dependency graphs of trace viewers (Jaeger's and Zipkin's dependency graphs, Grafana's service graphs).
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.evaluate.claims import Claim, Evidence, Method, edge_subject, entry_subject

__all__ = ["METHOD", "entry_depths", "linked_spans", "service_edges"]

DEEP_HOPS = 3
_LONGEST_CHAIN = 1 << 14
"""Spans behind one another that are followed; longer chains are garbage, and cycles end here."""


def linked_spans(spans: pl.DataFrame) -> pl.DataFrame:
    """Spans once each, with the row number of the parent: column ``parent``, -1 where it has not arrived."""
    rows = spans.unique(["trace_id", "span_id"], keep="first", maintain_order=True).with_row_index("row")
    parents = rows.select("trace_id", parent_id="span_id", parent=pl.col("row").cast(pl.Int64))
    joined = rows.join(parents, on=["trace_id", "parent_id"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("parent").fill_null(-1))


def service_edges(linked: pl.DataFrame) -> pl.DataFrame:
    """Columns caller, callee and calls, sorted; a service is never its own callee."""
    callers = linked["service"].gather(linked["parent"].clip(0))
    across = linked.with_columns(caller=callers).filter(pl.col("parent") >= 0, pl.col("caller") != pl.col("service"))
    return (
        across.group_by("caller", callee="service").agg(pl.len().cast(pl.Int64).alias("calls")).sort("caller", "callee")
    )


def entry_depths(linked: pl.DataFrame) -> pl.DataFrame:
    """Edges on the longest way down, one row per root: columns service, name and depth."""
    if linked.is_empty():
        return linked.select("service", "name", depth=pl.lit(0, pl.Int64))
    top, borders = _climbed(linked)
    deepest = pl.DataFrame({"row": top, "depth": borders}).group_by("row").agg(pl.col("depth").max())
    roots = linked.filter(pl.col("parent_id") == 0).with_columns(pl.col("row").cast(pl.Int64))
    return roots.join(deepest, on="row").select("service", "name", "depth")


def _climbed(linked: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each span the topmost span above it, and the service borders on the way there (by pointer doubling)."""
    here = np.arange(linked.height, dtype=np.int64)
    parent = linked["parent"].to_numpy()
    up = np.where(parent < 0, here, parent)
    service = linked["service"].cast(pl.Categorical).to_physical().to_numpy()
    borders = (service != service[up]).astype(np.int64)
    for _ in range(_LONGEST_CHAIN.bit_length()):
        borders = borders + borders[up]
        up = up[up]
    return up, borders


def _judge(evidence: Evidence) -> list[Claim]:
    linked = linked_spans(evidence.spans)
    claims = []
    for caller, callee in service_edges(linked).select("caller", "callee").iter_rows():
        subject = edge_subject(caller, callee)
        claims += [Claim("edge", subject, claimed=True), Claim("sync-edge", subject, claimed=True)]
    quantiles = (
        entry_depths(linked)
        .group_by("service", "name")
        .agg(
            p50=pl.col("depth").quantile(0.5, "nearest"),
            p95=pl.col("depth").quantile(0.95, "nearest"),
            most=pl.col("depth").max(),
        )
    )
    for service, name, p50, p95, most in quantiles.sort("service", "name").iter_rows():
        subject = entry_subject(service, name)
        claims += [
            Claim("deep-chain", subject, claimed=p95 >= DEEP_HOPS),
            Claim("depth-p50", subject, estimate=p50),
            Claim("depth-p95", subject, estimate=p95),
            Claim("depth-max", subject, estimate=float(most)),
        ]
    return claims


METHOD = Method(
    name="call-graph",
    title="Call graph of parents and children, as trace viewers draw it",
    explanation=(
        "A parent is not somebody who waits: messages and calls whose answer nobody reads count as hops and as "
        "synchronous, and a lost span shortens the chain unseen."
    ),
    detectors=("edge", "sync-edge", "deep-chain", "depth-p50", "depth-p95", "depth-max"),
    judge=_judge,
    needs_spans=True,
)
