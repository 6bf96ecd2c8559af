"""One trace as a waterfall: spans in tree order with offset, duration, errors and their part of the critical path."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracelith.forest.view import ForestView
from tracelith.model.schema import Kind, Outcome
from tracelith.present import text

__all__ = ["MOST_ROWS", "Segment", "Waterfall", "WaterfallRow", "tree_order", "waterfall"]

MOST_ROWS = 1_500
"""Rows drawn; the largest traces in the wild have more than a hundred thousand spans, which no browser enjoys."""

_WORTHWHILE = 20
"""Savings below one twentieth of the trace are no place to start, and would fill a narrow page."""

_KIND_WORDS: dict[int, str] = {
    Kind.SERVER: "serves",
    Kind.CLIENT: "calls",
    Kind.PRODUCER: "sends",
    Kind.CONSUMER: "receives",
}
_OUTCOME_WORDS: dict[int, str] = {Outcome.FAILED: "failed", Outcome.REFUSED: "refused", Outcome.CANCELLED: "cancelled"}


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the time axis, as start and width in thousandths of the trace's length."""

    start: float
    width: float


@dataclass(frozen=True, slots=True)
class WaterfallRow:
    """One span.

    Attributes:
        indent: ancestors in the trace.
        service, name: made printable, not yet escaped for HTML.
        role: what the span does (serves, calls, ...), empty for internal work. outcome: empty if fine.
        offset_ms: start after the earliest span; duration_ms.
        bar: where the span lies. critical: pieces of the critical path charged to it; critical_ms their sum.
        saving_ms: by how much its chain would be shorter at most if the span took no time of its own (drag).
        worthwhile: that is at least a twentieth of the trace: worth a line where room is short.
        handed_over: part of deferred work, which has a critical path of its own: the request did not wait for it.
        orphan: its parent never arrived.
    """

    indent: int
    service: str
    name: str
    role: str
    outcome: str
    offset_ms: float
    duration_ms: float
    bar: Segment
    critical: tuple[Segment, ...]
    critical_ms: float
    saving_ms: float
    worthwhile: bool
    handed_over: bool
    orphan: bool


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A whole trace, ready for a template.

    Attributes:
        rows: in tree order, earliest first, at most MOST_ROWS. spans: how many there are.
        start_ns, length_ms: the trace's place in time. services: distinct names, in order of appearance.
        has_path: whether the critical path is known (only complete traces have one).
    """

    rows: tuple[WaterfallRow, ...]
    spans: int
    start_ns: int
    length_ms: float
    services: tuple[str, ...]
    has_path: bool


def waterfall(view: ForestView) -> Waterfall:
    """The rows of a view that holds one trace; no rows if it holds none."""
    forest = view.forest
    spans = len(forest.trace)
    if spans == 0:
        return Waterfall((), 0, 0, 0.0, (), has_path=False)
    start_ns = int(forest.start_ns.min())
    length_ns = max(1, int((forest.start_ns + forest.duration_ns).max()) - start_ns)
    segments = _critical_segments(view)
    order = tree_order(view)
    rows = tuple(_row(view, int(span), start_ns, length_ns, segments.get(int(span), ())) for span in order)
    services = tuple(dict.fromkeys(row.service for row in rows))
    return Waterfall(rows, spans, start_ns, length_ns / 1e6, services, has_path=bool(segments))


def _row(
    view: ForestView, span: int, start_ns: int, length_ns: int, critical: Sequence[tuple[int, int]]
) -> WaterfallRow:
    forest = view.forest
    operation = forest.operations.row(int(forest.operation[span]), named=True)
    chain = int(view.chains.span_chain[span])
    saving_ns = int(view.path.drag_ns[span])
    begins, lasts = int(forest.start_ns[span]) - start_ns, int(forest.duration_ns[span])
    return WaterfallRow(
        indent=int(forest.depth_in_tree[span]),
        service=text.printable(forest.services[int(forest.service[span])], 60),
        name=text.printable(operation["name"], 120) or "(no name)",
        role=_KIND_WORDS.get(int(forest.kind[span]), ""),
        outcome=_OUTCOME_WORDS.get(int(forest.outcome[span]), ""),
        offset_ms=begins / 1e6,
        duration_ms=lasts / 1e6,
        bar=_segment(begins, begins + lasts, length_ns),
        critical=tuple(_segment(low - start_ns, high - start_ns, length_ns) for low, high in critical[:MOST_ROWS]),
        critical_ms=sum(high - low for low, high in critical) / 1e6,
        saving_ms=saving_ns / 1e6,
        worthwhile=saving_ns * _WORTHWHILE >= length_ns,
        handed_over=bool(chain >= 0 and view.chains.restarted[chain]),
        orphan=bool(forest.orphan[span]),
    )


def _segment(start: int, end: int, length_ns: int) -> Segment:
    """In thousandths, clipped to the axis (skewed clocks), and never thinner than an eye can see."""
    low = min(max(start / length_ns * 1000, 0.0), 998.0)
    return Segment(round(low, 2), round(max(min(end / length_ns * 1000, 1000.0) - low, 2.0), 2))


def _critical_segments(view: ForestView) -> dict[int, list[tuple[int, int]]]:
    path = view.path
    segments: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for span, low, high in zip(path.span.tolist(), path.start_ns.tolist(), path.end_ns.tolist(), strict=True):
        segments[span].append((low, high))
    return segments


def tree_order(view: ForestView) -> list[int]:
    """The spans shown, at most MOST_ROWS: parents first, siblings by start.

    Without recursion, because chains can be very deep.
    """
    parent = view.forest.parent
    by_parent = np.argsort(parent, kind="stable")  # spans are sorted by start already
    first = np.searchsorted(parent[by_parent], np.arange(-1, len(parent) + 1))
    children = [by_parent[first[i] : first[i + 1]][::-1].tolist() for i in range(len(parent) + 1)]
    order: list[int] = []
    waiting = list(children[0])
    while waiting and len(order) < MOST_ROWS:
        span = waiting.pop()
        order.append(span)
        waiting.extend(children[span + 1])
    return order
