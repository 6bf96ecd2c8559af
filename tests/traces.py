"""Traces written as indented text, so that a test shows the tree it is about.

    shop   SERVER GET /checkout   0..90ms
      shop   CLIENT price          10..40ms
        price  SERVER GET /price    12..38ms

One span a line: service, kind (optional), name, interval, then flags. Indentation makes children. A blank line or
``---`` starts the next trace. Flags:

    !, error, refused, cancelled    outcome
    deferred                        the span is about a message (protocol messaging)
    db=postgresql, mq=kafka         peer system, and with it the protocol db or messaging
    namespace=, object=, action=, group=, protocol=, scope=, method=, route=, peer=host:port, peer_service=
    statement=SELECT+orders+users   what a datastore call does, plus signs for blanks (object= and action= make it, too)
    version=, host=, instance=, environment=, language=    of the resource; host and instance default to the service
    id=label, link=label            names a span; links to a named span of any trace (link may repeat)
    parent=label, orphan            overrides the parent; names a parent that is not there
    shared                          has the span id of the line above it in the tree (Zipkin's B3)
    attempt=1, weight=4, weight=?   resend count; adjusted count, unknown with ?
    elsewhere                       only the target of links: the span lies in another window
"""

import re
from dataclasses import dataclass, field

import polars as pl

from tracelith.forest.view import ForestView
from tracelith.model.ports import WindowSpans
from tracelith.model.schema import LINK, OPERATION_TEXT, RESOURCE_TEXT, SPAN, Kind, Outcome, Status

__all__ = ["START_NS", "TRACE_HI", "trace_lo", "view_of", "window_of"]

START_NS = 1_767_603_600_000_000_000
"""2026-01-05 09:00 UTC, where every trace's 0 lies: the start of a window."""

TRACE_HI = 0xABC0_0000_0000_0000

