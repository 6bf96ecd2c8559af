"""The working form of traces: arrays of spans with a parent index, and what is derived from them once.

Every array is NumPy; "index" means a position in another array of the same view, and -1 means none.
n spans, t traces, m calls, c chains, s critical-path segments.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["Calls", "Chains", "CriticalPath", "ForestView", "Int8", "Int16", "Int32", "Int64", "TraceForest"]

Bool = NDArray[np.bool_]
Int8 = NDArray[np.int8]
Int16 = NDArray[np.int16]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
UInt8 = NDArray[np.uint8]
UInt64 = NDArray[np.uint64]
Float64 = NDArray[np.float64]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TraceForest:
    """Spans of complete traces, sorted by (trace, start, span id), duplicates dropped.

    Attributes:
        trace: int32[n], index of the span's trace.
        parent: int32[n], index of the parent span; -1 for roots, orphans and cut cycles.
        depth_in_tree: int32[n], number of ancestors.
        top_down: int32[n], all spans in an order in which each comes after its parent.
        start_ns, duration_ns: int64[n], as recorded: never corrected for clock skew.
        service: int32[n], index into services: who wrote the span, sidecars included.
        operation: int32[n], row of operations (OPERATION_TEXT columns). resource: int32[n], row of resources
            (RESOURCE_TEXT columns). Both tables are distinct and sorted by text and may have rows no span uses.
        kind, outcome, attempt: uint8[n].
        orphan: bool[n], names a parent that is not there (the span heads a fragment).
        services: service names, sorted, those of linked producers in other windows included; trace_* describe traces
            in order.
        trace_first: int32[t+1], spans of trace i are trace_first[i]:trace_first[i+1].
        trace_root: int32[t], the earliest true root; -1 if the trace has none.
        trace_complete: bool[t], exactly one root, no orphan, no cycle, no service beyond the limit (OTHER): fit for
            depth and critical path. Further roots that receive a message (kind CONSUMER, or a span link) do no harm:
            they head chains of their own.
        trace_weight: float64[t], adjusted count (minimum inclusion probability over its spans); NaN if unknown.
        trace_window: int64[t], start of the window the trace belongs to (that of its earliest span), ns.
        trace_environment: int32[t], index into environments (the root's).
        counts: defects met while building, by name: duplicate_spans, orphan_spans, cyclic_spans, multi_root_traces,
            rootless_traces, clamped_spans, implausible_clock_spans, kindless_spans, skewed_spans,
            unpaired_client_spans, unknown_sampling_traces, folded_service_traces. Each is also shown in data quality.
        trace_counts: the same defects per trace (int32[t] by name), so that each is counted in its own window and
            environment; each entry of counts is the sum of the entry here.
    """

    trace: Int32
    span_id: UInt64
    parent: Int32
    depth_in_tree: Int32
    top_down: Int32
    start_ns: Int64
    duration_ns: Int64
    service: Int32
    operation: Int32
    resource: Int32
    kind: UInt8
    outcome: UInt8
    attempt: UInt8
    orphan: Bool
    services: tuple[str, ...]
    operations: pl.DataFrame
    resources: pl.DataFrame
    environments: tuple[str, ...]
    trace_hi: UInt64
    trace_lo: UInt64
    trace_first: Int32
    trace_root: Int32
    trace_complete: Bool
    trace_weight: Float64
    trace_window: Int64
    trace_environment: Int32
    counts: dict[str, int]
    trace_counts: dict[str, Int32] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls that leave a service: one row per attempt, CLIENT and SERVER side collapsed into one.

    Attributes:
        client: int32[m], span on the caller's side (CLIENT or PRODUCER; without kinds the calling span; for a
            missing client side the caller's enclosing span); -1 if a span link names a producer of another window.
        server: int32[m], entry span on the callee's side; -1 if the callee sent no spans.
        request: int32[m], the caller's enclosing request span: the entry span of the caller's service above
            client, or -1 without a client. The unit of "per caller request" metrics.
        caller: int32[m], index into the forest's services; a sidecar counts as the service it stands beside.
        callee: int32[m], index into nodes.
        node_names, node_kinds: names and kinds (service | datastore | destination | external) of callees; the first
            len(services) nodes are the forest's services in the same order.
        awaited: bool[m], request/response and waited for (decided on raw clocks, metrics.md §1.3), or a message whose
            answer was (see reply).
        deferred: bool[m], handed over (messaging, span link, or outlives its caller). Neither: not decidable.
        logical: int32[m], attempts of one logical call share this number; final: bool[m], its last attempt.
        duration_ns: int64[m], client duration, or the server's when the client side is missing.
        network_ns: int64[m], client minus server duration: network and queue tax; -1 if one side is missing or the
            call was not awaited.
        linked: bool[m], joined by a span link instead of a parent.
        sent_ns: int64[m], when this message was handed over: the end of its producer span, also where that lies in
            another window; -1 for calls that are no messages, and where the producer was not found.
        reply: int32[m], the span with which the caller received the answer to this message, where one trace proves
            that its request waited for that; such a call is awaited, duration_ns is the wait. -1 for all others.
        answers: int32[m], the call to which this message is the answer that was waited for; -1 for all others.
        span_request: int32[n], the request each span is part of: the entry span of its service at or above it.
        span_service: int32[n], who did what each span tells of: its service, with sidecars counting as the one beside.
    """

    client: Int32
    server: Int32
    request: Int32
    caller: Int32
    callee: Int32
    node_names: tuple[str, ...]
    node_kinds: tuple[str, ...]
    awaited: Bool
    deferred: Bool
    logical: Int32
    final: Bool
    duration_ns: Int64
    network_ns: Int64
    linked: Bool
    sent_ns: Int64
    reply: Int32
    answers: Int32
    span_request: Int32
    span_service: Int32


@dataclass(frozen=True, slots=True)
class Chains:
    """Synchronous chains: a trace root, or the receiver of a deferred call, with all it awaits.

    Only chains of complete traces are listed.

    Attributes:
        root: int32[c], span that heads the chain; its duration is the chain's latency.
        trace: int32[c]. entry: int32[c], index into entry_services/entry_operations (the name of the entry operation:
            "METHOD route" when known, else the span name).
        restarted: bool[c], headed by the receiver of a deferred call instead of a trace root.
        hops_critical: int16[c], awaited service hops of the deepest span on the critical path (D_cp).
        hops_any: int16[c], the same over all spans (D). hops_with_peers: datastore and external leaf calls counted too.
        path: int32[c], index into paths: services from the root to that deepest span; of a longer path the last 64.
            Of equally deep services the one with most time on the critical path.
        span_chain: int32[n], chain of each span, -1 outside complete traces. span_hops: int16[n], hops above it.
    """

    root: Int32
    trace: Int32
    entry: Int32
    restarted: Bool
    hops_critical: Int16
    hops_any: Int16
    hops_with_peers: Int16
    path: Int32
    paths: tuple[tuple[str, ...], ...]
    entry_services: tuple[str, ...]
    entry_operations: tuple[str, ...]
    span_chain: Int32
    span_hops: Int16


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """Segments that partition each chain root's interval exactly, each charged to one span.

    Attributes:
        chain: int32[s]. span: int32[s]. start_ns, end_ns: int64[s], half open, sorted by (chain, start).
        hop: int32[s], index into hop_labels: where that time was spent.
        hop_labels, hop_kinds: "permissions" (service: its own time), "billing → permissions" (network: time between
            the two sides of a call), "billing → postgresql users" (peer: waiting for something without spans).
        hop_callers, hop_callees: names of the two ends; both the service itself for kind service.
        drag_ns: int64[n], by how much the chain would be shorter at most if the span took no time of its own; 0 off
            the path. What two spans save does not add up.
    """

    chain: Int32
    span: Int32
    start_ns: Int64
    end_ns: Int64
    hop: Int32
    hop_labels: tuple[str, ...]
    hop_kinds: tuple[str, ...]
    hop_callers: tuple[str, ...]
    hop_callees: tuple[str, ...]
    drag_ns: Int64


@dataclass(frozen=True, slots=True)
class ForestView:
    """All an analysis observes: the forest and what was derived from it."""

    forest: TraceForest
    calls: Calls
    chains: Chains
    path: CriticalPath
    _derived: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, derive: Callable[["ForestView"], T]) -> T:
        """``derive(view)``, worked out once however many analyses ask; nobody may change what it returns.

        Args:
            derive: a function of a module; what several analyses need is told apart by it.
        """
        if derive not in self._derived:
            self._derived[derive] = derive(self)
        return cast("T", self._derived[derive])
