"""Builds the forest: spans sorted by trace and start, each with the index of its parent; every defect is counted."""

from dataclasses import dataclass
from itertools import compress

import numpy as np
import polars as pl

from tracelith.forest.arrays import parents_first, sum_to_root
from tracelith.forest.parents import cut_cycles, find_parents
from tracelith.forest.rows import UNFORESEEN, SpanRows, TraceRows, drop_duplicates, sorted_traces, span_rows
from tracelith.forest.soundness import find_roots, implausible_spans, least_inclusion
from tracelith.forest.tables import TextTable, operation_table, resource_table
from tracelith.forest.view import Bool, Int32, TraceForest
from tracelith.model.ports import WindowSpans
from tracelith.model.schema import OTHER, Kind

__all__ = ["build_forest"]


def build_forest(window: WindowSpans) -> TraceForest:
    """The traces of ``window.windows`` as a forest; all traces if it names no windows.

    Duplicates by (trace, span id, side) are dropped, parents that lead in a circle are cut, spans whose parent is
    missing head a fragment; each of these is counted, per trace and in total.

    A trace is complete with one root, no orphan, no circle and no service that stands for many. Further roots that
    receive a message (kind CONSUMER, or a span link) do not make it incomplete: their work was handed over, they head
    chains of their own.
    """
    resources, operations = resource_table(window.resources), operation_table(window.operations)
    rows = span_rows(window.spans, resources, operations)
    ids = (window.spans["trace_hi"].to_numpy(), window.spans["trace_lo"].to_numpy())
    rows, traces = sorted_traces(rows, *ids, window.windows)
    rows, traces, duplicates = drop_duplicates(rows, traces)
    used = np.bincount(rows.resource, minlength=len(resources.texts)) > 0
    environments, environment_of = _numbered(resources.texts["environment"], used)
    services, service_of = _services(resources, used, window.linked_spans)
    trace, service = traces.of_rows(), service_of.take(rows.resource)
    tree = _tree(rows, traces, service)
    handed_over = (rows.kind == int(Kind.CONSUMER)) | _linking(rows, trace, traces, window.links, tree.parent)
    root, roots = find_roots(traces.first, (tree.parent < 0) & ~tree.orphan & ~tree.circular, handed_over)
    weight = least_inclusion(traces.first, rows.weight)
    counts = _defects(rows, trace, traces, tree) | {
        "duplicate_spans": duplicates,
        "multi_root_traces": (roots > 1).astype(np.int32),
        "rootless_traces": (root < 0).astype(np.int32),
        "unknown_sampling_traces": np.isnan(weight).astype(np.int32),
        "folded_service_traces": _with_folded_service(rows, resources, trace, traces).astype(np.int32),
    }
    head = np.where(root >= 0, root, traces.first[:-1])
    top_down = parents_first(tree.parent)
    return TraceForest(
        trace=trace,
        span_id=rows.span_id,
        parent=tree.parent,
        depth_in_tree=sum_to_root(tree.parent, (tree.parent >= 0).astype(np.int32), top_down),
        top_down=top_down,
        start_ns=rows.start_ns,
        duration_ns=rows.duration_ns,
        service=service,
        operation=rows.operation,
        resource=rows.resource,
        kind=rows.kind,
        outcome=rows.outcome,
        attempt=rows.attempt,
        orphan=tree.orphan,
        services=services,
        operations=operations.texts,
        resources=resources.texts,
        environments=environments,
        trace_hi=traces.hi,
        trace_lo=traces.lo,
        trace_first=traces.first,
        trace_root=root,
        trace_complete=_complete(counts) & (root >= 0) & (roots <= 1),
        trace_weight=weight,
        trace_window=traces.window,
        trace_environment=environment_of[rows.resource[head]],
        counts={name: int(per_trace.sum()) for name, per_trace in counts.items()},
        trace_counts=counts,
    )


@dataclass(frozen=True, slots=True)
class _Tree:
    """Parents in forest order. orphan: names a parent that is not there; circular: on a circle that was cut."""

    parent: Int32
    orphan: Bool
    circular: Bool


def _tree(rows: SpanRows, traces: TraceRows, service: Int32) -> _Tree:
    ids = (rows.span_id, rows.parent_id)
    named, orphan, own = find_parents(traces.first, ids, rows.callee, service, UNFORESEEN)
    parent, circular = cut_cycles(named)
    return _Tree(parent, orphan, circular | own)


def _services(resources: TextTable, used: Bool, linked_spans: pl.DataFrame) -> tuple[tuple[str, ...], Int32]:
    linked = np.zeros(used.size, np.bool_)
    linked[resources.rows_of(linked_spans["resource"].to_numpy())] = True
    return _numbered(resources.texts["service"], used | linked)


def _numbered(texts: pl.Series, used: Bool) -> tuple[tuple[str, ...], Int32]:
    """The names used, sorted, and the number of the name in each row."""
    names = texts.to_list()
    numbers = {name: number for number, name in enumerate(sorted(set(compress(names, used))))}
    return tuple(numbers), np.array([numbers.get(name, -1) for name in names], np.int32)


def _linking(rows: SpanRows, trace: Int32, traces: TraceRows, links: pl.DataFrame, parent: Int32) -> Bool:
    """Which parentless spans carry a span link."""
    linking = np.zeros(parent.size, np.bool_)
    heads = np.flatnonzero(parent < 0)
    if not len(links) or not heads.size:
        return linking
    of_heads = trace[heads]
    ids = {"trace_hi": traces.hi[of_heads], "trace_lo": traces.lo[of_heads], "span_id": rows.span_id[heads]}
    found = pl.DataFrame({**ids, "head": heads}).join(links, on=list(ids), how="semi")
    linking[found["head"].to_numpy()] = True
    return linking


def _complete(counts: dict[str, Int32]) -> Bool:
    unfit = counts["orphan_spans"] + counts["cyclic_spans"] + counts["folded_service_traces"]
    complete: Bool = unfit == 0
    return complete


def _with_folded_service(rows: SpanRows, resources: TextTable, trace: Int32, traces: TraceRows) -> Bool:
    """Which traces pass services beyond the limit: calls between two of those would look like one service's work."""
    folded = np.array([name == OTHER for name in resources.texts["service"]], np.bool_)
    passed = np.zeros(traces.lo.size, np.bool_)
    if folded.any():
        passed[trace[folded[rows.resource]]] = True
    return passed


def _defects(rows: SpanRows, trace: Int32, traces: TraceRows, tree: _Tree) -> dict[str, Int32]:
    marked = {
        "orphan_spans": tree.orphan,
        "cyclic_spans": tree.circular,
        "clamped_spans": (rows.defects & 1) > 0,
        "kindless_spans": rows.kind == int(Kind.UNSPECIFIED),
    }
    count = traces.lo.size
    counts = {name: np.bincount(trace[mask], minlength=count).astype(np.int32) for name, mask in marked.items()}
    return counts | {"implausible_clock_spans": implausible_spans(traces.first, rows.start_ns, rows.duration_ns)}
