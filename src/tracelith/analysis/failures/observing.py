"""Facts of a view about failures. Almost everything is fine almost always: only what failed is looked at closely."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.exemplars import slowest_rows
from tracelith.analysis.failures.minutes import failed_minutes, retried_minutes, root_ns
from tracelith.analysis.failures.origins import FailedRequests, failed_requests
from tracelith.analysis.failures.places import Places, distinct, places_of
from tracelith.analysis.failures.tables import (
    ALONE,
    ENTRY_EDGES,
    ENTRY_OUTCOMES,
    FAILED,
    FAILED_EDGES,
    FAILED_MINUTES,
    FAILED_NODES,
    FAILURE_EXEMPLARS,
    FINE,
    HIDDEN,
    QUIET,
    RETRIED_MINUTES,
    SHARED,
    SLOW_CALLS,
)
from tracelith.analysis.failures.units import CallerUnits, awaited_attempts, caller_units, judged_calls
from tracelith.analysis.outcomes import CallOutcomes, call_outcomes, failed_spans
from tracelith.analysis.strata import fact_rows
from tracelith.forest.arrays import distinct_codes
from tracelith.forest.view import ForestView
from tracelith.model.schema import WINDOW_NS, Outcome

__all__ = ["observe_failures"]

Bool = NDArray[np.bool_]
Int8 = NDArray[np.int8]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

_COMPARED = ("failed_if_failed", "failed_if_quiet", "compared")
_SLOW_NS = 1_000_000_000
_CUT_OFF_NS = 50_000_000
"""Calls given up sooner say more about refused connections than about a limit."""


def observe_failures(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of all tables, by table name."""
    outcomes, judged, places = view.once(call_outcomes), judged_calls(view), places_of(view)
    units = caller_units(view, outcomes, judged)
    attempts = awaited_attempts(view)
    requests = failed_requests(view, outcomes, judged, attempts)
    entries = _entry_outcome(view)
    nodes = _nodes(view, places, outcomes, attempts, requests)
    return {
        FAILED_EDGES.name: _edges(view, places, units),
        FAILED_NODES.name: nodes,
        FAILED_MINUTES.name: failed_minutes(view, attempts, requests),
        ENTRY_OUTCOMES.name: _entries(view, places, entries),
        ENTRY_EDGES.name: _entry_edges(view, places, units),
        RETRIED_MINUTES.name: retried_minutes(view),
        SLOW_CALLS.name: _slow_calls(view, outcomes),
        FAILURE_EXEMPLARS.name: _exemplars(view, units, entries),
    }


