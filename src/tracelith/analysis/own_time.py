"""Time of each span that none of its children covers: what it did itself, or what nobody traced.

Children that nobody waited for do not count, the parent was busy with something else meanwhile: receivers of messages
and other deferred calls, and whatever in the same service ends after its parent. What sticks out of the parent is cut
off; a child that would fit but was timed by a clock that is ahead or behind is first moved inside, by as little as it
takes.
"""

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.arrays import added_up
from tracelith.forest.view import Bool, ForestView, Int32, Int64
from tracelith.model.schema import Kind

__all__ = ["own_time_ns", "request_own_time_ns"]

_TOLERANCE_NS = 1_000_000
_TOLERANCE = 0.01
"""A child may outlast its parent by 1 ms or 1 %, what schedulers and coarse exporters blur (metrics.md §1.3)."""


def own_time_ns(view: ForestView) -> Int64:
    """Duration of each span minus the union of the children it waited for, int64[n]; from 0 to the duration.

    Source: metrics.md §11 (exclusive time); own, two passes over the spans.
    """
    forest, calls = view.forest, view.calls
    detached = np.zeros(forest.parent.size, np.bool_)
    detached[calls.server[np.flatnonzero(calls.deferred & (calls.server >= 0))]] = True
    return _uncovered_ns(forest.parent, forest.start_ns, forest.duration_ns, calls.span_service, detached)


def request_own_time_ns(view: ForestView) -> Int64:
    """Own time of each request, int64[n], at its entry span: of all that its service did for it; 0 at other spans.

    Time in spans that call somebody is spent on the way or by whoever was called, and is no work of the service.
    """
    forest, calls = view.forest, view.calls
    calling = (forest.kind == Kind.CLIENT) | (forest.kind == Kind.PRODUCER)
    clients = calls.client[np.flatnonzero((calls.client >= 0) & (calls.server < 0))]
    # Without kinds, a span that names a peer is the call to it; one that is also the request itself is both.
    calling[clients[clients != calls.span_request.take(clients)]] = True
    return added_up(calls.span_request, calling.size, np.where(calling, 0, own_time_ns(view)))


@compiled
def _uncovered_ns(parent: Int32, start_ns: Int64, duration_ns: Int64, service: Int32, detached: Bool) -> Int64:
    """What the children that a span waited for leave of it; siblings come in the order of their start.

    Args:
        detached: spans that nobody waits for, whatever the clocks say.
    """
    waited_for = np.zeros(parent.size, np.bool_)
    until = duration_ns.copy()  # from there on, children that were moved back to the end of the span cover it
    for child in range(parent.size):
        above = parent[child]
        if above < 0 or detached[child]:
            continue
        length, size = duration_ns[child], duration_ns[above]
        outlasts = start_ns[child] + length - start_ns[above] - size
        waited_for[child] = service[child] != service[above] or outlasts <= max(_TOLERANCE_NS, size * _TOLERANCE)
        if waited_for[child] and outlasts > 0 and length <= size:
            until[above] = min(until[above], size - length)
    own, covered = until.copy(), np.zeros(parent.size, np.int64)
    for child in range(parent.size):
        if not waited_for[child]:
            continue
        above = parent[child]
        length, begin = duration_ns[child], start_ns[child] - start_ns[above]
        # A child that would fit is moved forward to the start of the span, of a longer one that part is cut off.
        end = min((begin if length > duration_ns[above] else max(begin, 0)) + length, until[above])
        begin = max(begin, covered[above])
        if end > begin:
            own[above] -= end - begin
            covered[above] = end
    return own
