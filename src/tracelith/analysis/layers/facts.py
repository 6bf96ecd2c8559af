"""Facts about what requests add to what they call, which entry operations use which calls, and examples."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelith.analysis.exemplars import SLOT_KEY, slowest_rows
from tracelith.analysis.operation_names import request_names
from tracelith.analysis.own_time import request_own_time_ns
from tracelith.analysis.requests import Requests, requests_of
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.pairs import number_pairs
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.trace_strata import trace_strata
from tracelith.compiled import compiled
from tracelith.forest.view import Bool, ForestView, Int8, Int32, Int64
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

_NONE, _MORE = -1, -2
"""In place of the only call of a request that makes none, or several, or one of another kind."""


@dataclass(frozen=True, slots=True)
class _Requests:
    """One entry per request of a complete trace.

    Attributes:
        handled: who handled it, and where it counts. own_ns: int64, own time.
        call: int32, the only call it makes, -1 if it makes none, several or another kind. own_share: int8, the bucket
            of OWN_SHARES of its own time if it makes a single call, -1 for the others.
        alone: it calls nobody and nothing.
    """

    handled: Requests
    own_ns: Int64
    call: Int32
    own_share: Int8
    alone: Bool


def observe_layers(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of the three tables, by table name."""
    requests = _requests(view)
    return {
        HANDED_ON.name: _handed_on(view, requests),
        ENTRY_CALLS.name: _entry_calls(view),
        PASSING_EXEMPLARS.name: _exemplars(view, requests),
    }


def _requests(view: ForestView) -> _Requests:
    forest, calls = view.forest, view.calls
    service = np.array([kind == "service" for kind in calls.node_kinds], np.bool_)
    # A call whose clocks cannot tell whether it was awaited is no message either, so it speaks for itself.
    onward = service.take(calls.callee) & ~calls.deferred
    only = _only_calls(calls.request, calls.final, onward, forest.parent.size)
    requests = view.once(requests_of)
    handled = requests.of(np.flatnonzero(forest.trace_complete.take(requests.trace)))
    span = handled.span
    kind, own_ns, only = forest.kind.take(span), view.once(request_own_time_ns).take(span), only.take(span)
    answers = (kind == Kind.SERVER) | (kind == Kind.UNSPECIFIED)
    single = np.flatnonzero(answers & (only >= 0))
    call, own_share = np.full(span.size, -1, np.int32), np.full(span.size, -1, np.int8)
    call[single] = only[single]
    share = own_ns[single] / np.maximum(forest.duration_ns[span[single]], 1)
    own_share[single] = np.searchsorted(np.array(OWN_SHARES[1:-1]), share, side="right")
    return _Requests(handled, own_ns, call, own_share, alone=only == _NONE)


@compiled
def _only_calls(request: Int32, final: Bool, onward: Bool, spans: int) -> Int32:
    """The only call that each request makes, at its entry span: _NONE if it makes none, _MORE if several or another.

    Args:
        request: of each call, or -1. final: the last attempt. onward: to a service that may have to answer.
    """
    only = np.full(spans, _NONE, np.int32)
    for call in range(request.size):
        span = request[call]
        if final[call] and span >= 0:
            only[span] = call if only[span] == _NONE and onward[call] else _MORE
    return only


def _handed_on(view: ForestView, requests: _Requests) -> pl.DataFrame:
    forest, calls = view.forest, view.calls
    names, _ = view.once(request_names)
    callee, called, translated = _passed_on(view, requests)
    handed = groups_of(
        {
            "stratum": requests.handled.stratum,
            "service": requests.handled.service,
            "operation": requests.handled.operation,
            "callee": callee,
            "callee_operation": called,
            "own_share": requests.own_share,
        }
    )
    single, outcome = np.flatnonzero(requests.call >= 0), forest.outcome.take(requests.handled.span)
    way_ns = np.full(requests.call.size, -1, np.int64)
    way_ns[single] = calls.network_ns[requests.call[single]]
    marks = {
        "from_outside": forest.parent.take(requests.handled.span) < 0,
        "turned_away": requests.alone & (outcome == Outcome.REFUSED),
        "answered": requests.alone & (outcome == Outcome.FINE),
        "translated": translated,
        "timed": way_ns >= 0,
        "lighter": requests.own_ns < way_ns,
    }
    rows = handed.frame("requests", **{name: mark.astype(np.int64) for name, mark in marks.items()})
    texts = {
        "service": forest.services,
        "operation": names,
        "callee": (*calls.node_names, ""),
        "callee_operation": (*names, ""),
    }
    return fact_rows(HANDED_ON, view.once(trace_strata).placed(rows), view, **texts)


