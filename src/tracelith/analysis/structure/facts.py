"""Facts about the shape of a system: what services do themselves, and paths that come back to a service."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelith.analysis.exemplars import SLOT_KEY, slowest_rows
from tracelith.analysis.operation_names import request_names
from tracelith.analysis.own_time import request_own_time_ns
from tracelith.analysis.requests import Requests, requests_of
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.histograms import bucket_of, coarse
from tracelith.analysis.statistics.pairs import number_pairs
from tracelith.analysis.statistics.weights import known_sampling
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.trace_strata import trace_strata
from tracelith.compiled import compiled
from tracelith.forest.view import ForestView, Int32, Int64
from tracelith.model.facts import FactTable
from tracelith.model.schema import Kind

__all__ = [
    "CYCLE_EXEMPLARS",
    "OWN_TIMES",
    "OWN_TIME_FACTOR",
    "RUNTIME_CYCLES",
    "SERVICE_TRACES",
    "SERVICE_WORK",
    "observe_structure",
    "services_of",
]

OWN_TIME_FACTOR = 8
"""Buckets of own time are eight fine ones wide (17 %): only medians are read from them."""

SERVICE_WORK = FactTable(
    "service_work",
    keys={"service": pl.String, "operation": pl.String},
    sums={
        "requests": pl.Int64,
        "own_ns": pl.Int64,
        "outside": pl.Int64,
        "outside_weight": pl.Float64,
        "outside_unknown": pl.Int64,
    },
)
"""Requests that services handled. outside: those that no other service of the system made; outside_weight their
adjusted number, outside_unknown those whose sampling is not known (they count once)."""

OWN_TIMES = FactTable("own_times", keys={"service": pl.String, "bucket": pl.Int32}, sums={"requests": pl.Int64})
"""Requests by the time in which the service worked itself."""

SERVICE_TRACES = FactTable(
    "service_traces",
    keys={"service": pl.String},
    sums={"traces": pl.Int64, "reentered": pl.Int64},
)
"""Traces in which a service handled a request, and those in which it was asked again by somebody it was waiting for."""

RUNTIME_CYCLES = FactTable("runtime_cycles", keys={"path": pl.String}, sums={"traces": pl.Int64})
"""Traces with a path of awaited calls that comes back to the service it began at: the services, as a JSON list."""

CYCLE_EXEMPLARS = FactTable(
    "cycle_exemplars", keys={"path": pl.String, SLOT_KEY: pl.Int8}, sums={}, maxima={"rank": pl.String}
)
"""The slowest traces of each such path, see exemplars."""

_LONGEST_CIRCLE = 32
"""Services on a circle that are followed; published chains are shorter (metrics.md §4)."""


@dataclass(frozen=True, slots=True)
class _Circles:
    """One entry per request that comes back to a service waiting above it.

    Attributes:
        span: int32, the earlier request of the service. path: int64, index into paths.
        paths: services from the one that is come back to on, in the order of the calls.
    """

    span: Int32
    trace: Int32
    service: Int32
    path: Int64
    paths: tuple[tuple[int, ...], ...]


def services_of(path: str) -> tuple[str, ...]:
    """Services of a stored path, in the order of the calls."""
    return tuple(str(service) for service in json.loads(path))


def observe_structure(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of all tables, by table name."""
    circles, handled = _circles(view), _handled(view)
    work, times = _work(view, handled)
    names, _ = view.once(request_names)
    services = view.forest.services
    texts = tuple(json.dumps([services[code] for code in path], ensure_ascii=False) for path in circles.paths)
    return {
        SERVICE_WORK.name: fact_rows(SERVICE_WORK, work, view, service=services, operation=names),
        OWN_TIMES.name: fact_rows(OWN_TIMES, times, view, service=services),
        SERVICE_TRACES.name: fact_rows(SERVICE_TRACES, _traces(view, handled, circles), view, service=services),
        RUNTIME_CYCLES.name: fact_rows(RUNTIME_CYCLES, _cycles(view, circles), view, path=texts),
        CYCLE_EXEMPLARS.name: fact_rows(CYCLE_EXEMPLARS, _exemplars(view, circles), view, path=texts),
    }


def _handled(view: ForestView) -> Requests:
    """Requests but for those that are nothing but a call themselves."""
    requests = view.once(requests_of)
    kind = view.forest.kind.take(requests.span)
    return requests.of(np.flatnonzero((kind != Kind.CLIENT) & (kind != Kind.PRODUCER)))


