"""Facts about when consumer groups took nothing, and about messages that waited long meanwhile."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.queues.messages import Messages, messages_of
from tracelith.analysis.queues.traffic import GROUP_KEYS, LATE_NS, group_texts, is_late, placed, taken_keys
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.times import MINUTE_NS
from tracelith.forest.arrays import grouped_order
from tracelith.forest.view import ForestView, Int64
from tracelith.model.facts import FactTable
from tracelith.model.schema import WINDOW_NS

__all__ = [
    "QUEUE_FLOW",
    "QUEUE_LATE",
    "QUEUE_SLOW_HANDLERS",
    "SLOW_HANDLER_NS",
    "observe_silence",
    "ranked",
    "unpacked",
]

SLOW_HANDLER_NS = 30_000_000_000
"""Handling a message for so long may cost a consumer its membership; it is remembered, as it is rare."""

_DIGITS = 20

QUEUE_FLOW = FactTable(
    "queue_flow",
    keys={**GROUP_KEYS, "slot_ns": pl.Int64},
    sums={"messages": pl.Int64},
    minima={"first_ns": pl.Int64},
    maxima={"last_ns": pl.Int64, "gap": pl.String},
)
"""When a group took messages: per five minutes the first, the last, and the longest time between two (length and end,
packed into a text that sorts by length; empty below LATE_NS). By the time they were taken, which may be long after the
window of their trace."""

QUEUE_LATE = FactTable(
    "queue_late",
    keys={**GROUP_KEYS, "octave": pl.Int8, "slot_ns": pl.Int64},
    sums={"messages": pl.Int64},
    minima={"first_sent_ns": pl.Int64, "first_taken_ns": pl.Int64, "first_instance": pl.String},
    maxima={"last_sent_ns": pl.Int64, "last_taken_ns": pl.Int64, "last_instance": pl.String, "rank": pl.String},
)
"""Messages that waited longer than LATE_NS, by how often that doubles until it is their wait, and by when they were
taken, to the minute or an eighth of the wait. So a queue in which everything waits for an hour needs a few rows per
window, however much it carries and whoever takes it. first and last are the extremes, in the alphabet for instances:
equal ones say that one instance took all. rank is an exemplar."""

_WAITS_PER_SLOT = 8

QUEUE_SLOW_HANDLERS = FactTable(
    "queue_slow_handlers",
    keys={**GROUP_KEYS, "minute_ns": pl.Int64},
    sums={"messages": pl.Int64},
    minima={"first_ns": pl.Int64},
    maxima={"rank": pl.String},
)
"""Messages whose handling took longer than SLOW_HANDLER_NS, by the minute in which it began."""


def observe_silence(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of all tables, by table name."""
    messages = view.once(messages_of)
    if not messages.taken.span.size:
        return {
            table.name: pl.DataFrame(schema=table.schema) for table in (QUEUE_FLOW, QUEUE_LATE, QUEUE_SLOW_HANDLERS)
        }
    return {
        QUEUE_FLOW.name: _flow(view, messages),
        QUEUE_LATE.name: _late(view, messages),
        QUEUE_SLOW_HANDLERS.name: _slow_handlers(view, messages),
    }


def ranked(length: str, *further: str) -> pl.Expr:
    """A text that sorts by length, of columns with whole numbers that are not negative."""
    return pl.concat_str(pl.col(name).cast(pl.String).str.zfill(_DIGITS) for name in (length, *further))


def unpacked(rank: str) -> list[int]:
    """The numbers of a text made by ranked."""
    return [int(rank[at : at + _DIGITS]) for at in range(0, len(rank), _DIGITS)]