_UNITS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_INTERVAL = re.compile(r"^(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)(ns|us|µs|ms|s)$")
_OUTCOMES = {"!": Outcome.FAILED, "error": Outcome.FAILED, "refused": Outcome.REFUSED, "cancelled": Outcome.CANCELLED}
_RESOURCE_FLAGS = ("version", "host", "instance", "environment", "language")
_OPERATION_FLAGS = {
    "namespace": "peer_namespace",
    "object": "peer_object",
    "action": "peer_action",
    "group": "consumer_group",
    "protocol": "protocol",
    "scope": "scope",
    "method": "http_method",
    "route": "http_route",
    "peer": "peer_address",
    "peer_service": "peer_service",
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")


@dataclass
class _Line:
    indent: int
    resource: dict[str, str]
    operation: dict[str, str | int]
    start_ns: int
    duration_ns: int
    words: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    span_id: int = 0
    parent_id: int = 0
    trace: int = 0


def view_of(text: str, *, copies: int = 1) -> ForestView:
    """All that an analysis observes of the traces in ``text``."""
    from tracelith.forest import observe_view

    return observe_view(window_of(text, copies=copies))


def window_of(text: str, *, copies: int = 1, start_ns: int = START_NS) -> WindowSpans:
    """The traces in ``text`` as the store would hand them over.

    Args:
        copies: how many times each trace is repeated, under new trace ids and 100 ms later each time.
        start_ns: where 0 in the text lies.
    """
    lines = _number([[_parse(line) for line in block] for block in _blocks(text)])
    labels = {line.values["id"]: line for line in lines if "id" in line.values}
    rows, links = [], []
    for copy in range(copies):
        shift = start_ns + copy * 100_000_000
        for line in lines:
            rows.append(_span_row(line, copy, shift, labels))
            links += [_link_row(line, copy, shift, labels[label]) for label in line.links]
    frame = pl.DataFrame(rows)
    resources = pl.DataFrame([line.resource for line in lines], schema=RESOURCE_TEXT).unique(maintain_order=True)
    operations = pl.DataFrame([line.operation for line in lines], schema=OPERATION_TEXT).unique(maintain_order=True)
    resources, operations = resources.with_row_index("resource"), operations.with_row_index("operation")
    spans = (
        frame.unnest("resource_text")
        .join(resources, on=list(RESOURCE_TEXT), maintain_order="left")
        .drop(list(RESOURCE_TEXT))
        .unnest("operation_text")
        .join(operations, on=list(OPERATION_TEXT), maintain_order="left")
    )
    link_rows = pl.DataFrame(links, schema=LINK, orient="row")
    linked = spans.join(
        link_rows.select(trace_lo="linked_trace_lo", span_id="linked_span_id").unique(),
        on=["trace_lo", "span_id"],
        how="semi",
        maintain_order="left",
    )
    return WindowSpans(
        windows=(),
        spans=_typed(spans.filter(~pl.col("elsewhere"))),
        links=link_rows,
        linked_spans=_typed(linked),
        resources=resources,
        operations=operations,
        upto=0,
    )


def trace_lo(trace: int, copy: int = 0) -> int:
    """Low half of the id of the trace with that number in the text (0 is the first)."""
    return 1 + trace + 1_000 * copy


def _blocks(text: str) -> list[list[str]]:
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if not line.strip() or line.strip() == "---":
            blocks.append([])
        else:
            blocks[-1].append(line)
    return [block for block in blocks if block]


def _parse(line: str) -> _Line:
    service, *rest = line.split()
    at = next((i for i, word in enumerate(rest) if _INTERVAL.match(word)), None)
    if at is None:
        raise ValueError(f"expected an interval such as 10..40ms in: {line.strip()}")
    kind = Kind.UNSPECIFIED
    words = rest[:at]
    if words and words[0] in Kind.__members__:
        kind = Kind[words.pop(0)]
    low, high, unit = _INTERVAL.match(rest[at]).groups()  # type: ignore[union-attr]  # at is where it matched
    start = round(float(low) * _UNITS[unit])
    parsed = _Line(
        indent=len(line) - len(line.lstrip()),
        resource=dict.fromkeys(RESOURCE_TEXT, "") | {"service": service, "host": service, "instance": service},
        operation=dict.fromkeys(OPERATION_TEXT, "") | {"name": " ".join(words) or service, "kind": int(kind)},
        start_ns=start,
        duration_ns=round(float(high) * _UNITS[unit]) - start,
    )
    for flag in rest[at + 1 :]:
        _apply(parsed, flag)
    told = parsed.operation
    if told["protocol"] == "db" and told["peer_object"] and not told["peer_statement"]:
        told["peer_statement"] = f"{told['peer_action']} {told['peer_object']}".strip()
    return parsed


def _apply(line: _Line, flag: str) -> None:
    key, equals, value = flag.partition("=")
    if not equals:
        line.words.add(flag)
        if flag == "deferred":
            line.operation["protocol"] = "messaging"
    elif key == "link":
        line.links.append(value)
    elif key in ("db", "mq"):
        line.operation |= {"peer_system": value, "protocol": "db" if key == "db" else "messaging"}
    elif key == "statement":
        line.operation["peer_statement"] = value.replace("+", " ")
    elif key in _RESOURCE_FLAGS:
        line.resource[key] = value
    elif key in _OPERATION_FLAGS:
        line.operation[_OPERATION_FLAGS[key]] = value
        if key == "route":
            verb = str(line.operation["name"]).split()[0]
            line.operation |= {"protocol": "http", "http_method": verb if verb in _METHODS else "GET"}
    elif key in ("id", "parent", "attempt", "weight"):
        line.values[key] = value
    else:
        raise ValueError(f"unknown flag {flag}")


def _number(traces: list[list[_Line]]) -> list[_Line]:
    lines: list[_Line] = []
    for trace, block in enumerate(traces):
        above: list[_Line] = []
        for line in block:
            while above and above[-1].indent >= line.indent:
                above.pop()
            line.trace = trace
            line.span_id = above[-1].span_id if "shared" in line.words else len(lines) + 1
            line.parent_id = above[-1].span_id if above else 0
            if "shared" in line.words:
                line.parent_id = above[-1].parent_id
            above.append(line)
            lines.append(line)
    return lines


def _span_row(line: _Line, copy: int, shift: int, labels: dict[str, _Line]) -> dict[str, object]:
    outcome = next((_OUTCOMES[word] for word in line.words if word in _OUTCOMES), Outcome.FINE)
    parent_id = line.parent_id
    if "parent" in line.values:
        parent_id = labels[line.values["parent"]].span_id
    if "orphan" in line.words:
        parent_id = 999_999_999
    weight = line.values.get("weight", "1")
    return {
        "trace_hi": TRACE_HI,
        "trace_lo": trace_lo(line.trace, copy),
        "span_id": line.span_id,
        "parent_id": parent_id,
        "start_ns": shift + line.start_ns,
        "duration_ns": line.duration_ns,
        "status": int(Status.ERROR if outcome == Outcome.FAILED else Status.UNSET),
        "outcome": int(outcome),
        "attempt": int(line.values.get("attempt", 0)),
        "defects": 0,
        "weight": None if weight == "?" else float(weight),
        "elsewhere": "elsewhere" in line.words,
        "resource_text": line.resource,
        "operation_text": line.operation,
    }


def _link_row(line: _Line, copy: int, shift: int, to: _Line) -> tuple[int, ...]:
    own, other = trace_lo(line.trace, copy), trace_lo(to.trace, copy)
    return (TRACE_HI, own, line.span_id, TRACE_HI, other, to.span_id, shift + line.start_ns)


def _typed(spans: pl.DataFrame) -> pl.DataFrame:
    return spans.select(pl.col(name).cast(dtype) for name, dtype in SPAN.items())
