"""Joins messages by span link: a receiver names its producer, often in another trace, sometimes in another window."""

import numpy as np
import polars as pl

from tracelith.compiled import compiled
from tracelith.forest.arrays import grouped_order
from tracelith.forest.placement import Placement
from tracelith.forest.sides import Sides, take_sides
from tracelith.forest.tables import operation_table, resource_table
from tracelith.forest.view import Bool, Int32, TraceForest, UInt64
from tracelith.model.ports import WindowSpans
from tracelith.model.schema import Kind

__all__ = ["join_links"]

_ID = ["trace_hi", "trace_lo", "span_id"]
_LINKED_ID = ["linked_trace_hi", "linked_trace_lo", "linked_span_id"]


def join_links(forest: TraceForest, window: WindowSpans, placement: Placement, sides: Sides) -> Sides:
    """The calls of ``sides`` with those that span links add, sorted by (client, server, caller).

    A link counts as a message if it leads from a CONSUMER to any span, or from any span to a PRODUCER, of another
    service; other links (retries, batches, follow-ups) say nothing about calls. Within a trace, a publish that a
    receiver links to is that call and not one more to the broker. A producer in another trace is known by its service
    alone, even where that trace happens to be read together with this one: calls must not depend on the batch.
    """
    if not len(window.links):
        return sides
    found = _handovers(forest, window, placement)
    # What is known of the call by parent that each span answers: there is at most one.
    client_of, caller_of = np.full((2, forest.parent.size), -2, np.int32)
    answered = sides.server >= 0
    client_of[sides.server[answered]] = sides.client[answered]
    caller_of[sides.server[answered]] = sides.caller[answered]
    found = take_sides(found, client_of[found.server] != found.client)
    # A receiver may have both: a parent in the producer's service, and a link to the publish. That is one message.
    again, published = np.zeros((2, forest.parent.size + 1), np.bool_)
    again[found.server[caller_of[found.server] == found.caller]] = True
    published[found.client] = True
    published[-1] = False  # by producers in other traces
    told = again[sides.server] | (~answered & published[sides.client])
    kept = take_sides(sides, ~told)
    joined = Sides._make(np.concatenate([one, other]) for one, other in zip(kept, found, strict=True))
    order = grouped_order(joined.client + 1, joined.server + 1, joined.caller, -joined.sent_ns)
    return _without_repeats(take_sides(joined, order))


def _without_repeats(sides: Sides) -> Sides:
    """Each call once, as the first of several in a row says it."""
    again = np.zeros(sides.client.size, np.bool_)
    again[1:] = (sides.client[1:] == sides.client[:-1]) & (sides.server[1:] == sides.server[:-1])
    again[1:] &= sides.caller[1:] == sides.caller[:-1]
    return take_sides(sides, ~again) if again.any() else sides


def _handovers(forest: TraceForest, window: WindowSpans, placement: Placement) -> Sides:
    """The calls that links tell of, some repeatedly; a client in another trace is -1."""
    _, receiver = _spans_with(forest, window.links.select(_ID))
    links, receiver = window.links.filter(pl.Series(receiver >= 0)), receiver[receiver >= 0]
    near = (links["trace_hi"] == links["linked_trace_hi"]) & (links["trace_lo"] == links["linked_trace_lo"])
    near_rows = near.to_numpy()
    producers = links.select(_LINKED_ID).rename(dict(zip(_LINKED_ID, _ID, strict=True)))
    client = np.full(receiver.size, -1, np.int32)
    client[near_rows], _ = _spans_with(forest, producers.filter(near))
    caller, kind = placement.service[client], forest.kind[client]
    sent = np.full(receiver.size, -1, np.int64)

    far = np.flatnonzero(client < 0)
    told = producers[far].join(_elsewhere(forest, window), on=_ID, how="left", maintain_order="left")
    caller[far] = told["service"].fill_null(-1).to_numpy()
    kind[far] = told["kind"].fill_null(Kind.UNSPECIFIED).to_numpy()
    sent[far] = np.where(near_rows[far], -1, told["sent_ns"].fill_null(-1).to_numpy())
    message = (forest.kind[receiver] == Kind.CONSUMER) | (kind == Kind.PRODUCER)
    valid = (caller >= 0) & (caller != placement.service[receiver]) & message
    every = np.ones(receiver.size, np.bool_)
    return take_sides(Sides(client, receiver, caller, every, every, sent), valid)


