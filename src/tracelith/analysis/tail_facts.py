"""Facts about where time goes: per hop and latency, and the calls and requests behind each edge.

Everything is kept per entry operation, because mixing operations invents correlations (Simpson's paradox).
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from tracelith.analysis.histograms import bucket_of, coarse
from tracelith.analysis.strata import ENTRY_KEYS, chain_rows, fact_rows
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactTable

__all__ = [
    "CALLER_REQUESTS",
    "CALL_FACTOR",
    "EDGE_CALLS",
    "EDGE_REQUESTS",
    "EDGE_TAILS",
    "EXEMPLARS",
    "HOP_TIMES",
    "LATENCY_FACTOR",
    "TAIL_EXEMPLARS",
    "observe_tail",
]

LATENCY_FACTOR = 4
"""Latency buckets of hop times are four fine ones wide (8 %): finer ones would only multiply rows."""

CALL_FACTOR = 8
"""Buckets of the two-dimensional histogram are eight fine ones wide (17 %) in both directions."""

EXEMPLARS = 3

HOP_TIMES = FactTable(
    "hop_times",
    keys={
        **ENTRY_KEYS,
        "bucket": pl.Int32,
        "hop": pl.String,
        "hop_kind": pl.String,
        "caller": pl.String,
        "callee": pl.String,
    },
    sums={
        "traces": pl.Int64,
        "weighted_ns": pl.Float64,
        "weighted_square_us": pl.Float64,
        "weighted_visits": pl.Float64,
    },
)
"""Critical-path time per hop among the chains of one latency bucket: Σ w·x and, in whole microseconds, Σ w·x². A visit
is a span with time there: slow requests may spend long on a hop because it is slow, or because they visit it often."""

EDGE_CALLS = FactTable(
    "edge_calls",
    keys={**ENTRY_KEYS, "caller": pl.String, "callee": pl.String, "bucket": pl.Int32},
    sums={"calls": pl.Int64, "weight": pl.Float64},
)
"""Durations of awaited calls."""

EDGE_REQUESTS = FactTable(
    "edge_requests",
    keys={**ENTRY_KEYS, "caller": pl.String, "callee": pl.String, "bucket": pl.Int32},
    sums={"requests": pl.Int64, "weight": pl.Float64},
)
"""Requests of the caller that used the edge, by the duration of their slowest call on it."""

CALLER_REQUESTS = FactTable(
    "caller_requests",
    keys={**ENTRY_KEYS, "caller": pl.String},
    sums={"requests": pl.Int64, "weight": pl.Float64},
)
"""All requests a service handled, whether they called on or not."""

EDGE_TAILS = FactTable(
    "edge_tails",
    keys={
        **ENTRY_KEYS,
        "caller": pl.String,
        "callee": pl.String,
        "latency_bucket": pl.Int32,
        "call_bucket": pl.Int32,
    },
    sums={"traces": pl.Int64, "weight": pl.Float64},
)
"""Chains by their latency and their slowest call on the edge."""

TAIL_EXEMPLARS = FactTable(
    "tail_exemplars",
    keys={
        "service": pl.String,
        "operation": pl.String,
        "restarted": pl.Boolean,
        "hop": pl.String,
        "trace_hi": pl.UInt64,
        "trace_lo": pl.UInt64,
    },
    sums={},
    maxima={"hop_ns": pl.Int64},
)
"""The traces in which each hop took longest."""

_STRATUM = ["window_ns", "environment", "entry", "restarted", "sampling_known"]
_COUNT = (pl.len().alias("count"), pl.col("weight").sum())


def observe_tail(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of all tables, by table name."""
    chains = chain_rows(view).with_row_index("chain")
    hops = _hops(view, chains)
    calls = _calls(view, chains)
    return {
        HOP_TIMES.name: _hop_times(view, hops),
        TAIL_EXEMPLARS.name: _exemplars(view, hops),
        CALLER_REQUESTS.name: _caller_requests(view, chains),
        EDGE_CALLS.name: _edge_calls(view, calls),
        EDGE_REQUESTS.name: _edge_requests(view, calls),
        EDGE_TAILS.name: _edge_tails(view, calls),
    }


def _hops(view: ForestView, chains: pl.DataFrame) -> pl.DataFrame:
    """One row per chain and hop: time spent there, beside the chain's columns."""
    path = view.path
    lengths = path.end_ns - path.start_ns
    segments = pl.LazyFrame({"chain": path.chain, "hop": path.hop, "span": path.span, "hop_ns": lengths})
    visits = segments.group_by("chain", "hop", "span").agg(pl.col("hop_ns").sum())
    spent = visits.group_by("chain", "hop").agg(pl.col("hop_ns").sum(), pl.len().alias("visits")).collect()
    chain = spent["chain"].to_numpy()
    return pl.concat([spent, chains.drop("chain")[chain]], how="horizontal")


