"""Facts about where time goes: per hop and latency, and the calls and requests behind each edge.

Everything is kept per entry operation, because mixing operations invents correlations (Simpson's paradox).
Arrays as long as the calls or the path are looked up by ``take``: with int32 indexes it is twice as fast as brackets.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelith.analysis.chains.counted import CountedChains, counted_chains
from tracelith.analysis.exemplars import SLOT_KEY, slowest_rows
from tracelith.analysis.statistics.grouping import Groups, groups_of
from tracelith.analysis.statistics.histograms import bucket_of, coarse
from tracelith.analysis.statistics.pairs import number_pairs
from tracelith.analysis.strata import ENTRY_KEYS, fact_rows
from tracelith.analysis.tail.spent import Spent, spent_per_hop, weighted_sums
from tracelith.compiled import compiled
from tracelith.forest.view import Float64, ForestView, Int32, Int64
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
        chain, request: who waited. weight: of the chain.
        place: int32, row of places: the chain's stratum with caller and callee as codes.
        call_ns: how long; bucket: of that, as wide as CALL_FACTOR says.
    """

    chain: Int32
    request: Int32
    weight: Float64
    place: Int32
    places: pl.DataFrame
    call_ns: Int64
    bucket: Int32


def observe_tail(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of all tables, by table name."""
    chains = view.once(counted_chains)
    spent, used = spent_per_hop(view), _used(view, chains)
    return {
        HOP_TIMES.name: _hop_times(view, chains, spent),
        TAIL_EXEMPLARS.name: _exemplars(view, chains, spent),
        CALLER_REQUESTS.name: _caller_requests(view, chains),
        EDGE_CALLS.name: _edge_calls(view, used),
        EDGE_REQUESTS.name: _edge_requests(view, used),
        EDGE_TAILS.name: _edge_tails(view, chains, used),
    }


def _hop_times(view: ForestView, chains: CountedChains, spent: Spent) -> pl.DataFrame:
    # Chains first, which are far fewer than what is spent.
    cohorts = groups_of({"stratum": chains.stratum, "bucket": coarse(chains.bucket, LATENCY_FACTOR)})
    cells = groups_of({"cohort": cohorts.group.take(spent.chain), "hop": spent.hop})
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
            "stratum": chains.stratum.take(spent.chain),
            "hop": spent.hop,
            "trace": view.chains.trace.take(spent.chain),
            "duration_ns": spent.hop_ns,
        }
    )
    slowest = slowest_rows(view, rows, ["stratum", "hop"])
    return fact_rows(TAIL_EXEMPLARS, chains.named(slowest), view, hop=view.path.hop_labels)


def _caller_requests(view: ForestView, chains: CountedChains) -> pl.DataFrame:
    forest = view.forest
    entering = _entering(forest.parent, forest.service, view.chains.span_chain)
    chain = view.chains.span_chain.take(entering)
    callers = groups_of({"stratum": chains.stratum.take(chain), "caller": forest.service.take(entering)})
    rows = chains.named(callers.frame("requests", weight=chains.weight.take(chain)))
    return fact_rows(CALLER_REQUESTS, rows, view, caller=forest.services)


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


def _used(view: ForestView, chains: CountedChains) -> _Used:
    calls = view.calls
    # Awaited calls all have a client: only messages come without, joined by a link.
    chain = view.chains.span_chain.take(calls.client)
    used = np.flatnonzero(calls.awaited & (calls.request >= 0) & (chain >= 0))
    chain, call_ns = chain[used], calls.duration_ns[used]
    places = groups_of(
        {"stratum": chains.stratum.take(chain), "caller": calls.caller[used], "callee": calls.callee[used]}
    )
    return _Used(
        chain=chain,
        request=calls.request[used],
        weight=chains.weight.take(chain),
        place=places.group,
        places=chains.named(pl.DataFrame(dict(places.keys))),
        call_ns=call_ns,
        bucket=coarse(bucket_of(call_ns), CALL_FACTOR),
    )


def _edge_calls(view: ForestView, used: _Used) -> pl.DataFrame:
    return _edges(EDGE_CALLS, view, used, groups_of({"place": used.place, "bucket": used.bucket}), used.weight)


def _edge_requests(view: ForestView, used: _Used) -> pl.DataFrame:
    slowest = _slowest(used, used.request, view.forest.parent.size)
    cells = groups_of({"place": used.place.take(slowest), "bucket": used.bucket.take(slowest)})
    return _edges(EDGE_REQUESTS, view, used, cells, used.weight.take(slowest))


def _edge_tails(view: ForestView, chains: CountedChains, used: _Used) -> pl.DataFrame:
    slowest = _slowest(used, used.chain, chains.weight.size)
    cells = groups_of(
        {
            "place": used.place.take(slowest),
            "latency_bucket": coarse(chains.bucket, CALL_FACTOR).take(used.chain.take(slowest)),
            "call_bucket": used.bucket.take(slowest),
        }
    )
    return _edges(EDGE_TAILS, view, used, cells, used.weight.take(slowest))


def _edges(table: FactTable, view: ForestView, used: _Used, cells: Groups, weight: Float64) -> pl.DataFrame:
    """Counts and weights of the cells, which have a place; the count goes by the first sum of the table."""
    counted = cells.frame(next(iter(table.sums)), weight=weight)
    rows = counted.hstack(used.places[cells.keys["place"]])
    return fact_rows(table, rows, view, caller=view.forest.services, callee=view.calls.node_names)


def _slowest(used: _Used, unit: Int32, units: int) -> Int32:
    """The slowest call of each unit (request or chain) at each place, units in order."""
    pair, first = number_pairs(unit, used.place, units, used.places.height)
    return _slowest_rows(pair, first, used.call_ns)


@compiled
def _slowest_rows(group: Int32, first: Int32, call_ns: Int64) -> Int32:
    """The first of the slowest calls of each group; ``first`` has one of each."""
    slowest = first.copy()
    for row in range(group.size):
        if call_ns[row] > call_ns[slowest[group[row]]]:
            slowest[group[row]] = row
    return slowest
