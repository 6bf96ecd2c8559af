"""Facts about where time goes: per hop and latency, and the calls and requests behind each edge.

Everything is kept per entry operation, because mixing operations invents correlations (Simpson's paradox).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelith.analysis.chains.counted import CountedChains, counted_chains
from tracelith.analysis.exemplars import SLOT_KEY, slowest_rows
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.histograms import bucket_of, coarse
from tracelith.analysis.statistics.pairs import number_pairs
from tracelith.analysis.strata import ENTRY_KEYS, fact_rows
from tracelith.analysis.tail.spent import Spent, spent_per_hop, weighted_sums
from tracelith.compiled import compiled
from tracelith.forest.view import ForestView, Int32, Int64
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


@dataclass(frozen=True, slots=True)
class _Used:
    """One entry per awaited call of a complete trace.

    Attributes:
        chain, request: who waited. edge: int32, row of edges, the columns caller and callee.
        call_ns: how long; bucket: of that, as wide as CALL_FACTOR says.
    """

    chain: Int32
    request: Int32
    edge: Int32
    edges: Mapping[str, Int32]
    call_ns: Int64
    bucket: Int32

    def only(self, rows: Int32) -> "_Used":
        """These entries."""
        kept = (self.call_ns[rows], self.bucket[rows])
        return _Used(self.chain[rows], self.request[rows], self.edge[rows], self.edges, *kept)


def observe_tail(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of all tables, by table name."""
    chains, spent, used = view.once(counted_chains), spent_per_hop(view), _used(view)
    of_requests = used.only(_slowest(used, used.request, view.forest.parent.size))
    of_chains = used.only(_slowest(used, used.chain, chains.weight.size))
    latency = coarse(chains.bucket, CALL_FACTOR)[of_chains.chain]
    tails = {"latency_bucket": latency, "call_bucket": of_chains.bucket}
    return {
        HOP_TIMES.name: _hop_times(view, chains, spent),
        TAIL_EXEMPLARS.name: _exemplars(view, chains, spent),
        CALLER_REQUESTS.name: _caller_requests(view, chains),
        EDGE_CALLS.name: _edges(view, chains, used, EDGE_CALLS, {"bucket": used.bucket}),
        EDGE_REQUESTS.name: _edges(view, chains, of_requests, EDGE_REQUESTS, {"bucket": of_requests.bucket}),
        EDGE_TAILS.name: _edges(view, chains, of_chains, EDGE_TAILS, tails),
    }


def _hop_times(view: ForestView, chains: CountedChains, spent: Spent) -> pl.DataFrame:
    # Chains first, which are far fewer than what is spent.
    cohorts = groups_of({"stratum": chains.stratum, "bucket": coarse(chains.bucket, LATENCY_FACTOR)})
    cells = groups_of({"cohort": cohorts.group[spent.chain], "hop": spent.hop})
    path, hop = view.path, cells.keys["hop"]
    rows = {
        **{name: key[cells.keys["cohort"]] for name, key in cohorts.keys.items()},
        "hop": hop,
        "hop_kind": hop,
        "caller": hop,
        "callee": hop,
        **weighted_sums(spent, chains.weight, cells),
    }
    texts = {
        "hop": path.hop_labels,
        "hop_kind": path.hop_kinds,
        "caller": path.hop_callers,
        "callee": path.hop_callees,
    }
    return fact_rows(HOP_TIMES, chains.named(pl.DataFrame(rows)), view, **texts)


def _exemplars(view: ForestView, chains: CountedChains, spent: Spent) -> pl.DataFrame:
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


def _caller_requests(view: ForestView, chains: CountedChains) -> pl.DataFrame:
    forest, chain = view.forest, view.chains.span_chain
    entering = _entering(forest.parent, forest.service, chain)
    callers = groups_of({"stratum": chains.stratum[chain[entering]], "caller": forest.service[entering]})
    rows = callers.frame("requests", weight=chains.weight[chain[entering]])
    return fact_rows(CALLER_REQUESTS, chains.named(rows), view, caller=forest.services)


@compiled
def _entering(parent: Int32, service: Int32, chain: Int32) -> Int32:
    """Spans of complete traces with which a request enters a service or its chain begins."""
    entering = np.empty(parent.size, np.int32)
    count = 0
    for span in range(parent.size):
        above = parent[span]
        if chain[span] >= 0 and (above < 0 or service[above] != service[span] or chain[above] != chain[span]):
            entering[count] = span
            count += 1
    return entering[:count]


def _used(view: ForestView) -> _Used:
    calls = view.calls
    # Awaited calls all have a client: only messages come without, joined by a link.
    chain = view.chains.span_chain[calls.client]
    used = np.flatnonzero(calls.awaited & (calls.request >= 0) & (chain >= 0))
    edges = groups_of({"caller": calls.caller[used], "callee": calls.callee[used]})
    call_ns = calls.duration_ns[used]
    bucket = coarse(bucket_of(call_ns), CALL_FACTOR)
    return _Used(chain[used], calls.request[used], edges.group, edges.keys, call_ns, bucket)


def _slowest(used: _Used, unit: Int32, units: int) -> Int32:
    """The slowest call of each unit (request or chain) on each edge, units in order."""
    pair, first = number_pairs(unit, used.edge, units, used.edges["caller"].size)
    return _slowest_rows(pair, first, used.call_ns)


@compiled
def _slowest_rows(group: Int32, first: Int32, call_ns: Int64) -> Int32:
    """The first of the slowest calls of each group; ``first`` has one of each."""
    slowest = first.copy()
    for row in range(group.size):
        if call_ns[row] > call_ns[slowest[group[row]]]:
            slowest[group[row]] = row
    return slowest


def _edges(
    view: ForestView, chains: CountedChains, used: _Used, table: FactTable, buckets: Mapping[str, Int32]
) -> pl.DataFrame:
    """Counts per edge and buckets; the count goes by the first sum of the table."""
    cells = groups_of({"stratum": chains.stratum[used.chain], "edge": used.edge, **buckets})
    counted = cells.frame(next(iter(table.sums)), weight=chains.weight[used.chain])
    ends = {name: pl.Series(code[cells.keys["edge"]]) for name, code in used.edges.items()}
    named = chains.named(counted.drop("edge").with_columns(**ends))
    return fact_rows(table, named, view, caller=view.forest.services, callee=view.calls.node_names)
