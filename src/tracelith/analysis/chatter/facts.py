"""Facts about repeated calls: how many of the same kind a request makes, one after the other or side by side."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.exemplars import SLOT_KEY, slowest_rows
from tracelith.analysis.operation_names import call_names, request_names
from tracelith.analysis.statistics.grouping import Groups, groups_of
from tracelith.analysis.statistics.weights import SAMPLING_KEY, known_sampling
from tracelith.analysis.strata import fact_rows
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactTable
from tracelith.model.schema import Kind

__all__ = ["ASKED", "CHATTY_EXEMPLARS", "LOOP_CALLS", "REPEATED_CALLS", "observe_chatter"]

LOOP_CALLS = 5
"""So many of the same call one after the other are a loop (own): pages of a list and a call made again in another
place of the code are two to four."""

ASKED = ("request", "message", "job")
"""Who asked for the work in which a call is made."""

REPEATED_CALLS = FactTable(
    "repeated_calls",
    keys={
        "caller": pl.String,
        "operation": pl.String,
        "asked": pl.String,
        "callee": pl.String,
        "callee_kind": pl.String,
        "callee_operation": pl.String,
        SAMPLING_KEY: pl.Boolean,
        "measure": pl.String,
        "times": pl.Int32,
    },
    sums={
        "requests": pl.Int64,
        "weight": pl.Float64,
        "weight_squares": pl.Float64,
        "weighted_calls": pl.Float64,
        "weighted_ns": pl.Float64,
        "weighted_saved_ns": pl.Float64,
    },
)
"""Requests that make a call, by how often. measure: calls (all of them), in_a_row (each begun after all before it had
ended), at_once (that overlap). Rows of in_a_row and at_once are left out where the number is 1. weighted_ns is the time
in which at least one such call ran; weighted_saved_ns what is left of it if one call did the work of all."""

CHATTY_EXEMPLARS = FactTable(
    "chatty_exemplars",
    keys={
        "caller": pl.String,
        "operation": pl.String,
        "callee": pl.String,
        "callee_kind": pl.String,
        "callee_operation": pl.String,
        SLOT_KEY: pl.Int8,
    },
    sums={},
    maxima={"rank": pl.String},
)
"""The traces with most calls in a row (or, without a loop, with most calls), see exemplars."""

_MEASURES = ("calls", "in_a_row", "at_once")
_EXACT = 32
"""Counts up to here are kept as they are, larger ones as the lower end of a bucket a tenth wide."""

_LONGEST_AXIS_NS = 2**61
"""The stretches of all sets are laid end to end on an axis of 64-bit numbers."""

_EDGE = ["window_ns", "environment", "caller", "operation", "callee", "callee_kind", "callee_operation"]

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Sets:
    """One entry per set of calls: the same call made by the same request.

    Attributes:
        request: span of the request. callee, called: node and name of what is called.
        calls, in_a_row, at_once: how many. busy_ns: time in which one of them ran.
    """

    request: Int64
    callee: Int64
    called: Int64
    calls: Int64
    in_a_row: Int64
    at_once: Int64
    busy_ns: Int64


def observe_chatter(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of both tables, by table name."""
    called_names, called = view.once(call_names)
    sets = _sets(view, called)
    caller_names, asking = view.once(request_names)
    nodes = {"callee": view.calls.node_names, "callee_kind": view.calls.node_kinds}
    texts = nodes | {"caller": view.forest.services, "operation": caller_names, "callee_operation": called_names}
    edges = _edges(view, sets, asking)
    facts = fact_rows(REPEATED_CALLS, _counted(view, sets, edges), view, asked=ASKED, measure=_MEASURES, **texts)
    exemplars = _exemplars(view, sets, edges)
    return {
        REPEATED_CALLS.name: facts,
        CHATTY_EXEMPLARS.name: fact_rows(CHATTY_EXEMPLARS, exemplars, view, **texts),
    }


def _sets(view: ForestView, names: NDArray[np.int32]) -> _Sets:
    """All sets of calls. Attempts of one logical call are one call; what nobody waits for is no chatter."""
    forest, calls = view.forest, view.calls
    made = np.flatnonzero(calls.final & calls.awaited & (calls.client >= 0) & (calls.request >= 0) & ~calls.linked)
    client, server = calls.client[made], calls.server[made]
    request, callee = calls.request[made].astype(np.int64), calls.callee[made].astype(np.int64)
    called = names[forest.operation[np.where(server >= 0, server, client)]].astype(np.int64)
    key = (request * max(len(calls.node_names), 1) + callee) * (int(called.max(initial=0)) + 1) + called
    # Calls come in the order of their clients, which is that of their start within a trace: a stable sort keeps it.
    order = np.argsort(key, kind="stable")
    key, client = key[order], client[order]
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if key.size else np.empty(0, np.int64)
    number = np.diff(np.concatenate([first, [key.size]]))
    in_a_row, at_once = np.ones_like(number), np.ones_like(number)
    busy = forest.duration_ns[client[first]].copy()
    several = np.flatnonzero(number > 1)
    if several.size:
        rows = np.repeat(number > 1, number)
        group = np.repeat(np.arange(several.size), number[several])
        in_a_row[several], at_once[several], busy[several] = _stretches(view, client[rows], group)
    chosen = order[first]
    return _Sets(request[chosen], callee[chosen], called[chosen], number, in_a_row, at_once, busy)


