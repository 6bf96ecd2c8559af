"""Facts of a view about failures. Almost everything is fine almost always: only what failed is looked at closely."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from tracelith.analysis.exemplars import slowest_rows
from tracelith.analysis.failures.callers import entry_edges, failed_edges
from tracelith.analysis.failures.minutes import failed_minutes, retried_minutes, root_ns
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
    RETRIED_MINUTES,
    SHARED,
    SLOW_CALLS,
)
from tracelith.analysis.failures.units import CallerUnits, awaited_attempts, caller_units, judged_calls
from tracelith.analysis.outcomes import CallOutcomes, call_outcomes, failed_spans
from tracelith.analysis.places import call_cells, places_of
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.trace_strata import trace_strata
from tracelith.forest.view import Bool, ForestView, Int8, Int32
from tracelith.model.schema import Outcome

__all__ = ["observe_failures"]

_SLOW_NS = 1_000_000_000
_CUT_OFF_NS = 50_000_000
"""Calls given up sooner say more about refused connections than about a limit."""


def observe_failures(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of all tables, by table name."""
    outcomes, judged, attempts = view.once(call_outcomes), judged_calls(view), awaited_attempts(view)
    units = caller_units(view, outcomes, judged)
    requests = failed_requests(view, outcomes, judged, attempts)
    entries = _entry_outcome(view)
    return {
        FAILED_EDGES.name: failed_edges(view, units),
        FAILED_NODES.name: _nodes(view, attempts & ~outcomes.cancelled, requests),
        FAILED_MINUTES.name: failed_minutes(view, attempts, requests),
        ENTRY_OUTCOMES.name: _entries(view, entries),
        ENTRY_EDGES.name: entry_edges(view, units),
        RETRIED_MINUTES.name: retried_minutes(view),
        SLOW_CALLS.name: _slow_calls(view, outcomes),
        FAILURE_EXEMPLARS.name: _exemplars(view, units, entries),
    }


def _nodes(view: ForestView, asked: Bool, requests: FailedRequests) -> pl.DataFrame:
    """Requests, failures and own failures per node.

    Args:
        asked: attempts that are requests of their callee.
    """
    forest, calls, cells = view.forest, view.calls, view.once(call_cells)
    strata, roots, silent = view.once(trace_strata), _roots(view), requests.silent
    trace = np.concatenate([forest.trace[roots], forest.trace[requests.request], forest.trace[calls.request[silent]]])
    own = requests.origin == requests.service
    # Attempts in cells, requests from outside, failed requests, and failed calls that nobody answered.
    parts = (cells.size, roots.size, own.size, silent.size)
    nodes = groups_of(
        {
            "stratum": np.concatenate([cells.stratum, strata.stratum[trace]]),
            "node": np.concatenate([cells.callee, forest.service[roots], requests.service, calls.callee[silent]]),
        }
    )
    asking = np.concatenate([cells.count(asked), np.repeat([1, 0, 0], parts[1:])])
    failing = np.repeat([0, 0, 1, 1], parts)
    by_itself = np.concatenate([np.zeros(parts[0] + parts[1], np.int64), own, np.ones(silent.size, np.int64)])
    sums = {"requests": nodes.sums(asking), "failures": nodes.sums(failing), "own": nodes.sums(by_itself)}
    told = np.flatnonzero(sums["requests"] + sums["failures"])
    rows = {name: column[told] for name, column in {**nodes.keys, "node_kind": nodes.keys["node"], **sums}.items()}
    placed = strata.placed(pl.DataFrame(rows))
    return fact_rows(FAILED_NODES, placed, view, node=calls.node_names, node_kind=calls.node_kinds)


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
    chains, places, kept = view.chains, view.once(places_of), np.flatnonzero(outcome >= 0)
    trace = chains.trace[kept]
    counted = groups_of({"place": places.of_trace[trace], "entry": chains.entry[kept], "outcome": outcome[kept]})
    weight = places.weight[trace]
    rows = pl.DataFrame(
        {
            **places.columns(counted.keys["place"]),
            "entry": counted.keys["entry"],
            "outcome": counted.keys["outcome"],
            "requests": counted.counts(),
            "weight": counted.sums(weight),
            "weight_squares": counted.sums(weight**2),
        }
    )
    return fact_rows(ENTRY_OUTCOMES, rows, view)


