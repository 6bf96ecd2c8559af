"""Facts about edges: how often, awaited or not, failures, retries, time on the network and on the critical path."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.outcomes import call_outcomes
from tracelith.analysis.statistics.grouping import groups_of
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
    trace = forest.trace[owner]
    values = {
        "calls": calls.final,
        "awaited": calls.awaited & calls.final,
        "deferred": calls.deferred & calls.final,
        "failures": view.once(call_outcomes).failed & calls.final,
        "network_calls": both,
        "network_ns": np.where(both, calls.network_ns, 0),
        "callee_ns": np.where(critical, forest.duration_ns[answering], 0),
        "blocking_ns": np.where(critical, critical_ns(view)[answering], 0),
    }
    place = groups_of({"window_ns": forest.trace_window, "environment": forest.trace_environment})
    edge = groups_of({"caller": calls.caller, "callee": calls.callee})
    edges = groups_of({"place": place.group[trace], "edge": edge.group})
    at, of = edges.keys["place"], edges.keys["edge"]
    once = groups_of({"trace": trace, "edge": edge.group}).firsts(edges.group)
    rows = pl.DataFrame(
        {
            **{name: keys[at] for name, keys in place.keys.items()},
            "caller": edge.keys["caller"][of],
            "callee": edge.keys["callee"][of],
            "callee_kind": edge.keys["callee"][of],
            **{name: edges.sums(column.astype(np.int64)) for name, column in values.items()},
            "attempts": edges.counts(),
            "traces": np.bincount(once, minlength=edges.size),
        }
    )
    nodes = {"callee": calls.node_names, "callee_kind": calls.node_kinds}
    return fact_rows(CALL_EDGES, rows, view, caller=forest.services, **nodes)


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
