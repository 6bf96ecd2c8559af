"""Where each span runs: its service with sidecars left out, its clock, and the request it is part of."""

import re
from typing import NamedTuple

import numpy as np
import polars as pl

from tracelith.compiled import compiled
from tracelith.forest.arrays import nearest_marked
from tracelith.forest.view import Bool, Int32, TraceForest, UInt8
from tracelith.model.schema import OTHER, Kind

__all__ = ["Placement", "place_spans"]

_SIDECAR_SERVICE = re.compile(
    r"(^|/)(envoy|istio-proxy|linkerd-proxy|linkerd2-proxy)$|[-.](envoy-sidecar|istio-proxy|linkerd-proxy|sidecar-proxy)$"
)
_SIDECAR_SCOPE = re.compile(r"^(envoy|istio|istio-proxy|linkerd|linkerd-proxy)$")
_GATEWAY_SERVICE = re.compile(r"gateway|ingress|egress|edge|router|front")
"""A proxy that is somebody's service: it counts as a hop (metrics.md §4), even when it runs the same software."""

_POD = "127.0.0.6"
"""From where Istio's proxies call the application in their own pod."""


class Placement(NamedTuple):
    """One entry per span of the forest; a tuple, for compiled functions take no dataclass.

    Attributes:
        service: index into the forest's services; spans of a sidecar count as the service in front of it, or, where
            nothing is in front, as the one behind it.
        proxy: the span was written by a sidecar.
        inward: a proxy's call that names nobody, or its own pod: it goes to the service itself, which is silent.
        above: nearest span at or above that no sidecar wrote; -1 if there is none.
        behind: nearest span at or below that no sidecar wrote, along first children; -1 if there is none.
        clock: spans with the same number were timed by the same clock. Spans that name neither host nor instance
            share a clock only with their own resource (metrics.md §1.4: a missing tag is a different host).
        request: the entry span at or above: what heads the work of its service, with nothing above it, another
            service above it, or a call from the service to itself.
        within: parent, or -1 for entries: the tree cut into the work of one service each.
    """

    service: Int32
    proxy: Bool
    inward: Bool
    above: Int32
    behind: Int32
    clock: Int32
    request: Int32
    within: Int32


def place_spans(forest: TraceForest) -> Placement:
    """Where each span of the forest runs.

    A sidecar is known by its service name, or by its instrumentation scope together with the service beside it: a mesh
    names a proxy after its workload and namespace ("billing.default"). A proxy so named with spans of another service
    on either side speaks for a service that is silent, and counts as that service. One of a name without a namespace
    is a sidecar where it has a parent, at most one child and a name that is not a gateway's. Being on the caller's host
    and handing everything on is not enough: so does every thin pass-through service on a shared node, and those must
    be found, not hidden.
    """
    meshed = _matching(_SIDECAR_SCOPE, forest.operations["scope"])
    proxy = _proxies(forest, meshed)
    service = forest.service
    above = behind = np.arange(proxy.size, dtype=np.int32)
    if proxy.any():
        above = nearest_marked(forest.parent, ~proxy, forest.top_down)
        behind = _behind(forest, proxy)
        service = _effective_service(forest, proxy, above)
    request, within = _requests(forest.parent, forest.top_down, service, forest.kind, proxy)
    return Placement(
        service=service,
        proxy=proxy,
        inward=_inward(forest, meshed),
        above=above,
        behind=behind,
        clock=_clocks(forest.resources).take(forest.resource),
        request=request,
        within=within,
    )


@compiled
def _requests(parent: Int32, top_down: Int32, service: Int32, kind: UInt8, proxy: Bool) -> tuple[Int32, Int32]:
    """The entry span at or above each span, and its parent within the work of its service."""
    request, within = np.empty(parent.size, np.int32), np.empty(parent.size, np.int32)
    for span in top_down:
        above = parent[span]
        entry = above < 0 or service[span] != service[above]
        if not entry and not proxy[span]:
            called = kind[span] == Kind.SERVER or kind[span] == Kind.CONSUMER
            entry = called and (kind[above] == Kind.CLIENT or kind[above] == Kind.PRODUCER)
        request[span] = span if entry else request[above]
        within[span] = -1 if entry else above
    return request, within


