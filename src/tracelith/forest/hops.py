"""Names where time on a critical path went: a service itself, the way between two, or a peer without spans."""

from dataclasses import dataclass

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.arrays import distinct_codes
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
    services, nodes = len(forest.services), len(graph.peers.names)
    placement, client = graph.placement, np.where(graph.paired, graph.calls.client, np.int32(-1))
    charged = _charged_to(placement.service, placement.within, forest.top_down, client, _ways(forest, graph))
    distinct, hop = distinct_codes(charged.take(span), services + 2 * services * nodes)
    named = [_name(int(code), forest.services, graph.peers.names) for code in distinct]
    columns = tuple(zip(*named, strict=True)) if named else ((), (), (), ())
    return Hops(hop, *columns)


def _ways(forest: TraceForest, graph: CallGraph) -> Int64:
    """The code of the way that the time of each call's client goes to, or of its service itself."""
    calls, peers = graph.calls, graph.peers
    services, nodes = len(forest.services), len(peers.names)
    operation = forest.operation.take(calls.client)
    publishing = peers.message | (forest.operations["kind"].to_numpy() == Kind.PRODUCER)
    published = (calls.deferred | (calls.reply >= 0)) & publishing.take(operation)
    node = np.where(published, peers.node.take(operation), calls.callee)
    way = node + calls.caller.astype(np.int64) * nodes + services
    way[(calls.server >= 0) & ~published] += services * nodes  # on the network
    # A producer that does not say where it sends to waits for nobody we could name.
    nameless = published & ~peers.message.take(operation)
    way[nameless] = calls.caller[nameless]
    return way


@compiled
def _charged_to(service: Int32, within: Int32, top_down: Int32, client: Int32, way: Int64) -> Int64:
    """What the time of each span is charged to: the way of the first call by the nearest client, or its service."""
    charged = np.full(service.size, -1, np.int64)
    for call in range(client.size - 1, -1, -1):
        if client[call] >= 0:
            charged[client[call]] = way[call]
    for span in top_down:
        if charged[span] < 0:
            around = within[span]
            charged[span] = service[span] if around < 0 else charged[around]
    return charged


def _name(code: int, services: tuple[str, ...], nodes: tuple[str, ...]) -> tuple[str, str, str, str]:
    if code < len(services):
        return services[code], "service", services[code], services[code]
    rest, node = divmod(code - len(services), len(nodes))
    waits, caller = divmod(rest, len(services))
    return f"{services[caller]} → {nodes[node]}", "network" if waits else "peer", services[caller], nodes[node]
