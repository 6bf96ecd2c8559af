"""Merged facts of one entry operation as arrays: requests by latency bucket, time per hop, and the edges behind."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.base import Evidence
from tracelith.analysis.chains.entry_latency import ENTRY_LATENCY, time_block_ns
from tracelith.analysis.exemplars import newest
from tracelith.analysis.statistics.histograms import coarse
from tracelith.analysis.statistics.weights import effective_size, speaking_rows
from tracelith.analysis.tail.attribution import HopTimes
from tracelith.analysis.tail.edges import Counted
from tracelith.analysis.tail.facts import (
    CALL_FACTOR,
    CALLER_REQUESTS,
    EDGE_CALLS,
    EDGE_REQUESTS,
    EDGE_TAILS,
    HOP_TIMES,
    LATENCY_FACTOR,
    TAIL_EXEMPLARS,
)
from tracelith.model.facts import FactTable

__all__ = ["EntryFacts", "EntryKey", "HopTable", "counted", "entry_facts", "hop_table"]

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

ENTRY = ["service", "operation", "restarted"]
EntryKey = tuple[str, str, bool]

MOST_HOPS = 200
"""Hops attributed one by one, by time; the others are one unnamed hop, so that shares still add up to 1."""


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """Facts of one entry operation per time block, one frame per table name."""

    frames: Mapping[str, pl.DataFrame]

    def of(self, table: FactTable) -> pl.DataFrame:
        """Rows of one table; none if nothing was observed."""
        found = self.frames.get(table.name)
        return pl.DataFrame(schema=table.schema) if found is None else found

    @property
    def blocks(self) -> Int64:
        """Starts of the time blocks that hold requests, in order."""
        return np.unique(self.of(ENTRY_LATENCY)["window_ns"].to_numpy())


@dataclass(frozen=True, slots=True)
class HopTable:
    """Hop times of one entry operation and what its columns are.

    Attributes:
        times: the arrays. traces: number of requests.
        away: float64[k, h], weighted time per bucket and hop, multiplied by the awaited calls that lead there.
        hops: one row per named column: hop, hop_kind, caller, callee. An unnamed last column may follow.
    """

    times: HopTimes
    away: Float64
    traces: int
    hops: pl.DataFrame


def entry_facts(evidence: Evidence) -> dict[EntryKey, EntryFacts]:
    """Facts per entry operation, in the order of their names."""
    length = time_block_ns(evidence)
    found: dict[EntryKey, dict[str, pl.DataFrame]] = {}
    for table in (ENTRY_LATENCY, HOP_TIMES, CALLER_REQUESTS, EDGE_CALLS, EDGE_REQUESTS, EDGE_TAILS):
        _split(found, table, _speaking(table, evidence.facts.by_window(table, length), evidence))
    _split(found, TAIL_EXEMPLARS, newest(evidence.facts, TAIL_EXEMPLARS))
    return {key: EntryFacts(found[key]) for key in sorted(found) if ENTRY_LATENCY.name in found[key]}


def _speaking(table: FactTable, rows: pl.DataFrame, evidence: Evidence) -> pl.DataFrame:
    """Rows of the kind of sampling that speaks for the entry operation: decided once, by its latencies."""
    if "sampling_known" not in table.keys or rows.is_empty() or rows["sampling_known"].n_unique() == 1:
        return rows
    speaking = speaking_rows(evidence.facts.merged(ENTRY_LATENCY), ENTRY).select(*ENTRY, "sampling_known").unique()
    return rows.join(speaking, on=[*ENTRY, "sampling_known"], how="semi", maintain_order="left")


def _split(found: dict[EntryKey, dict[str, pl.DataFrame]], table: FactTable, rows: pl.DataFrame) -> None:
    for (service, operation, restarted), part in rows.partition_by(ENTRY, as_dict=True, maintain_order=True).items():
        found.setdefault((str(service), str(operation), bool(restarted)), {})[table.name] = part


def counted(rows: pl.DataFrame, count: str, blocks: Int64, bucket: str | None = "bucket", factor: int = 1) -> Counted:
    """A histogram from fact rows, ``factor`` buckets merged into one; without a bucket column all rows share one."""
    buckets = np.zeros(len(rows), dtype=np.int32) if bucket is None else coarse(rows[bucket].to_numpy(), factor)
    return Counted(
        buckets.astype(np.int64),
        rows[count].to_numpy(),
        rows["weight"].to_numpy(),
        np.searchsorted(blocks, rows["window_ns"].to_numpy()),
        len(blocks),
    )


def coarse_latencies(facts: EntryFacts) -> Counted:
    """Traces by latency in the buckets of the two-dimensional histogram."""
    return counted(facts.of(ENTRY_LATENCY), "traces", facts.blocks, factor=CALL_FACTOR)


def hop_table(facts: EntryFacts) -> HopTable:
    """Hop times as arrays, per time block and in all."""
    latencies, spent = facts.of(ENTRY_LATENCY), facts.of(HOP_TIMES)
    latency_bucket = coarse(latencies["bucket"].to_numpy(), LATENCY_FACTOR)
    buckets = np.unique(latency_bucket)
    blocks = facts.blocks
    hops, column, width = _columns(spent)
    block_counts = np.zeros((len(blocks), len(buckets)))
    rows = (np.searchsorted(blocks, latencies["window_ns"].to_numpy()), np.searchsorted(buckets, latency_bucket))
    np.add.at(block_counts, rows, latencies["weight"].to_numpy())
    block_times = np.zeros((len(blocks), len(buckets), width))
    squares, visits, away = (np.zeros((len(buckets), width)) for _ in range(3))
    bucket = np.searchsorted(buckets, spent["bucket"].to_numpy())
    block = np.searchsorted(blocks, spent["window_ns"].to_numpy())
    np.add.at(block_times, (block, bucket, column), spent["weighted_ns"].to_numpy())
    np.add.at(squares, (bucket, column), spent["weighted_square_us"].to_numpy() * 1e6)
    np.add.at(visits, (bucket, column), spent["weighted_visits"].to_numpy())
    np.add.at(away, (bucket, column), spent["weighted_hop_ns"].to_numpy())
    times = HopTimes(
        counts=block_counts.sum(axis=0),
        times=block_times.sum(axis=0),
        squares=squares,
        visits=visits,
        block_counts=block_counts,
        block_times=block_times,
        n_eff=effective_size(latencies["weight"].to_numpy(), latencies["weight_squares"].to_numpy()),
    )
    return HopTable(times, away, int(latencies["traces"].sum()), hops)


def _columns(spent: pl.DataFrame) -> tuple[pl.DataFrame, Int64, int]:
    """Named hops by time, the column of each row, and the number of columns."""
    names = ["hop", "hop_kind", "caller", "callee"]
    ranked = (
        spent.group_by(names)
        .agg(pl.col("weighted_ns").sum())
        .sort("weighted_ns", *names, descending=[True, False, False, False, False])
    )
    hops = ranked.head(MOST_HOPS).select(names)
    numbered = hops.with_row_index("column").with_columns(pl.col("column").cast(pl.Int64))
    column = spent.join(numbered, on=names, how="left", maintain_order="left")["column"].fill_null(len(hops)).to_numpy()
    return hops, column, len(hops) + (len(ranked) > len(hops))
