"""Time on the critical path added up per chain and hop, which is what shares of slow and usual chains are made of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelith.analysis.statistics.grouping import Groups
from tracelith.compiled import compiled
from tracelith.forest.view import Bool, Float64, ForestView, Int16, Int32, Int64

__all__ = ["Spent", "spent_per_hop", "weighted_sums"]


@dataclass(frozen=True, slots=True)
class Spent:
    """One entry per chain and hop, chains in order.

    Attributes:
        chain, hop: int32, whose time and where. hop_ns: int64, how much of it.
        visits: int64, the spans that spent it.
        away_ns: int64, the time multiplied by the awaited calls that lead there.
    """

    chain: Int32
    hop: Int32
    hop_ns: Int64
    visits: Int64
    away_ns: Int64


def spent_per_hop(view: ForestView) -> Spent:
    """What the segments of the critical path add up to."""
    path = view.path
    # The way to a service is as far away as the service: to lose time there, a request must wait for it.
    on_the_way = np.array([kind == "network" for kind in path.hop_kinds], np.bool_)
    spent_ns = path.end_ns - path.start_ns
    segments = (path.chain, path.hop, path.span)
    return Spent(*_added_up(segments, spent_ns, view.chains.span_hops, on_the_way))


@compiled
def _added_up(
    segments: tuple[Int32, Int32, Int32], spent_ns: Int64, span_hops: Int16, on_the_way: Bool
) -> tuple[Int32, Int32, Int64, Int64, Int64]:
    """The fields of Spent, from the chain, hop and span of each segment; those of a chain lie together."""
    chain, hop, span = segments
    of_chain, of_hop = np.empty(chain.size, np.int32), np.empty(chain.size, np.int32)
    hop_ns, visits, away_ns = np.empty((3, chain.size), np.int64)
    latest = np.full(on_the_way.size, -1, np.int32)  # entry of each hop in the last chain that went there
    visited = np.zeros(span_hops.size, np.bool_)
    entries = 0
    for segment in range(chain.size):
        at = latest[hop[segment]]
        if at < 0 or of_chain[at] != chain[segment]:
            at = latest[hop[segment]] = entries
            of_chain[at], of_hop[at] = chain[segment], hop[segment]
            hop_ns[at] = visits[at] = away_ns[at] = 0
            entries += 1
        hop_ns[at] += spent_ns[segment]
        away_ns[at] += spent_ns[segment] * (span_hops[span[segment]] + on_the_way[hop[segment]])
        visits[at] += not visited[span[segment]]
        visited[span[segment]] = True
    return of_chain[:entries], of_hop[:entries], hop_ns[:entries], visits[:entries], away_ns[:entries]


def weighted_sums(spent: Spent, weight: Float64, cells: Groups) -> dict[str, NDArray[Any]]:
    """For each cell of entries how many there are, and what they add up to, each as often as its chain counts.

    Args:
        weight: of each chain.
        cells: groups of the entries.
    """
    names = ("weighted_ns", "weighted_square_us", "weighted_visits", "weighted_hop_ns")
    added = (spent.hop_ns, spent.visits, spent.away_ns)
    sums = _weighted_sums(cells.group, cells.size, weight, spent.chain, added)
    return {"traces": cells.counts(), **dict(zip(names, sums, strict=True))}


@compiled
def _weighted_sums(
    cell: Int32, cells: int, weight: Float64, chain: Int32, added: tuple[Int64, Int64, Int64]
) -> Float64:
    """Time, the square of its microseconds, visits and distant time of each cell."""
    hop_ns, visits, away_ns = added
    sums = np.zeros((4, cells), np.float64)
    for entry in range(cell.size):
        at, often = cell[entry], weight[chain[entry]]
        hop_us = float(hop_ns[entry] // 1000)
        sums[0, at] += often * hop_ns[entry]
        sums[1, at] += often * hop_us * hop_us
        sums[2, at] += often * visits[entry]
        sums[3, at] += often * away_ns[entry]
    return sums
