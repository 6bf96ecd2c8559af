"""The critical path as metrics.md §5.2 puts it, by plain recursion over one trace: slow, short, and easy to check."""

from collections import defaultdict
from dataclasses import dataclass, field

__all__ = ["Node", "walk"]

Segment = tuple[str, int, int]


@dataclass
class Node:
    """A span. ``home`` is its host; ``calls`` marks a client whose only child answers it from another host."""

    name: str
    start: int
    end: int
    host: str = "here"
    client: bool = False
    children: list["Node"] = field(default_factory=list)


def walk(root: Node, *, in_flight: bool = False) -> list[Segment]:
    """Segments of the root's interval, sorted by start; ``in_flight`` is the clip variant."""
    _align(root, 0, _offsets(root))
    _truncate(root)
    segments: list[Segment] = []
    _visit(root, root.end, segments, in_flight)
    return sorted(segments, key=lambda segment: segment[1])


def _offsets(root: Node) -> dict[tuple[str, str], int | None]:
    """What to add to the clock of each callee's host for each caller's host; None where its calls contradict."""
    lows: dict[tuple[str, str], list[int]] = defaultdict(list)
    highs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for client, server in _calls(root):
        low = client.start - server.start
        lows[client.host, server.host].append(low)
        spare = (client.end - client.start) - (server.end - server.start)
        highs[client.host, server.host].append(low + max(spare, 0))
    return {hosts: _offset(max(lows[hosts]), min(highs[hosts])) for hosts in lows}


def _offset(low: int, high: int) -> int | None:
    if low > high + 1_000:
        return None
    return 0 if low <= 1_000 and high >= -1_000 else low + (high - low) // 2


def _calls(node: Node) -> list[tuple[Node, Node]]:
    here = [(node, child) for child in node.children if node.client and child.host != node.host]
    return here + [pair for child in node.children for pair in _calls(child)]


def _align(node: Node, shift: int, offsets: dict[tuple[str, str], int | None]) -> None:
    raw_start, raw_end = node.start, node.end
    node.start, node.end = raw_start + shift, raw_end + shift
    for child in node.children:
        moved = shift
        duration, child_duration = raw_end - raw_start, child.end - child.start
        apart = child.start < raw_start - 1_000 or child.end > raw_end + 1_000
        if node.client and child.host != node.host:
            offset = offsets[node.host, child.host]
            centred = raw_start + max(duration - child_duration, 0) // 2 - child.start if apart else 0
            moved += centred if offset is None else offset
        _align(child, moved, offsets)


def _truncate(node: Node) -> None:
    kept = []
    for child in node.children:
        child.start, child.end = max(child.start, node.start), min(child.end, node.end)
        if child.start <= child.end:
            kept.append(child)
            _truncate(child)
    node.children = kept


def _visit(node: Node, end: int, segments: list[Segment], in_flight: bool) -> None:
    """Charges [node.start, end) to node and the children it waited for."""
    tolerance = (node.end - node.start) // 100
    cursor, begun = end, node.end
    for child in sorted(node.children, key=lambda child: (-child.end, -child.start, child.name)):
        if child.start < begun if in_flight else child.end <= begun + tolerance:
            child_end = min(child.end, cursor)
            if child_end < cursor:
                segments.append((node.name, child_end, cursor))
            _visit(child, child_end, segments, in_flight)
            begun = child.start
            cursor = min(cursor, max(child.start, node.start))
    if node.start < cursor:
        segments.append((node.name, node.start, cursor))
