"""Builds the forest: spans sorted by trace and start, each with the index of its parent; every defect is counted."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelith.forest.arrays import parents_first, sum_to_root
from tracelith.forest.parents import cut_cycles, resolve_parents
from tracelith.forest.rows import IdIndex, SpanRows, TraceRows, drop_duplicates, sorted_traces, span_rows
from tracelith.forest.tables import TextTable, operation_table, resource_table
from tracelith.forest.view import Bool, Float64, Int32, TraceForest
from tracelith.model.ports import WindowSpans
from tracelith.model.schema import OTHER, Kind

__all__ = ["build_forest"]

_EARLIEST_PLAUSIBLE_NS = 631_152_000_000_000_000
"""1990-01-01: no span is older than the machines that write them; clocks that lost their battery say 1970."""

_DAY_NS = 86_400_000_000_000
"""A span that starts a day after the middle of its trace, or lasts longer, tells of a clock rather than of work."""


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
    rows, index, duplicates = drop_duplicates(rows)
    services, service_of = _services(window, rows, resources)
    tree = _tree(rows, traces, index, service_of[rows.resource])
    handed_over = (rows.kind == Kind.CONSUMER) | _linking(rows, traces, window.links, tree.parent)
    root, roots = _roots(rows, tree, handed_over, traces.lo.size)
    weight = _least_inclusion(rows.weight, tree.trace_first)
    counts = _defects(rows, traces, tree) | {
        "duplicate_spans": np.bincount(duplicates, minlength=traces.lo.size).astype(np.int32),
        "multi_root_traces": (roots > 1).astype(np.int32),
        "rootless_traces": (root < 0).astype(np.int32),
        "unknown_sampling_traces": np.isnan(weight).astype(np.int32),
        "folded_service_traces": _with_folded_service(rows, resources, traces.lo.size).astype(np.int32),
    }
    environments, environment_of = _environments(rows, resources)
    head = np.where(root >= 0, root, tree.trace_first[:-1])
    top_down = parents_first(tree.parent)
    return TraceForest(
        trace=rows.trace,
        span_id=rows.span_id,
        parent=tree.parent,
        depth_in_tree=sum_to_root(tree.parent, (tree.parent >= 0).astype(np.int32), top_down),
        top_down=top_down,
        start_ns=rows.start_ns,
        duration_ns=rows.duration_ns,
        service=service_of[rows.resource],
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
        trace_first=tree.trace_first,
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
    """Parents in forest order. circular: on a circle that was cut; trace_first: where each trace begins."""

    parent: Int32
    orphan: Bool
    circular: Bool
    trace_first: Int32


def _tree(rows: SpanRows, traces: TraceRows, index: IdIndex, service: Int32) -> _Tree:
    parents = resolve_parents(rows, index, service)
    trace_first = np.searchsorted(rows.trace, np.arange(traces.lo.size + 1)).astype(np.int32)
    parent, circular = cut_cycles(parents.parent, trace_first)
    return _Tree(parent, parents.orphan, circular | parents.own, trace_first)


def _services(window: WindowSpans, rows: SpanRows, resources: TextTable) -> tuple[tuple[str, ...], Int32]:
    """Names of the services seen, sorted, and the service of each row of the resource table."""
    used = np.zeros(len(resources.texts), np.bool_)
    used[rows.resource] = True
    used[resources.rows_of(window.linked_spans["resource"].to_numpy())] = True
    names, service = _numbered(resources.texts["service"], used)
    return names, service


def _environments(rows: SpanRows, resources: TextTable) -> tuple[tuple[str, ...], Int32]:
    used = np.zeros(len(resources.texts), np.bool_)
    used[rows.resource] = True
    return _numbered(resources.texts["environment"], used)


def _numbered(texts: pl.Series, used: Bool) -> tuple[tuple[str, ...], Int32]:
    names = sorted(set(texts.filter(pl.Series(used)).to_list()))
    numbers = {name: number for number, name in enumerate(names)}
    return tuple(names), np.array([numbers.get(name, -1) for name in texts.to_list()], np.int32)


def _linking(rows: SpanRows, traces: TraceRows, links: pl.DataFrame, parent: Int32) -> Bool:
    """Which parentless spans carry a span link."""
    linking = np.zeros(parent.size, np.bool_)
    heads = np.flatnonzero(parent < 0)
    if not len(links) or not heads.size:
        return linking
    trace = rows.trace[heads]
    ids = {"trace_hi": traces.hi[trace], "trace_lo": traces.lo[trace], "span_id": rows.span_id[heads]}
    found = pl.DataFrame({**ids, "head": heads}).join(links, on=list(ids), how="semi")
    linking[found["head"].to_numpy()] = True
    return linking


def _roots(rows: SpanRows, tree: _Tree, handed_over: Bool, traces: int) -> tuple[Int32, Int32]:
    """Earliest root of each trace (-1: none) and how many roots compete to be it."""
    roots = np.flatnonzero((tree.parent < 0) & ~tree.orphan & ~tree.circular)
    own = ~handed_over[roots]
    competing = np.bincount(rows.trace[roots[own]], minlength=traces).astype(np.int32)
    root = np.full(traces, -1, np.int32)
    # Written last to first, so that the earliest stays; requests after receivers, so that they win.
    for part in (roots[~own], roots[own]):
        root[rows.trace[part][::-1]] = part[::-1]
    return root, competing


def _complete(counts: dict[str, Int32]) -> Bool:
    unfit = counts["orphan_spans"] + counts["cyclic_spans"] + counts["folded_service_traces"]
    complete: Bool = unfit == 0
    return complete


def _with_folded_service(rows: SpanRows, resources: TextTable, traces: int) -> Bool:
    """Which traces pass services beyond the limit: calls between two of those would look like one service's work."""
    folded = (resources.texts["service"] == OTHER).to_numpy()
    passed = np.zeros(traces, np.bool_)
    if folded.any():
        passed[rows.trace[folded[rows.resource]]] = True
    return passed


def _least_inclusion(weight: Float64, trace_first: Int32) -> Float64:
    """Adjusted count of each trace: that of its least likely span; NaN as soon as one is unknown (metrics.md §2.2)."""
    if trace_first.size < 2:
        return np.empty(0, np.float64)
    counts: Float64 = np.maximum.reduceat(weight, trace_first[:-1])
    return counts


def _implausible(rows: SpanRows, trace_first: Int32) -> Bool:
    if trace_first.size < 2:
        return np.empty(0, np.bool_)
    middle = rows.start_ns[(trace_first[:-1] + trace_first[1:]) // 2].astype(np.float64)
    late = rows.start_ns - middle[rows.trace] > _DAY_NS
    implausible: Bool = late | (rows.start_ns < _EARLIEST_PLAUSIBLE_NS) | (rows.duration_ns > _DAY_NS)
    return implausible


def _defects(rows: SpanRows, traces: TraceRows, tree: _Tree) -> dict[str, Int32]:
    marked = {
        "orphan_spans": tree.orphan,
        "cyclic_spans": tree.circular,
        "clamped_spans": (rows.defects & 1) > 0,
        "implausible_clock_spans": _implausible(rows, tree.trace_first),
        "kindless_spans": rows.kind == Kind.UNSPECIFIED,
    }
    count = traces.lo.size
    return {name: np.bincount(rows.trace[mask], minlength=count).astype(np.int32) for name, mask in marked.items()}
