"""The critical path as metrics.md §5.2 puts it, by plain recursion over one trace: slow, short, and easy to check."""

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


def walk(root: Node) -> list[Segment]:
    """Segments of the root's interval, sorted by start."""
    _align(root, 0)
    _truncate(root)
    segments: list[Segment] = []
    _visit(root, root.end, segments)
    return sorted(segments, key=lambda segment: segment[1])


def _align(node: Node, shift: int) -> None:
    raw_start, raw_end = node.start, node.end
    node.start, node.end = raw_start + shift, raw_end + shift
    for child in node.children:
        moved = shift
        duration, child_duration = raw_end - raw_start, child.end - child.start
        apart = child.start < raw_start - 1_000 or child.end > raw_end + 1_000
        if node.client and child.host != node.host and apart:
            moved += raw_start + max(duration - child_duration, 0) // 2 - child.start
        _align(child, moved)


def _truncate(node: Node) -> None:
    kept = []
    for child in node.children:
        child.start, child.end = max(child.start, node.start), min(child.end, node.end)
        if child.start <= child.end:
            kept.append(child)
            _truncate(child)
    node.children = kept


def _visit(node: Node, end: int, segments: list[Segment]) -> None:
    """Charges [node.start, end) to node and the children it waited for."""
    tolerance = (node.end - node.start) // 100
    cursor, begun = end, node.end
    for child in sorted(node.children, key=lambda child: (-child.end, -child.start, child.name)):
        if child.end <= begun + tolerance:
            child_end = min(child.end, cursor)
            if child_end < cursor:
                segments.append((node.name, child_end, cursor))
            _visit(child, child_end, segments)
            begun = child.start
            cursor = min(cursor, max(child.start, node.start))
    if node.start < cursor:
        segments.append((node.name, node.start, cursor))
