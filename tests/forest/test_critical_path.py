"""The critical path: oracles, laws, and thousands of random traces against plain recursion."""

import random
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forest.recursive_path import Node, walk
from forest.told import hop_times, segments
from tracelith.forest import build_forest, observe_view
from tracelith.forest.calls import find_calls
from tracelith.forest.chain_tree import cut_chains
from tracelith.forest.critical_path import find_critical_path
from tracelith.forest.view import ForestView
from traces import START_NS, view_of, window_of


def own_times(view: ForestView) -> dict[str, float]:
    times: dict[str, float] = defaultdict(float)
    for name, low, high in segments(view):
        times[name] += high - low
    return dict(times)


def in_flight(text: str) -> ForestView:
    """The traces with the path of the clip variant."""
    window = window_of(text)
    forest = build_forest(window)
    graph = find_calls(forest, window)
    path = find_critical_path(forest, graph, cut_chains(forest, graph), in_flight=True)
    return replace(observe_view(window), path=path)


def test_5_2_overlapping_siblings_oracle() -> None:
    view = view_of("""
        s A  0..100ms
          s B  10..40ms
          s C  30..80ms
            s D  50..70ms
          s E  85..95ms
    """)

    assert own_times(view) == {"A": 40, "C": 30, "D": 20, "E": 10}
    assert segments(view) == [
        ("A", 0, 30),
        ("C", 30, 50),
        ("D", 50, 70),
        ("C", 70, 80),
        ("A", 80, 85),
        ("E", 85, 95),
        ("A", 95, 100),
    ]


def test_5_2_clip_variant_oracle() -> None:
    view = in_flight("""
        s A  0..100ms
          s B  10..40ms
          s C  30..80ms
            s D  50..70ms
          s E  85..95ms
    """)

    assert own_times(view) == {"A": 20, "B": 20, "C": 30, "D": 20, "E": 10}


def test_5_2_clip_variant_waits_for_calls_that_nobody_waited_for() -> None:
    parallel = """
        s A  0..100ms
          s B  0..90ms
          s C  1..91ms
          s D  2..92ms
    """

    assert own_times(view_of(parallel)) == {"A": 10, "D": 90}
    assert own_times(in_flight(parallel)) == {"A": 8, "B": 1, "C": 1, "D": 90}


def test_5_2_touching_siblings_oracle() -> None:
    view = view_of("""
        s A  0..100ms
          s B  0..40ms
          s C  40..90ms
    """)

    assert own_times(view) == {"B": 40, "C": 50, "A": 10}


def test_5_2_overflow_oracle() -> None:
    view = view_of("""
        s A  0..100ms
          s B  20..130ms
          s X  105..140ms
    """)

    assert own_times(view) == {"A": 20, "B": 80}


def test_siblings_that_overlap_by_one_percent_follow_each_other() -> None:
    within = view_of("""
        s A  0..100ms
          s B  0..41ms
          s C  40..90ms
    """)
    beyond = view_of("""
        s A  0..100ms
          s B  0..42ms
          s C  40..90ms
    """)

    assert own_times(within) == {"B": 40, "C": 50, "A": 10}
    assert own_times(beyond) == {"C": 50, "A": 50}


def test_a_span_that_ends_with_the_clock_waited_for_its_children_too() -> None:
    view = view_of("""
        s A  0..7420000000s
          s B  10..20s
    """)

    assert segments(view, 10**9) == [("A", 0, 10), ("B", 10, 20), ("A", 20, 7_420_000_000)]


def test_of_children_that_end_together_the_latest_to_start_is_waited_for_then_the_smaller_id() -> None:
    view = view_of("""
        s A  0..100ms
          s B  50..90ms
          s C  50..90ms
          s D  10..90ms
    """)

    assert own_times(view) == {"A": 60, "B": 40}


@pytest.mark.parametrize(
    ("server", "starts", "ends"),
    [
        ("90..120ms", 110, 140),
        ("105..135ms", 105, 135),
        ("200..230ms", 110, 140),
        ("90..140.5ms", 100, 150),  # half a millisecond too long for its client: begins with it, the rest is cut off
    ],
)
def test_1_4_clock_skew_oracle(server: str, starts: float, ends: float) -> None:
    view = view_of(f"""
        shop   SERVER checkout   0..200ms
          shop   CLIENT price      100..150ms
            price  SERVER answer     {server}
    """)

    assert ("answer", starts, ends) in segments(view)


