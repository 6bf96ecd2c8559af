"""Whose doing a failed request is: the chain of failed calls is followed down to the last one that failed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.analysis.outcomes import CallOutcomes, failed_spans
from tracelith.forest.view import ForestView

__all__ = ["FailedRequests", "failed_requests"]

Bool = NDArray[np.bool_]
Int32 = NDArray[np.int32]

_DEEPEST = 64
"""Chains of failed calls are followed so far down; longer ones keep what was found there."""


@dataclass(frozen=True, slots=True)
class FailedRequests:
    """Requests that failed, each with where that began.

    Attributes:
        request: int32[f], the entry span of the failed request. service: int32[f], whose request it is.
        origin: int32[f], node that failed first: a service that failed although nothing failed that it waited for, a
            datastore, an outside system, or a service that gave no answer.
        silent: int32[s], failed calls (index into calls) that end at a node without spans of its own for them.
    """

    request: Int32
    service: Int32
    origin: Int32
    silent: Int32


def failed_requests(view: ForestView, outcomes: CallOutcomes, judged: Bool, attempts: Bool) -> FailedRequests:
    """Failed requests, those that were tried again included.

    Args:
        judged: calls that decide what becomes of their caller. attempts: calls that are requests of their callee.
    """
    forest, calls = view.forest, view.calls
    failed = failed_spans(view)
    lost = outcomes.failed & ~outcomes.cancelled
    below, end = _first_broken(view, np.flatnonzero(judged & lost), failed)
    tried = np.flatnonzero(attempts & lost)
    answered = _answered(view, tried, failed)
    inside, roots = tried[answered], _failed_roots(view, failed)
    spans, first = np.unique(np.concatenate([calls.server[inside], roots]), return_index=True)
    service = np.concatenate([calls.callee[inside], forest.service[roots]])[first]
    itself = np.full(len(forest.trace), -1, dtype=np.int32)
    itself[spans] = service
    reached = spans.copy()
    for _ in range(_DEEPEST):
        on = below[reached] >= 0
        if not on.any():
            break
        reached = np.where(on, below[reached], reached)
    origin = np.where(end[reached] >= 0, end[reached], itself[reached])
    return FailedRequests(
        spans.astype(np.int32), service.astype(np.int32), origin.astype(np.int32), tried[~answered].astype(np.int32)
    )


def _answered(view: ForestView, broken: NDArray[np.intp], failed: Bool) -> Bool:
    """Whether the callee itself wrote that these calls failed."""
    server = view.calls.server[broken]
    answered: Bool = (server >= 0) & failed[server]
    return answered


def _first_broken(view: ForestView, broken: NDArray[np.intp], failed: Bool) -> tuple[Int32, Int32]:
    """For each span, the failed request that its last failed call led to, or the node where that call ends; -1 if none.

    The last failed call of a request is the one after which it gave up.
    """
    forest, calls = view.forest, view.calls
    answered = _answered(view, broken, failed)
    below = np.full(len(forest.trace), -1, dtype=np.int32)
    end = np.full(len(forest.trace), -1, dtype=np.int32)
    span = np.where(calls.client[broken] >= 0, calls.client[broken], calls.server[broken])
    order = np.argsort(forest.start_ns[span], kind="stable")
    request = calls.request[broken][order]
    # Of several assignments to one place the last one stays.
    below[request] = np.where(answered, calls.server[broken], -1)[order]
    end[request] = np.where(answered, -1, calls.callee[broken])[order]
    return below, end


def _failed_roots(view: ForestView, failed: Bool) -> Int32:
    roots = view.forest.trace_root[view.forest.trace_root >= 0]
    return roots[failed[roots]]
