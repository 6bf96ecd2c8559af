"""Facts about what requests add to what they call, which entry operations use which calls, and examples."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.exemplars import SLOT_KEY, slowest_rows
from tracelith.analysis.operation_names import request_names
from tracelith.analysis.own_time import request_own_time_ns
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.strata import fact_rows
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactTable
from tracelith.model.schema import Kind, Outcome

__all__ = [
    "ENTRY_CALLS",
    "HANDED_ON",
    "OWN_SHARES",
    "PASSING_EXEMPLARS",
    "SMALL_SHARE",
    "observe_layers",
]

OWN_SHARES = (0.0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.4, 0.6, 0.8, 1.0)
"""Borders of the histogram of own time per duration: fine up to the threshold, coarse where nobody is accused."""

SMALL_SHARE = 0.2
"""A request that spends less of its time on work of its own hands on what others do (metrics.md §11)."""

HANDED_ON = FactTable(
    "handed_on",
    keys={
        "service": pl.String,
        "operation": pl.String,
        "callee": pl.String,
        "callee_operation": pl.String,
        "own_share": pl.Int8,
    },
    sums={
        "requests": pl.Int64,
        "from_outside": pl.Int64,
        "turned_away": pl.Int64,
        "answered": pl.Int64,
        "translated": pl.Int64,
        "timed": pl.Int64,
        "lighter": pl.Int64,
    },
)
"""Requests of complete traces. Those that make one awaited call to a service and none to anything else name what they
call and the bucket of OWN_SHARES their own time falls in; for all others the callee is empty and the bucket -1.
from_outside: nobody called them. turned_away: refused (4xx) without having asked anybody. answered: neither
refused nor failed, without having asked anybody. translated: asked by one
protocol (HTTP, RPC) and passed on by another. timed: their single call was seen from both sides; lighter: and their
own time was less than what that call lost on the way."""

ENTRY_CALLS = FactTable(
    "entry_calls",
    keys={"service": pl.String, "operation": pl.String, "caller": pl.String, "callee": pl.String},
    sums={"traces": pl.Int64},
)
"""Chains from outside, per entry operation, in which the caller awaited the callee; with an empty caller and callee,
all of them."""

PASSING_EXEMPLARS = FactTable(
    "passing_exemplars",
    keys={"service": pl.String, SLOT_KEY: pl.Int8},
    sums={},
    maxima={"rank": pl.String},
)
"""Traces in which a service handed on a request with little work of its own, see exemplars."""

_PROTOCOLS = {"http": 1, "rpc": 2}

Bool = NDArray[np.bool_]
Int8 = NDArray[np.int8]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Requests:
    """One entry per request of a complete trace.

    Attributes:
        span: its entry span. call: the only call it makes, -1 if it makes none, several or another kind.
        alone: it calls nobody and nothing.
    """

    span: Int64
    call: Int64
    alone: Bool


def observe_layers(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of the three tables, by table name."""
    requests = _requests(view)
    own_ns = view.once(request_own_time_ns)[requests.span]
    own_share = _own_shares(view, requests, own_ns)
    return {
        HANDED_ON.name: _handed_on(view, requests, own_ns, own_share),
        ENTRY_CALLS.name: _entry_calls(view),
        PASSING_EXEMPLARS.name: _exemplars(view, requests, own_share),
    }


def _requests(view: ForestView) -> _Requests:
    forest, calls = view.forest, view.calls
    spans = forest.parent.size
    handed = calls.final & (calls.request >= 0)
    service = np.array([kind == "service" for kind in calls.node_kinds], np.bool_)
    # A call whose clocks cannot tell whether it was awaited is no message either, so it speaks for itself.
    onward = handed & service[calls.callee] & ~calls.deferred
    onwards = np.bincount(calls.request[onward], minlength=spans)
    anything = np.bincount(calls.request[handed], minlength=spans)
    only = np.full(spans, -1, np.int64)
    only[calls.request[onward]] = np.flatnonzero(onward)
    answers = (forest.kind == Kind.SERVER) | (forest.kind == Kind.UNSPECIFIED)
    only[~answers | (onwards != 1) | (anything != 1)] = -1
    entry = calls.span_request == np.arange(spans)
    span = np.flatnonzero(entry & forest.trace_complete[forest.trace])
    return _Requests(span, only[span], anything[span] == 0)


def _own_shares(view: ForestView, requests: _Requests, own_ns: Int64) -> Int8:
    """Bucket of OWN_SHARES of each request that makes a single call, -1 for the others."""
    share = own_ns / np.maximum(view.forest.duration_ns[requests.span], 1)
    bucket = np.searchsorted(np.array(OWN_SHARES[1:-1]), share, side="right").astype(np.int8)
    return np.where(requests.call >= 0, bucket, np.int8(-1))


