"""Facts about load: requests and instances of each service, and which services cause the requests of others."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.weights import known_sampling
from tracelith.analysis.strata import fact_rows
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactTable

__all__ = ["CAUSED_REQUESTS", "SERVICE_INSTANCES", "SERVICE_LOAD", "observe_scaling"]

SERVICE_LOAD = FactTable(
    "service_load",
    keys={"service": pl.String},
    sums={"requests": pl.Int64, "unweighted": pl.Int64, "weight": pl.Float64, "squares": pl.Float64},
)
"""Requests, messages and jobs that a service handled. weight: how many of them there were before sampling, unweighted:
requests that do not say. squares: per trace and service, the square of its weight, added up: the variance of weight if
traces come independently of each other."""

SERVICE_INSTANCES = FactTable(
    "service_instances", keys={"service": pl.String, "instance": pl.String}, sums={"requests": pl.Int64}
)
"""The same requests by who handled them. Distinct instances do not add up, so each is a key."""

CAUSED_REQUESTS = FactTable(
    "caused_requests",
    keys={"cause": pl.String, "service": pl.String},
    sums={"requests": pl.Int64, "weight": pl.Float64, "direct": pl.Int64},
)
"""Requests of a service that stand below a request of another one in their trace, along calls and messages, each once
per cause however often it stands above. direct: called by the cause itself."""

_HIGHEST = 32
"""Requests looked at above each request; spans that link to each other in a circle have no end."""

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Requests:
    """One entry per request of any trace: its entry span, stratum (row of strata), service and weight.

    Attributes:
        unweighted: 1 where the trace does not say how many it stands for.
    """

    span: Int64
    stratum: Int64
    service: Int64
    weight: Float64
    unweighted: Int64
    strata: pl.DataFrame

    def placed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with window and environment in place of their stratum."""
        return pl.concat([rows.drop("stratum"), self.strata[rows["stratum"].to_numpy()]], how="horizontal")


def observe_scaling(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of the three tables, by table name."""
    requests = _requests(view)
    return {
        SERVICE_LOAD.name: _load(view, requests),
        SERVICE_INSTANCES.name: _instances(view, requests),
        CAUSED_REQUESTS.name: _caused(view, requests),
    }


def _requests(view: ForestView) -> _Requests:
    forest = view.forest
    span = np.flatnonzero(view.calls.span_request == np.arange(forest.parent.size))
    trace = forest.trace[span]
    windows, window = np.unique(forest.trace_window, return_inverse=True)
    places = len(forest.environments)
    codes, stratum = np.unique(window * places + forest.trace_environment, return_inverse=True)
    known, weight = known_sampling(forest.trace_weight)
    return _Requests(
        span=span,
        stratum=stratum[trace],
        service=view.calls.span_service[span].astype(np.int64),
        weight=weight[trace],
        unweighted=(~known[trace]).astype(np.int64),
        strata=pl.DataFrame({"window_ns": windows[codes // places], "environment": codes % places}),
    )


def _load(view: ForestView, requests: _Requests) -> pl.DataFrame:
    handled = groups_of({"trace": view.forest.trace[requests.span], "service": requests.service})
    counts, weight = handled.counts(), handled.sums(requests.weight)
    stratum = handled.firsts(requests.stratum)
    load = groups_of({"stratum": stratum, "service": handled.keys["service"]})
    sums = {"requests": counts, "unweighted": handled.sums(requests.unweighted), "weight": weight}
    rows = load.frame("traces", **sums, squares=weight**2).drop("traces")
    return fact_rows(SERVICE_LOAD, requests.placed(rows), view, service=view.forest.services)


def _instances(view: ForestView, requests: _Requests) -> pl.DataFrame:
    names = tuple(view.forest.resources["instance"].to_list())
    texts = tuple(sorted(set(names)))
    number = {name: at for at, name in enumerate(texts)}
    instance = np.array([number[name] for name in names], np.int64)[view.forest.resource[requests.span]]
    groups = groups_of({"stratum": requests.stratum, "service": requests.service, "instance": instance})
    placed = requests.placed(groups.frame("requests"))
    return fact_rows(SERVICE_INSTANCES, placed, view, service=view.forest.services, instance=texts)


def _caused(view: ForestView, requests: _Requests) -> pl.DataFrame:
    row, cause, direct = _causes(view, requests)
    groups = groups_of({"stratum": requests.stratum[row], "service": requests.service[row], "cause": cause})
    rows = groups.frame("requests", weight=requests.weight[row], direct=direct.astype(np.int64))
    services = view.forest.services
    return fact_rows(CAUSED_REQUESTS, requests.placed(rows), view, service=services, cause=services)


def _causes(view: ForestView, requests: _Requests) -> tuple[Int64, Int64, NDArray[np.bool_]]:
    """Row of requests, a service above it, and whether that one called it; each pair once."""
    forest, calls = view.forest, view.calls
    above = np.where(forest.parent >= 0, calls.span_request[forest.parent], -1).astype(np.int64)
    linked = np.flatnonzero(calls.linked & (calls.client >= 0))
    above[calls.server[linked]] = calls.request[linked]
    row = np.arange(requests.span.size)
    at = above[requests.span]
    found: list[tuple[Int64, Int64]] = [_senders_elsewhere(view, requests)]
    firsts = 0
    for level in range(_HIGHEST):
        row, at = row[at >= 0], at[at >= 0]
        if not row.size:
            break
        found.append((row, calls.span_service[at].astype(np.int64)))
        firsts += row.size if level == 0 else 0
        at = above[at]
    firsts += found[0][0].size
    rows, cause = (np.concatenate(parts) for parts in zip(*found, strict=True))
    direct = np.arange(rows.size) < firsts
    # The first of equal pairs is kept, and direct causes come first.
    _, kept = np.unique(rows * max(len(forest.services), 1) + cause, return_index=True)
    kept = kept[cause[kept] != requests.service[rows[kept]]]
    return rows[kept], cause[kept], direct[kept]


def _senders_elsewhere(view: ForestView, requests: _Requests) -> tuple[Int64, Int64]:
    """Requests that a message from another window led to, and who sent it: all that is known of what lies above."""
    calls = view.calls
    sent = np.flatnonzero(calls.linked & (calls.client < 0))
    row = np.full(view.forest.parent.size, -1, np.int64)
    row[requests.span] = np.arange(requests.span.size)
    receiver = row[calls.server[sent]]
    return receiver[receiver >= 0], calls.caller[sent].astype(np.int64)[receiver >= 0]