def _work(view: ForestView, handled: Requests) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of SERVICE_WORK and OWN_TIMES in codes."""
    forest, strata = view.forest, view.once(trace_strata)
    span, trace = handled.span, handled.trace
    own_ns, kind = view.once(request_own_time_ns).take(span), forest.kind.take(span)
    known, weight = known_sampling(forest.trace_weight)
    asked = (kind == Kind.SERVER) | (kind == Kind.UNSPECIFIED)
    outside = asked & (forest.trace_root.take(trace) == span)
    values = {
        "own_ns": own_ns,
        "outside": outside.astype(np.int64),
        "outside_weight": np.where(outside, weight.take(trace), 0.0),
        "outside_unknown": (outside & ~known.take(trace)).astype(np.int64),
    }
    keys = {"stratum": handled.stratum, "service": handled.service}
    work = groups_of(keys | {"operation": handled.operation})
    times = groups_of(keys | {"bucket": coarse(bucket_of(own_ns), OWN_TIME_FACTOR)})
    return strata.placed(work.frame("requests", **values)), strata.placed(times.frame("requests"))


def _circles(view: ForestView) -> _Circles:
    """Every request that comes back to a service waiting above it.

    Only calls that are waited for make a path: an answer that comes as a message of its own closes no circle.
    """
    calls = view.calls
    above = np.full(view.forest.parent.size, -1, np.int32)
    answered = np.flatnonzero(calls.awaited & (calls.server >= 0) & (calls.request >= 0))
    above[calls.server[answered]] = calls.request[answered]
    service = calls.span_service
    span, steps = _returns(above, service)
    opening, path, paths = np.empty_like(span), np.empty(span.size, np.int64), list[tuple[int, ...]]()
    for length in np.unique(steps):
        rows = np.flatnonzero(steps == length)
        # Walked upwards; calls go down, so the path is the first service and the others in reverse.
        at, walked = span[rows], list[Int32]()
        for _ in range(length):
            walked.append(service[at])
            at = above[at]
        opening[rows] = at
        order = np.stack([walked[0], *reversed(walked[1:])], axis=1)
        distinct, place = np.unique(order, axis=0, return_inverse=True)
        path[rows] = place.reshape(-1) + len(paths)
        paths += [tuple(int(code) for code in codes) for codes in distinct]
    return _Circles(opening, view.forest.trace[span], service[span], path, tuple(paths))


@compiled
def _returns(above: Int32, service: Int32) -> tuple[Int32, Int32]:
    """Requests that come back to a service waiting above, past at least one other, and how many steps above.

    Args:
        above: the request that waits for each span, or -1.
    """
    back, length = np.empty(above.size, np.int32), np.empty(above.size, np.int32)
    count = 0
    for span in range(above.size):
        at, steps = above[span], 1
        if at < 0 or service[at] == service[span]:
            continue
        while at >= 0 and steps <= _LONGEST_CIRCLE and service[at] != service[span]:
            at = above[at]
            steps += 1
        if at >= 0 and service[at] == service[span]:
            back[count], length[count] = span, steps
            count += 1
    return back[:count].copy(), length[:count].copy()


def _traces(view: ForestView, handled: Requests, circles: _Circles) -> pl.DataFrame:
    """Rows of SERVICE_TRACES in codes."""
    services, strata = max(len(view.forest.services), 1), view.once(trace_strata)
    passed = handled.of(number_pairs(handled.trace, handled.service, strata.stratum.size, services)[1])
    again = circles.trace.astype(np.int64) * services + circles.service
    back = np.isin(passed.trace.astype(np.int64) * services + passed.service, again)
    traces = groups_of({"stratum": passed.stratum, "service": passed.service})
    return strata.placed(traces.frame("traces", reentered=back.astype(np.int64)))


def _cycles(view: ForestView, circles: _Circles) -> pl.DataFrame:
    """Rows of RUNTIME_CYCLES in codes."""
    strata = view.once(trace_strata)
    once = groups_of({"trace": circles.trace, "path": circles.path}).keys
    return strata.placed(groups_of({"stratum": strata.stratum[once["trace"]], "path": once["path"]}).frame("traces"))


def _exemplars(view: ForestView, circles: _Circles) -> pl.DataFrame:
    strata = view.once(trace_strata)
    timed = pl.DataFrame(
        {
            "stratum": strata.stratum[circles.trace],
            "path": circles.path,
            "trace": circles.trace,
            "duration_ns": view.forest.duration_ns[circles.span],
        }
    )
    return strata.placed(slowest_rows(view, timed, ["stratum", "path"]))
