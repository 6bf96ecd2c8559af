"""Describes each chain: its entry operation, how many services deep it goes, and along which of them."""

import numpy as np
import polars as pl

from tracelith.forest.arrays import nearest_marked
from tracelith.forest.calls import CallGraph
from tracelith.forest.chain_tree import ChainTree
from tracelith.forest.view import Chains, CriticalPath, Int16, Int32, Int64, TraceForest

__all__ = ["describe_chains"]

_LONGEST_PATH = 64
"""Services written out per path; the deepest chain ever published has 19 (metrics.md §4). Depth itself has no limit."""

_DEEPEST = 32_767
"""Largest depth that is told apart: what an int16 holds."""

_TIME_BITS = 48
"""Longer times than three days count alike where one of several equally deep services is chosen."""


def describe_chains(forest: TraceForest, graph: CallGraph, tree: ChainTree, path: CriticalPath) -> Chains:
    """Depth of all chains, in hops: on the critical path, on any path, and with peers counted as one more.

    A span is on the critical path if it has a segment. Of several deepest services the one with most time on the path
    is taken, then the first in forest order.

    Source: metrics.md §4.
    """
    landing = nearest_marked(tree.parent, (tree.parent < 0) | tree.arrives, tree.top_down)
    deepest = _deepest(tree, path, landing)
    texts, text = _service_paths(forest, graph, tree, landing, deepest)
    distinct = np.array([len(set(services)) for services in texts], np.int16)
    names, operations, entry = _entries(forest, graph, tree)
    return Chains(
        root=tree.head,
        trace=forest.trace[tree.head],
        entry=entry,
        restarted=tree.restarted,
        hops_critical=_saturated(tree.hops[deepest]),
        hops_any=_most(tree, tree.hops),
        hops_with_peers=_most(tree, tree.hops + _peer_hop(forest, graph)),
        services_on_path=distinct[text],
        path=text,
        paths=texts,
        entry_services=names,
        entry_operations=operations,
        span_chain=tree.chain,
        span_hops=_saturated(tree.hops),
    )


def _saturated(hops: Int32) -> Int16:
    return np.minimum(hops, _DEEPEST).astype(np.int16)


def _deepest(tree: ChainTree, path: CriticalPath, landing: Int32) -> Int32:
    """Where the deepest service visit on each chain's critical path begins; the chain's head if it has no path."""
    deepest = tree.head.copy()
    if not path.chain.size:
        return deepest
    time = np.zeros(landing.size, np.int64)
    np.add.at(time, landing[path.span], path.end_ns - path.start_ns)
    visit = np.flatnonzero(time)
    chain = tree.chain[visit]
    rank = (np.minimum(tree.hops[visit], _DEEPEST).astype(np.int64) << _TIME_BITS) | np.minimum(
        time[visit], (1 << _TIME_BITS) - 1
    )
    best = np.zeros(deepest.size, np.int64)
    np.maximum.at(best, chain, rank)
    chosen = np.flatnonzero(rank == best[chain])[::-1]  # the first in forest order is written last
    deepest[chain[chosen]] = visit[chosen]
    return deepest


def _most(tree: ChainTree, hops: Int32) -> Int16:
    most = np.zeros(tree.head.size, np.int32)
    counted = np.flatnonzero((tree.chain >= 0) & (hops > 0))
    np.maximum.at(most, tree.chain[counted], hops[counted])
    return _saturated(most)


def _peer_hop(forest: TraceForest, graph: CallGraph) -> Int32:
    """1 for client spans that awaited a peer without spans; handing a message to a broker is no such wait."""
    calls = graph.calls
    hop = np.zeros(forest.parent.size, np.int32)
    node_counts = np.array([kind != "destination" for kind in calls.node_kinds], np.bool_)
    hop[calls.client[(calls.server < 0) & calls.awaited & node_counts[calls.callee]]] = 1
    return hop


def _service_paths(
    forest: TraceForest, graph: CallGraph, tree: ChainTree, landing: Int32, deepest: Int32
) -> tuple[tuple[tuple[str, ...], ...], Int32]:
    """Distinct paths of services from head to deepest span, sorted, and the path of each chain."""
    at = deepest
    code = np.zeros(deepest.size, np.int64)
    # Every round walks one hop towards the head and names the path walked so far by one number.
    steps: list[tuple[Int64, Int64]] = []
    width = len(forest.services) + 1
    for _ in range(_LONGEST_PATH):
        walking = at >= 0
        if not walking.any():
            break
        service = np.where(walking, graph.placement.service[at], width - 1)
        longer, code = np.unique(code * width + service, return_inverse=True)
        steps.append((longer // width, longer % width))
        above = np.where(walking, tree.parent[at], -1)
        at = np.where(above >= 0, landing[above], -1)
    texts = [_spell(number, steps, forest.services) for number in range(int(code.max(initial=-1)) + 1)]
    ranks = sorted(range(len(texts)), key=texts.__getitem__)
    place = np.empty(len(texts), np.int32)
    place[ranks] = np.arange(len(texts), dtype=np.int32)
    return tuple(texts[number] for number in ranks), place[code]


def _spell(number: int, steps: list[tuple[Int64, Int64]], services: tuple[str, ...]) -> tuple[str, ...]:
    spelled = []
    for shorter, service in reversed(steps):
        if service[number] < len(services):
            spelled.append(services[service[number]])
        number = int(shorter[number])
    return tuple(spelled)


def _entries(forest: TraceForest, graph: CallGraph, tree: ChainTree) -> tuple[tuple[str, ...], tuple[str, ...], Int32]:
    """Distinct entry operations, sorted by service and name, and the one of each chain; a sidecar names none."""
    behind = graph.placement.behind[tree.head]
    head = np.where(graph.placement.proxy[tree.head] & (behind >= 0), behind, tree.head)
    routed = (pl.col("http_method") != "") & (pl.col("http_route") != "")
    route = pl.concat_str("http_method", "http_route", separator=" ")
    names = forest.operations.select(pl.when(routed).then(route).otherwise("name"))["http_method"].to_list()
    distinct = sorted(set(names))
    number = {name: at for at, name in enumerate(distinct)}
    name = np.array([number[name] for name in names], np.int64)[forest.operation[head]]
    service = graph.placement.service[tree.head].astype(np.int64)
    codes, entry = np.unique(service * max(len(distinct), 1) + name, return_inverse=True)
    services = tuple(forest.services[code // len(distinct)] for code in codes)
    operations = tuple(distinct[code % len(distinct)] for code in codes)
    return services, operations, entry.astype(np.int32)
