"""Facts about where time goes: per hop and latency, and the calls and requests behind each edge.

Everything is kept per entry operation, because mixing operations invents correlations (Simpson's paradox).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.exemplars import SLOT_KEY, slowest_rows
from tracelith.analysis.statistics.grouping import Groups, groups_of
from tracelith.analysis.statistics.histograms import bucket_of, coarse
from tracelith.analysis.strata import ENTRY_KEYS, chain_rows, fact_rows
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactTable

__all__ = [
    "CALLER_REQUESTS",
    "CALL_FACTOR",
    "EDGE_CALLS",
    "EDGE_REQUESTS",
    "EDGE_TAILS",
    "HOP_TIMES",
    "LATENCY_FACTOR",
    "TAIL_EXEMPLARS",
    "observe_tail",
]

LATENCY_FACTOR = 4
"""Latency buckets of hop times are four fine ones wide (8 %): finer ones would only multiply rows."""

CALL_FACTOR = 8
"""Buckets of calls are eight fine ones wide (17 %), in both directions of the two-dimensional histogram. Only borders
of tails are read from them, with the share that really lies beyond; finer ones made calls two thirds of all facts."""

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
        "weighted_hop_ns": pl.Float64,
    },
)
"""Critical-path time per hop among the chains of one latency bucket: Σ w·x and, in whole microseconds, Σ w·x². A visit
is a span with time there: slow requests may spend long on a hop because it is slow, or because they visit it often.
weighted_hop_ns is Σ w·x·d with d the awaited calls between the head of the chain and where the time went."""

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
        SLOT_KEY: pl.Int8,
    },
    sums={},
    maxima={"rank": pl.String},
)
"""The traces in which each hop took longest, see exemplars."""

_STRATUM = ["window_ns", "environment", "entry", "restarted", "sampling_known"]

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Chains:
    """Per chain: its stratum (row of strata), fine latency bucket and weight."""

    strata: pl.DataFrame
    stratum: Int32
    bucket: Int32
    weight: Float64

    def named(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with their stratum's columns in place of its number."""
        return pl.concat([rows.drop("stratum"), self.strata[rows["stratum"].to_numpy()]], how="horizontal")


@dataclass(frozen=True, slots=True)
class _Spent:
    """One entry per chain and hop: the time spent there, the number of spans that spent it, and the time multiplied by
    the awaited calls that lead there."""

    chain: Int32
    hop: Int32
    hop_ns: Int64
    visits: Int64
    away_ns: Int64


@dataclass(frozen=True, slots=True)
class _Used:
    """One entry per awaited call of a complete trace."""

    chain: Int32
    request: Int32
    caller: Int32
    callee: Int32
    call_ns: Int64


