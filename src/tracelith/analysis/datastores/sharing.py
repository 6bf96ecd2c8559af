"""How far a table is shared: who beside its owner reads and writes it, how much, and how surely (metrics.md §8)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tracelith.analysis.datastores.ownership import Owner, owner_of
from tracelith.analysis.datastores.releases import Units
from tracelith.analysis.datastores.uses import DataUse, TableUse, UsedTable
from tracelith.analysis.statistics.bootstrap import exponential_weights, generator, percentiles
from tracelith.analysis.statistics.intervals import proportion_in_time, proportion_interval
from tracelith.analysis.statistics.weights import effective_size
from tracelith.model.declarations import Declarations
from tracelith.model.findings import Estimate, State

__all__ = ["FLAGGED", "STRONG", "Band", "Level", "SharedTable", "shared_tables"]

Level = Literal["own", "read", "written"]
Band = Literal["ok", "flag", "strong", "unknown"]
Way = Literal["reads", "writes"]
Float64 = NDArray[np.float64]

FLAGGED, STRONG = 0.01, 0.10
"""Foreign share of the writes whose lower bound is worth a flag, and strong (metrics.md §8)."""

NEEDED_CALLS = 10
"""Below so many writes (or reads) there is no share."""


@dataclass(frozen=True, slots=True)
class SharedTable:
    """A table, its owner, and how far others use it.

    Attributes:
        main: the owner; without one whoever writes most, or reads most where nobody writes.
        housemates: users that are released with main as one program, and so are not others.
        level: what services other than main do regularly. writers: those of them that write; readers: those that only
            read; most calls first.
        foreign_writes, foreign_reads: share of the writes (reads) that are not main's.
        effective_writers: 1 / Σ share², 1 with a single writer, 2 with two equal ones.
    """

    used: UsedTable
    owner: Owner
    main: str
    housemates: tuple[str, ...]
    level: Level
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    foreign_writes: Estimate
    foreign_reads: Estimate
    effective_writers: Estimate

    @property
    def band(self) -> Band:
        """How much of the writing is foreign, by the bound that says least."""
        low, high = self.foreign_writes.low, self.foreign_writes.high
        if self.foreign_writes.state is not State.OK or low is None or high is None:
            return "unknown"
        # Without a habit behind it a share is what happened to be met once.
        if self.level == "written" and low > FLAGGED:
            return "strong" if low > STRONG else "flag"
        return "ok" if high < FLAGGED else "unknown"


def shared_tables(data: DataUse, declarations: Declarations, units: Units) -> tuple[SharedTable, ...]:
    """Every table of a database, in the order of the tables."""
    draws = exponential_weights(generator("effective writers"), data.blocks)
    absent = zip(_upper_if_absent(data.tables, "writes"), _upper_if_absent(data.tables, "reads"), strict=True)
    return tuple(
        _shared(used, owner_of(used, declarations), units, draws, upper)
        for used, upper in zip(data.tables, absent, strict=True)
    )


def _upper_if_absent(tables: Sequence[UsedTable], what: Way) -> list[float]:
    """Upper bound of a share of which nothing was seen, for all tables at once: one by one takes half a second."""
    sizes = [_size(used, what) for used in tables]
    return [float(high) for high in proportion_interval(np.zeros(len(sizes)), np.array(sizes))[1]] if sizes else []


def _shared(
    used: UsedTable, owner: Owner, units: Units, draws: Float64, upper_if_absent: tuple[float, float]
) -> SharedTable:
    main = owner.service or _busiest(used)
    home = units.get(main, main)
    others = [use for use in used.uses if units.get(use.service, use.service) != home]
    writers = tuple(use.service for use in sorted(others, key=_by_writes) if use.writes_regularly)
    readers = tuple(use.service for use in others if use.reads_regularly and use.service not in writers)
    level: Level = "own"
    if used.purpose == "data":
        level = "written" if writers else "read" if readers else "own"
    return SharedTable(
        used=used,
        owner=owner,
        main=main,
        housemates=tuple(use.service for use in used.uses if use.service != main and use not in others),
        level=level,
        writers=writers,
        readers=readers,
        foreign_writes=_foreign_share(others, used, "writes", upper_if_absent[0]),
        foreign_reads=_foreign_share(others, used, "reads", upper_if_absent[1]),
        effective_writers=_effective_writers(used, draws),
    )


def _by_writes(use: TableUse) -> tuple[int, str]:
    return -use.writes, use.service


def _busiest(used: UsedTable) -> str:
    return min(used.uses, key=lambda use: (-use.writes, -(use.reads - use.joined), -use.reads, use.service)).service


def _foreign_share(others: Sequence[TableUse], used: UsedTable, what: Way, upper_if_absent: float) -> Estimate:
    """Share of others in the reads or writes: an interval over time, or the rule of three where there are none."""
    count, size = (used.writes if what == "writes" else used.reads), _size(used, what)
    reason = f"{NEEDED_CALLS} {what} are needed to tell whose they are, {count} were seen"
    part = _weights(others, what, used)
    if part.any():
        whole = _weights(used.uses, what, used)
        return proportion_in_time(part, whole, size, n=count, minimum=NEEDED_CALLS, reason=reason)
    if count < NEEDED_CALLS or size <= 0:
        return Estimate(None, n=count, n_eff=size, state=State.INSUFFICIENT_DATA, reason=reason)
    return Estimate(0.0, 0.0, upper_if_absent, count, size)


def _size(used: UsedTable, what: Way) -> float:
    """Effective number of reads or writes of a table."""
    total = sum(float((use.write_weight if what == "writes" else use.read_weight).sum()) for use in used.uses)
    return effective_size(total, sum(_squares(use, what) for use in used.uses))


def _weights(uses: Sequence[TableUse], what: Way, used: UsedTable) -> Float64:
    weights = [use.write_weight if what == "writes" else use.read_weight for use in uses]
    total: Float64 = sum(weights, np.zeros_like(used.uses[0].write_weight))
    return total


def _squares(use: TableUse, what: Way) -> float:
    return use.write_squares if what == "writes" else use.read_squares


def _effective_writers(used: UsedTable, draws: Float64) -> Estimate:
    """1 / Σ share² of the writes, with an interval from weighing blocks of time anew."""
    writers = [use for use in used.uses if use.writes]
    if used.writes < NEEDED_CALLS:
        reason = f"{NEEDED_CALLS} writes are needed, {used.writes} were seen"
        return Estimate(None, n=used.writes, state=State.INSUFFICIENT_DATA, reason=reason)
    if len(writers) == 1:
        return Estimate(1.0, 1.0, 1.0, used.writes, float(used.writes))
    by_block = np.column_stack([use.write_weight for use in writers])
    size = effective_size(by_block.sum(), sum(use.write_squares for use in writers))
    estimate = Estimate(float(_inverse_hhi(by_block.sum(axis=0))), n=used.writes, n_eff=size)
    active = int((by_block.sum(axis=1) > 0).sum())
    if active < 2:
        return estimate
    low, high = percentiles(_inverse_hhi(draws @ by_block), active)
    return replace(estimate, low=float(low), high=float(high))


def _inverse_hhi(writes: Float64) -> Float64:
    """1 / Σ share² along the last axis."""
    total = writes.sum(axis=-1, keepdims=True)
    share = np.divide(writes, total, out=np.zeros_like(writes), where=total > 0)
    squares = (share**2).sum(axis=-1)
    inverse: Float64 = np.divide(1.0, squares, out=np.full_like(squares, np.nan), where=squares > 0)
    return inverse
