"""Facts about repeated calls: how many of the same kind a request makes, one after the other or side by side."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelith.analysis.exemplars import SLOT_KEY, slowest_rows
from tracelith.analysis.operation_names import call_names, request_names
from tracelith.analysis.statistics.grouping import Groups, groups_of
from tracelith.analysis.statistics.pairs import number_pairs
from tracelith.analysis.statistics.weights import SAMPLING_KEY, known_sampling
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.trace_strata import trace_strata
from tracelith.compiled import compiled
from tracelith.forest.view import Float64, ForestView, Int32, Int64
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

_EDGE = ["stratum", "caller", "operation", "callee", "callee_kind", "callee_operation"]


@dataclass(frozen=True, slots=True)
class _Sets:
    """One entry per set of calls: the same call made by the same request.

    Attributes:
        request: span of the request. callee, called: node and name of what is called.
        calls, in_a_row, at_once: how many. busy_ns: time in which one of them ran.
    """

    request: Int32
    callee: Int32
    called: Int32
    calls: Int32
    in_a_row: Int32
    at_once: Int32
    busy_ns: Int64


def observe_chatter(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of both tables, by table name."""
    called_names, called = view.once(call_names)
    sets, strata = _sets(view, called), view.once(trace_strata)
    caller_names, asking = view.once(request_names)
    nodes = {"callee": view.calls.node_names, "callee_kind": view.calls.node_kinds}
    texts = nodes | {"caller": view.forest.services, "operation": caller_names, "callee_operation": called_names}
    edges = _edges(view, sets, asking)
    counted, exemplars = strata.placed(_counted(view, sets, edges)), strata.placed(_exemplars(view, sets, edges))
    return {
        REPEATED_CALLS.name: fact_rows(REPEATED_CALLS, counted, view, asked=ASKED, measure=_MEASURES, **texts),
        CHATTY_EXEMPLARS.name: fact_rows(CHATTY_EXEMPLARS, exemplars, view, **texts),
    }


def _sets(view: ForestView, names: Int32) -> _Sets:
    """All sets of calls. Attempts of one logical call are one call; what nobody waits for is no chatter."""
    forest, calls = view.forest, view.calls
    made = np.flatnonzero(calls.final & calls.awaited & (calls.client >= 0) & (calls.request >= 0) & ~calls.linked)
    client, server, request = calls.client[made], calls.server[made], calls.request[made]
    called = names.take(forest.operation.take(np.where(server >= 0, server, client)))
    what = groups_of({"callee": calls.callee[made], "called": called})
    number, first = number_pairs(request, what.group, forest.parent.size, what.size)
    # Calls come in the order of their clients, which is that of their start within a trace.
    told = _repeated(number, first.size, client, forest.start_ns, forest.duration_ns)
    of = what.group.take(first)
    return _Sets(request.take(first), what.keys["callee"].take(of), what.keys["called"].take(of), *told)


@compiled
def _repeated(
    number: Int32, sets: int, client: Int32, start_ns: Int64, duration_ns: Int64
) -> tuple[Int32, Int32, Int32, Int64]:
    """Per set: calls, stretches of overlapping ones, calls in the longest stretch, and time covered by all.

    Args:
        number: the set of each call. client: its span; those of a set in the order of their start.
    """
    calls, in_a_row, at_once = np.zeros(sets, np.int32), np.zeros(sets, np.int32), np.zeros(sets, np.int32)
    busy_ns, ended_ns, stretch = np.zeros(sets, np.int64), np.empty(sets, np.int64), np.zeros(sets, np.int32)
    for call in range(number.size):
        one, begin_ns = number[call], start_ns[client[call]]
        end_ns = begin_ns + duration_ns[client[call]]
        if calls[one] == 0 or begin_ns >= ended_ns[one]:
            in_a_row[one] += 1
            stretch[one] = 0
            ended_ns[one] = begin_ns
        busy_ns[one] += max(end_ns - ended_ns[one], 0)
        ended_ns[one] = max(end_ns, ended_ns[one])
        calls[one] += 1
        stretch[one] += 1
        at_once[one] = max(at_once[one], stretch[one])
    return calls, in_a_row, at_once, busy_ns


def _edges(view: ForestView, sets: _Sets, asking: Int32) -> Groups:
    """The sets by where they are counted, but for how often; names as codes."""
    forest = view.forest
    trace, kind = forest.trace.take(sets.request), forest.kind.take(sets.request)
    by_hand = (kind == Kind.SERVER) | (kind == Kind.UNSPECIFIED)
    edges = groups_of(
        {
            "stratum": view.once(trace_strata).stratum.take(trace),
            SAMPLING_KEY: known_sampling(forest.trace_weight)[0].take(trace),
            "caller": view.calls.span_service.take(sets.request),
            "operation": asking.take(forest.operation.take(sets.request)),
            "asked": np.where(by_hand, 0, np.where(kind == Kind.CONSUMER, 1, 2)),
            "callee": sets.callee,
            "callee_operation": sets.called,
        }
    )
    return Groups(edges.group, {**edges.keys, "callee_kind": edges.keys["callee"]})


def _counted(view: ForestView, sets: _Sets, edges: Groups) -> pl.DataFrame:
    """Rows of REPEATED_CALLS in codes."""
    _, weights = known_sampling(view.forest.trace_weight)
    weight: Float64 = weights.take(view.forest.trace.take(sets.request))
    busy = weight * sets.busy_ns
    once = {
        "weighted_calls": weight * sets.calls,
        "weighted_ns": busy,
        "weighted_saved_ns": busy * (1 - 1 / sets.in_a_row),
    }
    parts = []
    for number, times in enumerate((sets.calls, sets.in_a_row, sets.at_once)):
        kept = np.flatnonzero(times > 1) if number else slice(None)
        groups = groups_of({"edge": edges.group[kept], "times": _shortened(times[kept])})
        rows = groups.frame("requests", weight=weight[kept], weight_squares=weight[kept] ** 2)
        # Time is told once per set, in the row of all its calls.
        sums = {name: np.zeros(groups.size) if number else groups.sums(values) for name, values in once.items()}
        where = {name: codes[groups.keys["edge"]] for name, codes in edges.keys.items()}
        parts.append(rows.hstack(pl.DataFrame({**where, **sums, "measure": np.full(groups.size, number, np.int32)})))
    return pl.concat(parts)


def _shortened(times: Int32) -> Int32:
    """Counts, large ones as the lower end of their bucket."""
    shortened, large = times.copy(), np.flatnonzero(times > _EXACT)
    steps = np.floor(np.log(times[large] / _EXACT) / np.log(1.1) + 1e-9)
    shortened[large] = np.floor(_EXACT * 1.1**steps)
    return shortened


def _exemplars(view: ForestView, sets: _Sets, edges: Groups) -> pl.DataFrame:
    many = np.flatnonzero((sets.in_a_row >= LOOP_CALLS) | (sets.calls > 2 * LOOP_CALLS))
    rows = pl.DataFrame(
        {
            **{name: edges.keys[name][edges.group[many]] for name in _EDGE},
            "trace": view.forest.trace[sets.request[many]],
            # What is kept is the largest: here of calls, those in a row first.
            "duration_ns": sets.in_a_row[many] * np.int64(1_000_000) + sets.calls[many],
        }
    )
    return slowest_rows(view, rows, _EDGE)