def test_1_4_a_moved_server_takes_its_subtree_along() -> None:
    view = view_of("""
        shop   SERVER checkout   0..200ms
          shop   CLIENT price      100..150ms
            price  SERVER answer     300..340ms
              price  INTERNAL work     310..320ms
              price  CLIENT tax        320..330ms
                tax    SERVER tax        321..329ms
    """)

    assert ("work", 115, 125) in segments(view)
    assert ("tax", 126, 134) in segments(view)


def test_time_is_charged_to_services_ways_and_peers() -> None:
    view = view_of("""
        shop   SERVER checkout   0..100ms
          shop   CLIENT price      10..50ms
            price  SERVER answer     15..45ms
              price  CLIENT query      20..40ms db=postgresql namespace=users
          shop   PRODUCER publish  60..65ms mq=kafka object=orders
            mail   CONSUMER receive  200..230ms mq=kafka object=orders
          shop   CLIENT notify     70..72ms
            push   SERVER accept     71..400ms
    """)

    assert hop_times(view) == {
        ("shop", "service"): 53,
        ("shop → price", "network"): 10,
        ("price", "service"): 10,
        ("price → postgresql users", "peer"): 20,
        ("shop → kafka orders", "peer"): 5,
        ("shop → push", "network"): 2,
        ("mail", "service"): 30,
        ("push", "service"): 329,
    }


def test_labels_of_one_hop_name_both_ends() -> None:
    path = view_of("""
        shop   SERVER checkout   0..100ms
          shop   CLIENT price      10..50ms
            price  SERVER answer     15..45ms
    """).path

    ends = dict(zip(path.hop_labels, zip(path.hop_callers, path.hop_callees, strict=True), strict=True))
    assert ends == {"shop": ("shop", "shop"), "price": ("price", "price"), "shop → price": ("shop", "price")}


def test_a_producer_that_names_no_destination_is_its_services_own_time() -> None:
    view = view_of("""
        shop   SERVER checkout   0..100ms
          shop   PRODUCER publish  60..65ms
            mail   CONSUMER receive  200..230ms
    """)

    assert hop_times(view) == {("shop", "service"): 100, ("mail", "service"): 30}


def test_a_producer_without_a_destination_is_its_services_own_time_inside_a_call_too() -> None:
    view = view_of("""
        shop   SERVER checkout   0..100ms
          shop   CLIENT price      10..50ms
            shop   PRODUCER publish  20..30ms
              mail   CONSUMER receive  200..230ms
            price  SERVER answer     35..45ms
    """)

    assert hop_times(view) == {
        ("shop", "service"): 70,
        ("shop → price", "network"): 20,
        ("price", "service"): 10,
        ("mail", "service"): 30,
    }


# --- against recursion -------------------------------------------------------------------------------------------


