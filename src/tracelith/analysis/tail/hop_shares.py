"""What each hop contributes to the tail of each entry operation, with the edge that leads into it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.base import Evidence
from tracelith.analysis.exemplars import slowest_ids
from tracelith.analysis.quality.trace_quality import LARGEST_LOSS, ONLY_SHORT_ONES, orphan_shares
from tracelith.analysis.statistics.bootstrap import generator
from tracelith.analysis.tail.attribution import Attribution, attribute, slower_visits, variance_shares
from tracelith.analysis.tail.edges import Cells, Exceedance, Propagation, exceedance, propagation
from tracelith.analysis.tail.facts import (
    CALLER_REQUESTS,
    EDGE_CALLS,
    EDGE_REQUESTS,
    EDGE_TAILS,
    TAIL_EXEMPLARS,
)
from tracelith.analysis.tail.hop_tables import (
    EntryFacts,
    EntryKey,
    HopTable,
    coarse_latencies,
    counted,
    entry_facts,
    hop_table,
)
from tracelith.analysis.tail.share_intervals import Intervals, intervals
from tracelith.model.findings import State
from tracelith.model.schema import is_folded

__all__ = ["HopShare", "hop_shares"]

Float64 = NDArray[np.float64]

QUANTILES = ((0.99, 3000), (0.95, 600), (0.90, 300))
"""Where the tail begins and the traces needed for it: 30 of them are in the tail (metrics.md §19)."""

MOST_ROWS = 15
"""Hops listed per entry operation, largest part of the excess first."""

FAR_HOPS = 2
"""From so many awaited calls below the entry service on, slow requests are slow because of a chain (own). One call
away is where a gateway's only service, or a page's backend, naturally does its work."""

MANY_DESTINATIONS = "destinations beyond the limit of their caller are counted together here"
MANY_OPERATIONS = "operations beyond the limit of their service are counted together here"

TOO_LONG_SLOW = (
    "slow requests come in stretches of time too long for this period to hold enough of them; analyse a longer period"
)

MATERIAL_FACTOR, MATERIAL_EXCESS_NS = 2.0, 5e6
"""A tail is worth speaking of when slow requests take twice as long as ordinary ones, and 5 ms longer."""


@dataclass(frozen=True, slots=True)
class HopShare:
    """One row of the document (without its band) and the lower bound of its share."""

    document: dict[str, Any]
    low: float | None


def hop_shares(evidence: Evidence) -> list[HopShare]:
    """All rows of the document's tail: entry operations by traffic, hops by their part of the excess."""
    tables = [(key, facts, hop_table(facts)) for key, facts in entry_facts(evidence).items()]
    tables.sort(key=lambda one: (-one[2].traces, one[0]))
    orphans = orphan_shares(evidence.facts)
    return [row for key, facts, table in tables for row in _rows(key, facts, table, orphans.get(key[0], 0.0))]


def _rows(key: EntryKey, facts: EntryFacts, table: HopTable, orphan_share: float) -> list[HopShare]:
    if is_folded(key[1]):
        return [_unread(key, table, State.NOT_IDENTIFIABLE, MANY_OPERATIONS)]
    if orphan_share >= LARGEST_LOSS:
        return [_unread(key, table, State.INSUFFICIENT_DATA, ONLY_SHORT_ONES)]
    enough = min(float(table.traces), table.times.n_eff) + 1e-9
    q = next((q for q, needed in QUANTILES if enough >= needed), None)
    if q is None or table.hops.is_empty():
        return [_without_data(key, table)]
    split = attribute(table.times.counts, table.times.times, q)
    shown = np.argsort(-split.excess[: len(table.hops)], kind="stable")[:MOST_ROWS]
    bounds = intervals(table.times, q, generator("tail", *map(str, key)), shown)
    whole = _whole(key, table, split, q, bounds)
    columns = _columns(table, split, bounds, q)
    return [_row(facts, table, int(position), columns, whole) for position in shown]