def _hop_times(view: ForestView, hops: pl.DataFrame) -> pl.DataFrame:
    weight, hop_us = pl.col("weight"), (pl.col("hop_ns") // 1000).cast(pl.Float64)
    merged = (
        hops.lazy()
        .with_columns(bucket=pl.Series(coarse(hops["bucket"].to_numpy(), LATENCY_FACTOR)))
        .group_by(*_STRATUM, "bucket", "hop")
        .agg(
            pl.len().alias("traces"),
            (weight * pl.col("hop_ns")).sum().alias("weighted_ns"),
            (weight * hop_us * hop_us).sum().alias("weighted_square_us"),
            (weight * pl.col("visits")).sum().alias("weighted_visits"),
        )
        .with_columns(hop_kind="hop", caller="hop", callee="hop")
        .collect()
    )
    path = view.path
    texts = {
        "hop": path.hop_labels,
        "hop_kind": path.hop_kinds,
        "caller": path.hop_callers,
        "callee": path.hop_callees,
    }
    return fact_rows(HOP_TIMES, merged, view, **texts)


def _exemplars(view: ForestView, hops: pl.DataFrame) -> pl.DataFrame:
    keys = ["window_ns", "environment", "entry", "restarted", "hop"]
    trace = view.chains.trace[hops["chain"].to_numpy()]
    slowest = (
        hops.lazy()
        .select(
            *keys,
            "hop_ns",
            trace_hi=pl.Series(view.forest.trace_hi[trace]),
            trace_lo=pl.Series(view.forest.trace_lo[trace]),
        )
        .sort("hop_ns", "trace_hi", "trace_lo", descending=[True, False, False])
        # One trace may hold several chains; its slowest speaks for it.
        .unique([*keys, "trace_hi", "trace_lo"], keep="first", maintain_order=True)
        .group_by(keys, maintain_order=True)
        .head(EXEMPLARS)
        .collect()
    )
    return fact_rows(TAIL_EXEMPLARS, slowest, view, hop=view.path.hop_labels)


def _calls(view: ForestView, chains: pl.DataFrame) -> pl.DataFrame:
    """One row per awaited call of a complete trace, beside the columns of its chain."""
    calls = view.calls
    client = np.where(calls.client >= 0, calls.client, calls.server)
    chain = view.chains.span_chain[client]
    used = np.flatnonzero(calls.awaited & (chain >= 0))
    own = pl.DataFrame(
        {
            "chain": chain[used],
            "request": calls.request[used],
            "caller": calls.caller[used],
            "callee": calls.callee[used],
            "call_ns": calls.duration_ns[used],
        }
    )
    return pl.concat([own, chains.drop("chain")[chain[used]]], how="horizontal")


def _caller_requests(view: ForestView, chains: pl.DataFrame) -> pl.DataFrame:
    forest, chain = view.forest, view.chains.span_chain
    parent = forest.parent
    enters = (parent < 0) | (forest.service[parent] != forest.service) | (chain[parent] != chain)
    entering = np.flatnonzero(enters & (chain >= 0))
    rows = chains.drop("chain")[chain[entering]].with_columns(caller=pl.Series(forest.service[entering]))
    merged = rows.group_by(*_STRATUM, "caller").agg(*_COUNT).rename({"count": "requests"})
    return fact_rows(CALLER_REQUESTS, merged, view, caller=forest.services)


def _edge_calls(view: ForestView, calls: pl.DataFrame) -> pl.DataFrame:
    bucket = coarse(bucket_of(calls["call_ns"].to_numpy()), LATENCY_FACTOR)
    rows = calls.with_columns(bucket=pl.Series(bucket))
    merged = rows.group_by(*_STRATUM, "caller", "callee", "bucket").agg(*_COUNT).rename({"count": "calls"})
    return fact_rows(EDGE_CALLS, merged, view, caller=view.forest.services, callee=view.calls.node_names)


def _edge_requests(view: ForestView, calls: pl.DataFrame) -> pl.DataFrame:
    rows = _slowest(calls, "request")
    rows = rows.with_columns(bucket=pl.Series(coarse(bucket_of(rows["call_ns"].to_numpy()), LATENCY_FACTOR)))
    merged = rows.group_by(*_STRATUM, "caller", "callee", "bucket").agg(*_COUNT).rename({"count": "requests"})
    return fact_rows(EDGE_REQUESTS, merged, view, caller=view.forest.services, callee=view.calls.node_names)


def _edge_tails(view: ForestView, calls: pl.DataFrame) -> pl.DataFrame:
    rows = _slowest(calls, "chain")
    rows = rows.with_columns(
        latency_bucket=pl.Series(coarse(rows["bucket"].to_numpy(), CALL_FACTOR)),
        call_bucket=pl.Series(coarse(bucket_of(rows["call_ns"].to_numpy()), CALL_FACTOR)),
    )
    keys = [*_STRATUM, "caller", "callee", "latency_bucket", "call_bucket"]
    merged = rows.group_by(keys).agg(*_COUNT).rename({"count": "traces"})
    return fact_rows(EDGE_TAILS, merged, view, caller=view.forest.services, callee=view.calls.node_names)


def _slowest(calls: pl.DataFrame, unit: str) -> pl.DataFrame:
    """One row per unit (request or chain) and edge, with its slowest call."""
    same = [column for column in (*_STRATUM, "bucket", "weight") if column in calls.columns]
    return calls.group_by(unit, "caller", "callee").agg(pl.col("call_ns").max(), pl.col(same).first())