def _handed_on(view: ForestView, requests: _Requests, own_ns: Int64, own_share: Int8) -> pl.DataFrame:
    forest, calls = view.forest, view.calls
    names, name_of = view.once(request_names)
    asked, outcome = forest.operation[requests.span], forest.outcome[requests.span]
    callee, called, translated = _passed_on(view, requests, name_of, (len(calls.node_names), len(names)))
    way_ns = np.full(requests.span.size, -1, np.int64)
    way_ns[requests.call >= 0] = calls.network_ns[requests.call[requests.call >= 0]]
    stratum, strata = _strata(view)
    handed = groups_of(
        {
            "stratum": stratum[forest.trace[requests.span]],
            "service": calls.span_service[requests.span],
            "operation": name_of[asked],
            "callee": callee,
            "callee_operation": called,
            "own_share": own_share,
        }
    )
    marks = {
        "from_outside": forest.parent[requests.span] < 0,
        "turned_away": requests.alone & (outcome == Outcome.REFUSED),
        "answered": requests.alone & (outcome == Outcome.FINE),
        "translated": translated,
        "timed": way_ns >= 0,
        "lighter": own_ns < way_ns,
    }
    rows = handed.frame("requests", **{name: mark.astype(np.int64) for name, mark in marks.items()})
    texts = {
        "service": forest.services,
        "operation": names,
        "callee": (*calls.node_names, ""),
        "callee_operation": (*names, ""),
    }
    return fact_rows(HANDED_ON, _placed(rows, strata), view, **texts)


def _passed_on(
    view: ForestView, requests: _Requests, name_of: Int32, nobody: tuple[int, int]
) -> tuple[Int64, Int64, Bool]:
    """Callee and operation of the single call of each request, and whether it is made by another protocol.

    Args:
        nobody: codes for those that make none.
    """
    forest, calls = view.forest, view.calls
    callee, called = (np.full(requests.span.size, code, np.int64) for code in nobody)
    translated = np.zeros(requests.span.size, np.bool_)
    single = np.flatnonzero(requests.call >= 0)
    call = requests.call[single]
    client, server = calls.client[call], calls.server[call]
    callee[single] = calls.callee[call]
    called[single] = name_of[forest.operation[np.where(server >= 0, server, client)]]
    protocol = np.array([_PROTOCOLS.get(name, 0) for name in forest.operations["protocol"]], np.int8)
    before, after = protocol[forest.operation[requests.span[single]]], protocol[forest.operation[client]]
    translated[single] = (before != after) & (before > 0) & (after > 0)
    return callee, called, translated


def _entry_calls(view: ForestView) -> pl.DataFrame:
    """Each edge once per chain that awaits a call on it, and each chain once."""
    chains, calls = view.chains, view.calls
    nodes, services = len(calls.node_names) + 1, len(view.forest.services) + 1
    asking = np.where(calls.client >= 0, calls.client, calls.server)
    called = np.flatnonzero(calls.awaited & (calls.server >= 0) & (chains.span_chain[asking] >= 0))
    edge = calls.caller[called].astype(np.int64) * nodes + calls.callee[called]
    # Sorting is thirty times faster than np.unique, which builds a table of hashes.
    pairs = np.sort(chains.span_chain[asking[called]].astype(np.int64) * (services * nodes) + edge)
    pairs = pairs[np.concatenate([[True], pairs[1:] != pairs[:-1]])] if pairs.size else pairs
    outside = np.flatnonzero(~chains.restarted)
    nothing = (services - 1) * nodes + nodes - 1
    chain = np.concatenate([pairs // (services * nodes), outside])
    edge = np.concatenate([pairs % (services * nodes), np.full(outside.size, nothing)])
    asked = ~chains.restarted[chain]
    chain, edge = chain[asked], edge[asked]
    stratum, strata = _strata(view)
    entries = groups_of({"stratum": stratum[chains.trace[chain]], "entry": chains.entry[chain], "edge": edge})
    rows = entries.frame("traces").with_columns(caller=pl.col("edge") // nodes, callee=pl.col("edge") % nodes)
    texts = {"caller": (*view.forest.services, ""), "callee": (*calls.node_names, "")}
    return fact_rows(ENTRY_CALLS, _placed(rows, strata), view, **texts)


def _exemplars(view: ForestView, requests: _Requests, own_share: Int8) -> pl.DataFrame:
    few = np.searchsorted(np.array(OWN_SHARES), SMALL_SHARE)
    passing = requests.span[(own_share >= 0) & (own_share < few)]
    forest = view.forest
    trace = forest.trace[passing]
    rows = pl.DataFrame(
        {
            "window_ns": forest.trace_window[trace],
            "environment": forest.trace_environment[trace],
            "service": view.calls.span_service[passing],
            "trace": trace,
            "duration_ns": forest.duration_ns[passing],
        }
    )
    slowest = slowest_rows(view, rows, ["window_ns", "environment", "service"])
    return fact_rows(PASSING_EXEMPLARS, slowest, view, service=forest.services)


def _strata(view: ForestView) -> tuple[Int64, pl.DataFrame]:
    """The window and environment of each trace as one small number, and what the numbers stand for."""
    forest = view.forest
    windows, window = np.unique(forest.trace_window, return_inverse=True)
    places = len(forest.environments)
    codes, stratum = np.unique(window * places + forest.trace_environment, return_inverse=True)
    return stratum, pl.DataFrame({"window_ns": windows[codes // places], "environment": codes % places})


def _placed(rows: pl.DataFrame, strata: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([rows.drop("stratum"), strata[rows["stratum"].to_numpy()]], how="horizontal")
