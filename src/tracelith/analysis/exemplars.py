"""Example traces as facts that merge by taking a maximum, so that their number never grows with time.

A row keeps one trace: its rank is a text that sorts by duration and ends with the trace id, and the largest rank of all
windows wins. So that there are several examples, traces are dealt to SLOTS by their id; each slot has its slowest. The
slowest of all is always among them, the others are the slowest of their share of the traces. (Keeping the exact slowest
few needs the trace id among the keys; then nothing merges, and half a year holds a hundred million rows.)
"""

import numpy as np
import polars as pl

from tracelith.analysis.statistics.grouping import Groups, groups_of
from tracelith.compiled import compiled
from tracelith.forest.view import ForestView, Int32, Int64, UInt8, UInt64
from tracelith.model.facts import FactReader, FactTable

__all__ = ["SLOTS", "SLOT_KEY", "newest", "ranks_of", "slowest_ids", "slowest_ranks", "slowest_rows"]

SLOTS = 3
SLOT_KEY = "slot"

_WEEK_NS = 7 * 86_400_000_000_000

_DIGITS = 20
"""Of the largest 64-bit number."""


def slowest_rows(view: ForestView, rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """The slowest trace per combination of keys and slot.

    Args:
        view: whose traces they are.
        rows: the keys, ``trace`` (index into the forest's traces) and ``duration_ns``.
        keys: columns.

    Returns:
        The keys, ``slot`` and ``rank``.
    """
    if rows.is_empty():
        return rows.select(keys).with_columns(pl.lit(0, pl.Int8).alias(SLOT_KEY), rank=pl.lit(""))
    forest, trace = view.forest, rows["trace"].to_numpy()
    slot = ((forest.trace_hi ^ forest.trace_lo) % np.uint64(SLOTS)).astype(np.int8).take(trace)
    dealt = groups_of({**{name: rows[name].to_numpy() for name in keys}, SLOT_KEY: slot})
    duration_ns = rows["duration_ns"].to_numpy()
    row = _slowest(dealt.group, dealt.size, duration_ns, trace, (forest.trace_hi, forest.trace_lo))
    slowest = rows[row]
    rank = ranks_of(view, slowest["trace"], slowest["duration_ns"])
    return pl.DataFrame({**{name: slowest[name] for name in keys}, SLOT_KEY: slot[row], "rank": rank})


def slowest_ranks(view: ForestView, groups: Groups, trace: Int32, duration_ns: Int64) -> pl.Series:
    """The rank of the slowest trace of each group.

    Args:
        trace, duration_ns: of each row; trace is an index into the forest's traces.
    """
    forest = view.forest
    row = _slowest(groups.group, groups.size, duration_ns, trace, (forest.trace_hi, forest.trace_lo))
    return ranks_of(view, pl.Series(trace[row]), pl.Series(duration_ns[row]))


@compiled
def _slowest(group: Int32, size: int, duration_ns: Int64, trace: Int32, trace_id: tuple[UInt64, UInt64]) -> Int32:
    """The row of each group that ranks highest: of those that took longest the one with the largest trace id."""
    highest = np.full(size, -1, np.int32)
    upper, lower = trace_id
    for row in range(group.size):
        best = highest[group[row]]
        if best < 0 or duration_ns[row] > duration_ns[best]:
            highest[group[row]] = row
        elif duration_ns[row] == duration_ns[best]:
            one, other = trace[row], trace[best]
            if upper[one] > upper[other] or (upper[one] == upper[other] and lower[one] > lower[other]):
                highest[group[row]] = row
    return highest


def ranks_of(view: ForestView, trace: pl.Series, duration_ns: pl.Series) -> pl.Series:
    """Texts that sort by duration and end with the trace's id.

    Args:
        trace: indexes into the forest's traces. duration_ns: not negative.
    """
    forest, at = view.forest, trace.to_numpy()
    parts = (duration_ns.to_numpy().astype(np.uint64), forest.trace_hi[at], forest.trace_lo[at])
    # Written one after the other and cut: most often there are few, and a query of texts is planned for longer.
    text = _digits(np.stack(parts, axis=1).ravel()).tobytes().decode("ascii")
    length = len(parts) * _DIGITS
    return pl.Series([text[start : start + length] for start in range(0, len(text), length)], dtype=pl.String)


@compiled
def _digits(numbers: UInt64) -> UInt8:
    """Each number in decimal, _DIGITS long, as characters: uint8[n, _DIGITS]."""
    written = np.empty((numbers.size, _DIGITS), np.uint8)
    for row in range(numbers.size):
        rest = numbers[row]
        for place in range(_DIGITS - 1, -1, -1):
            written[row, place] = ord("0") + rest % np.uint64(10)
            rest //= np.uint64(10)
    return written


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
