"""Facts about edges: how often, awaited or not, failures, retries, time on the network and on the critical path."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.outcomes import failed_attempts
from tracelith.analysis.strata import fact_rows
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactTable

__all__ = ["CALL_EDGES", "observe_edges"]

CALL_EDGES = FactTable(
    "call_edges",
    keys={"caller": pl.String, "callee": pl.String, "callee_kind": pl.String},
    sums={
        "calls": pl.Int64,
        "attempts": pl.Int64,
        "awaited": pl.Int64,
        "deferred": pl.Int64,
        "failures": pl.Int64,
        "traces": pl.Int64,
        "network_calls": pl.Int64,
        "network_ns": pl.Int64,
        "callee_ns": pl.Int64,
        "blocking_ns": pl.Int64,
    },
)
"""calls are logical calls, judged by their last attempt; network_* cover attempts seen from both sides; callee_ns
and blocking_ns cover attempts in complete traces: the callee's duration and how much of it was critical."""


def observe_edges(view: ForestView) -> pl.DataFrame:
    """Facts of CALL_EDGES."""
    forest, calls = view.forest, view.calls
    # A call joined by a link may have its client in a trace outside this window: it counts where its receiver is.
    owner = np.where(calls.client >= 0, calls.client, calls.server)
    answering = np.where(calls.server >= 0, calls.server, calls.client)
    both = calls.network_ns >= 0
    critical = view.chains.span_chain[answering] >= 0
    rows = pl.LazyFrame(
        {
            "trace": forest.trace[owner],
            "caller": calls.caller,
            "callee": calls.callee,
            "calls": calls.final.astype(np.int64),
            "awaited": (calls.awaited & calls.final).astype(np.int64),
            "deferred": (calls.deferred & calls.final).astype(np.int64),
            "failures": (failed_attempts(view) & calls.final).astype(np.int64),
            "network_calls": both.astype(np.int64),
            "network_ns": np.where(both, calls.network_ns, 0),
            "callee_ns": np.where(critical, forest.duration_ns[answering], 0),
            "blocking_ns": np.where(critical, critical_ns(view)[answering], 0),
        }
    )
    summed = [name for name in CALL_EDGES.sums if name not in ("attempts", "traces")]
    by_trace = (
        rows.group_by("trace", "caller", "callee").agg(pl.col(summed).sum(), pl.len().alias("attempts")).collect()
    )
    trace = by_trace["trace"].to_numpy()
    edges = (
        by_trace.with_columns(
            window_ns=pl.Series(forest.trace_window[trace]), environment=pl.Series(forest.trace_environment[trace])
        )
        .group_by("window_ns", "environment", "caller", "callee")
        .agg(pl.col(*summed, "attempts").sum(), pl.len().alias("traces"))
        .with_columns(callee_kind=pl.col("callee"))
    )
    nodes = {"callee": calls.node_names, "callee_kind": calls.node_kinds}
    return fact_rows(CALL_EDGES, edges, view, caller=forest.services, **nodes)


def critical_ns(view: ForestView) -> NDArray[np.int64]:
    """Critical time of each span with all it called, int64[n]: the segments of its subtree within its chain.

    One pass per tree level, deepest first; each span is added to its parent once.
    """
    forest, chains, path = view.forest, view.chains, view.path
    total = np.zeros(len(forest.trace), dtype=np.int64)
    np.add.at(total, path.span, path.end_ns - path.start_ns)
    inner = np.flatnonzero((forest.parent >= 0) & (chains.span_chain >= 0))
    inner = inner[chains.span_chain[forest.parent[inner]] == chains.span_chain[inner]]
    levels = forest.depth_in_tree[inner]
    order = inner[np.argsort(-levels, kind="stable")]
    borders = np.flatnonzero(np.diff(forest.depth_in_tree[order])) + 1
    for level in np.split(order, borders):
        np.add.at(total, forest.parent[level], total[level])
    return total
