"""Joins messages by span link: a receiver names its producer, often in another trace, sometimes in another window."""

import numpy as np
import polars as pl

from tracelith.forest.arrays import grouped_order
from tracelith.forest.placement import Placement
from tracelith.forest.sides import Sides, take_sides
from tracelith.forest.tables import operation_table, resource_table
from tracelith.forest.view import TraceForest
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
    known = pl.DataFrame({"client": sides.client, "server": sides.server})
    found = found.join(known, on=["client", "server"], how="anti")
    if not len(found):
        return sides
    told = (sides.server < 0) & np.isin(sides.client, found["client"].to_numpy())
    # A receiver may have both: a parent in the producer's service, and a link to the publish. That is one message.
    by_parent = pl.DataFrame({"server": sides.server, "caller": sides.caller})
    again = by_parent.with_row_index("row").join(found, on=["server", "caller"], how="semi")["row"].to_numpy()
    told[again] = True
    sides = _append(take_sides(sides, ~told), found)
    return take_sides(sides, grouped_order(sides.client + 1, sides.server + 1, sides.caller))


def _handovers(forest: TraceForest, window: WindowSpans, placement: Placement) -> pl.DataFrame:
    receivers = _index(forest, placement, window.links.select(_ID), callee=True)
    producers = _index(
        forest, placement, window.links.select(_LINKED_ID).rename(dict(zip(_LINKED_ID, _ID, strict=True))), callee=False
    )
    near = (pl.col("trace_hi") == pl.col("linked_trace_hi")) & (pl.col("trace_lo") == pl.col("linked_trace_lo"))
    return (
        window.links.join(receivers, on=_ID)
        .join(producers, left_on=_LINKED_ID, right_on=_ID, how="left", suffix="_near")
        .join(_elsewhere(forest, window), left_on=_LINKED_ID, right_on=_ID, how="left", suffix="_far")
        .select(
            client=pl.when(near).then("span_near").fill_null(-1),
            server="span",
            caller=pl.coalesce(pl.when(near).then("service_near"), "service_far"),
            sent_ns=pl.when(near).then(None).otherwise("sent_ns").fill_null(-1),
            callee="service",
            client_kind=pl.coalesce(pl.when(near).then("kind_near"), "kind_far"),
            kind="kind",
        )
        .filter(
            pl.col("caller").is_not_null()
            & (pl.col("caller") != pl.col("callee"))
            & ((pl.col("kind") == Kind.CONSUMER) | (pl.col("client_kind") == Kind.PRODUCER))
        )
        .group_by("client", "server", "caller")
        .agg(pl.col("sent_ns").max())
    )


def _index(forest: TraceForest, placement: Placement, ids: pl.DataFrame, *, callee: bool) -> pl.DataFrame:
    """Spans of the forest with these ids; where two share an id, the one on the callee's (or caller's) side."""
    spans = pl.DataFrame(
        {
            "trace_hi": forest.trace_hi[forest.trace],
            "trace_lo": forest.trace_lo[forest.trace],
            "span_id": forest.span_id,
            "span": np.arange(forest.span_id.size, dtype=np.int32),
            "service": placement.service,
            "kind": forest.kind,
        }
    ).join(ids.unique(), on=_ID, how="semi")
    receiving = pl.col("kind").is_in([int(Kind.SERVER), int(Kind.CONSUMER)])
    return spans.sort(receiving if not callee else ~receiving, "span").unique(_ID, keep="first", maintain_order=True)


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


def _append(sides: Sides, found: pl.DataFrame) -> Sides:
    added = np.ones(len(found), np.bool_)
    return Sides(
        client=np.concatenate([sides.client, found["client"].to_numpy()]),
        server=np.concatenate([sides.server, found["server"].to_numpy()]),
        caller=np.concatenate([sides.caller, found["caller"].to_numpy()]),
        paired=np.concatenate([sides.paired, added]),
        linked=np.concatenate([sides.linked, added]),
        sent_ns=np.concatenate([sides.sent_ns, found["sent_ns"].to_numpy()]),
    )