def _edges(view: ForestView, places: Places, units: CallerUnits) -> pl.DataFrame:
    forest, nodes = view.forest, len(view.calls.node_names)
    edges, edge = distinct_codes(units.caller.astype(np.int64) * nodes + units.callee, len(forest.services) * nodes)
    trace = forest.trace[units.request]
    counted = places.count(trace, (edge * 4 + units.state) * 2 + units.caller_failed, edges.size * 8, units.operations)
    code = edges[counted.cell // 8]
    rows = pl.DataFrame(
        {
            **places.columns(counted.place),
            "caller": (code // nodes).astype(np.int32),
            "callee": (code % nodes).astype(np.int32),
            "state": (counted.cell // 2 % 4).astype(np.int8),
            "caller_failed": (counted.cell % 2).astype(np.bool_),
            "requests": counted.rows,
            "operations": counted.amount,
            "weight": counted.weight,
            "weight_squares": counted.weight_squares,
            **dict.fromkeys(_COMPARED, np.zeros(code.size)),
        }
    )
    compared = _compared(view, places, units, edges, edge)
    # A row of its own carries the comparison; facts with the same keys are merged.
    together = pl.concat([rows, compared.select(rows.columns)]).with_columns(callee_kind="callee")
    names = {"callee": view.calls.node_names, "callee_kind": view.calls.node_kinds}
    return fact_rows(FAILED_EDGES, together, view, caller=forest.services, **names)


def _compared(view: ForestView, places: Places, units: CallerUnits, edges: Int64, edge: Int32) -> pl.DataFrame:
    """The sums of Mantel and Haenszel over minutes in which a callee failed and did not fail, as rows of edges."""
    minutes = int(places.minute.max(initial=0)) + 1
    trace = view.forest.trace[units.request]
    alone, stratum = units.state == ALONE, edge * minutes + places.minute[trace]
    picked = np.flatnonzero((units.state == QUIET) | alone)
    picked = picked[np.isin(stratum[picked], stratum[alone])] if alone.any() else picked[:0]
    strata = pl.DataFrame(
        {
            "place": places.of_trace[trace[picked]],
            "stratum": stratum[picked],
            "alone": alone[picked],
            "failed": units.caller_failed[picked],
        }
    )
    alone_too, failed = pl.col("alone"), pl.col("failed")
    counted = strata.group_by("place", "stratum").agg(
        alone_too.sum().cast(pl.Float64).alias("n1"),
        (~alone_too).sum().cast(pl.Float64).alias("n0"),
        (alone_too & failed).sum().alias("failed1"),
        (~alone_too & failed).sum().alias("failed0"),
    )
    n = pl.col("n1") + pl.col("n0")
    sums = (
        counted.with_columns(edge=pl.col("stratum") // minutes)
        .sort("place", "stratum")
        .group_by("place", "edge", maintain_order=True)
        .agg(
            (pl.col("failed1") * pl.col("n0") / n).sum().alias("failed_if_failed"),
            (pl.col("failed0") * pl.col("n1") / n).sum().alias("failed_if_quiet"),
            (pl.col("n1") * pl.col("n0") / n).sum().alias("compared"),
        )
        .filter(pl.col("compared") > 0)
    )
    nodes, code = len(view.calls.node_names), edges[sums["edge"].to_numpy()]
    return sums.with_columns(
        **places.columns(sums["place"].to_numpy()),
        caller=pl.Series((code // nodes).astype(np.int32)),
        callee=pl.Series((code % nodes).astype(np.int32)),
        state=pl.lit(ALONE, pl.Int8),
        caller_failed=pl.lit(value=True),
        requests=pl.lit(0, pl.Int64),
        operations=pl.lit(0, pl.Int64),
        weight=pl.lit(0.0),
        weight_squares=pl.lit(0.0),
    )


def _nodes(
    view: ForestView, places: Places, outcomes: CallOutcomes, attempts: Bool, requests: FailedRequests
) -> pl.DataFrame:
    """Requests, failures and own failures per node."""
    forest, calls = view.forest, view.calls
    roots, nodes, silent = _roots(view), len(calls.node_names), requests.silent
    kept = np.flatnonzero(attempts & ~outcomes.cancelled)
    first = requests.origin == requests.service
    size = places.window_ns.size * nodes

    def counted(trace: Int32, node: Int32) -> Int64:
        return np.bincount(places.of_trace[trace].astype(np.int64) * nodes + node, minlength=size)

    failed = forest.trace[requests.request], requests.service
    unanswered = counted(forest.trace[calls.request[silent]], calls.callee[silent])
    asked = counted(forest.trace[calls.request[kept]], calls.callee[kept])
    asked += counted(forest.trace[roots], forest.service[roots])
    failures, own = counted(*failed) + unanswered, counted(failed[0][first], failed[1][first]) + unanswered
    cells = np.flatnonzero(asked + failures)
    rows = pl.DataFrame(
        {
            **places.columns(cells // nodes),
            "node": (cells % nodes).astype(np.int32),
            "requests": asked[cells],
            "failures": failures[cells],
            "own": own[cells],
        }
    )
    # Places tell traces of known and unknown probability apart, these facts do not.
    keys = ["window_ns", "environment", "node"]
    merged = rows.group_by(keys).agg(pl.col("requests", "failures", "own").sum()).with_columns(node_kind="node")
    return fact_rows(FAILED_NODES, merged, view, node=calls.node_names, node_kind=calls.node_kinds)


def _entry_outcome(view: ForestView) -> Int8:
    """FINE | HIDDEN | FAILED per chain, -1 for those nobody waits for at the door or that were given up."""
    chains, failed = view.chains, failed_spans(view)
    inside = view.chains.span_chain[failed]
    hidden = np.zeros(chains.root.size, dtype=np.bool_)
    hidden[inside[inside >= 0]] = True
    outcome = np.where(failed[chains.root], FAILED, np.where(hidden, HIDDEN, FINE))
    gone = chains.restarted | (view.forest.outcome[chains.root] == Outcome.CANCELLED)
    return np.where(gone, -1, outcome).astype(np.int8)


def _entries(view: ForestView, places: Places, outcome: Int8) -> pl.DataFrame:
    chains, kept = view.chains, np.flatnonzero(outcome >= 0)
    cell = chains.entry[kept].astype(np.int64) * 3 + outcome[kept]
    counted = places.count(chains.trace[kept], cell, 3 * len(chains.entry_services))
    rows = pl.DataFrame(
        {
            **places.columns(counted.place),
            "entry": (counted.cell // 3).astype(np.int32),
            "outcome": (counted.cell % 3).astype(np.int8),
            "requests": counted.rows,
            "weight": counted.weight,
            "weight_squares": counted.weight_squares,
        }
    )
    return fact_rows(ENTRY_OUTCOMES, rows, view)


def _entry_edges(view: ForestView, places: Places, units: CallerUnits) -> pl.DataFrame:
    chains, nodes = view.chains, len(view.calls.node_names)
    chain = chains.span_chain[units.request]
    kept = np.flatnonzero(chain >= 0)
    kept = kept[~chains.restarted[chain[kept]]]
    code = units.caller[kept].astype(np.int64) * nodes + units.callee[kept]
    edges, edge = distinct_codes(code, len(view.forest.services) * nodes)
    seen = distinct(chain[kept].astype(np.int64) * edges.size + edge)
    chain, edge = np.divmod(seen, max(edges.size, 1))
    cell = chains.entry[chain].astype(np.int64) * edges.size + edge
    counted = places.count(chains.trace[chain], cell, len(chains.entry_services) * max(edges.size, 1))
    entry, edge = np.divmod(counted.cell, max(edges.size, 1))
    rows = pl.DataFrame(
        {
            **places.columns(counted.place),
            "entry": entry.astype(np.int32),
            "caller": (edges[edge] // nodes).astype(np.int32),
            "callee": (edges[edge] % nodes).astype(np.int32),
            "requests": counted.rows,
        }
    )
    keys = ["window_ns", "environment", "entry", "caller", "callee"]
    merged = rows.group_by(keys).agg(pl.col("requests").sum()).with_columns(callee_kind="callee")
    names = {"callee": view.calls.node_names, "callee_kind": view.calls.node_kinds}
    return fact_rows(ENTRY_EDGES, merged, view, caller=view.forest.services, **names)


def _slow_calls(view: ForestView, outcomes: CallOutcomes) -> pl.DataFrame:
    forest, calls = view.forest, view.calls
    answered = np.flatnonzero(outcomes.failed & (calls.server >= 0))
    unanswered = outcomes.failed & (calls.server < 0)
    gave_up = unanswered.copy()
    gave_up[answered] = forest.outcome[calls.server[answered]] != Outcome.FAILED
    gave_up &= calls.duration_ns >= _CUT_OFF_NS
    waited = (calls.client >= 0) & ~calls.deferred
    picked = np.flatnonzero(waited & (gave_up | (calls.duration_ns >= _SLOW_NS)))
    length = calls.duration_ns[picked] / 1e6
    step = 10.0 ** (np.floor(np.log10(np.maximum(length, 1.0))) - 1)
    rows = pl.DataFrame(
        {
            **_placed(view, forest.trace[calls.client[picked]]),
            "caller": calls.caller[picked],
            "callee": calls.callee[picked],
            "length_ms": (np.round(length / step) * step).astype(np.int64),
            "gave_up": gave_up[picked],
            "longest_ns": calls.duration_ns[picked],
        }
    )
    keys = ["window_ns", "environment", "caller", "callee", "length_ms", "gave_up"]
    counted = rows.group_by(keys).agg(pl.len().alias("attempts"), pl.col("longest_ns").max())
    named = counted.with_columns(pl.col("window_ns") * WINDOW_NS, callee_kind="callee")
    nodes = {"callee": calls.node_names, "callee_kind": calls.node_kinds}
    return fact_rows(SLOW_CALLS, named, view, caller=forest.services, **nodes)


def _exemplars(view: ForestView, units: CallerUnits, outcome: Int8) -> pl.DataFrame:
    forest, chains, calls = view.forest, view.chains, view.calls
    felled = np.flatnonzero(((units.state == ALONE) | (units.state == SHARED)) & units.caller_failed)
    hidden = np.flatnonzero(outcome == HIDDEN)
    by_edge = _examples(view, forest.trace[units.request[felled]], units.caller[felled], units.callee[felled])
    by_entry = _examples(view, chains.trace[hidden], chains.entry[hidden], chains.entry[hidden])
    edges = by_edge.with_columns(kind=pl.lit(0, pl.Int32))
    entries = by_entry.with_columns(kind=pl.lit(0, pl.Int32))
    return pl.concat(
        [
            fact_rows(
                FAILURE_EXEMPLARS, edges, view, kind=("edge",), first=forest.services, second=calls.node_names
            ),
            fact_rows(
                FAILURE_EXEMPLARS, entries, view, kind=("hidden",), first=chains.entry_services,
                second=chains.entry_operations,
            ),
        ]
    ).sort(list(FAILURE_EXEMPLARS.schema))  # fmt: skip


def _examples(view: ForestView, trace: Int32, first: Int32, second: Int32) -> pl.DataFrame:
    forest = view.forest
    rows = pl.DataFrame(
        {
            "window_ns": forest.trace_window[trace],
            "environment": forest.trace_environment[trace],
            "first": first,
            "second": second,
            "trace": trace,
            "duration_ns": root_ns(view, trace),
        }
    )
    return slowest_rows(view, rows, ["window_ns", "environment", "first", "second"])


def _placed(view: ForestView, trace: NDArray[np.integer]) -> dict[str, NDArray[np.integer]]:
    """Window (in windows, so that keys stay small) and environment of each trace."""
    forest = view.forest
    return {"window_ns": forest.trace_window[trace] // WINDOW_NS, "environment": forest.trace_environment[trace]}


def _roots(view: ForestView) -> Int32:
    roots = view.forest.trace_root[view.forest.trace_root >= 0]
    asked: Int32 = roots[view.forest.outcome[roots] != Outcome.CANCELLED]
    return asked
