"""What became of each call and each request: failed, cancelled, or neither; judged the same way by every analysis."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.forest.view import ForestView
from tracelith.model.schema import Kind, Outcome

__all__ = ["CallOutcomes", "call_outcomes", "failed_calls", "failed_spans"]

Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CallOutcomes:
    """Outcome of each attempt, arrays along view.calls.

    Attributes:
        failed: bool[m], as its caller saw it if the caller has a span for it, or as the callee said.
        cancelled: bool[m], either side says that the caller went away first: no evidence against the callee.
    """

    failed: Bool
    cancelled: Bool


def call_outcomes(view: ForestView) -> CallOutcomes:
    """Outcome of each attempt; ask for it by ``view.once(call_outcomes)``.

    Attempts that lead to a last one are in it: see failed_calls.

    Source: metrics.md §9.1.
    """
    forest, calls = view.forest, view.calls
    if not len(calls.client):
        nothing = np.zeros(0, dtype=np.bool_)
        return CallOutcomes(nothing, nothing)
    by_client = _speaks_for_call(view)
    answered = calls.server >= 0
    client, server = forest.outcome[calls.client], forest.outcome[calls.server]
    failed = (by_client & (client == Outcome.FAILED)) | (answered & (server == Outcome.FAILED))
    cancelled = (by_client & (client == Outcome.CANCELLED)) | (answered & (server == Outcome.CANCELLED))
    return CallOutcomes(failed, cancelled)


def failed_calls(view: ForestView) -> Bool:
    """Whether each attempt is the last one of a logical call that failed for good, bool[m]: after the retries."""
    outcomes = view.once(call_outcomes)
    return outcomes.failed & view.calls.final & ~outcomes.cancelled


def failed_spans(view: ForestView) -> Bool:
    """Whether each span failed, bool[n]; of a request span, whether the request did. 4xx are no failures."""
    failed: Bool = view.forest.outcome == Outcome.FAILED
    return failed


def _speaks_for_call(view: ForestView) -> Bool:
    """Whether the client span describes the call, and not the request during which it was made."""
    forest, calls = view.forest, view.calls
    outgoing = np.isin(forest.kind[calls.client], (Kind.CLIENT, Kind.PRODUCER))
    speaks: Bool = (calls.client >= 0) & (outgoing | (calls.server < 0))
    return speaks
