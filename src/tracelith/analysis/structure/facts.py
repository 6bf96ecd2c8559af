"""Facts about the shape of a system: what services do themselves, and paths that come back to a service."""

import json
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.exemplars import SLOT_KEY, slowest_rows
from tracelith.analysis.operation_names import request_names
from tracelith.analysis.own_time import request_own_time_ns
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.histograms import bucket_of, coarse
from tracelith.analysis.statistics.weights import known_sampling
from tracelith.analysis.strata import fact_rows
from tracelith.forest.view import ForestView
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

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


def services_of(path: str) -> tuple[str, ...]:
    """Services of a stored path, in the order of the calls."""
    return tuple(str(service) for service in json.loads(path))


def observe_structure(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of all tables, by table name."""
    spans = np.arange(view.forest.parent.size, dtype=np.int32)
    entries = np.flatnonzero((view.calls.span_request == spans) & ~_calling(view)).astype(np.int32)
    circles, paths = _circles(view)
    work, times = _work(view, entries)
    names, _ = view.once(request_names)
    services = view.forest.services
    texts = tuple(json.dumps([services[code] for code in path], ensure_ascii=False) for path in paths)
    return {
        SERVICE_WORK.name: fact_rows(SERVICE_WORK, work, view, service=services, operation=names),
        OWN_TIMES.name: fact_rows(OWN_TIMES, times, view, service=services),
        SERVICE_TRACES.name: fact_rows(SERVICE_TRACES, _traces(view, entries, circles), view, service=services),
        RUNTIME_CYCLES.name: fact_rows(RUNTIME_CYCLES, _cycles(view, circles), view, path=texts),
        CYCLE_EXEMPLARS.name: fact_rows(CYCLE_EXEMPLARS, _exemplars(view, circles), view, path=texts),
    }


def _calling(view: ForestView) -> NDArray[np.bool_]:
    calling: NDArray[np.bool_] = np.isin(view.forest.kind, (Kind.CLIENT, Kind.PRODUCER))
    return calling


def _placed(view: ForestView, trace: NDArray[np.integer]) -> dict[str, NDArray[np.integer]]:
    """Window and environment of each trace, as keys of groups."""
    return {"window_ns": view.forest.trace_window[trace], "environment": view.forest.trace_environment[trace]}


def _work(view: ForestView, entries: Int32) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of SERVICE_WORK and OWN_TIMES in codes."""
    forest = view.forest
    trace = forest.trace[entries]
    _, names = view.once(request_names)
    own_ns = view.once(request_own_time_ns)[entries]
    known, weight = known_sampling(forest.trace_weight)
    outside = (forest.trace_root[trace] == entries) & np.isin(forest.kind[entries], (Kind.SERVER, Kind.UNSPECIFIED))
    values = {
        "own_ns": own_ns,
        "outside": outside.astype(np.int64),
        "outside_weight": np.where(outside, weight[trace], 0.0),
        "outside_unknown": (outside & ~known[trace]).astype(np.int64),
    }
    keys = _placed(view, trace) | {"service": view.calls.span_service[entries]}
    work = groups_of(keys | {"operation": names[forest.operation[entries]]})
    times = groups_of(keys | {"bucket": coarse(bucket_of(own_ns), OWN_TIME_FACTOR)})
    return work.frame("requests", **values), times.frame("requests")


def _circles(view: ForestView) -> tuple[pl.DataFrame, list[tuple[int, ...]]]:
    """Every request that comes back to a service waiting above it.

    Only calls that are waited for make a path: an answer that comes as a message of its own closes no circle.

    Returns:
        One row per such request: trace, span (of the earlier request of the service), service and path; and the
        services of each path, beginning with the one that is come back to.
    """
    calls = view.calls
    above = np.full(view.forest.parent.size, -1, np.int32)
    answered = calls.awaited & (calls.server >= 0) & (calls.request >= 0)
    above[calls.server[answered]] = calls.request[answered]
    service = calls.span_service
    span = np.flatnonzero(above >= 0).astype(np.int32)
    span = span[(above[above[span]] >= 0) & (service[above[span]] != service[span])]
    at, walked = above[span], [service[span], service[above[span]]]
    rows, paths = list[pl.DataFrame](), list[tuple[int, ...]]()
    for _ in range(_LONGEST_CIRCLE):
        at = above[at]
        going = at >= 0
        span, at, walked = span[going], at[going], [step[going] for step in walked]
        if not span.size:
            break
        back = service[at] == service[span]
        if back.any():
            # Walked upwards; calls go down, so the path is the first service and the others in reverse.
            order = [walked[0], *reversed(walked[1:])]
            distinct, place = np.unique(np.stack([step[back] for step in order], axis=1), axis=0, return_inverse=True)
            rows.append(_rows(view, at[back], service[span[back]], place.reshape(-1) + len(paths)))
            paths += [tuple(int(code) for code in path) for path in distinct]
        span, at, walked = span[~back], at[~back], [*(step[~back] for step in walked), service[at[~back]]]
    return pl.concat(rows) if rows else _rows(view, span[:0], service[:0], np.empty(0, np.int64)), paths


def _rows(view: ForestView, span: Int32, service: Int32, path: NDArray[np.integer]) -> pl.DataFrame:
    columns = {"trace": view.forest.trace[span], "span": span, "service": service, "path": path.astype(np.int64)}
    return pl.DataFrame(columns)


def _traces(view: ForestView, entries: Int32, circles: pl.DataFrame) -> pl.DataFrame:
    """Rows of SERVICE_TRACES in codes."""
    forest = view.forest
    passed = groups_of({"trace": forest.trace[entries], "service": view.calls.span_service[entries]}).keys
    services = max(len(forest.services), 1)
    again = circles["trace"].to_numpy().astype(np.int64) * services + circles["service"].to_numpy()
    back = np.isin(passed["trace"].astype(np.int64) * services + passed["service"], again)
    traces = groups_of(_placed(view, passed["trace"]) | {"service": passed["service"]})
    return traces.frame("traces", reentered=back.astype(np.int64))


def _cycles(view: ForestView, circles: pl.DataFrame) -> pl.DataFrame:
    """Rows of RUNTIME_CYCLES in codes."""
    distinct = circles.select("trace", "path").unique()
    placed = _placed(view, distinct["trace"].to_numpy())
    return groups_of(placed | {"path": distinct["path"].to_numpy()}).frame("traces")


def _exemplars(view: ForestView, circles: pl.DataFrame) -> pl.DataFrame:
    trace = circles["trace"].to_numpy()
    timed = circles.select("trace", "path").with_columns(
        duration_ns=pl.Series(view.forest.duration_ns[circles["span"].to_numpy()]),
        **{name: pl.Series(codes) for name, codes in _placed(view, trace).items()},
    )
    return slowest_rows(view, timed, ["window_ns", "environment", "path"])
