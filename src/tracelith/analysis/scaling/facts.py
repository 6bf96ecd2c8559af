"""Facts about load: requests and instances of each service, and which services cause the requests of others."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from tracelith.analysis.numbered import numbered
from tracelith.analysis.requests import requests_of
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.pairs import number_pairs
from tracelith.analysis.statistics.weights import known_sampling
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.trace_strata import trace_strata
from tracelith.compiled import compiled
from tracelith.forest.view import Bool, ForestView, Int32
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


def observe_scaling(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of the three tables, by table name."""
    return {
        SERVICE_LOAD.name: _load(view),
        SERVICE_INSTANCES.name: _instances(view),
        CAUSED_REQUESTS.name: _caused(view),
    }


def _load(view: ForestView) -> pl.DataFrame:
    requests, services = view.once(requests_of), view.forest.services
    known, weights = known_sampling(view.forest.trace_weight)
    weight, unknown = weights.take(requests.trace), ~known.take(requests.trace)
    load = groups_of({"stratum": requests.stratum, "service": requests.service})
    rows = load.frame("requests", unweighted=unknown.astype(np.int64), weight=weight)
    number, first = number_pairs(requests.trace, requests.service, weights.size, len(services))
    together = (np.bincount(number, minlength=first.size) * weight.take(first)) ** 2
    squares = pl.Series("squares", np.bincount(load.group.take(first), together, load.size))
    return fact_rows(SERVICE_LOAD, view.once(trace_strata).placed(rows.hstack([squares])), view, service=services)


def _instances(view: ForestView) -> pl.DataFrame:
    requests = view.once(requests_of)
    names, instance = numbered(view.forest.resources["instance"].to_list())
    keys = {"stratum": requests.stratum, "service": requests.service}
    groups = groups_of(keys | {"instance": instance.take(view.forest.resource.take(requests.span))})
    rows = view.once(trace_strata).placed(groups.frame("requests"))
    return fact_rows(SERVICE_INSTANCES, rows, view, service=view.forest.services, instance=names)


def _caused(view: ForestView) -> pl.DataFrame:
    requests, services = view.once(requests_of), view.forest.services
    _, weights = known_sampling(view.forest.trace_weight)
    span, above, elsewhere = requests.span, _above(view, requests.span), _senders_elsewhere(view, requests.span)
    row, cause, direct = _causes(span, above, view.calls.span_service, len(services), elsewhere)
    groups = groups_of({"stratum": requests.stratum.take(row), "service": requests.service.take(row), "cause": cause})
    rows = groups.frame("requests", weight=weights.take(requests.trace.take(row)), direct=direct.astype(np.int64))
    return fact_rows(CAUSED_REQUESTS, view.once(trace_strata).placed(rows), view, service=services, cause=services)


def _above(view: ForestView, span: Int32) -> Int32:
    """The request above each span that is the entry of one, along calls and messages; -1 for none and other spans."""
    forest, calls = view.forest, view.calls
    parent = forest.parent.take(span)
    above = np.full(forest.parent.size, -1, np.int32)
    above[span] = np.where(parent >= 0, calls.span_request.take(parent), np.int32(-1))
    linked = np.flatnonzero(calls.linked & (calls.client >= 0))
    above[calls.server[linked]] = calls.request[linked]
    return above


def _senders_elsewhere(view: ForestView, span: Int32) -> tuple[Int32, Int32]:
    """Requests that a message from another window led to, and who sent it: all that is known of what lies above.

    Args:
        span: entry span of each request, ascending.

    Returns:
        Rows of span, ascending, and services.
    """
    calls = view.calls
    sent = np.flatnonzero(calls.linked & (calls.client < 0))
    sent = sent[calls.span_request[calls.server[sent]] == calls.server[sent]]
    sent = sent[np.argsort(calls.server[sent], kind="stable")]
    return np.searchsorted(span, calls.server[sent]).astype(np.int32), calls.caller[sent]


@compiled
def _causes(
    span: Int32, above: Int32, service: Int32, services: int, elsewhere: tuple[Int32, Int32]
) -> tuple[Int32, Int32, Bool]:
    """Row of each request, a service above it, and whether that one called it; each pair once.

    Args:
        span: entry span of each request. above: the request above each entry span, or -1.
        elsewhere: rows of span, ascending, and who sent them a message from another window.
    """
    receiver, sender = elsewhere
    room = sender.size
    for entry in span:
        at, level = above[entry], 0
        while at >= 0 and level < _HIGHEST:
            at, level, room = above[at], level + 1, room + 1
    rows, cause, direct = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.bool_)
    told = np.full(services, -1, np.int32)  # the last row whose cause, or own service, each was
    count = message = 0
    for row in range(span.size):
        told[service[span[row]]] = row
        while message < sender.size and receiver[message] == row:
            if told[sender[message]] < row:
                told[sender[message]] = row
                rows[count], cause[count], direct[count] = row, sender[message], True
                count += 1
            message += 1
        at, level = above[span[row]], 0
        while at >= 0 and level < _HIGHEST:
            if told[service[at]] < row:
                told[service[at]] = row
                rows[count], cause[count], direct[count] = row, service[at], level == 0
                count += 1
            at, level = above[at], level + 1
    return rows[:count].copy(), cause[:count].copy(), direct[:count].copy()
