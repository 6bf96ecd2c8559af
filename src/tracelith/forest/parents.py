"""The parent of each span: found by id, across shared ids, and never in a circle."""

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.view import Bool, Int32, UInt64

__all__ = ["cut_cycles", "find_parents", "first_alike"]


@compiled
def first_alike(trace_first: Int32, span_id: UInt64, callee: Bool, odd: np.uint64) -> Int32:
    """The first row with the trace, the span id and the side of each row: mostly the row itself.

    Args:
        trace_first: where each trace begins, one more at the end.
        span_id, callee: of each row.
        odd: a number that nobody can foresee: clients choose span ids, and could choose such as collide.
    """
    alike = np.arange(span_id.size, dtype=np.int32)
    table, across = _table(trace_first), np.full(span_id.size, -1, np.int32)
    for trace in range(trace_first.size - 1):
        spans = range(trace_first[trace], trace_first[trace + 1])
        slots = _empty_slots(table, len(spans))
        for span in spans:
            slot = _slot_of(span_id[span], slots, span_id, odd)
            first = slots[slot]
            if first < 0:
                slots[slot] = span
            elif callee[span] == callee[first]:
                alike[span] = first
            elif across[first] >= 0:
                alike[span] = across[first]
            else:
                across[first] = span
    return alike


@compiled
def find_parents(
    trace_first: Int32, ids: tuple[UInt64, UInt64], callee: Bool, service: Int32, odd: np.uint64
) -> tuple[Int32, Bool, Bool]:
    """The index of each span's parent or -1; whether it names one that is not there; whether it names itself.

    Client and server of a call may share one span id (Zipkin, B3): the server is then the client's child, and
    spans that name the id are the server's, unless they run in the client's service and not in the server's.

    Args:
        trace_first: where each trace begins, one more at the end.
        ids: of each span and of the parent that it names.
        callee, service: of each span; no two spans share trace, id and side.
        odd: see first_alike.
    """
    span_id, parent_id = ids
    parent = np.full(span_id.size, -1, np.int32)
    orphan, own = np.zeros(span_id.size, np.bool_), np.zeros(span_id.size, np.bool_)
    table, twin = _table(trace_first), np.full(span_id.size, -1, np.int32)
    for trace in range(trace_first.size - 1):
        spans = range(trace_first[trace], trace_first[trace + 1])
        slots = _empty_slots(table, len(spans))
        for span in spans:
            slot = _slot_of(span_id[span], slots, span_id, odd)
            if slots[slot] < 0:
                slots[slot] = span
            else:
                twin[span], twin[slots[slot]] = slots[slot], span
        for span in spans:
            if callee[span] and twin[span] >= 0:
                parent[span] = twin[span]
            elif parent_id[span] == span_id[span]:
                own[span] = parent_id[span] != 0
            elif parent_id[span] != 0:
                named = slots[_slot_of(parent_id[span], slots, span_id, odd)]
                if named >= 0 and twin[named] >= 0:
                    client, server = (twin[named], named) if callee[named] else (named, twin[named])
                    named = client if service[span] == service[client] != service[server] else server
                parent[span] = named
                orphan[span] = named < 0
    return parent, orphan, own


@compiled
def cut_cycles(parent: Int32) -> tuple[Int32, Bool]:
    """Parents without circles, and which spans lay on one.

    A circle is cut above its first span in forest order, which becomes the head of a fragment.
    """
    cut, circular = parent.copy(), np.zeros(parent.size, np.bool_)
    climber = np.full(parent.size, -1, np.int32)  # the span from which each was first reached
    for span in range(parent.size):
        at = span
        while at >= 0 and climber[at] < 0:
            climber[at] = span
            at = parent[at]
        if at >= 0 and climber[at] == span:  # this climb was here before: it goes round
            first = at
            while not circular[at]:
                circular[at] = True
                first = min(first, at)
                at = parent[at]
            cut[first] = -1
    return cut, circular


@compiled
def _table(trace_first: Int32) -> Int32:
    """Room for the slots of the largest trace: a hash table for each trace by itself stays in the nearest cache."""
    largest = 0
    for trace in range(trace_first.size - 1):
        largest = max(largest, trace_first[trace + 1] - trace_first[trace])
    return np.empty(_slot_count(largest), np.int32)


@compiled
def _empty_slots(table: Int32, spans: int) -> Int32:
    slots = table[: _slot_count(spans)]
    slots[:] = -1
    return slots


@compiled
def _slot_count(spans: int) -> int:
    """A power of two, so large that ids seldom meet in a slot: to clear it costs less than a branch guessed wrong."""
    slots = 8
    while slots < 8 * spans:
        slots *= 2
    return slots


@compiled
def _slot_of(wanted: np.uint64, slots: Int32, span_id: UInt64, odd: np.uint64) -> int:
    """The slot of the span with this id, or the empty one where it belongs."""
    slot = np.int64((wanted * odd >> np.uint64(32)) * np.uint64(len(slots)) >> np.uint64(32))
    while slots[slot] >= 0 and span_id[slots[slot]] != wanted:
        slot = (slot + 1) & (len(slots) - 1)
    return int(slot)