def random_trace(source: random.Random, prefix: str, scale: int) -> Node:
    """A trace with children that overflow, overlap, touch, have no duration, and run on hosts with their own clock."""
    numbers = iter(range(1, 1_000))
    constant_skew = source.randint(-scale, scale)

    def node(low: int, high: int, depth: int, host: str) -> Node:
        made = Node(f"{prefix}{next(numbers):03d}", low, high, host)
        if depth < 4:
            cuts = [low, high]
            for _ in range(source.choice((0, 1, 1, 2, 3, 4))):
                begin = source.choice((source.choice(cuts), source.randint(low - scale // 9, high + scale // 9)))
                end = begin + source.choice((0, source.randint(0, max(high - low, 1)), scale // 50))
                cuts += [begin, end]
                made.children.append(node(begin, end, depth + 1, host))
                if source.random() < 0.3:
                    call(made.children[-1], depth + 1)
        return made

    def call(client: Node, depth: int) -> None:
        duration = client.end - client.start
        skew = source.choice((0, constant_skew, source.randint(-scale, scale)))
        begin = client.start + duration // 3 + skew
        # Few hosts, so that several calls run between two of them; some on hosts that no other call goes to.
        host = source.choice([host for host in ("north", "south", f"host{next(numbers)}") if host != client.host])
        server = node(begin, begin + source.randint(0, duration), depth + 1, host)
        client.client, client.children = True, [server]

    return node(0, scale, 0, "here")


def text_of(node: Node, depth: int = 0, *, entry: bool = True) -> list[str]:
    kind = "CLIENT" if node.client else "SERVER" if entry else "INTERNAL"
    line = f"{'  ' * depth}{node.host} {kind} {node.name} {node.start}..{node.end}ns"
    return [line, *(text for child in node.children for text in text_of(child, depth + 1, entry=node.client))]


def by_trace(view: ForestView) -> dict[int, list[tuple[str, int, int]]]:
    told: dict[int, list[tuple[str, int, int]]] = defaultdict(list)
    names = view.forest.operations["name"].to_list()
    path = view.path
    roots = set(view.forest.trace_root.tolist())
    for chain, span, low, high in zip(path.chain, path.span, path.start_ns, path.end_ns, strict=True):
        if int(view.chains.root[chain]) in roots:
            trace = int(view.forest.trace[span])
            told[trace].append((names[view.forest.operation[span]], int(low) - START_NS, int(high) - START_NS))
    return told


def without_unawaited(node: Node, awaited: set[str]) -> Node:
    node.children = [without_unawaited(child, awaited) for child in node.children if child.name in awaited]
    return node


def joined(parts: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Neighbouring segments of one span as one: a child without duration parts its parent's time in two."""
    told: list[tuple[str, int, int]] = []
    for name, low, high in parts:
        if told and told[-1][0] == name and told[-1][2] == low:
            told[-1] = (name, told[-1][1], high)
        else:
            told.append((name, low, high))
    return told


def compare_with_recursion(traces: list[Node], *, clip: bool = False) -> None:
    text = "\n\n".join("\n".join(text_of(trace)) for trace in traces)
    view = in_flight(text) if clip else view_of(text)
    names = view.forest.operations["name"].to_list()
    chain_of = view.chains.span_chain
    parent = view.forest.parent
    in_chain = {
        names[view.forest.operation[span]]
        for span in np.flatnonzero((parent >= 0) & (chain_of == chain_of[np.maximum(parent, 0)]))
    }

    told = by_trace(view)

    for number, trace in enumerate(traces):
        begin, end = trace.start, trace.end
        expected = walk(without_unawaited(trace, in_chain), in_flight=clip)
        assert joined(told[number]) == joined(expected)
        assert sum(high - low for _, low, high in told[number]) == end - begin


@pytest.mark.parametrize("scale", [60, 1_000, 10_000_000])
def test_3000_random_traces_have_the_path_that_recursion_finds(scale: int) -> None:
    source = random.Random(scale)
    traces = [random_trace(source, f"t{number}n", scale) for number in range(1_000)]

    compare_with_recursion(traces)


def test_5_2_clip_variant_is_what_recursion_finds_and_adds_up() -> None:
    source = random.Random(5)
    traces = [random_trace(source, f"t{number}n", 10_000) for number in range(1_000)]

    compare_with_recursion(traces, clip=True)


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(10, 3_000))
def test_any_trace_has_the_path_that_recursion_finds(source: random.Random, scale: int) -> None:
    compare_with_recursion([random_trace(source, "n", scale)])


def test_segments_partition_the_interval_of_every_chain() -> None:
    source = random.Random(7)
    lines = [text_of(random_trace(source, f"t{number}n", 50_000_000)) for number in range(200)]

    view = view_of("\n\n".join("\n".join(trace) for trace in lines))

    path, forest, roots = view.path, view.forest, view.chains.root
    assert (path.end_ns > path.start_ns).all()
    assert np.array_equal(np.lexsort((path.start_ns, path.chain)), np.arange(path.chain.size))
    same = path.chain[1:] == path.chain[:-1]
    assert np.array_equal(path.start_ns[1:][same], path.end_ns[:-1][same])
    time = np.bincount(path.chain, path.end_ns - path.start_ns, minlength=roots.size)
    assert np.array_equal(time, forest.duration_ns[roots])
    first = np.flatnonzero(np.concatenate([[True], ~same]))
    assert np.array_equal(path.start_ns[first], forest.start_ns[roots[path.chain[first]]])
