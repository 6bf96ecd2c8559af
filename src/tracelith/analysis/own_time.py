"""Time of each span that none of its children covers: what it did itself, or what nobody traced.

Children that nobody waited for do not count, the parent was busy with something else meanwhile: receivers of messages
and other deferred calls, and whatever in the same service ends after its parent. What sticks out of the parent is cut
off; a child that would fit but was timed by a clock that is ahead or behind is first moved inside, by as little as it
takes.
"""

import numpy as np
from numpy.typing import NDArray

from tracelith.forest.view import ForestView
from tracelith.model.schema import Kind

__all__ = ["own_time_ns", "request_own_time_ns"]

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

_TOLERANCE_NS = 1_000_000
_TOLERANCE = 0.01
"""A child may outlast its parent by 1 ms or 1 %, what schedulers and coarse exporters blur (metrics.md §1.3)."""

_LONGEST_AXIS_NS = 2**62
"""The stretches of all spans are laid end to end on an axis of 64-bit numbers."""


def own_time_ns(view: ForestView) -> Int64:
    """Duration of each span minus the union of the children it waited for, int64[n]; from 0 to the duration.

    Source: metrics.md §11 (exclusive time); own, one sort and one running maximum.
    """
    forest = view.forest
    duration = np.minimum(forest.duration_ns, _LONGEST_AXIS_NS // max(forest.parent.size, 1))
    child = np.flatnonzero(_waited_for(view))
    parent = forest.parent[child]
    begin, end = _inside(forest.start_ns[child] - forest.start_ns[parent], duration[child], duration[parent])
    # Each parent has a stretch of its own, so that a running maximum never reaches from one into the next.
    base = (np.cumsum(duration) - duration)[parent]
    order = np.argsort(begin + base, kind="stable")
    begin, end, parent = (begin + base)[order], (end + base)[order], parent[order]
    before = np.maximum.accumulate(end)[:-1]
    begin[1:] = np.maximum(begin[1:], before)
    own: Int64 = forest.duration_ns.copy()
    np.subtract.at(own, parent, np.maximum(end - begin, 0))
    return own


def request_own_time_ns(view: ForestView) -> Int64:
    """Own time of each request, int64[n], at its entry span: of all that its service did for it; 0 at other spans.

    Time in spans that call somebody is spent on the way or by whoever was called, and is no work of the service.
    """
    own_ns = view.once(own_time_ns)
    forest, calls = view.forest, view.calls
    calling = (forest.kind == Kind.CLIENT) | (forest.kind == Kind.PRODUCER)
    clients = calls.client[(calls.client >= 0) & (calls.server < 0)]
    # Without kinds, a span that names a peer is the call to it; one that is also the request itself is both.
    calling[clients[clients != calls.span_request[clients]]] = True
    working = np.flatnonzero(~calling)
    total: Int64 = np.zeros(own_ns.size, np.int64)
    np.add.at(total, calls.span_request[working], own_ns[working])
    return total


def _waited_for(view: ForestView) -> Bool:
    """Spans that have a parent which went on only after them."""
    forest, calls = view.forest, view.calls
    parent = forest.parent
    outlasts = forest.start_ns + forest.duration_ns - forest.start_ns[parent] - forest.duration_ns[parent]
    tolerance = np.maximum(_TOLERANCE_NS, forest.duration_ns[parent] * _TOLERANCE)
    one_service = calls.span_service == calls.span_service[parent]
    waited: Bool = (parent >= 0) & ~(one_service & (outlasts > tolerance))
    waited[calls.server[calls.deferred & (calls.server >= 0)]] = False
    return waited


def _inside(begin: Int64, length: Int64, size: Int64) -> tuple[Int64, Int64]:
    """Begin and end within a parent of this size; what is not longer than the parent is moved, the rest cut off."""
    begin = np.where(length <= size, np.clip(begin, 0, np.maximum(size - length, 0)), begin)
    return np.clip(begin, 0, size), np.clip(begin + length, 0, size)
