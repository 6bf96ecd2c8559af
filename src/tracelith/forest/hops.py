"""Names where time on a critical path went: a service itself, the way between two, or a peer without spans."""

from dataclasses import dataclass

import numpy as np

from tracelith.forest.arrays import distinct_codes, nearest_marked
from tracelith.forest.calls import CallGraph
from tracelith.forest.view import Int32, Int64, TraceForest
from tracelith.model.schema import Kind

__all__ = ["Hops", "label_hops"]


@dataclass(frozen=True, slots=True)
class Hops:
    """Attributes: hop: index into the others, one per span asked for; labels, kinds, callers, callees of the hops."""

    hop: Int32
    labels: tuple[str, ...]
    kinds: tuple[str, ...]
    callers: tuple[str, ...]
    callees: tuple[str, ...]


def label_hops(forest: TraceForest, graph: CallGraph, span: Int32) -> Hops:
    """Where time charged to each of ``span`` went.

    Time of a client span, or of a span inside it that no other service wrote (sidecars, name resolution), is time on
    the way to the server (kind network) or spent waiting for a peer (kind peer). All other time is the service's own.
    """
    calls, services, nodes = graph.calls, len(forest.services), len(graph.peers.names)
    call = _call_of_client(forest, graph)
    around = nearest_marked(graph.placement.within, call >= 0, forest.top_down)[span]
    own_service = graph.placement.service[span].astype(np.int64)
    client = np.flatnonzero(around >= 0)
    row, operation = call[around[client]], forest.operation[around[client]]
    handed_over = calls.deferred[row] | (calls.reply[row] >= 0)
    published = handed_over & (graph.peers.message[operation] | (forest.kind[around[client]] == Kind.PRODUCER))
    to_network = (calls.server[row] >= 0) & ~published
    node = np.where(published, graph.peers.node[operation], calls.callee[row])
    way = services + (to_network.astype(np.int64) * services + calls.caller[row]) * nodes + node
    # A producer that does not say where it sends to waits for nobody we could name.
    nameless = published & ~graph.peers.message[operation]
    codes = own_service.copy()
    codes[client] = np.where(nameless, own_service[client], way)
    distinct, hop = distinct_codes(codes, services + 2 * services * nodes)
    named = [_name(int(code), forest.services, graph.peers.names) for code in distinct]
    columns = tuple(zip(*named, strict=True)) if named else ((), (), (), ())
    return Hops(hop, *columns)


def _call_of_client(forest: TraceForest, graph: CallGraph) -> Int64:
    """The first call of each client span; -1 for other spans."""
    rows = np.flatnonzero(graph.paired & (graph.calls.client >= 0))[::-1]
    row = np.full(forest.parent.size, -1, np.int64)
    row[graph.calls.client[rows]] = rows
    return row


def _name(code: int, services: tuple[str, ...], nodes: tuple[str, ...]) -> tuple[str, str, str, str]:
    if code < len(services):
        return services[code], "service", services[code], services[code]
    rest, node = divmod(code - len(services), len(nodes))
    waits, caller = divmod(rest, len(services))
    return f"{services[caller]} → {nodes[node]}", "network" if waits else "peer", services[caller], nodes[node]