def _flow(view: ForestView, messages: Messages) -> pl.DataFrame:
    """One sort of all messages; runs of the same window, group and five minutes then lie side by side."""
    taken = messages.taken
    groups = groups_of(taken_keys(view, taken))
    order = grouped_order(groups.group, taken.taken_ns)
    group, at_ns = groups.group[order], taken.taken_ns[order]
    slot = at_ns // WINDOW_NS
    first = np.flatnonzero(np.concatenate([[True], (group[1:] != group[:-1]) | (slot[1:] != slot[:-1])]))
    gap_ns = np.diff(at_ns, prepend=at_ns[:1])
    gap_ns[first] = 0
    longest = np.maximum.reduceat(gap_ns, first)
    counts = np.diff(first, append=at_ns.size)
    # Of equally long gaps the last one, whatever the order was.
    is_longest = gap_ns == np.repeat(longest, counts)
    rows = pl.DataFrame(
        {
            **{name: codes[group[first]] for name, codes in groups.keys.items()},
            "slot_ns": slot[first] * WINDOW_NS,
            "messages": counts,
            "first_ns": at_ns[first],
            "last_ns": at_ns[first + counts - 1],
            "gap_ns": longest,
            "end_ns": np.maximum.reduceat(np.where(is_longest, at_ns, 0), first),
        }
    ).with_columns(gap=pl.when(pl.col("gap_ns") >= LATE_NS).then(ranked("gap_ns", "end_ns")).otherwise(pl.lit("")))
    return fact_rows(QUEUE_FLOW, placed(view, rows), view, **group_texts(messages))


def _late(view: ForestView, messages: Messages) -> pl.DataFrame:
    taken, forest = messages.taken, view.forest
    late = np.flatnonzero(is_late(taken.sent_ns, taken.taken_ns))
    if not late.size:
        return pl.DataFrame(schema=QUEUE_LATE.schema)
    span, sent_ns, taken_ns = taken.span[late], taken.sent_ns[late], taken.taken_ns[late]
    octave, slot_ns = _coarse(sent_ns, taken_ns)
    trace = forest.trace[span]
    keys = {name: codes[late] for name, codes in taken_keys(view, taken).items()}
    rows = pl.DataFrame(
        {
            **keys,
            "octave": octave,
            "slot_ns": slot_ns,
            "sent_ns": sent_ns,
            "taken_ns": taken_ns,
            "instance": forest.resources["instance"].gather(forest.resource[span].astype(np.uint32)),
            "lag_ns": taken_ns - sent_ns,
            "hi": forest.trace_hi[trace],
            "lo": forest.trace_lo[trace],
        }
    )
    merged = rows.group_by(*keys, "octave", "slot_ns").agg(
        pl.len().alias("messages"),
        *(pl.col(f"{name}_ns").min().alias(f"first_{name}_ns") for name in ("sent", "taken")),
        *(pl.col(f"{name}_ns").max().alias(f"last_{name}_ns") for name in ("sent", "taken")),
        pl.col("instance").min().alias("first_instance"),
        pl.col("instance").max().alias("last_instance"),
        ranked("lag_ns", "hi", "lo").max().alias("rank"),
    )
    return fact_rows(QUEUE_LATE, placed(view, merged), view, **group_texts(messages))


def _coarse(sent_ns: Int64, taken_ns: Int64) -> tuple[NDArray[np.int8], Int64]:
    """The keys octave and slot_ns of late messages."""
    octave = np.log2((taken_ns - sent_ns) / LATE_NS).astype(np.int8)
    least_wait_ns = LATE_NS << octave.astype(np.int64)
    length_ns = np.maximum(least_wait_ns // _WAITS_PER_SLOT, MINUTE_NS)
    return octave, taken_ns // length_ns * length_ns


def _slow_handlers(view: ForestView, messages: Messages) -> pl.DataFrame:
    taken, forest = messages.taken, view.forest
    heads = view.calls.span_request[taken.span] == taken.span
    slow = np.flatnonzero((forest.duration_ns[taken.span] >= SLOW_HANDLER_NS) & heads)
    if not slow.size:
        return pl.DataFrame(schema=QUEUE_SLOW_HANDLERS.schema)
    span, trace = taken.span[slow], forest.trace[taken.span[slow]]
    keys = {name: codes[slow] for name, codes in taken_keys(view, taken).items()}
    rows = pl.DataFrame(
        {
            **keys,
            "minute_ns": forest.start_ns[span] // MINUTE_NS * MINUTE_NS,
            "start_ns": forest.start_ns[span],
            "duration_ns": forest.duration_ns[span],
            "hi": forest.trace_hi[trace],
            "lo": forest.trace_lo[trace],
        }
    )
    merged = rows.group_by(*keys, "minute_ns").agg(
        pl.len().alias("messages"),
        pl.col("start_ns").min().alias("first_ns"),
        ranked("duration_ns", "hi", "lo").max().alias("rank"),
    )
    return fact_rows(QUEUE_SLOW_HANDLERS, placed(view, merged), view, **group_texts(messages))
