"""Facts about the tail of random traces: what plain loops over segments and calls add up to."""

import random
from collections import defaultdict
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from tracelith.analysis.exemplars import SLOTS
from tracelith.analysis.statistics.histograms import bucket_of
from tracelith.analysis.tail.facts import (
    CALL_FACTOR,
    CALLER_REQUESTS,
    EDGE_CALLS,
    EDGE_REQUESTS,
    EDGE_TAILS,
    HOP_TIMES,
    LATENCY_FACTOR,
    TAIL_EXEMPLARS,
    observe_tail,
)
from tracelith.forest.view import ForestView
from traces import view_of

SEEDS = st.integers(0, 2**32 - 1)


def random_view(seed: int) -> ForestView:
    """A dozen traces of three services that call each other, one after the other or at the same time."""
    draw = random.Random(seed)
    return view_of("\n\n".join("\n".join(_request(draw, "a", 0, 400, depth=0)) for _ in range(12)))


def _request(draw: random.Random, service: str, start: int, end: int, *, depth: int) -> Iterator[str]:
    weight = f" weight={draw.choice([2, 4])}" if depth == 0 else ""
    yield f"{'    ' * depth}{service} SERVER get {start}..{end}ms{weight}"
    for _ in range(draw.randrange(4) if depth < 4 else 0):
        first, last = sorted(draw.sample(range(start, end + 1), 2)) if end - start > 3 else (start, end)
        callee = draw.choice("abc".replace(service, ""))
        if last - first < 3:
            continue
        yield f"{'    ' * depth}  {service} CLIENT get {first}..{last}ms"
        yield from _request(draw, callee, first + 1, last - 1, depth=depth + 1)


def hop_times(view: ForestView) -> dict[tuple[int, str], list[float]]:
    path, chains, forest = view.path, view.chains, view.forest
    spent: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    spans: dict[tuple[int, int], set[int]] = defaultdict(set)
    segments = zip(path.chain, path.hop, path.span, path.end_ns - path.start_ns, strict=True)
    for chain, hop, span, took in segments:
        hops = int(chains.span_hops[span]) + (path.hop_kinds[hop] == "network")
        spent[chain, hop][0] += int(took)
        spent[chain, hop][1] += int(took) * hops
        spans[chain, hop].add(int(span))
    sums: dict[tuple[int, str], list[float]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for (chain, hop), (hop_ns, away_ns) in spent.items():
        root = chains.root[chain]
        key = (int(bucket_of([forest.duration_ns[root]])[0]) // LATENCY_FACTOR, path.hop_labels[hop])
        weight = float(forest.trace_weight[chains.trace[chain]])
        row = (1, weight * hop_ns, weight * (hop_ns // 1000) ** 2, weight * len(spans[chain, hop]), weight * away_ns)
        sums[key] = [total + more for total, more in zip(sums[key], row, strict=True)]
    return dict(sums)


def slowest_calls(view: ForestView, *, by_chain: bool) -> dict[tuple[int, int, int], int]:
    """Duration of the slowest awaited call of each request, or chain, on each edge."""
    calls = view.calls
    slowest: dict[tuple[int, int, int], int] = defaultdict(int)
    for row in calls.awaited.nonzero()[0]:
        chain = int(view.chains.span_chain[calls.client[row]])
        unit = chain if by_chain else int(calls.request[row])
        key = (unit, int(calls.caller[row]), int(calls.callee[row]))
        if chain >= 0:
            slowest[key] = max(slowest[key], int(calls.duration_ns[row]))
    return dict(slowest)


def bucket(duration_ns: int) -> int:
    return int(bucket_of([duration_ns])[0]) // CALL_FACTOR


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_time_per_hop_is_what_the_segments_of_the_path_add_up_to(seed: int) -> None:
    view = random_view(seed)

    rows = observe_tail(view)[HOP_TIMES.name]

    names = ["traces", "weighted_ns", "weighted_square_us", "weighted_visits", "weighted_hop_ns"]
    seen = {(row["bucket"], row["hop"]): [row[name] for name in names] for row in rows.iter_rows(named=True)}
    assert seen == hop_times(view)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_a_request_counts_once_per_edge_with_its_slowest_call(seed: int) -> None:
    view = random_view(seed)
    names, nodes = view.forest.services, view.calls.node_names

    facts = observe_tail(view)

    requests: dict[tuple[str, str, int], int] = defaultdict(int)
    for (_, caller, callee), took in slowest_calls(view, by_chain=False).items():
        requests[names[caller], nodes[callee], bucket(took)] += 1
    counted = facts[EDGE_REQUESTS.name].select("caller", "callee", "bucket", "requests").iter_rows()
    assert {(caller, callee, at): count for caller, callee, at, count in counted} == requests
    assert facts[EDGE_CALLS.name]["calls"].sum() == view.calls.awaited.sum()
    entered = int(view.calls.awaited.sum()) + 12
    assert facts[CALLER_REQUESTS.name]["requests"].sum() == entered


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_a_chain_counts_once_per_edge_with_its_slowest_call(seed: int) -> None:
    view = random_view(seed)
    names, nodes = view.forest.services, view.calls.node_names

    rows = observe_tail(view)[EDGE_TAILS.name]

    chains: dict[tuple[str, str, int, int], int] = defaultdict(int)
    for (chain, caller, callee), took in slowest_calls(view, by_chain=True).items():
        latency = bucket(int(view.forest.duration_ns[view.chains.root[chain]]))
        chains[names[caller], nodes[callee], latency, bucket(took)] += 1
    counted = rows.select("caller", "callee", "latency_bucket", "call_bucket", "traces").iter_rows()
    assert {tuple(key): count for *key, count in counted} == chains


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_of_traces_that_took_equally_long_the_largest_id_is_the_example(seed: int) -> None:
    view = random_view(seed)
    path, forest = view.path, view.forest

    rows = observe_tail(view)[TAIL_EXEMPLARS.name]

    spent: dict[tuple[int, str], int] = defaultdict(int)
    for chain, hop, took in zip(path.chain, path.hop, path.end_ns - path.start_ns, strict=True):
        spent[int(chain), path.hop_labels[hop]] += int(took)
    highest: dict[tuple[str, int], str] = {}
    for (chain, hop), took in spent.items():
        trace = view.chains.trace[chain]
        high, low = int(forest.trace_hi[trace]), int(forest.trace_lo[trace])
        key = (hop, (high ^ low) % SLOTS)
        highest[key] = max(highest.get(key, ""), f"{took:020d}{high:020d}{low:020d}")
    assert {(hop, slot): rank for hop, slot, rank in rows.select("hop", "slot", "rank").iter_rows()} == highest