def observe_tail(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of all tables, by table name."""
    chains, spent, used = _chains(view), _spent(view), _used(view)
    return {
        HOP_TIMES.name: _hop_times(view, chains, spent),
        TAIL_EXEMPLARS.name: _exemplars(view, chains, spent),
        CALLER_REQUESTS.name: _caller_requests(view, chains),
        EDGE_CALLS.name: _edge_calls(view, chains, used),
        EDGE_REQUESTS.name: _edge_requests(view, chains, used),
        EDGE_TAILS.name: _edge_tails(view, chains, used),
    }


def _chains(view: ForestView) -> _Chains:
    rows = chain_rows(view)
    strata = groups_of({name: rows[name].to_numpy().astype(np.int64) for name in _STRATUM})
    return _Chains(
        pl.DataFrame(dict(strata.keys)).cast(rows.select(_STRATUM).schema),
        strata.group,
        rows["bucket"].to_numpy(),
        rows["weight"].to_numpy(),
    )


def _spent(view: ForestView) -> _Spent:
    path = view.path
    spent_ns = path.end_ns - path.start_ns
    # The way to a service is as far away as the service: to lose time there, a request must wait for it.
    on_the_way = np.array([kind == "network" for kind in path.hop_kinds], dtype=np.int64)
    away = view.chains.span_hops[path.span] + (on_the_way[path.hop] if path.hop.size else 0)
    spent = groups_of({"chain": path.chain, "hop": path.hop})
    return _Spent(
        chain=spent.keys["chain"],
        hop=spent.keys["hop"],
        hop_ns=spent.sums(spent_ns),
        visits=spent.sums(_first_segments(path.span, view.forest.parent.size)),
        away_ns=spent.sums(spent_ns * away),
    )


def _first_segments(span: Int32, spans: int) -> Int64:
    """1 for the first segment of each span, 0 for its others."""
    row = np.arange(span.size)
    first = np.empty(spans, dtype=np.int64)
    first[span[::-1]] = row[::-1]
    opening: Int64 = (first[span] == row).astype(np.int64)
    return opening


def _hop_times(view: ForestView, chains: _Chains, spent: _Spent) -> pl.DataFrame:
    weight = chains.weight[spent.chain]
    hop_us = (spent.hop_ns // 1000).astype(np.float64)
    cells = groups_of(
        {
            "stratum": chains.stratum[spent.chain],
            "bucket": coarse(chains.bucket, LATENCY_FACTOR)[spent.chain],
            "hop": spent.hop,
        }
    )
    sums = {
        "traces": cells.counts(),
        "weighted_ns": cells.sums(weight * spent.hop_ns),
        "weighted_square_us": cells.sums(weight * hop_us * hop_us),
        "weighted_visits": cells.sums(weight * spent.visits),
        "weighted_hop_ns": cells.sums(weight * spent.away_ns),
    }
    path, hop = view.path, cells.keys["hop"]
    merged = chains.named(pl.DataFrame({**cells.keys, "hop_kind": hop, "caller": hop, "callee": hop, **sums}))
    texts = {
        "hop": path.hop_labels,
        "hop_kind": path.hop_kinds,
        "caller": path.hop_callers,
        "callee": path.hop_callees,
    }
    return fact_rows(HOP_TIMES, merged, view, **texts)


def _exemplars(view: ForestView, chains: _Chains, spent: _Spent) -> pl.DataFrame:
    rows = pl.DataFrame(
        {
            "stratum": chains.stratum[spent.chain],
            "hop": spent.hop,
            "trace": view.chains.trace[spent.chain],
            "duration_ns": spent.hop_ns,
        }
    )
    slowest = slowest_rows(view, rows, ["stratum", "hop"])
    return fact_rows(TAIL_EXEMPLARS, chains.named(slowest), view, hop=view.path.hop_labels)


def _used(view: ForestView) -> _Used:
    calls = view.calls
    asking = np.where(calls.client >= 0, calls.client, calls.server)
    chain = view.chains.span_chain[asking]
    used = np.flatnonzero(calls.awaited & (chain >= 0))
    return _Used(chain[used], calls.request[used], calls.caller[used], calls.callee[used], calls.duration_ns[used])


def _caller_requests(view: ForestView, chains: _Chains) -> pl.DataFrame:
    forest, chain = view.forest, view.chains.span_chain
    parent = forest.parent
    enters = (parent < 0) | (forest.service[parent] != forest.service) | (chain[parent] != chain)
    entering = np.flatnonzero(enters & (chain >= 0))
    callers = groups_of({"stratum": chains.stratum[chain[entering]], "caller": forest.service[entering]})
    merged = chains.named(_counted(callers, "requests", chains.weight[chain[entering]]))
    return fact_rows(CALLER_REQUESTS, merged, view, caller=forest.services)


def _counted(groups: Groups, count: str, weight: Float64) -> pl.DataFrame:
    """Rows and weight of each group."""
    return pl.DataFrame({**groups.keys, count: groups.counts(), "weight": groups.sums(weight)})


def _edge_calls(view: ForestView, chains: _Chains, used: _Used) -> pl.DataFrame:
    keys = {"bucket": coarse(bucket_of(used.call_ns), CALL_FACTOR)}
    return _edges(view, chains, used, EDGE_CALLS, keys)


def _edge_requests(view: ForestView, chains: _Chains, used: _Used) -> pl.DataFrame:
    slowest = _slowest(used, used.request)
    keys = {"bucket": coarse(bucket_of(slowest.call_ns), CALL_FACTOR)}
    return _edges(view, chains, slowest, EDGE_REQUESTS, keys)


def _edge_tails(view: ForestView, chains: _Chains, used: _Used) -> pl.DataFrame:
    slowest = _slowest(used, used.chain)
    keys = {
        "latency_bucket": coarse(chains.bucket[slowest.chain], CALL_FACTOR),
        "call_bucket": coarse(bucket_of(slowest.call_ns), CALL_FACTOR),
    }
    return _edges(view, chains, slowest, EDGE_TAILS, keys)


def _edges(
    view: ForestView, chains: _Chains, used: _Used, table: FactTable, buckets: Mapping[str, Int32]
) -> pl.DataFrame:
    """Counts per edge and buckets; the count goes by the first sum of the table."""
    keys = {"stratum": chains.stratum[used.chain], "caller": used.caller, "callee": used.callee, **buckets}
    rows = _counted(groups_of(keys), next(iter(table.sums)), chains.weight[used.chain])
    return fact_rows(table, chains.named(rows), view, caller=view.forest.services, callee=view.calls.node_names)


def _slowest(used: _Used, unit: Int32) -> _Used:
    """The slowest call per unit (request or chain) and edge."""
    edges = groups_of({"caller": used.caller, "callee": used.callee})
    units = groups_of({"unit": unit, "edge": edges.group})
    edge = units.keys["edge"]
    return _Used(
        chain=units.firsts(used.chain),
        request=units.firsts(used.request),
        caller=edges.keys["caller"][edge],
        callee=edges.keys["callee"][edge],
        call_ns=units.largest(used.call_ns),
    )
