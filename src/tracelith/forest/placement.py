"""Where each span runs: its service with sidecars left out, its clock, and the request it is part of."""

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelith.forest.arrays import nearest_marked
from tracelith.forest.view import Bool, Int32, TraceForest
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


@dataclass(frozen=True, slots=True)
class Placement:
    """One entry per span of the forest.

    Attributes:
        service: index into the forest's services; spans of a sidecar count as the service in front of it, or, where
            nothing is in front, as the one behind it.
        proxy: the span was written by a sidecar.
        inward: a proxy's call that names nobody, or its own pod: it goes to the service itself, which is silent.
        above: nearest span at or above that no sidecar wrote; -1 if there is none.
        behind: nearest span at or below that no sidecar wrote, along first children; -1 if there is none.
        clock: spans with the same number were timed by the same clock. Spans that name neither host nor instance
            share a clock only with their own resource (metrics.md §1.4: a missing tag is a different host).
        entry: the span heads the work of its service: nothing above it, another service above it, or a call from
            the service to itself.
        request: the entry span at or above.
        within: parent, or -1 for entries: the tree cut into the work of one service each.
    """

    service: Int32
    proxy: Bool
    inward: Bool
    above: Int32
    behind: Int32
    clock: Int32
    entry: Bool
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
    proxy = _proxies(forest)
    parent = forest.parent
    above = nearest_marked(parent, ~proxy, forest.top_down)
    service = _effective_service(forest, proxy, above)
    has_parent = parent >= 0
    kind, above_kind = forest.kind, forest.kind[parent]
    called = (kind == Kind.SERVER) | (kind == Kind.CONSUMER)
    calling = (above_kind == Kind.CLIENT) | (above_kind == Kind.PRODUCER)
    entry = ~has_parent | (service != service[parent]) | (called & calling & ~proxy)
    return Placement(
        service=service,
        proxy=proxy,
        inward=_inward(forest.operations)[forest.operation] & (_first_child(parent) < 0),
        above=above,
        behind=nearest_marked(_first_child(parent), ~proxy, forest.top_down[::-1]),
        clock=_clocks(forest.resources)[forest.resource],
        entry=entry,
        request=nearest_marked(parent, entry, forest.top_down),
        within=np.where(entry, np.int32(-1), parent),
    )


def _proxies(forest: TraceForest) -> Bool:
    services = forest.resources["service"].to_list()
    sidecar = np.array([bool(_SIDECAR_SERVICE.search(name)) for name in services], np.bool_)
    scope = np.array([bool(_SIDECAR_SCOPE.search(name)) for name in forest.operations["scope"].to_list()], np.bool_)
    proxy: Bool = sidecar[forest.resource]
    if scope.any():
        meshed = scope[forest.operation] & ~proxy
        proxy |= meshed & (_beside_own(forest, meshed | proxy) | _passing_on(forest))
    return proxy


def _beside_own(forest: TraceForest, proxy: Bool) -> Bool:
    """Spans with the service that they are named after right in front of them, or right behind."""
    applications = [name.rpartition("/")[2] for name in forest.services]
    number: dict[str, int] = {}
    application = np.array([number.setdefault(name, len(number)) for name in applications], np.int64)
    workload = np.array([number.get(name.partition(".")[0], -1) for name in applications], np.int64)[forest.service]
    front = nearest_marked(forest.parent, ~proxy, forest.top_down)
    behind = nearest_marked(_first_child(forest.parent), ~proxy, forest.top_down[::-1])
    own: Bool = (front >= 0) & (application[forest.service[front]] == workload)
    own |= (behind >= 0) & (application[forest.service[behind]] == workload)
    return own


def _passing_on(forest: TraceForest) -> Bool:
    """Spans that hand a call on under a name that says of no workload, and is not a gateway's."""
    named = [bool(_GATEWAY_SERVICE.search(name)) or "." in name for name in forest.services]
    children = np.bincount(forest.parent[forest.parent >= 0], minlength=forest.parent.size)
    passing: Bool = (children <= 1) & (forest.parent >= 0) & ~np.array(named, np.bool_)[forest.service]
    return passing


def _inward(operations: pl.DataFrame) -> Bool:
    meshed = pl.col("scope").str.contains(_SIDECAR_SCOPE.pattern)
    address = pl.col("peer_address")
    untold = (address == "") | (address == _POD) | address.str.starts_with(f"{_POD}:")
    inward: Bool = operations.select(meshed & untold & (pl.col("peer_service") == "")).to_series().to_numpy()
    return inward


def _first_child(parent: Int32) -> Int32:
    """The child that starts first, -1 without one; spans of a trace are in order of their start."""
    first = np.full(parent.size, -1, np.int32)
    below = np.flatnonzero(parent >= 0)[::-1]
    first[parent[below]] = below
    return first


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
