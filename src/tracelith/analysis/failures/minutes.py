"""Facts by the minute, kept only while something fails or is tried again."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.exemplars import slowest_rows
from tracelith.analysis.failures.origins import FailedRequests
from tracelith.analysis.failures.tables import FAILED_MINUTES, NOTABLE_SHARE, RETRIED_MINUTES
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.times import MINUTE_NS
from tracelith.forest.view import ForestView

__all__ = ["failed_minutes", "retried_minutes", "root_ns"]

Bool = NDArray[np.bool_]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

_NOBODY, _INSIDE = -1, -1


def failed_minutes(view: ForestView, attempts: Bool, requests: FailedRequests) -> pl.DataFrame:
    """Facts of FAILED_MINUTES."""
    forest, calls, chains = view.forest, view.calls, view.chains
    entry = np.full(len(forest.trace), _INSIDE, dtype=np.int32)
    asked = ~chains.restarted
    entry[chains.root[asked]] = chains.entry[asked]
    of_others = requests.origin != requests.service
    outside = entry[requests.request] >= 0
    silent = requests.silent
    # Own failures are told under nobody; what failed because of them, and requests from outside, under their service.
    own = np.concatenate([requests.request[~of_others], calls.request[silent]])
    told = of_others | outside
    rows = pl.DataFrame(
        {
            "trace": np.concatenate([forest.trace[own], forest.trace[requests.request[told]]]),
            "origin": np.concatenate(
                [requests.origin[~of_others], calls.callee[silent], requests.origin[told]]
            ),
            "service": np.concatenate([np.full(own.size, _NOBODY, dtype=np.int32), requests.service[told]]),
            "entry": np.concatenate(
                [np.full(own.size, _INSIDE, dtype=np.int32), entry[requests.request[told]]]
            ),
        }
    )  # fmt: skip
    return _named(view, _notable(view, attempts, _placed_in_minutes(view, rows)))


def _placed_in_minutes(view: ForestView, rows: pl.DataFrame) -> pl.DataFrame:
    forest, trace = view.forest, rows["trace"].to_numpy()
    return rows.with_columns(
        window_ns=pl.Series(forest.trace_window[trace], dtype=pl.Int64),
        environment=pl.Series(forest.trace_environment[trace], dtype=pl.Int32),
        minute_ns=pl.Series(_minute_ns(view, trace), dtype=pl.Int64),
        duration_ns=pl.Series(root_ns(view, trace), dtype=pl.Int64),
    )


def _notable(view: ForestView, attempts: Bool, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the minutes in which their origin failed often."""
    if rows.is_empty():
        return rows
    forest, calls = view.forest, view.calls
    roots = forest.trace_root[forest.trace_root >= 0]
    trace = np.concatenate([forest.trace[calls.request[attempts]], forest.trace[roots]])
    node = np.concatenate([calls.callee[attempts], forest.service[roots]])
    troubled = np.isin(node, rows["origin"].unique().to_numpy())
    trace, node = trace[troubled], node[troubled]
    requests = groups_of(
        {
            "environment": forest.trace_environment[trace],
            "minute": _minute_ns(view, trace) // MINUTE_NS,
            "origin": node,
        }
    ).frame("asked")
    asked = requests.select("environment", "origin", "asked", minute_ns=pl.col("minute") * MINUTE_NS)
    place = ["environment", "minute_ns", "origin"]
    failed = rows.filter(pl.col("service") == _NOBODY).group_by(place).agg(pl.len().alias("failed"))
    often = failed.join(asked, on=place).filter(pl.col("failed") >= NOTABLE_SHARE * pl.col("asked"))
    return rows.join(often.select(place), on=place, how="semi")


def _named(view: ForestView, rows: pl.DataFrame) -> pl.DataFrame:
    calls, chains = view.calls, view.chains
    keys = ["window_ns", "environment", "origin", "service", "entry", "minute_ns"]
    counted = rows.group_by(keys).agg(pl.len().alias("failures"))
    ranked = slowest_rows(view, rows, keys).group_by(keys).agg(pl.col("rank").max())
    joined = counted.join(ranked, on=keys).rename({"entry": "operation"})
    return fact_rows(
        FAILED_MINUTES,
        joined.with_columns(origin_kind="origin"),
        view,
        origin=calls.node_names,
        origin_kind=calls.node_kinds,
        # A code of -1 is the last text.
        service=(*calls.node_names, ""),
        operation=(*chains.entry_operations, ""),
    )


def retried_minutes(view: ForestView) -> pl.DataFrame:
    """Facts of RETRIED_MINUTES."""
    forest, calls = view.forest, view.calls
    again = ~calls.final & (calls.client >= 0) & ~calls.deferred
    nodes = len(calls.node_names)
    edge = calls.caller.astype(np.int64) * nodes + calls.callee
    picked = np.flatnonzero(np.isin(edge, np.unique(edge[again])) & (calls.client >= 0) & ~calls.deferred)
    trace = forest.trace[calls.client[picked]]
    rows = pl.DataFrame(
        {
            "trace": trace,
            "caller": calls.caller[picked],
            "callee": calls.callee[picked],
            "request": calls.request[picked],
            "named": forest.operation[calls.client[picked]],
            "final": calls.final[picked],
        }
    )
    placed = _placed_in_minutes(view, rows)
    keys = ["window_ns", "environment", "caller", "callee", "minute_ns"]
    counted = placed.group_by(keys).agg(
        pl.struct("request", "named").n_unique().alias("requests"),
        pl.col("final").sum().alias("calls"),
        pl.len().alias("attempts"),
    )
    often = counted.filter(pl.col("attempts") - pl.col("calls") >= NOTABLE_SHARE * pl.col("calls"))
    of_them = placed.filter(~pl.col("final")).join(often.select(keys), on=keys, how="semi")
    ranked = slowest_rows(view, of_them, keys).group_by(keys).agg(pl.col("rank").max())
    told = often.join(ranked, on=keys)
    return fact_rows(RETRIED_MINUTES, told, view, caller=forest.services, callee=calls.node_names)


def _minute_ns(view: ForestView, trace: Int32) -> Int64:
    """Start of the minute in which each trace began."""
    forest = view.forest
    began: Int64 = forest.start_ns[forest.trace_first[trace]]
    return began - began % MINUTE_NS


def root_ns(view: ForestView, trace: Int32) -> Int64:
    """How long the request that began each trace took, 0 where it is unknown."""
    root = view.forest.trace_root[trace]
    duration: Int64 = np.where(root >= 0, view.forest.duration_ns[root], 0)
    return duration
