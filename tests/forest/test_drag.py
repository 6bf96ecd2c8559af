"""Drag: what a span on the critical path can save at most."""

from tracelith.forest import build_forest
from tracelith.forest.calls import find_calls
from tracelith.forest.chain_tree import cut_chains
from tracelith.forest.critical_path import find_critical_path, order_siblings
from tracelith.forest.drag import drag_ns
from tracelith.forest.intervals import waiting_intervals
from traces import window_of


def drags(text: str) -> dict[str, float]:
    window = window_of(text)
    forest = build_forest(window)
    graph = find_calls(forest, window)
    tree = cut_chains(forest, graph)
    intervals = waiting_intervals(forest, graph, tree)
    path = find_critical_path(forest, graph, tree)
    drag = drag_ns(path, order_siblings(forest, tree, intervals), intervals)
    names = forest.operations["name"].to_list()
    return {names[forest.operation[span]]: float(drag[span]) / 1e6 for span in range(drag.size)}


def test_5_3_drag_oracle() -> None:
    told = drags("""
        s root  0..100ms
          s P  0..60ms
          s Q  0..90ms
    """)

    assert told == {"root": 10, "P": 0, "Q": 30}


def test_an_only_child_and_the_first_to_finish_can_save_all_their_own_time() -> None:
    told = drags("""
        s root  0..100ms
          s P  0..40ms
            s inner  10..30ms
          s Q  40..90ms
    """)

    assert told == {"root": 10, "P": 20, "inner": 20, "Q": 50}
