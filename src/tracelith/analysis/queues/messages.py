"""Messages of a window: who sent them, who took them and when, as arrays of codes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.analysis.numbered import numbered
from tracelith.forest.view import Bool, ForestView, Int32, Int64
from tracelith.model.schema import Kind

__all__ = ["Messages", "Places", "Sendings", "Takings", "messages_of", "messaging"]

_HANDS_OVER = ("", "publish", "send", "create")
_TAKES = ("process", "deliver")


@dataclass(frozen=True, slots=True)
class Places:
    """Destinations and consumer groups that operations name.

    Attributes:
        systems, destinations: of each place. place: int32, the place each row of the forest's operations names; -1 for
            operations that are no messaging.
        groups: names, the empty one first. group: int32, of each row of the operations.
        publishes, receives, takes: bool, what each operation does: hands a message over, waits for one, handles one.
    """

    systems: tuple[str, ...]
    destinations: tuple[str, ...]
    place: Int32
    groups: tuple[str, ...]
    group: Int32
    publishes: Bool
    receives: Bool
    takes: Bool


@dataclass(frozen=True, slots=True)
class Sendings:
    """Spans that sent a message, once each: span, place and service that sent it."""

    span: Int32
    place: Int32
    service: Int32


@dataclass(frozen=True, slots=True)
class Takings:
    """Messages taken, one entry each; a span that takes several has several.

    Attributes:
        span: that took it. place, group, service: where, for which group, and who.
        sent_ns: when it had been sent; -1 if nothing says so. taken_ns: when it was there: the start of its handling,
            or the end of waiting for it.
    """

    span: Int32
    place: Int32
    group: Int32
    service: Int32
    sent_ns: Int64
    taken_ns: Int64


@dataclass(frozen=True, slots=True)
class Messages:
    """All of a window. rows: int64, the calls that are messages."""

    places: Places
    rows: Int64
    sent: Sendings
    taken: Takings


def messaging(view: ForestView) -> bool:
    """Whether any message was sent or taken at all."""
    operations = view.forest.operations
    kind = operations["kind"].to_numpy()
    told = (kind == Kind.PRODUCER) | (kind == Kind.CONSUMER) | (operations["protocol"] == "messaging").to_numpy()
    return bool(told.any()) or bool((view.calls.sent_ns >= 0).any())


def messages_of(view: ForestView) -> Messages:
    """The messages of a window; ask through ``view.once``."""
    calls = view.calls
    rows = np.flatnonzero(calls.sent_ns >= 0)
    places = _places(view)
    return Messages(places, rows, _sendings(view, places, rows), _takings(view, places, rows))


def _places(view: ForestView) -> Places:
    operations = view.forest.operations
    columns = ("protocol", "peer_system", "peer_object", "peer_address", "peer_service")
    named = [
        (system, item or address or service) if protocol == "messaging" else ("", "")
        for protocol, system, item, address, service in zip(
            *(operations[name].to_list() for name in columns), strict=True
        )
    ]
    distinct = sorted({*named} - {("", "")})
    number = {pair: at for at, pair in enumerate(distinct)}
    place = np.array([number.get(pair, -1) for pair in named], np.int32)
    groups, group = numbered(operations["consumer_group"].to_list(), "")
    kind, actions = operations["kind"].to_numpy(), operations["peer_action"].to_list()
    receiving = (kind == Kind.CONSUMER) | (kind == Kind.SERVER)
    publishes, receives, takes = (
        np.array([action in these for action in actions], np.bool_) & (place >= 0)
        for these in (_HANDS_OVER, ("receive",), _TAKES)
    )
    return Places(
        systems=tuple(system for system, _ in distinct),
        destinations=tuple(destination for _, destination in distinct),
        place=place,
        groups=groups,
        group=group,
        publishes=publishes & ~receiving,
        receives=receives,
        takes=takes | ((kind == Kind.CONSUMER) & (place >= 0)),
    )


def _sendings(view: ForestView, places: Places, rows: Int64) -> Sendings:
    forest, calls = view.forest, view.calls
    client = calls.client[rows]  # ascending
    client = client[(client >= 0) & np.concatenate([[True], client[1:] != client[:-1]])[: client.size]]
    client = client[places.publishes[forest.operation[client]]]
    return Sendings(client, places.place[forest.operation[client]], calls.span_service[client])


def _takings(view: ForestView, places: Places, rows: Int64) -> Takings:
    """Messages joined to their taker, and those whose sender nothing tells."""
    forest, calls = view.forest, view.calls
    joined = rows[calls.server[rows] >= 0]
    span, sent_ns = calls.server[joined], calls.sent_ns[joined]
    known = np.zeros(forest.parent.size, np.bool_)
    known[span] = True
    takers = np.flatnonzero(places.takes.take(forest.operation)).astype(np.int32)
    # Where polling has a span around those of the messages it got, only these are messages.
    around = forest.parent[takers]
    around = around[around >= 0]
    known[around[places.takes.take(forest.operation.take(around))]] = True
    alone = takers[~known[takers]]
    span = np.concatenate([span, alone])
    sent_ns = np.concatenate([sent_ns, np.full(alone.size, -1, np.int64)])
    operation = forest.operation[span]
    there = places.place[operation] >= 0
    span, sent_ns, operation = span[there], sent_ns[there], operation[there]
    waited: NDArray[np.bool_] = places.receives[operation] & ~_heads_request(view, span)
    return Takings(
        span=span,
        place=places.place[operation],
        group=places.group[operation],
        service=calls.span_service[span],
        sent_ns=sent_ns,
        taken_ns=forest.start_ns[span] + np.where(waited, forest.duration_ns[span], 0),
    )


def _heads_request(view: ForestView, span: Int32) -> Bool:
    heads: Bool = view.calls.span_request[span] == span
    return heads
