"""Facts of a view about failures. Almost everything is fine almost always: only what failed is looked at closely."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.exemplars import slowest_rows
from tracelith.analysis.failures.minutes import failed_minutes, retried_minutes
from tracelith.analysis.failures.origins import FailedRequests, failed_requests
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
    MINUTE_NS,
    QUIET,
    RETRIED_MINUTES,
    SHARED,
    SLOW_CALLS,
)
from tracelith.analysis.failures.units import CallerUnits, awaited_attempts, caller_units, judged_calls
from tracelith.analysis.outcomes import CallOutcomes, call_outcomes, failed_spans
from tracelith.analysis.statistics.grouping import grouped
from tracelith.analysis.statistics.weights import SAMPLING_KEY, known_sampling
from tracelith.analysis.strata import fact_rows
from tracelith.forest.view import ForestView
from tracelith.model.schema import WINDOW_NS, Outcome

__all__ = ["observe_failures"]

Bool = NDArray[np.bool_]
Int8 = NDArray[np.int8]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

_SLOW_NS = 1_000_000_000
_CUT_OFF_NS = 50_000_000
"""Calls given up sooner say more about refused connections than about a limit."""


def observe_failures(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of all tables, by table name."""
    outcomes, judged = call_outcomes(view), judged_calls(view)
    units = caller_units(view, outcomes, judged)
    attempts = awaited_attempts(view)
    requests = failed_requests(view, outcomes, judged, attempts)
    entries = _entry_outcome(view)
    nodes = _nodes(view, outcomes, attempts, requests)
    return {
        FAILED_EDGES.name: _edges(view, units),
        FAILED_NODES.name: nodes,
        FAILED_MINUTES.name: failed_minutes(view, attempts, requests),
        ENTRY_OUTCOMES.name: _entries(view, entries),
        ENTRY_EDGES.name: _entry_edges(view, units),
        RETRIED_MINUTES.name: retried_minutes(view),
        SLOW_CALLS.name: _slow_calls(view, outcomes),
        FAILURE_EXEMPLARS.name: _exemplars(view, units, entries),
    }


def _edges(view: ForestView, units: CallerUnits) -> pl.DataFrame:
    forest = view.forest
    trace = forest.trace[units.request]
    known, weight = known_sampling(forest.trace_weight)
    counted = grouped(
        {
            **_placed(view, trace),
            "caller": units.caller,
            "callee": units.callee,
            SAMPLING_KEY: known[trace].astype(np.int8),
            "state": units.state,
            "caller_failed": units.caller_failed.astype(np.int8),
        },
        pl.len().alias("requests"),
        pl.col("weight").sum(),
        (pl.col("weight") ** 2).sum().alias("weight_squares"),
        weight=weight[trace],
    )
    rows = _with_comparison(view, units, counted).with_columns(
        pl.col("window_ns") * WINDOW_NS, pl.col(SAMPLING_KEY, "caller_failed").cast(pl.Boolean), callee_kind="callee"
    )
    nodes = {"callee": view.calls.node_names, "callee_kind": view.calls.node_kinds}
    return fact_rows(FAILED_EDGES, rows, view, caller=forest.services, **nodes)


def _with_comparison(view: ForestView, units: CallerUnits, counted: pl.DataFrame) -> pl.DataFrame:
    """The rows with the sums of Mantel and Haenszel over minutes in which the callee failed and did not fail."""
    key = ["window_ns", "environment", "caller", "callee", SAMPLING_KEY]
    sums = ["failed_if_failed", "failed_if_quiet", "compared"]
    rows = counted.with_columns(pl.lit(0.0).alias(name) for name in sums)
    alone = units.state == ALONE
    if not alone.any():
        return rows
    forest, nodes = view.forest, len(view.calls.node_names)
    edge = units.caller.astype(np.int64) * nodes + units.callee
    picked = np.flatnonzero(np.isin(edge, np.unique(edge[alone])) & ((units.state == QUIET) | alone))
    trace = forest.trace[units.request[picked]]
    known, _ = known_sampling(forest.trace_weight)
    minutes = grouped(
        {
            **_placed(view, trace),
            "caller": units.caller[picked],
            "callee": units.callee[picked],
            SAMPLING_KEY: known[trace].astype(np.int8),
            "minute": _minute(view)[trace],
        },
        pl.col("alone").sum().cast(pl.Float64).alias("n1"),
        (~pl.col("alone")).sum().cast(pl.Float64).alias("n0"),
        (pl.col("alone") & pl.col("failed")).sum().cast(pl.Float64).alias("failed1"),
        (~pl.col("alone") & pl.col("failed")).sum().cast(pl.Float64).alias("failed0"),
        alone=alone[picked],
        failed=units.caller_failed[picked],
    ).filter((pl.col("n1") > 0) & (pl.col("n0") > 0))
    n = pl.col("n1") + pl.col("n0")
    compared = minutes.group_by(key).agg(
        failed_if_failed=(pl.col("failed1") * pl.col("n0") / n).sum(),
        failed_if_quiet=(pl.col("failed0") * pl.col("n1") / n).sum(),
        compared=(pl.col("n1") * pl.col("n0") / n).sum(),
    )
    # Where the caller never failed, a row of its own carries the sums.
    extra = compared.with_columns(
        state=pl.lit(ALONE, pl.Int8), caller_failed=pl.lit(1, pl.Int8), requests=pl.lit(0, pl.UInt32),
        weight=pl.lit(0.0), weight_squares=pl.lit(0.0),
    )  # fmt: skip
    merged = [*key, "state", "caller_failed"]
    both = pl.concat([rows, extra.select(rows.columns).cast(rows.schema)])
    return both.group_by(merged).agg(pl.col("requests", "weight", "weight_squares", *sums).sum())


