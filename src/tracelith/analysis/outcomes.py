"""What became of each call and each request: failed, cancelled, or neither; judged the same way by every analysis."""

from dataclasses import dataclass

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.view import Bool, ForestView, Int32, UInt8
from tracelith.model.schema import Kind, Outcome

__all__ = ["CallOutcomes", "call_outcomes", "failed_calls", "failed_spans"]


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
    return CallOutcomes(*_told(calls.client, calls.server, forest.kind, forest.outcome))


def failed_calls(view: ForestView) -> Bool:
    """Whether each attempt is the last one of a logical call that failed for good, bool[m]: after the retries."""
    outcomes = view.once(call_outcomes)
    return outcomes.failed & view.calls.final & ~outcomes.cancelled


def failed_spans(view: ForestView) -> Bool:
    """Whether each span failed, bool[n]; of a request span, whether the request did. 4xx are no failures."""
    failed: Bool = view.forest.outcome == Outcome.FAILED
    return failed


@compiled
def _told(client: Int32, server: Int32, kind: UInt8, outcome: UInt8) -> tuple[Bool, Bool]:
    """Whether each attempt failed, and whether it was cancelled, by what either side says."""
    failed, cancelled = np.zeros(client.size, np.bool_), np.zeros(client.size, np.bool_)
    for call in range(client.size):
        asking, answering = client[call], server[call]
        if answering >= 0:
            failed[call] = outcome[answering] == Outcome.FAILED
            cancelled[call] = outcome[answering] == Outcome.CANCELLED
        # Another span on the caller's side tells of the request during which the call was made, not of the call.
        if asking >= 0 and (answering < 0 or kind[asking] == Kind.CLIENT or kind[asking] == Kind.PRODUCER):
            failed[call] |= outcome[asking] == Outcome.FAILED
            cancelled[call] |= outcome[asking] == Outcome.CANCELLED
    return failed, cancelled