def _whole(key: EntryKey, table: HopTable, split: Attribution, q: float, bounds: Intervals) -> dict[str, Any]:
    """What all hops of the entry operation have in common."""
    slow, ordinary = float(split.tail.sum()), float(split.middle.sum())
    network = (table.hops["hop_kind"] == "network").to_numpy()
    shares = split.shares[: len(table.hops)]
    slower = bool(np.isfinite(shares).all())
    state, reason = State.OK, ""
    if not slower:
        state, reason = State.NOT_IDENTIFIABLE, "slow requests are not slower than ordinary ones"
    elif not bounds.settled:
        state, reason = State.INSUFFICIENT_DATA, TOO_LONG_SLOW
    return {
        "service": key[0],
        "operation": key[1],
        "restarted": key[2],
        "q": q,
        "traces": table.traces,
        "tail_traces": round(table.traces * (1 - q)),
        "tail_mean_ms": slow / 1e6,
        "middle_mean_ms": ordinary / 1e6,
        "material": slow >= MATERIAL_FACTOR * ordinary and slow - ordinary >= MATERIAL_EXCESS_NS,
        "network_share": float(shares[network].sum()) if state is State.OK else None,
        "ci_method": bounds.method,
        "status": str(state),
        "reason": reason,
    }


def _columns(table: HopTable, split: Attribution, bounds: Intervals, q: float) -> dict[str, Float64]:
    """What differs between hops, one array entry each, in milliseconds where it is a time."""
    times = table.times
    return {
        "share": split.shares,
        "share_low": bounds.share_low,
        "share_high": bounds.share_high,
        "excess_ms": split.excess / 1e6,
        "excess_low_ms": bounds.excess_low / 1e6,
        "excess_high_ms": bounds.excess_high / 1e6,
        "mean_ms": times.times.sum(axis=0) / times.counts.sum() / 1e6,
        "slower_ms": slower_visits(times, split, q) / 1e6,
        "hops_away": _hops_away(table, split, q),
        "variance_share": variance_shares(times.counts, times.times),
    }


def _hops_away(table: HopTable, split: Attribution, q: float) -> Float64:
    """Awaited calls from the entry service to each hop, the mean over the time that slow requests spend there."""
    tail = attribute(table.times.counts, table.away, q).tail
    away: Float64 = np.divide(tail, split.tail, out=np.full_like(tail, np.nan), where=split.tail > 0)
    return away


def _row(
    facts: EntryFacts, table: HopTable, position: int, columns: dict[str, Float64], whole: dict[str, Any]
) -> HopShare:
    hop = table.hops.row(position, named=True)
    number = {name: float(column[position]) for name, column in columns.items()}
    known = whole["status"] == State.OK and np.isfinite(number["share_low"])
    # Destinations beyond the limit stand under one name: none of them is known to be slow.
    many = whole["status"] == State.OK and is_folded(hop["callee"])
    own = hop["caller"] == whole["service"] and hop["hop_kind"] in ("service", "peer")
    document = {
        **whole,
        "hop": hop["hop"],
        "hop_kind": hop["hop_kind"],
        "caller": hop["caller"],
        "callee": hop["callee"],
        "share": number["share"] if known else None,
        "ci": [number["share_low"], number["share_high"]] if known else None,
        "excess_ms": number["excess_ms"],
        "excess_ci": [number["excess_low_ms"], number["excess_high_ms"]],
        "slower_ms": number["slower_ms"],
        "mean_ms": number["mean_ms"],
        "variance_share": number["variance_share"],
        "hops_away": number["hops_away"],
        "remote": not own,
        "far": bool(round(number["hops_away"]) >= FAR_HOPS) if np.isfinite(number["hops_away"]) else False,
        "slow_hop": number["excess_ms"] > 0 and number["slower_ms"] >= number["excess_ms"] / 2,
        **_edge(facts, hop, whole["q"], table),
        **({"status": str(State.NOT_IDENTIFIABLE), "reason": MANY_DESTINATIONS} if many else {}),
        "trace_ids": _examples(facts, hop["hop"]),
    }
    return HopShare(document, number["share_low"] if known else None)


