"""What a client span without a server calls: a datastore, a destination of messages, a service, something outside."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelith.forest.view import Bool, Int32

__all__ = ["Peers", "name_peers"]

_UNNAMED = "(unnamed peer)"

_HANDS_OVER = ("", "publish", "send", "create")
"""Messaging actions that hand a message to the broker; the others fetch or settle one, and wait for it."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Nodes that calls lead to, and what each operation says about its peer.

    Attributes:
        names, kinds: of all nodes; the services of the forest come first, in its order.
        node: int32, node of the peer for each row of the operations table.
        named: bool, the operation says something about a peer at all.
        datastore, message, publishes, receives: bool, for each row of the operations table: its attributes are those of
            a database call, of messaging, of handing a message over, of waiting for one.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    node: Int32
    named: Bool
    datastore: Bool
    message: Bool
    publishes: Bool
    receives: Bool


def name_peers(operations: pl.DataFrame, services: tuple[str, ...]) -> Peers:
    """The peer of each operation.

    A datastore is named ``system namespace`` (``postgresql users``), else ``system address``; a destination
    ``system destination``. Any other peer that has the name of a known service, with or without its namespace or
    as the first label of its address, is that service.
    """
    nodes = {(name, "service"): number for number, name in enumerate(services)}
    known = _known_names(services)
    node = np.empty(len(operations), np.int32)
    for row, operation in enumerate(operations.iter_rows(named=True)):
        node[row] = nodes.setdefault(_peer(operation, known), len(nodes))
    protocol = operations["protocol"]
    message = (protocol == "messaging").to_numpy()
    identity = ("peer_system", "peer_address", "peer_service", "peer_object")
    return Peers(
        names=tuple(name for name, _ in nodes),
        kinds=tuple(kind for _, kind in nodes),
        node=node,
        named=operations.select(pl.any_horizontal(pl.col(name) != "" for name in identity)).to_series().to_numpy(),
        datastore=(protocol == "db").to_numpy(),
        message=message,
        publishes=message & operations["peer_action"].is_in(_HANDS_OVER).to_numpy(),
        receives=message & (operations["peer_action"] == "receive").to_numpy(),
    )


def _known_names(services: tuple[str, ...]) -> dict[str, str]:
    known = {name: name for name in services}
    short = [name.rsplit("/", 1)[-1] for name in services]
    known |= {last: name for last, name in zip(short, services, strict=True) if short.count(last) == 1}
    return known


def _peer(operation: dict[str, str], known: dict[str, str]) -> tuple[str, str]:
    address, service = operation["peer_address"], operation["peer_service"]
    if operation["protocol"] == "db":
        parts = (operation["peer_system"], operation["peer_namespace"] or address or service)
        return " ".join(part for part in parts if part) or _UNNAMED, "datastore"
    if operation["protocol"] == "messaging":
        parts = (operation["peer_system"], operation["peer_object"] or address or service)
        return " ".join(part for part in parts if part) or _UNNAMED, "destination"
    host = address.rsplit(":", 1)[0]
    for name in (service, host, host.split(".", 1)[0]):
        if name and name in known:
            return known[name], "service"
    return service or address or _UNNAMED, "external"
