"""Facts by the minute, kept only while something fails or is tried again."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelith.analysis.exemplars import slowest_ranks
from tracelith.analysis.failures.origins import FailedRequests
from tracelith.analysis.failures.tables import FAILED_MINUTES, NOTABLE_SHARE, RETRIED_MINUTES
from tracelith.analysis.places import call_cells, places_of
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.times import MINUTE_NS
from tracelith.analysis.trace_strata import trace_strata
from tracelith.forest.view import Bool, ForestView, Int32, Int64

__all__ = ["failed_minutes", "retried_minutes", "root_ns"]

_NOBODY, _INSIDE = -1, -1


@dataclass(frozen=True, slots=True)
class _Lost:
    """Failed requests as they are told.

    Attributes:
        trace: int32[f]. origin: int32[f], node. service: int32[f], node, or _NOBODY. entry: int32[f], index into entry
            operations, or _INSIDE.
    """

    trace: Int32
    origin: Int32
    service: Int32
    entry: Int32

    def of(self, chosen: Bool) -> "_Lost":
        """The chosen ones."""
        return _Lost(self.trace[chosen], self.origin[chosen], self.service[chosen], self.entry[chosen])


def failed_minutes(view: ForestView, attempts: Bool, requests: FailedRequests) -> pl.DataFrame:
    """Facts of FAILED_MINUTES."""
    forest, calls, chains, minute = view.forest, view.calls, view.chains, view.once(places_of).minute
    lost = _lost(view, requests)
    if lost.trace.size:
        lost = lost.of(_notable(view, attempts, lost))
    rows = groups_of(
        {
            "window_ns": forest.trace_window[lost.trace],
            "environment": forest.trace_environment[lost.trace],
            "origin": lost.origin,
            "service": lost.service,
            "operation": lost.entry,
            "minute": minute[lost.trace],
        }
    )
    columns = {
        **rows.keys,
        "minute_ns": rows.keys["minute"] * MINUTE_NS,
        "origin_kind": rows.keys["origin"],
        "failures": rows.counts(),
        "rank": slowest_ranks(view, rows, lost.trace, root_ns(view, lost.trace)),
    }
    return fact_rows(
        FAILED_MINUTES,
        pl.DataFrame(columns),
        view,
        origin=calls.node_names,
        origin_kind=calls.node_kinds,
        # A code of -1 is the last text.
        service=(*calls.node_names, ""),
        operation=(*chains.entry_operations, ""),
    )


def _lost(view: ForestView, requests: FailedRequests) -> _Lost:
    """Own failures under nobody; what failed because of them, and requests from outside, under their service."""
    forest, chains, silent = view.forest, view.chains, requests.silent
    # From outside are requests that head a chain, unless somebody handed them on.
    chain = chains.span_chain[requests.request]
    outside = chain >= 0
    outside[outside] = ~chains.restarted[chain[outside]] & (chains.root[chain[outside]] == requests.request[outside])
    of_others = requests.origin != requests.service
    told = of_others | outside
    own = np.concatenate([requests.request[~of_others], view.calls.request[silent]])
    nobody = np.full(own.size, _NOBODY, np.int32)
    entry = np.full(outside.size, _INSIDE, np.int32)
    entry[outside] = chains.entry[chain[outside]]
    return _Lost(
        np.concatenate([forest.trace[own], forest.trace[requests.request[told]]]),
        np.concatenate([requests.origin[~of_others], view.calls.callee[silent], requests.origin[told]]),
        np.concatenate([nobody, requests.service[told]]),
        np.concatenate([nobody, entry[told]]),
    )


def _notable(view: ForestView, attempts: Bool, lost: _Lost) -> Bool:
    """Which of them are of minutes in which their origin failed often."""
    forest, cells, places = view.forest, view.once(call_cells), view.once(places_of)
    traces = np.flatnonzero(forest.trace_root >= 0)
    trace = np.concatenate([traces, lost.trace])
    # Attempts in cells and requests from outside were asked of their callee, and some failed.
    parts = (cells.size, traces.size, lost.trace.size)
    minutes = groups_of(
        {
            "environment": np.concatenate([places.environment[cells.place], forest.trace_environment[trace]]),
            "minute": np.concatenate([cells.minute, places.minute[trace]]),
            "origin": np.concatenate([cells.callee, forest.service[forest.trace_root[traces]], lost.origin]),
        }
    )
    asked = minutes.sums(np.concatenate([cells.count(attempts), np.repeat([1, 0], parts[1:])]))
    own = np.zeros(sum(parts), np.int64)
    own[-lost.trace.size :] = lost.service == _NOBODY
    failed = minutes.sums(own)
    often = (failed > 0) & (asked > 0) & (failed >= NOTABLE_SHARE * asked)
    notable: Bool = often[minutes.group[-lost.trace.size :]]
    return notable


def retried_minutes(view: ForestView) -> pl.DataFrame:
    """Facts of RETRIED_MINUTES."""
    forest, calls, cells = view.forest, view.calls, view.once(call_cells)
    sent = (calls.client >= 0) & ~calls.deferred
    again = sent & ~calls.final
    minutes = groups_of(cells.keys("stratum", "caller", "callee", "minute"))
    attempts, retries = minutes.sums(cells.count(sent)), minutes.sums(cells.count(again))
    often = (retries > 0) & (retries >= NOTABLE_SHARE * (attempts - retries))
    picked = np.flatnonzero(sent & often[minutes.group][cells.of_call])
    at, trace = minutes.group[cells.of_call[picked]], forest.trace[calls.client[picked]]
    named = forest.operation[calls.client[picked]]
    request = groups_of({"minute": at, "request": calls.request[picked], "named": named}).keys["minute"]
    tried = again[picked]
    retried = groups_of({"minute": at[tried]})
    told = retried.keys["minute"]
    keys = {name: column[told] for name, column in minutes.keys.items()}
    columns = {
        **keys,
        "minute_ns": keys["minute"] * MINUTE_NS,
        "requests": np.bincount(request, minlength=minutes.size)[told],
        "calls": (attempts - retries)[told],
        "attempts": attempts[told],
        "rank": slowest_ranks(view, retried, trace[tried], root_ns(view, trace[tried])),
    }
    placed = view.once(trace_strata).placed(pl.DataFrame(columns))
    return fact_rows(RETRIED_MINUTES, placed, view, caller=forest.services, callee=calls.node_names)


def root_ns(view: ForestView, trace: Int32) -> Int64:
    """How long the request that began each trace took, 0 where it is unknown."""
    root = view.forest.trace_root[trace]
    duration: Int64 = np.where(root >= 0, view.forest.duration_ns[root], 0)
    return duration
