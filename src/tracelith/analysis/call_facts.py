"""Facts about edges: how often, awaited or not, failures, retries, time on the network and on the critical path."""

from typing import NamedTuple

import numpy as np
import polars as pl

from tracelith.analysis.outcomes import call_outcomes
from tracelith.analysis.places import call_cells
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.pairs import count_pairs
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.trace_strata import trace_strata
from tracelith.compiled import compiled
from tracelith.forest.arrays import added_up
from tracelith.forest.view import Bool, ForestView, Int32, Int64
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
    forest, calls, cells = view.forest, view.calls, view.once(call_cells)
    answering = np.where(calls.server >= 0, calls.server, calls.client)
    attempts = _Attempts(
        cells.of_call, answering, calls.network_ns, calls.final, calls.awaited, calls.deferred,
        view.once(call_outcomes).failed,
    )  # fmt: skip
    spans = _Spans(view.chains.span_chain, forest.duration_ns, critical_ns(view))
    sums = dict(zip(_SUMS, _sums(attempts, spans, cells.size), strict=True))
    sums["traces"] = count_pairs(cells.trace, cells.of_call, len(forest.trace_root), cells.size)[1]
    edges = groups_of(cells.keys("stratum", "caller", "callee"))
    added = {name: edges.sums(column) for name, column in sums.items()}
    rows = pl.DataFrame({**edges.keys, "callee_kind": edges.keys["callee"], **added})
    nodes = {"callee": calls.node_names, "callee_kind": calls.node_kinds}
    return fact_rows(CALL_EDGES, view.once(trace_strata).placed(rows), view, caller=forest.services, **nodes)


def critical_ns(view: ForestView) -> Int64:
    """Critical time of each span with all it called, int64[n]: the segments of its subtree within its chain."""
    forest, path = view.forest, view.path
    own_ns = added_up(path.span, len(forest.trace), path.end_ns - path.start_ns)
    return _with_all_below(forest.parent, forest.top_down, view.chains.span_chain, own_ns)


class _Attempts(NamedTuple):
    """What of each attempt is added up; ``answering`` is the span that tells how long the callee took."""

    cell: Int32
    answering: Int32
    network_ns: Int64
    final: Bool
    awaited: Bool
    deferred: Bool
    failed: Bool


class _Spans(NamedTuple):
    """The chain, the duration and the critical time of each span."""

    chain: Int32
    duration_ns: Int64
    critical_ns: Int64


_SUMS = (
    "attempts", "calls", "awaited", "deferred", "failures", "network_calls", "network_ns", "callee_ns", "blocking_ns",
)  # fmt: skip


@compiled
def _sums(attempts: _Attempts, spans: _Spans, cells: int) -> Int64:
    """The columns of _SUMS for each cell, int64[9, k]."""
    sums = np.zeros((cells, 9), np.int64)
    for call in range(attempts.cell.size):
        total, span = sums[attempts.cell[call]], attempts.answering[call]
        total[0] += 1
        if attempts.final[call]:
            total[1] += 1
            total[2] += attempts.awaited[call]
            total[3] += attempts.deferred[call]
            total[4] += attempts.failed[call]
        if attempts.network_ns[call] >= 0:
            total[5] += 1
            total[6] += attempts.network_ns[call]
        if spans.chain[span] >= 0:
            total[7] += spans.duration_ns[span]
            total[8] += spans.critical_ns[span]
    return sums.T


@compiled
def _with_all_below(parent: Int32, top_down: Int32, chain: Int32, own_ns: Int64) -> Int64:
    """The time of each span and of all below it in the same chain, added up."""
    total = own_ns.copy()
    for span in top_down[::-1]:
        above = parent[span]
        if above >= 0 and chain[span] >= 0 and chain[above] == chain[span]:
            total[above] += total[span]
    return total
