"""Composes the view of a window: forest, calls, chains and critical path."""

from dataclasses import replace

import numpy as np

from tracelith.forest.build import build_forest
from tracelith.forest.calls import CallGraph, find_calls
from tracelith.forest.chain_tree import cut_chains
from tracelith.forest.chains import describe_chains
from tracelith.forest.critical_path import find_critical_path
from tracelith.forest.view import ForestView, TraceForest
from tracelith.model.ports import WindowSpans

__all__ = ["observe_view"]


def observe_view(window: WindowSpans) -> ForestView:
    """All an analysis observes of the traces that belong to ``window.windows`` (of all traces if it names none)."""
    forest = build_forest(window)
    graph = find_calls(forest, window)
    tree = cut_chains(forest, graph)
    path = find_critical_path(forest, graph, tree)
    chains = describe_chains(forest, graph, tree, path)
    return ForestView(_with_call_defects(forest, graph), graph.calls, chains, path)


def _with_call_defects(forest: TraceForest, graph: CallGraph) -> TraceForest:
    traces = forest.trace_root.size
    calls = graph.calls
    found = {
        "skewed_spans": forest.trace[calls.server[graph.skewed]],
        "unpaired_client_spans": forest.trace[calls.client[graph.unpaired]],
    }
    per_trace = {name: np.bincount(trace, minlength=traces).astype(np.int32) for name, trace in found.items()}
    return replace(
        forest,
        counts=forest.counts | {name: int(counts.sum()) for name, counts in per_trace.items()},
        trace_counts=forest.trace_counts | per_trace,
    )
