"""The parent of each span: found by id, across shared ids, and never in a circle."""

from dataclasses import dataclass

import numpy as np

from tracelith.forest.rows import IdIndex, SpanRows
from tracelith.forest.view import Bool, Int32, Int64, UInt64

__all__ = ["Parents", "cut_cycles", "resolve_parents"]


@dataclass(frozen=True, slots=True)
class Parents:
    """Attributes: parent: row of the parent or -1; orphan: names one that is not there; own: names itself."""

    parent: Int32
    orphan: Bool
    own: Bool


def resolve_parents(rows: SpanRows, index: IdIndex, service: Int32) -> Parents:
    """The row of each row's parent.

    Client and server of a call may share one span id (Zipkin, B3): the server is then the client's child, and
    spans that name the id are the server's, unless they run in the client's service and not in the server's.
    """
    if index.ids.size == rows.span_id.size:
        return _by_own_ids(rows, index)
    caller_side, callee_side, found = _look_up(rows, index)
    in_client = (service == service[caller_side]) & (service != service[callee_side])
    parent = np.where(found & (rows.parent_id != 0), np.where(in_client, caller_side, callee_side), -1)
    own = (rows.parent_id == rows.span_id) & (parent >= 0)
    parent[own] = -1
    server, client = _shared_ids(rows, index.order)
    parent[server] = client
    own[server] = False
    orphan = (rows.parent_id != 0) & (parent < 0) & ~own
    return Parents(parent.astype(np.int32), orphan, own)


def _by_own_ids(rows: SpanRows, index: IdIndex) -> Parents:
    """The same where no two spans have the same id, as nearly everywhere."""
    if not index.ids.size:
        return Parents(np.empty(0, np.int32), np.empty(0, np.bool_), np.empty(0, np.bool_))
    run = _search(index.ids, rows.parent_id)
    above = index.order[run]
    named = rows.parent_id != 0
    found = named & (index.ids[run] == rows.parent_id) & (rows.trace[above] == rows.trace)
    own = found & (rows.parent_id == rows.span_id)
    parent = np.where(found & ~own, above, -1).astype(np.int32)
    return Parents(parent, named & ~found, own)


def cut_cycles(parent: Int32, trace_first: Int32) -> tuple[Int32, Bool]:
    """Parents without circles, and which spans lay on one.

    A circle is cut above its first span in forest order, which becomes the head of a fragment.

    Args:
        parent: in forest order, possibly circular.
        trace_first: where each trace begins, one more at the end.
    """
    circular = np.zeros(parent.size, np.bool_)
    if (parent < np.arange(parent.size)).all():  # every parent began before its child
        return parent, circular
    longest = int(np.diff(trace_first).max(initial=0))
    at = parent.copy()
    active = np.flatnonzero(at >= 0)
    for _ in range(longest.bit_length() + 1):
        further = at[at[active]]
        at[active] = further
        active = active[further >= 0]
        if not active.size:
            return parent, circular
    # What is still climbing after more steps than its trace has spans has arrived on a circle.
    circular[at[active]] = True
    members = np.flatnonzero(circular)
    place = np.full(parent.size, -1, np.int32)
    place[members] = np.arange(members.size, dtype=np.int32)
    least = _least_on_circle(place[parent[members]])
    cut = parent.copy()
    cut[members[least == np.arange(members.size)]] = -1
    return cut, circular


def _look_up(rows: SpanRows, index: IdIndex) -> tuple[Int64, Int64, Bool]:
    """Rows on caller and callee side that have the id each row names as parent; equal where there is only one."""
    if not index.ids.size:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_)
    run = _search(index.ids, rows.parent_id)
    found = index.ids[run] == rows.parent_id
    low = index.first[run]
    high = index.first[run + 1] - 1
    crowded = np.flatnonzero(found & (high > low))
    if crowded.size:
        # Both sides of one call, or traces that happen to use the same id: look for the trace within the run.
        key = (np.repeat(np.arange(index.ids.size), np.diff(index.first)) << 31) | rows.trace[index.order]
        wanted = (run[crowded] << 31) | rows.trace[crowded]
        low[crowded] = np.searchsorted(key, wanted, "left")
        high[crowded] = np.searchsorted(key, wanted, "right") - 1
        found[crowded] = high[crowded] >= low[crowded]
        low[crowded] = np.minimum(low[crowded], key.size - 1)
        high[crowded] = np.maximum(high[crowded], 0)
    caller_side, callee_side = index.order[low], index.order[high]
    found &= rows.trace[caller_side] == rows.trace
    return caller_side, callee_side, found


def _search(ids: UInt64, wanted: UInt64) -> Int64:
    """Positions of wanted in ids; looking them up in order keeps memory access local, ten times faster."""
    order = np.argsort(wanted)
    at = np.empty(wanted.size, np.int64)
    at[order] = np.minimum(np.searchsorted(ids, wanted[order]), ids.size - 1)
    return at


def _shared_ids(rows: SpanRows, order: Int64) -> tuple[Int64, Int64]:
    """Rows on the callee side that share trace and id with a row on the caller side, and that row."""
    trace, span_id = rows.trace[order], rows.span_id[order]
    same = np.flatnonzero((span_id[1:] == span_id[:-1]) & (trace[1:] == trace[:-1]))
    return order[same + 1], order[same]


def _least_on_circle(following: Int32) -> Int32:
    least: Int32 = np.arange(following.size, dtype=np.int32)
    jump = following
    for _ in range(int(following.size).bit_length()):
        least = np.minimum(least, least[jump])
        jump = jump[jump]
    return least
