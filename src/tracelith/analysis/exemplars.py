"""Example traces as facts that merge by taking a maximum, so that their number never grows with time.

A row keeps one trace: its rank is a text that sorts by duration and ends with the trace id, and the largest rank of all
windows wins. So that there are several examples, traces are dealt to SLOTS by their id; each slot has its slowest. The
slowest of all is always among them, the others are the slowest of their share of the traces. (Keeping the exact slowest
few needs the trace id among the keys; then nothing merges, and half a year holds a hundred million rows.)
"""

import numpy as np
import polars as pl

from tracelith.forest.view import ForestView
from tracelith.model.facts import FactReader, FactTable

__all__ = ["SLOTS", "SLOT_KEY", "newest", "slowest_ids", "slowest_rows"]

SLOTS = 3
SLOT_KEY = "slot"

_WEEK_NS = 7 * 86_400_000_000_000

_DIGITS = 20
"""Of the largest 64-bit number; decimal, because that is what is padded without a loop over rows."""


def slowest_rows(view: ForestView, rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """The slowest trace per combination of keys and slot.

    Args:
        view: whose traces they are.
        rows: the keys, ``trace`` (index into the forest's traces) and ``duration_ns``.
        keys: columns.

    Returns:
        The keys, ``slot`` and ``rank``.
    """
    forest = view.forest
    slot = ((forest.trace_hi ^ forest.trace_lo) % np.uint64(SLOTS)).astype(np.int8)
    dealt = rows.with_columns(pl.lit(pl.Series(slot)).gather(pl.col("trace")).alias(SLOT_KEY))
    slowest = dealt.filter(pl.col("duration_ns") == pl.col("duration_ns").max().over(*keys, SLOT_KEY))
    trace = slowest["trace"].to_numpy()
    ranked = slowest.with_columns(
        hi=pl.Series(forest.trace_hi[trace]), lo=pl.Series(forest.trace_lo[trace])
    ).with_columns(
        rank=pl.concat_str(pl.col(name).cast(pl.String).str.zfill(_DIGITS) for name in ("duration_ns", "hi", "lo"))
    )
    return ranked.group_by(*keys, SLOT_KEY).agg(pl.col("rank").max())


def newest(facts: FactReader, table: FactTable) -> pl.DataFrame:
    """Exemplar rows of the newest week that has any, per combination of the table's keys.

    Raw spans are kept for days and facts for a year: an older, slower example would lead to a trace that is gone.
    """
    keys = list(table.keys)
    weekly = facts.by_window(table, _WEEK_NS).sort("window_ns", descending=True)
    return weekly.unique(keys, keep="first", maintain_order=True).drop("window_ns").sort(keys)


def slowest_ids(ranks: pl.Series) -> list[str]:
    """Trace ids as hex, slowest first, each once."""
    ids = (rank[_DIGITS:] for rank in ranks.sort(descending=True))
    return list(dict.fromkeys(f"{int(both[:_DIGITS]):016x}{int(both[_DIGITS:]):016x}" for both in ids))
