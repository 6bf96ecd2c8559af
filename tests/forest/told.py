"""Views told as plain tuples and text, so that tests read and compare what a view means, not how it is numbered."""

from dataclasses import dataclass

from tracelith.forest.view import ForestView
from traces import START_NS

__all__ = ["Told", "chains", "edges", "hop_times", "segments", "tell"]


def edges(view: ForestView) -> list[tuple[str, str, str]]:
    """Caller, callee, and sync, async or unknown of every call, sorted."""
    calls, services = view.calls, view.forest.services
    modes = ["sync" if a else "async" if d else "unknown" for a, d in zip(calls.awaited, calls.deferred, strict=True)]
    ends = zip(calls.caller, calls.callee, modes, strict=True)
    return sorted((services[caller], calls.node_names[callee], mode) for caller, callee, mode in ends)


def chains(view: ForestView) -> list[tuple[str, int, int, int, tuple[str, ...]]]:
    """Entry operation, hops (critical, any, with peers) and path of every chain, in order."""
    c = view.chains
    return [
        (
            f"{c.entry_services[c.entry[i]]} {c.entry_operations[c.entry[i]]}",
            int(c.hops_critical[i]),
            int(c.hops_any[i]),
            int(c.hops_with_peers[i]),
            c.paths[c.path[i]],
        )
        for i in range(c.root.size)
    ]


def segments(view: ForestView, unit: int = 1_000_000) -> list[tuple[str, float, float]]:
    """Operation name, start and end of every segment, in order; times since START_NS in ``unit`` nanoseconds."""
    names = view.forest.operations["name"].to_list()
    path = view.path
    return [
        (names[view.forest.operation[span]], (int(low) - START_NS) / unit, (int(high) - START_NS) / unit)
        for span, low, high in zip(path.span, path.start_ns, path.end_ns, strict=True)
    ]


def hop_times(view: ForestView, unit: int = 1_000_000) -> dict[tuple[str, str], float]:
    """Critical-path time by hop label and kind."""
    path, times = view.path, {}
    for hop, low, high in zip(path.hop, path.start_ns, path.end_ns, strict=True):
        key = (path.hop_labels[hop], path.hop_kinds[hop])
        times[key] = times.get(key, 0) + (int(high) - int(low)) / unit
    return times


@dataclass(frozen=True)
class Told:
    """A view without any numbering of its own: sets of facts named by ids and texts."""

    spans: frozenset[tuple[object, ...]]
    calls: frozenset[tuple[object, ...]]
    chains: frozenset[tuple[object, ...]]
    segments: frozenset[tuple[object, ...]]
    traces: frozenset[tuple[object, ...]]


def tell(view: ForestView) -> Told:
    """Everything in the view by name."""
    forest, calls, c, path = view.forest, view.calls, view.chains, view.path
    names = forest.operations["name"].to_list()

    def span(i: int) -> object:
        if i < 0:
            return None
        return (int(forest.trace_lo[forest.trace[i]]), int(forest.span_id[i]), names[forest.operation[i]])

    attempts: dict[int, list[object]] = {}
    for i in range(calls.client.size):
        attempts.setdefault(int(calls.logical[i]), []).append((span(calls.client[i]), span(calls.server[i])))
    return Told(
        spans=frozenset(
            (span(i), span(forest.parent[i]), forest.services[forest.service[i]], int(forest.duration_ns[i]))
            for i in range(forest.span_id.size)
        ),
        calls=frozenset(
            (
                span(calls.client[i]),
                span(calls.server[i]),
                span(calls.request[i]),
                forest.services[calls.caller[i]],
                calls.node_names[calls.callee[i]],
                calls.node_kinds[calls.callee[i]],
                bool(calls.awaited[i]),
                bool(calls.deferred[i]),
                frozenset(attempts[int(calls.logical[i])]),
                bool(calls.final[i]),
                int(calls.duration_ns[i]),
                int(calls.network_ns[i]),
                bool(calls.linked[i]),
                int(calls.sent_ns[i]),
                span(calls.reply[i]),
            )
            for i in range(calls.client.size)
        ),
        chains=frozenset((span(c.root[i]), bool(c.restarted[i]), *told) for i, told in enumerate(chains(view))),
        segments=frozenset(
            (span(path.span[i]), int(path.start_ns[i]), int(path.end_ns[i]), path.hop_labels[path.hop[i]])
            for i in range(path.span.size)
        ),
        traces=frozenset(
            (
                int(forest.trace_lo[i]),
                span(forest.trace_root[i]),
                bool(forest.trace_complete[i]),
                str(forest.trace_weight[i]),
                int(forest.trace_window[i]),
                tuple((name, int(counts[i])) for name, counts in forest.trace_counts.items()),
            )
            for i in range(forest.trace_root.size)
        ),
    )
