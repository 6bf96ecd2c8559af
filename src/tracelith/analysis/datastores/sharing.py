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
from tracelith.analysis.statistics.intervals import proportion, proportion_in_time
from tracelith.analysis.statistics.weights import effective_size
from tracelith.model.declarations import Declarations
from tracelith.model.findings import Estimate, State

__all__ = ["FLAGGED", "STRONG", "Band", "Level", "SharedTable", "shared_tables"]

Level = Literal["own", "read", "written"]
Band = Literal["ok", "flag", "strong", "unknown"]
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
    return tuple(_shared(used, owner_of(used, declarations), units, data.blocks) for used in data.tables)


def _shared(used: UsedTable, owner: Owner, units: Units, blocks: int) -> SharedTable:
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
        foreign_writes=_foreign_share(others, used, "writes"),
        foreign_reads=_foreign_share(others, used, "reads"),
        effective_writers=_effective_writers(used, blocks),
    )


def _by_writes(use: TableUse) -> tuple[int, str]:
    return -use.writes, use.service


def _busiest(used: UsedTable) -> str:
    return min(used.uses, key=lambda use: (-use.writes, -(use.reads - use.joined), -use.reads, use.service)).service


def _foreign_share(others: Sequence[TableUse], used: UsedTable, what: Literal["reads", "writes"]) -> Estimate:
    """Share of others in the reads or writes: an interval over time, or the rule of three where there are none."""
    count = used.writes if what == "writes" else used.reads
    reason = f"{NEEDED_CALLS} {what} are needed to tell whose they are, {count} were seen"
    whole = _weights(used.uses, what, used)
    part = _weights(others, what, used)
    size = effective_size(whole.sum(), sum(_squares(use, what) for use in used.uses))
    if part.any():
        return proportion_in_time(part, whole, size, n=count, minimum=NEEDED_CALLS, reason=reason)
    return proportion(0.0, size, n=count, minimum=NEEDED_CALLS, reason=reason)


def _weights(uses: Sequence[TableUse], what: str, used: UsedTable) -> Float64:
    weights = [use.write_weight if what == "writes" else use.read_weight for use in uses]
    total: Float64 = sum(weights, np.zeros_like(used.uses[0].write_weight))
    return total


def _squares(use: TableUse, what: str) -> float:
    return use.write_squares if what == "writes" else use.read_squares


def _effective_writers(used: UsedTable, blocks: int) -> Estimate:
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
    weights = exponential_weights(generator("effective writers", used.table.label), blocks)
    low, high = percentiles(_inverse_hhi(weights @ by_block), active)
    return replace(estimate, low=float(low), high=float(high))


def _inverse_hhi(writes: Float64) -> Float64:
    """1 / Σ share² along the last axis."""
    total = writes.sum(axis=-1, keepdims=True)
    share = np.divide(writes, total, out=np.zeros_like(writes), where=total > 0)
    squares = (share**2).sum(axis=-1)
    inverse: Float64 = np.divide(1.0, squares, out=np.full_like(squares, np.nan), where=squares > 0)
    return inverse
