"""Facts: small mergeable tables that an analysis observes in one window of complete traces.

Merging is grouping by the keys, adding the sums and taking the minima and maxima, so facts of any
windows merge in any order and grouping to the same result. Counts are Int64, weighted sums Float64.
Every stored fact row also carries ``window_ns`` (start of its window) and ``environment``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

__all__ = ["FACT_KEYS", "FactReader", "FactTable", "merge_facts"]

FACT_KEYS = pl.Schema({"window_ns": pl.Int64, "environment": pl.String})
"""Leading keys of every fact row: window (start, ns) and environment of the traces it sums."""


@dataclass(frozen=True, slots=True)
class FactTable:
    """Declares one fact table: its name, its own keys, and how its other columns merge.

    ``observe`` returns frames with the columns of ``schema``: window and environment of each trace first, then the
    keys, sums, minima and maxima. Stored as ``fact_<name>``.
    """

    name: str
    keys: Mapping[str, type[pl.DataType]]
    sums: Mapping[str, type[pl.DataType]]
    minima: Mapping[str, type[pl.DataType]] = field(default_factory=dict)
    maxima: Mapping[str, type[pl.DataType]] = field(default_factory=dict)

    @property
    def schema(self) -> pl.Schema:
        """All stored columns, in order."""
        own = (self.keys, self.sums, self.minima, self.maxima)
        return pl.Schema([*FACT_KEYS.items(), *(column for part in own for column in part.items())])


class FactReader(Protocol):
    """What conclude may read: facts of one environment and period."""

    def merged(self, table: FactTable) -> pl.DataFrame:
        """Facts of the whole period: one row per key, sorted by the keys, without ``window_ns`` and ``environment``."""
        ...

    def by_window(self, table: FactTable, block_ns: int | None = None) -> pl.DataFrame:
        """Facts per window: one row per (window_ns, keys), sorted; blocks for the block bootstrap.

        With block_ns, windows are merged into blocks of that length first: ``window_ns`` becomes the largest multiple
        of block_ns that is not above it. Long periods need it: half a year has 52,000 windows.
        """
        ...


def merge_facts(table: FactTable, rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Rows merged to one per combination of ``keys``, sorted by them."""
    if keys and rows.select(pl.struct(keys).n_unique()).item() == rows.height:
        # Most often nothing is to be merged, and to see that takes a fifth of merging.
        return rows.select(*keys, *table.sums, *table.minima, *table.maxima).sort(keys)
    return (
        rows.lazy()
        .group_by(keys)
        .agg(
            *(pl.col(name).sum() for name in table.sums),
            *(pl.col(name).min() for name in table.minima),
            *(pl.col(name).max() for name in table.maxima),
        )
        .sort(keys)
        .collect(engine="in-memory")
    )
