"""Caller requests with the callees they waited for: the unit of "does the failure of a callee fail its caller"."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.analysis.failures.places import distinct
from tracelith.analysis.failures.tables import ALONE, OTHERS, QUIET, SHARED
from tracelith.analysis.outcomes import CallOutcomes
from tracelith.forest.view import ForestView
from tracelith.model.schema import Outcome

__all__ = ["CallerUnits", "awaited_attempts", "caller_units", "judged_calls"]

Bool = NDArray[np.bool_]
Int8 = NDArray[np.int8]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CallerUnits:
    """One row per caller request and callee; requests that were cancelled, or whose callee was, are left out.

    Attributes:
        request: int32[u], span. caller: int32[u], service. callee: int32[u], node.
        state: int8[u], QUIET | ALONE | SHARED | OTHERS. caller_failed: bool[u].
        operations: int64[u], of the callee that were called.
    """

    request: Int32
    caller: Int32
    callee: Int32
    state: Int8
    caller_failed: Bool
    operations: Int64


def judged_calls(view: ForestView) -> Bool:
    """Attempts that decide: the last one of a call that the request above it did not hand over, bool[m].

    What outlives its request cannot be why that failed; such calls are deferred (metrics.md §9.1).
    """
    calls = view.calls
    judged: Bool = calls.final & ~calls.deferred & (calls.request >= 0)
    return judged


def awaited_attempts(view: ForestView) -> Bool:
    """Attempts that a request did not hand over, the last of a call or not, bool[m]: requests of the callee."""
    calls = view.calls
    attempts: Bool = ~calls.deferred & (calls.request >= 0)
    return attempts


def caller_units(view: ForestView, outcomes: CallOutcomes, judged: Bool) -> CallerUnits:
    """The units of a view, in no particular order."""
    forest, calls = view.forest, view.calls
    nodes = len(calls.node_names)
    request, callee = calls.request[judged].astype(np.int64), calls.callee[judged]
    pair = request * nodes + callee
    units = distinct(pair)
    gone, failing = np.zeros(units.size, dtype=np.bool_), np.zeros(units.size, dtype=np.bool_)
    gone[np.searchsorted(units, pair[outcomes.cancelled[judged]])] = True
    failing[np.searchsorted(units, pair[(outcomes.failed & ~outcomes.cancelled)[judged]])] = True
    failing &= ~gone
    spans = (units // nodes).astype(np.int32)
    state = _states(len(forest.trace), spans, failing)
    caller = np.zeros(len(forest.trace), dtype=np.int32)
    caller[request] = calls.caller[judged]
    kept = ~gone & (forest.outcome[spans] != Outcome.CANCELLED)
    spans = spans[kept]
    return CallerUnits(
        spans,
        caller[spans],
        (units[kept] % nodes).astype(np.int32),
        state[kept],
        forest.outcome[spans] == Outcome.FAILED,
        _operations(view, judged, pair, units)[kept],
    )


def _operations(view: ForestView, judged: Bool, pair: Int64, units: Int64) -> Int64:
    """How many operations of the callee each unit called, by their name on the caller's side."""
    forest, calls = view.forest, view.calls
    named = forest.operation[np.where(calls.client >= 0, calls.client, calls.server)[judged]].astype(np.int64)
    count = len(forest.operations)
    return np.bincount(np.searchsorted(units, distinct(pair * count + named) // count), minlength=units.size)


def _states(spans: int, request: Int32, failing: Bool) -> Int8:
    failing_callees = np.bincount(request[failing], minlength=spans)[request] if failing.any() else 0
    others = failing_callees - failing > 0
    return np.where(failing, np.where(others, SHARED, ALONE), np.where(others, OTHERS, QUIET)).astype(np.int8)
