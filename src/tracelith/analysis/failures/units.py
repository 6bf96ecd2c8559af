"""Caller requests with the callees they waited for: the unit of "does the failure of a callee fail its caller"."""

from dataclasses import dataclass

import numpy as np

from tracelith.analysis.failures.tables import ALONE, OTHERS, QUIET, SHARED
from tracelith.analysis.outcomes import CallOutcomes
from tracelith.analysis.places import call_cells
from tracelith.analysis.statistics.pairs import count_pairs, number_pairs
from tracelith.forest.view import Bool, ForestView, Int8, Int32
from tracelith.model.schema import Outcome

__all__ = ["CallerUnits", "awaited_attempts", "caller_units", "judged_calls"]


@dataclass(frozen=True, slots=True)
class CallerUnits:
    """One row per caller request and callee; requests that were cancelled, or whose callee was, are left out.

    Attributes:
        request: int32[u], span. cell: int32[u], where its calls are counted (index into CallCells).
        state: int8[u], QUIET | ALONE | SHARED | OTHERS. caller_failed: bool[u].
        operations: int32[u], of the callee that were called.
    """

    request: Int32
    cell: Int32
    state: Int8
    caller_failed: Bool
    operations: Int32


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
    """The units of a view, in the order of their requests."""
    forest, calls = view.forest, view.calls
    asking = np.where(judged, calls.request, np.int32(-1))
    unit, first = number_pairs(asking, calls.callee, len(forest.trace), len(calls.node_names))
    request = calls.request[first]
    gone, failing = np.zeros(first.size, np.bool_), np.zeros(first.size, np.bool_)
    gone[unit[judged & outcomes.cancelled]] = True
    failing[unit[judged & outcomes.failed]] = True
    failing &= ~gone
    ended = forest.outcome[request]
    kept = np.flatnonzero(~gone & (ended != Outcome.CANCELLED))
    return CallerUnits(
        request[kept],
        view.once(call_cells).of_call[first[kept]],
        _states(len(forest.trace), request, failing)[kept],
        ended[kept] == Outcome.FAILED,
        _operations(view, unit, first.size)[kept],
    )


def _operations(view: ForestView, unit: Int32, units: int) -> Int32:
    """How many operations of the callee each unit called, by their name on the caller's side."""
    forest, calls = view.forest, view.calls
    named = forest.operation[np.where(calls.client >= 0, calls.client, calls.server)]
    return count_pairs(unit, named, units, len(forest.operations))[0]


def _states(spans: int, request: Int32, failing: Bool) -> Int8:
    states = np.full(request.size, QUIET, np.int8)
    if failing.any():
        failing_callees = np.bincount(request[failing], minlength=spans).astype(np.int32)
        others = failing_callees[request] > failing
        states[others] = OTHERS
        states[failing] = np.where(others[failing], SHARED, ALONE)
    return states
