"""Describes each chain: its entry operation, how many services deep it goes, and along which of them."""

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.arrays import added_up, distinct_codes
from tracelith.forest.calls import CallGraph
from tracelith.forest.chain_tree import ChainTree
from tracelith.forest.tables import asked_for
from tracelith.forest.view import Chains, CriticalPath, Int16, Int32, Int64, TraceForest

__all__ = ["describe_chains"]

_LONGEST_PATH = 64
"""Services written out per path; the deepest chain ever published has 19 (metrics.md §4). Depth itself has no limit."""

_DEEPEST = 32_767
"""Largest depth that is told apart: what an int16 holds."""


def describe_chains(forest: TraceForest, graph: CallGraph, tree: ChainTree, path: CriticalPath) -> Chains:
    """Depth of all chains, in hops: on the critical path, on any path, and with peers counted as one more.

    A span is on the critical path if it has a segment. Of several deepest services the one with most time on the path
    is taken, then the first in forest order.

    Source: metrics.md §4.
    """
    visits_ns = added_up(tree.landing.take(path.span), tree.landing.size, path.end_ns - path.start_ns)
    deepest = _deepest(tree.head, tree.chain, tree.hops, visits_ns)
    hops_any, hops_with_peers = _most_hops(tree.chain, tree.hops, tree.head.size, _asking_peers(graph))
    texts, text = _service_paths(forest, graph, tree, deepest)
    names, operations, entry = _entries(forest, graph, tree)
    return Chains(
        root=tree.head,
        trace=forest.trace[tree.head],
        entry=entry,
        restarted=tree.restarted,
        hops_critical=_saturated(tree.hops[deepest]),
        hops_any=_saturated(hops_any),
        hops_with_peers=_saturated(hops_with_peers),
        path=text,
        paths=texts,
        entry_services=names,
        entry_operations=operations,
        span_chain=tree.chain,
        span_hops=_saturated(tree.hops),
    )


def _saturated(hops: Int32) -> Int16:
    return np.minimum(hops, _DEEPEST).astype(np.int16)


@compiled
def _deepest(head: Int32, chain: Int32, hops: Int32, time_ns: Int64) -> Int32:
    """Where the deepest service visit on each chain's critical path begins; the chain's head if it has no path.

    Args:
        time_ns: on the critical path, of each visit to a service, where it began.
    """
    deepest = head.copy()
    for visit in range(chain.size):
        if time_ns[visit] > 0:
            best = deepest[chain[visit]]
            if (hops[visit], time_ns[visit]) > (hops[best], time_ns[best]):
                deepest[chain[visit]] = visit
    return deepest


@compiled
def _most_hops(chain: Int32, hops: Int32, chains: int, asking: Int32) -> tuple[Int32, Int32]:
    """The most hops of each chain, and with one more for each of the spans that ask peers."""
    most, with_peers = np.zeros(chains, np.int32), np.zeros(chains, np.int32)
    for span in range(chain.size):
        if chain[span] >= 0:
            most[chain[span]] = max(most[chain[span]], hops[span])
    for span in asking:
        if chain[span] >= 0:
            with_peers[chain[span]] = max(with_peers[chain[span]], hops[span] + 1)
    return most, np.maximum(most, with_peers)


def _asking_peers(graph: CallGraph) -> Int32:
    """Client spans that awaited a peer without spans; handing a message to a broker is no such wait."""
    calls = graph.calls
    waits = np.array([kind != "destination" for kind in calls.node_kinds], np.bool_)
    asking: Int32 = calls.client[(calls.server < 0) & calls.awaited & waits.take(calls.callee)]
    return asking


def _service_paths(
    forest: TraceForest, graph: CallGraph, tree: ChainTree, deepest: Int32
) -> tuple[tuple[tuple[str, ...], ...], Int32]:
    """Distinct paths of services from head to deepest span, sorted, and the path of each chain."""
    at = deepest
    code, limit = np.zeros(deepest.size, np.int32), 1
    # Every round walks one hop towards the head and names the path walked so far by one number.
    steps: list[tuple[Int64, Int64]] = []
    width = len(forest.services) + 1
    for _ in range(_LONGEST_PATH):
        walking = at >= 0
        if not walking.any():
            break
        service = np.where(walking, graph.placement.service[at], width - 1)
        longer, code = distinct_codes(code.astype(np.int64) * width + service, limit * width)
        limit = longer.size
        steps.append((longer // width, longer % width))
        above = np.where(walking, tree.parent[at], -1)
        at = np.where(above >= 0, tree.landing[above], -1)
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
    names = forest.operations.select(asked_for()).to_series().to_list()
    distinct = sorted(set(names))
    number = {name: at for at, name in enumerate(distinct)}
    name = np.array([number[name] for name in names], np.int64)[forest.operation[head]]
    service = graph.placement.service[tree.head].astype(np.int64)
    codes, entry = distinct_codes(service * len(distinct) + name, len(forest.services) * len(distinct))
    services = tuple(forest.services[code // len(distinct)] for code in codes)
    operations = tuple(distinct[code % len(distinct)] for code in codes)
    return services, operations, entry