def _nodes(view: ForestView, outcomes: CallOutcomes, attempts: Bool, requests: FailedRequests) -> pl.DataFrame:
    """Requests, failures and own failures per node."""
    forest, calls = view.forest, view.calls
    roots = _roots(view)
    kept = attempts & ~outcomes.cancelled
    trace = np.concatenate(
        [
            forest.trace[calls.request[kept]],
            forest.trace[roots],
            forest.trace[requests.request],
            forest.trace[calls.request[requests.silent]],
        ]
    )
    failed, silent = requests.request.size, requests.silent.size
    asked = int(kept.sum()) + roots.size
    first_to_fail = np.zeros(asked + failed + silent, dtype=np.bool_)
    first_to_fail[asked : asked + failed] = requests.origin == requests.service
    first_to_fail[asked + failed :] = True
    counted = grouped(
        {
            **_placed(view, trace),
            "node": np.concatenate(
                [calls.callee[kept], forest.service[roots], requests.service, calls.callee[requests.silent]]
            ),
        },
        (~pl.col("failure")).sum().alias("requests"),
        pl.col("failure").sum().alias("failures"),
        pl.col("first_to_fail").sum().alias("own"),
        failure=np.arange(first_to_fail.size) >= asked,
        first_to_fail=first_to_fail,
    ).with_columns(pl.col("window_ns") * WINDOW_NS, node_kind="node")
    return fact_rows(FAILED_NODES, counted, view, node=calls.node_names, node_kind=calls.node_kinds)


def _entry_outcome(view: ForestView) -> Int8:
    """FINE | HIDDEN | FAILED per chain, -1 for those nobody waits for at the door or that were given up."""
    chains, failed = view.chains, failed_spans(view)
    inside = view.chains.span_chain[failed]
    hidden = np.zeros(chains.root.size, dtype=np.bool_)
    hidden[inside[inside >= 0]] = True
    outcome = np.where(failed[chains.root], FAILED, np.where(hidden, HIDDEN, FINE))
    gone = chains.restarted | (view.forest.outcome[chains.root] == Outcome.CANCELLED)
    return np.where(gone, -1, outcome).astype(np.int8)


def _entries(view: ForestView, outcome: Int8) -> pl.DataFrame:
    chains, kept = view.chains, np.flatnonzero(outcome >= 0)
    trace = chains.trace[kept]
    known, weight = known_sampling(view.forest.trace_weight)
    rows = grouped(
        {
            **_placed(view, trace),
            "entry": chains.entry[kept],
            SAMPLING_KEY: known[trace].astype(np.int8),
            "outcome": outcome[kept],
        },
        pl.len().alias("requests"),
        pl.col("weight").sum(),
        (pl.col("weight") ** 2).sum().alias("weight_squares"),
        weight=weight[trace],
    ).with_columns(pl.col("window_ns") * WINDOW_NS, pl.col(SAMPLING_KEY).cast(pl.Boolean))
    return fact_rows(ENTRY_OUTCOMES, rows, view)


def _entry_edges(view: ForestView, units: CallerUnits) -> pl.DataFrame:
    chains = view.chains
    chain = chains.span_chain[units.request]
    kept = chain >= 0
    kept[kept] = ~chains.restarted[chain[kept]]
    nodes = len(view.calls.node_names)
    edge = units.caller[kept].astype(np.int64) * nodes + units.callee[kept]
    seen = np.unique(chain[kept].astype(np.int64) * (len(view.forest.services) * nodes) + edge)
    chain, edge = np.divmod(seen, len(view.forest.services) * nodes)
    rows = grouped(
        {
            **_placed(view, chains.trace[chain]),
            "entry": chains.entry[chain],
            "caller": (edge // nodes).astype(np.int32),
            "callee": (edge % nodes).astype(np.int32),
        },
        pl.len().alias("requests"),
    ).with_columns(pl.col("window_ns") * WINDOW_NS, callee_kind="callee")
    names = {"callee": view.calls.node_names, "callee_kind": view.calls.node_kinds}
    return fact_rows(ENTRY_EDGES, rows, view, caller=view.forest.services, **names)


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
            "duration_ns": _trace_ns(view, trace),
        }
    )
    return slowest_rows(view, rows, ["window_ns", "environment", "first", "second"])


def _trace_ns(view: ForestView, trace: Int32) -> Int64:
    root = view.forest.trace_root[trace]
    duration: Int64 = np.where(root >= 0, view.forest.duration_ns[root], 0)
    return duration


def _placed(view: ForestView, trace: NDArray[np.integer]) -> dict[str, NDArray[np.integer]]:
    """Window (in windows, so that keys stay small) and environment of each trace."""
    forest = view.forest
    return {"window_ns": forest.trace_window[trace] // WINDOW_NS, "environment": forest.trace_environment[trace]}


def _minute(view: ForestView) -> Int64:
    """Minute in which each trace began."""
    forest = view.forest
    return forest.start_ns[forest.trace_first[:-1]] // MINUTE_NS


def _roots(view: ForestView) -> Int32:
    roots = view.forest.trace_root[view.forest.trace_root >= 0]
    asked: Int32 = roots[view.forest.outcome[roots] != Outcome.CANCELLED]
    return asked