def _slow_calls(view: ForestView, outcomes: CallOutcomes) -> pl.DataFrame:
    forest, calls = view.forest, view.calls
    long = (calls.duration_ns >= _SLOW_NS) | (outcomes.failed & (calls.duration_ns >= _CUT_OFF_NS))
    picked = np.flatnonzero(long & (calls.client >= 0) & ~calls.deferred)
    server, duration_ns = calls.server[picked], calls.duration_ns[picked]
    gave_up = outcomes.failed[picked] & (duration_ns >= _CUT_OFF_NS)
    gave_up &= (server < 0) | (forest.outcome[server] != Outcome.FAILED)
    kept = np.flatnonzero(gave_up | (duration_ns >= _SLOW_NS))
    picked, duration_ns = picked[kept], duration_ns[kept]
    length = duration_ns / 1e6
    step = 10.0 ** (np.floor(np.log10(np.maximum(length, 1.0))) - 1)
    trace = forest.trace[calls.client[picked]]
    slow = groups_of(
        {
            "window_ns": forest.trace_window[trace],
            "environment": forest.trace_environment[trace],
            "caller": calls.caller[picked],
            "callee": calls.callee[picked],
            "length_ms": (np.round(length / step) * step).astype(np.int64),
            "gave_up": gave_up[kept].astype(np.int8),
        }
    )
    longest = {"attempts": slow.counts(), "longest_ns": slow.largest(duration_ns)}
    rows = pl.DataFrame({**slow.keys, "callee_kind": slow.keys["callee"], **longest})
    nodes = {"callee": calls.node_names, "callee_kind": calls.node_kinds}
    return fact_rows(SLOW_CALLS, rows, view, caller=forest.services, **nodes)


def _exemplars(view: ForestView, units: CallerUnits, outcome: Int8) -> pl.DataFrame:
    forest, chains, calls, cells = view.forest, view.chains, view.calls, view.once(call_cells)
    felled = np.flatnonzero(((units.state == ALONE) | (units.state == SHARED)) & units.caller_failed)
    hidden = np.flatnonzero(outcome == HIDDEN)
    edge = units.cell[felled]
    by_edge = _examples(view, forest.trace[units.request[felled]], cells.caller[edge], cells.callee[edge])
    by_entry = _examples(view, chains.trace[hidden], chains.entry[hidden], chains.entry[hidden])
    edges = {"kind": ("edge",), "first": forest.services, "second": calls.node_names}
    entries = {"kind": ("hidden",), "first": chains.entry_services, "second": chains.entry_operations}
    told = ((by_edge, edges), (by_entry, entries))
    return pl.concat([fact_rows(FAILURE_EXEMPLARS, rows, view, **texts) for rows, texts in told])


def _examples(view: ForestView, trace: Int32, first: Int32, second: Int32) -> pl.DataFrame:
    """The slowest of these traces, by first and second; they are of the only kind that the caller names."""
    forest = view.forest
    rows = pl.DataFrame(
        {
            "window_ns": forest.trace_window[trace],
            "environment": forest.trace_environment[trace],
            "kind": np.zeros(trace.size, np.int32),
            "first": first,
            "second": second,
            "trace": trace,
            "duration_ns": root_ns(view, trace),
        }
    )
    return slowest_rows(view, rows, ["window_ns", "environment", "kind", "first", "second"])


def _roots(view: ForestView) -> Int32:
    roots = view.forest.trace_root[view.forest.trace_root >= 0]
    asked: Int32 = roots[view.forest.outcome[roots] != Outcome.CANCELLED]
    return asked