def _spans_with(forest: TraceForest, ids: pl.DataFrame) -> tuple[Int32, Int32]:
    """The spans with these ids, -1 without; where two share one, those on the caller's and on the callee's side."""
    hi, lo, span_id = (ids[name].to_numpy(writable=True) for name in _ID)
    trace = _traces_with(forest.trace_hi, forest.trace_lo, hi, lo)
    receiving = (forest.kind == Kind.SERVER) | (forest.kind == Kind.CONSUMER)
    order = np.lexsort((span_id, trace))
    found = _first_with(trace[order], span_id[order], forest.trace_first, forest.span_id, receiving)
    sides = np.empty((2, trace.size), np.int32)
    sides[:, order] = found
    caller_side = np.where(sides[0] >= 0, sides[0], sides[1])
    return caller_side, np.where(sides[1] >= 0, sides[1], sides[0])


@compiled
def _traces_with(trace_hi: UInt64, trace_lo: UInt64, hi: UInt64, lo: UInt64) -> Int32:
    """The trace with each id, -1 without; traces are sorted by the low, then the high half."""
    trace = np.full(hi.size, -1, np.int32)
    for row in range(hi.size):
        low, high = 0, trace_lo.size
        while low < high:
            middle = (low + high) // 2
            before = trace_lo[middle] < lo[row] or (trace_lo[middle] == lo[row] and trace_hi[middle] < hi[row])
            low, high = (middle + 1, high) if before else (low, middle)
        if low < trace_lo.size and trace_lo[low] == lo[row] and trace_hi[low] == hi[row]:
            trace[row] = low
    return trace


@compiled
def _first_with(trace: Int32, ids: UInt64, trace_first: Int32, span_id: UInt64, receiving: Bool) -> Int32:
    """The first span with each id in its trace that does not receive (row 0), and that does (row 1); -1 without.

    Args:
        trace, ids: looked for, sorted by both; trace may be -1.
        trace_first, span_id, receiving: of the forest.
    """
    found = np.full((2, ids.size), -1, np.int32)
    begin = np.searchsorted(trace, 0)
    while begin < ids.size:
        end = begin + np.searchsorted(trace[begin:], trace[begin], "right")
        for span in range(trace_first[trace[begin]], trace_first[trace[begin] + 1]):
            row = begin + np.searchsorted(ids[begin:end], span_id[span])
            side = 1 if receiving[span] else 0
            if row < end and ids[row] == span_id[span] and found[side, row] < 0:
                found[side, row] = span
        for row in range(begin + 1, end):
            if ids[row] == ids[row - 1]:
                found[:, row] = found[:, row - 1]
        begin = end
    return found


def _elsewhere(forest: TraceForest, window: WindowSpans) -> pl.DataFrame:
    """Service, kind and end of linked spans, wherever they lie; the caller's side where two share an id."""
    linked = window.linked_spans
    resource = resource_table(window.resources).rows_of(linked["resource"].to_numpy())
    operation = operation_table(window.operations).rows_of(linked["operation"].to_numpy())
    numbers = {name: number for number, name in enumerate(forest.services)}
    service = np.array([numbers.get(name, -1) for name in forest.resources["service"].to_list()], np.int32)
    kind = forest.operations["kind"].to_numpy()
    return (
        linked.select(*_ID, sent_ns=pl.col("start_ns") + pl.col("duration_ns"))
        .with_columns(service=pl.Series(service[resource]), kind=pl.Series(kind[operation]))
        .sort(pl.col("kind").is_in([int(Kind.SERVER), int(Kind.CONSUMER)]), "service", "kind", "sent_ns")
        .unique(_ID, keep="first", maintain_order=True)
    )