def _stretches(view: ForestView, client: NDArray[np.int32], group: Int64) -> tuple[Int64, Int64, Int64]:
    """Per group: stretches of overlapping calls, calls in the longest of them, and time covered by all.

    Args:
        client: spans in the order of (group, start).
        group: dense group number of each.
    """
    firsts = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    begin = view.forest.start_ns[client] - view.forest.start_ns[client[firsts]][group]
    limit = _LONGEST_AXIS_NS // firsts.size
    begin = np.minimum(begin, limit)
    end = np.minimum(begin + np.minimum(view.forest.duration_ns[client], limit), limit)
    # Each group has a stretch of one axis to itself, so that a running maximum never reaches into the next.
    length = np.maximum.reduceat(end, firsts)
    base = (np.cumsum(length) - length)[group]
    begin, end = begin + base, end + base
    ended = np.maximum.accumulate(end)
    opens = np.flatnonzero(np.concatenate([[True], begin[1:] >= ended[:-1]]))
    size = np.diff(np.concatenate([opens, [begin.size]]))
    covered = np.maximum.reduceat(end, opens) - begin[opens]
    owner = group[opens]
    heads = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
    return (
        np.diff(np.concatenate([heads, [owner.size]])),
        np.maximum.reduceat(size, heads),
        np.add.reduceat(covered, heads),
    )


def _edges(view: ForestView, sets: _Sets, asking: NDArray[np.int32]) -> Groups:
    """The sets by where they are counted, but for how often; names as codes."""
    forest = view.forest
    kind = forest.kind[sets.request]
    by_hand = np.isin(kind, (Kind.SERVER, Kind.UNSPECIFIED))
    place = groups_of(
        {
            "window_ns": forest.trace_window,
            "environment": forest.trace_environment,
            SAMPLING_KEY: known_sampling(forest.trace_weight)[0],
        }
    )
    edges = groups_of(
        {
            "place": place.group[forest.trace[sets.request]],
            "caller": view.calls.span_service[sets.request],
            "operation": asking[forest.operation[sets.request]],
            "asked": np.where(by_hand, 0, np.where(kind == Kind.CONSUMER, 1, 2)),
            "callee": sets.callee,
            "callee_operation": sets.called,
        }
    )
    at = edges.keys["place"]
    keys = {**{name: keys[at] for name, keys in place.keys.items()}, **edges.keys}
    del keys["place"]
    return Groups(edges.group, keys | {"callee_kind": edges.keys["callee"]})


def _counted(view: ForestView, sets: _Sets, edges: Groups) -> pl.DataFrame:
    """Rows of REPEATED_CALLS in codes."""
    _, weights = known_sampling(view.forest.trace_weight)
    weight = weights[view.forest.trace[sets.request]]
    busy = weight * sets.busy_ns
    once = {
        "weighted_calls": weight * sets.calls,
        "weighted_ns": busy,
        "weighted_saved_ns": busy * (1 - 1 / sets.in_a_row),
    }
    parts = []
    for number, measure in enumerate(_MEASURES):
        times = getattr(sets, measure)
        kept = np.flatnonzero(times > 1) if number else np.arange(times.size)
        groups = groups_of({"edge": edges.group[kept], "times": _shortened(times[kept])})
        counted = groups.frame("requests", weight=weight[kept], weight_squares=weight[kept] ** 2)
        # Time is told once per set, in the row of all its calls.
        sums = {name: np.zeros(groups.size) if number else groups.sums(values) for name, values in once.items()}
        where = {name: codes[groups.keys["edge"]] for name, codes in edges.keys.items()}
        columns = pl.DataFrame({**where, **sums}).with_columns(measure=pl.lit(number, dtype=pl.Int32))
        parts.append(counted.hstack(columns))
    return pl.concat(parts)


def _shortened(times: Int64) -> Int64:
    """Counts, large ones as the lower end of their bucket."""
    steps = np.floor(np.log(np.maximum(times, _EXACT) / _EXACT) / np.log(1.1) + 1e-9)
    return np.where(times <= _EXACT, times, np.floor(_EXACT * 1.1**steps)).astype(np.int64)


def _exemplars(view: ForestView, sets: _Sets, edges: Groups) -> pl.DataFrame:
    many = np.flatnonzero((sets.in_a_row >= LOOP_CALLS) | (sets.calls > 2 * LOOP_CALLS))
    rows = pl.DataFrame(
        {
            **{name: edges.keys[name][edges.group[many]] for name in _EDGE},
            "trace": view.forest.trace[sets.request[many]],
            # What is kept is the largest: here of calls, those in a row first.
            "duration_ns": sets.in_a_row[many] * 1_000_000 + sets.calls[many],
        }
    )
    return slowest_rows(view, rows, _EDGE)