def _matching(pattern: re.Pattern[str], texts: pl.Series) -> Bool:
    return np.array([bool(pattern.search(text)) for text in texts.to_list()], np.bool_)


def _proxies(forest: TraceForest, meshed: Bool) -> Bool:
    sidecar = _matching(_SIDECAR_SERVICE, forest.resources["service"])
    proxy: Bool = sidecar[forest.resource] if sidecar.any() else np.zeros(forest.resource.size, np.bool_)
    if meshed.any():
        scoped = meshed[forest.operation] & ~proxy
        proxy |= scoped & (_beside_own(forest, scoped | proxy) | _passing_on(forest))
    return proxy


def _beside_own(forest: TraceForest, proxy: Bool) -> Bool:
    """Spans with the service that they are named after right in front of them, or right behind."""
    applications = [name.rpartition("/")[2] for name in forest.services]
    number: dict[str, int] = {}
    application = np.array([number.setdefault(name, len(number)) for name in applications], np.int64)
    workload = np.array([number.get(name.partition(".")[0], -1) for name in applications], np.int64)[forest.service]
    front = nearest_marked(forest.parent, ~proxy, forest.top_down)
    behind = _behind(forest, proxy)
    own: Bool = (front >= 0) & (application[forest.service[front]] == workload)
    own |= (behind >= 0) & (application[forest.service[behind]] == workload)
    return own


def _passing_on(forest: TraceForest) -> Bool:
    """Spans that hand a call on under a name that says of no workload, and is not a gateway's."""
    named = [bool(_GATEWAY_SERVICE.search(name)) or "." in name for name in forest.services]
    children = np.bincount(forest.parent[forest.parent >= 0], minlength=forest.parent.size)
    passing: Bool = (children <= 1) & (forest.parent >= 0) & ~np.array(named, np.bool_)[forest.service]
    return passing


def _inward(forest: TraceForest, meshed: Bool) -> Bool:
    if not meshed.any():
        return np.zeros(forest.parent.size, np.bool_)
    address = pl.col("peer_address")
    untold = (address == "") | (address == _POD) | address.str.starts_with(f"{_POD}:")
    inward = meshed & forest.operations.select(untold & (pl.col("peer_service") == "")).to_series().to_numpy()
    leading: Bool = inward[forest.operation] & (_first_child(forest.parent) < 0)
    return leading


def _first_child(parent: Int32) -> Int32:
    """The child that starts first, -1 without one; spans of a trace are in order of their start."""
    first = np.full(parent.size, -1, np.int32)
    below = np.flatnonzero(parent >= 0)[::-1]
    first[parent[below]] = below
    return first


def _behind(forest: TraceForest, proxy: Bool) -> Int32:
    return nearest_marked(_first_child(forest.parent), ~proxy, np.ascontiguousarray(forest.top_down[::-1]))


def _effective_service(forest: TraceForest, proxy: Bool, above: Int32) -> Int32:
    service = np.where(above >= 0, forest.service[above], forest.service)
    if not (above < 0).any():
        return service
    # Sidecars with nothing in front: the service of the first span behind them.
    behind = np.flatnonzero(~proxy & (forest.parent >= 0) & (above[forest.parent] < 0))[::-1]
    head = nearest_marked(forest.parent, forest.parent < 0, forest.top_down)
    first = np.full(service.size, -1, np.int32)
    first[head[behind]] = forest.service[behind]
    fronted = (above < 0) & (first[head] >= 0)
    service[fronted] = first[head[fronted]]
    return service


def _known(text: str) -> bool:
    return text not in ("", OTHER)


def _clocks(resources: pl.DataFrame) -> Int32:
    names = [
        f"host {host}" if _known(host) else f"instance {instance}" if _known(instance) else row
        for row, (host, instance) in enumerate(zip(resources["host"], resources["instance"], strict=True))
    ]
    numbers: dict[str | int, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int32)
