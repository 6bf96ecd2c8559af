"""How far two services use the same tables: coupling through data, whatever servers they share (metrics.md §8)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tracelith.analysis.datastores.identity import Table
from tracelith.analysis.datastores.releases import Units
from tracelith.analysis.datastores.sharing import SharedTable
from tracelith.analysis.datastores.uses import TableUse
from tracelith.analysis.statistics.bootstrap import exponential_weights, generator, percentiles
from tracelith.model.findings import Estimate, State

__all__ = ["MOST_PAIRS", "DataPair", "data_pairs"]

Float64 = NDArray[np.float64]

NEEDED_CALLS = 20
"""Uses of the shared tables below which there is no overlap to speak of."""

MOST_PAIRS = 300
"""Pairs that get an interval; of more, those with most uses in common. A table that all use makes thousands."""

_MOST_MEETING = 60
"""Users of one table that are paired, the busiest first."""

_DRAWS = 400
"""Enough for a 95 % interval of a number that is read to two digits."""


@dataclass(frozen=True, slots=True)
class DataPair:
    """Two services with tables in common, in alphabetical order.

    Attributes:
        overlap: Σ min / Σ max of their uses over the tables that at least one of the two writes, theirs alone
            included (Ruzicka's index): 0 has nothing in common, 1 is the same use.
        tables: used by both. written: one of them regularly writes one of these.
    """

    a: str
    b: str
    overlap: Estimate
    tables: tuple[Table, ...]
    written: bool


def data_pairs(tables: Sequence[SharedTable], units: Units) -> tuple[DataPair, ...]:
    """Pairs of services that regularly use a table in common, largest overlap first."""
    uses: dict[str, dict[Table, TableUse]] = defaultdict(dict)
    common: dict[tuple[str, str], list[Table]] = defaultdict(list)
    for shared in tables:
        regular = [use for use in shared.used.uses if use.regular or use.service == shared.main]
        for use in regular:
            uses[use.service][shared.used.table] = use
        if shared.used.purpose == "data" and shared.used.confidence != "low":
            bound = {use.service for use in regular if use.writes or use.service == shared.main}
            for pair in combinations(sorted(use.service for use in regular[:_MOST_MEETING]), 2):
                # Two who only read a third one's table have nothing to agree on, two processes of one program all.
                if not bound.isdisjoint(pair) and units.get(pair[0]) != units.get(pair[1], ""):
                    common[pair].append(shared.used.table)
    ranked = sorted(common, key=lambda pair: (-_together(uses, pair, common[pair]), pair))[:MOST_PAIRS]
    blocks = len(tables[0].used.uses[0].read_weight) if tables else 0
    draws = exponential_weights(generator("data pairs"), blocks, _DRAWS)
    pairs = [_pair(uses, pair, common[pair], draws) for pair in ranked]
    return tuple(sorted(pairs, key=lambda pair: (-(pair.overlap.value or 0.0), pair.a, pair.b)))


_Uses = Mapping[str, Mapping[Table, TableUse]]


def _together(uses: _Uses, pair: tuple[str, str], tables: Iterable[Table]) -> int:
    return sum(min(_calls(uses[name][table]) for name in pair) for table in tables)


def _calls(use: TableUse) -> int:
    return use.reads + use.writes


def _pair(uses: _Uses, pair: tuple[str, str], common: Sequence[Table], draws: Float64) -> DataPair:
    a, b = pair
    written = any(uses[name][table].writes_regularly for name in pair for table in common)
    return DataPair(a, b, _overlap(uses[a], uses[b], common, draws), tuple(common), written)


def _overlap(
    a: Mapping[Table, TableUse], b: Mapping[Table, TableUse], common: Sequence[Table], draws: Float64
) -> Estimate:
    tables = sorted({table for own in (a, b) for table, use in own.items() if use.writes})
    meeting = [table for table in common if table in tables]
    calls = sum(_calls(own[table]) for own in (a, b) for table in meeting)
    if calls < NEEDED_CALLS:
        told = f"{NEEDED_CALLS} calls to tables that both use and one writes are needed, {calls} were seen"
        return Estimate(None, n=calls, state=State.INSUFFICIENT_DATA, reason=told)
    by_block = [_by_block(own, tables) for own in (a, b)]
    together = by_block[0] + by_block[1]
    estimate = Estimate(float(_ruzicka(*(one.sum(axis=0) for one in by_block))), n=calls, n_eff=float(calls))
    active = int((together.sum(axis=1) > 0).sum())
    if active < 2:
        return estimate
    low, high = percentiles(_ruzicka(*(draws @ one for one in by_block)), active)
    return replace(estimate, low=float(low), high=float(high))


def _by_block(own: Mapping[Table, TableUse], tables: Sequence[Table]) -> Float64:
    """Uses per block and table, float64[b, t]."""
    some = next(iter(own.values()))
    nothing = np.zeros_like(some.read_weight)
    uses = [own.get(table) for table in tables]
    return np.column_stack([nothing if use is None else use.read_weight + use.write_weight for use in uses])


def _ruzicka(a: Float64, b: Float64) -> Float64:
    """Σ min / Σ max along the last axis."""
    most = np.maximum(a, b).sum(axis=-1)
    index: Float64 = np.divide(np.minimum(a, b).sum(axis=-1), most, out=np.full_like(most, np.nan), where=most > 0)
    return index