def _passed_on(view: ForestView, requests: _Requests) -> tuple[Int32, Int32, Bool]:
    """Callee and operation of the single call of each request, and whether it is made by another protocol.

    For those that make none, callee and operation are the code after the last.
    """
    forest, calls = view.forest, view.calls
    names, name_of = view.once(request_names)
    callee = np.full(requests.call.size, len(calls.node_names), np.int32)
    called = np.full(requests.call.size, len(names), np.int32)
    translated = np.zeros(requests.call.size, np.bool_)
    single = np.flatnonzero(requests.call >= 0)
    call = requests.call[single]
    client, server = calls.client[call], calls.server[call]
    callee[single] = calls.callee[call]
    called[single] = name_of[forest.operation[np.where(server >= 0, server, client)]]
    protocol = np.array([_PROTOCOLS.get(name, 0) for name in forest.operations["protocol"]], np.int8)
    before, after = protocol[forest.operation[requests.handled.span[single]]], protocol[forest.operation[client]]
    translated[single] = (before != after) & (before > 0) & (after > 0)
    return callee, called, translated


def _entry_calls(view: ForestView) -> pl.DataFrame:
    """Each edge once per chain that awaits a call on it, and each chain once."""
    forest, chains, calls = view.forest, view.chains, view.calls
    asking = np.where(calls.client >= 0, calls.client, calls.server)
    chain = chains.span_chain.take(asking)
    called = np.flatnonzero(calls.awaited & (calls.server >= 0) & (chain >= 0))
    called = called[~chains.restarted.take(chain[called])]
    chain = chain[called]
    edges = groups_of({"caller": calls.caller[called], "callee": calls.callee[called]})
    _, once = number_pairs(chain, edges.group, chains.root.size, edges.size)
    outside = np.flatnonzero(~chains.restarted).astype(np.int32)
    chain = np.concatenate([chain.take(once), outside])
    edge = np.concatenate([edges.group.take(once), np.full(outside.size, edges.size, np.int32)])
    stratum = view.once(trace_strata).stratum.take(chains.trace.take(chain))
    entries = groups_of({"stratum": stratum, "entry": chains.entry.take(chain), "edge": edge})
    rows, of = entries.frame("traces"), entries.keys["edge"]
    # The last edge stands for all chains, and has no names.
    caller = np.append(edges.keys["caller"], len(forest.services))[of]
    callee = np.append(edges.keys["callee"], len(calls.node_names))[of]
    placed = view.once(trace_strata).placed(rows).with_columns(caller=pl.Series(caller), callee=pl.Series(callee))
    texts = {"caller": (*forest.services, ""), "callee": (*calls.node_names, "")}
    return fact_rows(ENTRY_CALLS, placed, view, **texts)


def _exemplars(view: ForestView, requests: _Requests) -> pl.DataFrame:
    few = np.searchsorted(np.array(OWN_SHARES), SMALL_SHARE)
    passing = requests.handled.of(np.flatnonzero((requests.own_share >= 0) & (requests.own_share < few)))
    rows = pl.DataFrame(
        {
            "stratum": passing.stratum,
            "service": passing.service,
            "trace": passing.trace,
            "duration_ns": view.forest.duration_ns[passing.span],
        }
    )
    slowest = view.once(trace_strata).placed(slowest_rows(view, rows, ["stratum", "service"]))
    return fact_rows(PASSING_EXEMPLARS, slowest, view, service=view.forest.services)