def _edge(facts: EntryFacts, hop: dict[str, Any], q: float, table: HopTable) -> dict[str, Any]:
    """Exceedance, propagation and fan-out of the edge that leads into the hop; all empty for the entry service."""
    edge = _edge_into(facts.of(EDGE_CALLS), hop)
    if edge is None:
        return _edge_document(None, None)
    chosen = {"caller": edge[0], "callee": edge[1]}
    blocks = facts.blocks
    calls = counted(facts.of(EDGE_CALLS).filter(**chosen), "calls", blocks)
    design = table.times.n_eff / table.traces
    amplified = exceedance(
        calls,
        counted(facts.of(EDGE_REQUESTS).filter(**chosen), "requests", blocks),
        counted(facts.of(CALLER_REQUESTS).filter(caller=edge[0]), "requests", blocks, None),
        q,
        design,
    )
    cells = facts.of(EDGE_TAILS).filter(**chosen)
    slowest = counted(cells, "traces", blocks, "call_bucket")
    late = cells["latency_bucket"].to_numpy().astype(np.int64)
    propagated = propagation(coarse_latencies(facts), calls, Cells(late, slowest), q, design)
    return _edge_document(amplified, propagated)


def _edge_into(calls: pl.DataFrame, hop: dict[str, Any]) -> tuple[str, str] | None:
    """The edge a hop lies on; into a service it is the one with most calls."""
    into = calls.filter(callee=hop["callee"])
    if hop["hop_kind"] != "service":
        into = into.filter(caller=hop["caller"])
    busiest = into.group_by("caller", "callee").agg(pl.col("calls").sum())
    busiest = busiest.sort("calls", "caller", descending=[True, False])
    return None if busiest.is_empty() else (str(busiest["caller"][0]), str(busiest["callee"][0]))


def _edge_document(amplified: Exceedance | None, propagated: Propagation | None) -> dict[str, Any]:
    estimate = amplified.estimate if amplified else None
    known = estimate is not None and estimate.value is not None
    return {
        "exceedance": estimate.value if estimate else None,
        "exceedance_ci": [estimate.low, estimate.high] if estimate and known else None,
        "effective_fan_out": amplified.fan_out if amplified else None,
        "propagation": propagated.propagated.document() if propagated else None,
        "lift": propagated.lift if propagated else None,
        "explained": propagated.explained.document() if propagated else None,
    }


def _examples(facts: EntryFacts, hop: str) -> list[str]:
    rows = facts.of(TAIL_EXEMPLARS).filter(hop=hop)
    return slowest_ids(rows["rank"])


def _without_data(key: EntryKey, table: HopTable) -> HopShare:
    needed, state = QUANTILES[-1][1], State.INSUFFICIENT_DATA
    reason = f"{needed} complete traces are needed, {table.traces} came; analyse a longer period"
    if min(float(table.traces), table.times.n_eff) >= needed:
        state, reason = State.NOT_IDENTIFIABLE, "requests take no time at all"
    elif table.traces >= needed:
        reason = f"{needed} effective traces are needed, {table.times.n_eff:.0f} remain after weighting"
    return _unread(key, table, state, reason)


def _unread(key: EntryKey, table: HopTable, state: State, reason: str) -> HopShare:
    """The row of an entry operation of whose hops nothing is said."""
    unknown = (
        "slower_ms",
        "hops_away",
        "share",
        "ci",
        "excess_ms",
        "excess_ci",
        "variance_share",
        "network_share",
        "tail_mean_ms",
        "middle_mean_ms",
    )
    document = {
        "service": key[0],
        "operation": key[1],
        "restarted": key[2],
        "hop": key[0],
        "hop_kind": "service",
        "caller": key[0],
        "callee": key[0],
        "q": QUANTILES[-1][0],
        **dict.fromkeys(unknown),
        "mean_ms": float(table.times.times.sum() / max(table.times.counts.sum(), 1.0)) / 1e6,
        "traces": table.traces,
        "tail_traces": 0,
        "material": False,
        "remote": False,
        "far": False,
        "slow_hop": False,
        **_edge_document(None, None),
        "ci_method": "traces",
        "trace_ids": [],
        "status": str(state),
        "reason": reason,
    }
    return HopShare(document, None)
