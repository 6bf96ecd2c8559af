"""Which spans services write, and which their meshes add: sidecars, silent services, missing kinds.

A sidecar writes its spans whether or not its service does.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.defects import Defects
from tracelith.simulate.instrumentation import SERVER, SpanShape
from tracelith.simulate.random_bits import chance, mix
from tracelith.simulate.rollouts import Attributes, Fleet
from tracelith.simulate.sidecar import sidecar_attributes, sidecar_client, sidecar_server
from tracelith.simulate.span_table import SpanTable

__all__ = ["process_attributes", "process_of", "record"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_UNSPECIFIED = 0  # SPAN_KIND_UNSPECIFIED
_NEW_TRACE_HI, _NEW_TRACE_LO, _SERVER_ID, _CLIENT_ID, _BEFORE, _AFTER = range(6)  # independent random bits
_PROXY_LEAST_US, _PROXY_MOST_US = 100, 400
"""What a proxy takes on one way: a quarter of a millisecond, as meshes give it of themselves."""


def record(spans: SpanTable, defects: Defects, fleet: Fleet, seed: int) -> SpanTable:
    """The spans that are written where these were made."""
    if defects.sidecars:
        spans = _with_sidecars(spans, _written_by(spans, fleet, defects.sidecars), seed)
    if defects.silent:
        spans = _without_silent(spans, _written_by(spans, fleet, defects.silent), seed)
    if defects.kindless:
        spans = _without_kind(spans, _written_by(spans, fleet, defects.kindless))
    return spans


def process_of(resource: Ints) -> Ints:
    """The process itself, or the one that a sidecar stands beside: the sidecar of resource r has the number ~r."""
    return np.where(resource < 0, ~resource, resource)


def process_attributes(fleet: Fleet, resource: int) -> Attributes:
    """Resource attributes of a process of the fleet or of a sidecar."""
    return fleet.attributes(resource) if resource >= 0 else sidecar_attributes(fleet.attributes(~resource))


def _written_by(spans: SpanTable, fleet: Fleet, names: tuple[str, ...]) -> Bools:
    """Spans that the services of these names wrote themselves."""
    service = np.searchsorted(fleet.first_resource, spans.resource, side="right") - 1
    named: Bools = np.array([one.name in names for one in fleet.services], np.bool_)[service] & (spans.resource >= 0)
    return named


def _rows_of(spans: SpanTable, ids: NDArray[np.uint64]) -> Ints:
    """The row of each span id; -1 for 0 and for ids that are not there."""
    order = np.argsort(spans.span_id)
    place = np.minimum(np.searchsorted(spans.span_id, ids, sorter=order), max(order.size - 1, 0))
    rows = order[place]
    return np.where((spans.span_id[rows] == ids) & (ids != 0), rows, -1)


def _without_silent(spans: SpanTable, silent: Bools, seed: int) -> SpanTable:
    """Silent services pass the trace context on: what they call hangs below what called them.

    Where nothing called them there is no context to pass on, so each request they make begins a trace.
    """
    parent = _rows_of(spans, spans.parent_id)
    above = parent.copy()
    while (passed := np.flatnonzero((above >= 0) & silent[above])).size:
        above[passed] = parent[above[passed]]
    head = np.where(above >= 0, above, np.arange(spans.size))
    while (climbing := np.flatnonzero(head[head] != head)).size:
        head[climbing] = head[head[climbing]]
    beginning = (above < 0) & (spans.parent_id != 0)

    moved = beginning[head]
    root_id = spans.span_id[head]
    trace_hi = np.where(moved, mix(root_id, seed + _NEW_TRACE_HI), spans.trace_hi)
    trace_lo = np.where(moved, mix(root_id, seed + _NEW_TRACE_LO), spans.trace_lo)
    target = _rows_of(spans, spans.linked_span)
    target = np.where((target >= 0) & silent[target], above[target], target)
    unlinked = (spans.linked_span != 0) & (target < 0)
    linked = target >= 0
    spans = replace(
        spans,
        trace_hi=trace_hi,
        trace_lo=trace_lo,
        parent_id=np.where(above >= 0, spans.span_id[above], np.uint64(0)),
        linked_hi=np.where(linked, trace_hi[target], np.uint64(0)),
        linked_lo=np.where(linked, trace_lo[target], np.uint64(0)),
        linked_span=np.where(linked, spans.span_id[target], np.uint64(0)),
    )
    variants = [
        replace(shape, root=shape.root or begins, linked=shape.linked and keeps)
        for shape in spans.shapes
        for keeps in (True, False)
        for begins in (False, True)
    ]
    return spans.reshaped(spans.shape * 4 + unlinked * 2 + beginning, variants).take(~silent)


def _without_kind(spans: SpanTable, kindless: Bools) -> SpanTable:
    variants = [replace(shape, kind=kind) for shape in spans.shapes for kind in (shape.kind, _UNSPECIFIED)]
    return spans.reshaped(spans.shape * 2 + kindless, variants)


def _with_sidecars(spans: SpanTable, fronted: Bools, seed: int) -> SpanTable:
    """Two spans of a proxy between each server span and its caller; their time is time on the network.

    A request from outside has no caller whose wait could hold them: it takes a fraction of a millisecond longer.
    """
    serving = np.array([shape.kind == SERVER for shape in spans.shapes], np.bool_)
    rows = np.flatnonzero(fronted & serving[spans.shape])
    behind = spans.take(rows)
    before, after = _proxy_time(spans, behind, seed)
    server_id, client_id = mix(behind.span_id, seed + _SERVER_ID), mix(behind.span_id, seed + _CLIENT_ID)
    server = replace(
        behind,
        shapes=_around(spans.shapes, sidecar_server),
        span_id=server_id,
        start_us=behind.start_us - before,
        end_us=behind.end_us + after,
        resource=~behind.resource,
    )
    client = replace(
        server,
        shapes=_around(spans.shapes, sidecar_client),
        span_id=client_id,
        parent_id=server_id,
        start_us=behind.start_us - before // 2,
        end_us=behind.end_us + after // 2,
    )
    inner = np.zeros(spans.size, np.bool_)
    inner[rows] = True
    parent_id = spans.parent_id.copy()
    parent_id[rows] = client_id
    variants = [replace(shape, root=shape.root and own) for shape in spans.shapes for own in (True, False)]
    spans = replace(spans, parent_id=parent_id).reshaped(spans.shape * 2 + inner, variants)
    return spans.joined(server).joined(client)


def _around(shapes: tuple[SpanShape, ...], written: Callable[[SpanShape], SpanShape]) -> tuple[SpanShape, ...]:
    return tuple(written(shape) if shape.kind == SERVER else shape for shape in shapes)


def _proxy_time(spans: SpanTable, behind: SpanTable, seed: int) -> tuple[Ints, Ints]:
    """Microseconds in the proxy before and after the application works: no more than passed on the network."""
    caller = _rows_of(spans, behind.parent_id)
    called = caller >= 0
    room_before = np.where(called, behind.start_us - spans.start_us[caller], _PROXY_MOST_US)
    room_after = np.where(called, spans.end_us[caller] - behind.end_us, _PROXY_MOST_US)
    room_after = np.where(room_after < 0, _PROXY_MOST_US, room_after)  # the caller gave up; the proxy did not
    drawn = [
        _PROXY_LEAST_US + (chance(behind.span_id, seed + way) * (_PROXY_MOST_US - _PROXY_LEAST_US)).astype(np.int64)
        for way in (_BEFORE, _AFTER)
    ]
    return np.minimum(drawn[0], room_before), np.minimum(drawn[1], room_after)
