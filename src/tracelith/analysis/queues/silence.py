"""Facts about when consumer groups took nothing, and about messages that waited long meanwhile."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from tracelith.analysis.queues.messages import Messages, messages_of
from tracelith.analysis.queues.traffic import GROUP_KEYS, group_texts, lag_ns, strata_of
from tracelith.analysis.strata import fact_rows
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactTable
from tracelith.model.schema import WINDOW_NS

__all__ = [
    "LATE_NS",
    "QUEUE_FLOW",
    "QUEUE_LATE",
    "QUEUE_SLOW_HANDLERS",
    "SLOW_HANDLER_NS",
    "observe_silence",
    "ranked",
    "unpacked",
]

LATE_NS = 10_000_000_000
"""A message that waits longer is remembered with when it was sent and taken: brokers give a silent consumer ten seconds
at least (session.timeout.ms of older Kafka clients) before they share out its partitions anew."""

SLOW_HANDLER_NS = 30_000_000_000
"""Handling a message for so long may cost a consumer its membership; it is remembered, as it is rare."""

_MINUTE_NS = 60_000_000_000
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
    keys={**GROUP_KEYS, "instance": pl.String, "sent_minute_ns": pl.Int64, "taken_minute_ns": pl.Int64},
    sums={"messages": pl.Int64},
    minima={"first_sent_ns": pl.Int64},
    maxima={"rank": pl.String},
)
"""Messages that waited longer than LATE_NS, by the minutes in which they were sent and taken; rank is an exemplar."""

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
    taken = messages.taken
    keys = {
        **strata_of(view, taken.span),
        "system": taken.place,
        "group": taken.group,
        "slot_ns": taken.taken_ns // WINDOW_NS * WINDOW_NS,
    }
    at = pl.col("taken_ns")
    rows = (
        pl.LazyFrame({**keys, "taken_ns": taken.taken_ns})
        .sort(*keys, "taken_ns")
        .with_columns(gap_ns=at.diff().over(list(keys)).fill_null(0))
        .group_by(list(keys))
        .agg(
            pl.len().alias("messages"),
            at.min().alias("first_ns"),
            at.max().alias("last_ns"),
            pl.col("gap_ns").max(),
            at.sort_by("gap_ns").last().alias("end_ns"),
        )
        .with_columns(gap=pl.when(pl.col("gap_ns") >= LATE_NS).then(ranked("gap_ns", "end_ns")).otherwise(pl.lit("")))
        .with_columns(destination="system")
        .collect()
    )
    return fact_rows(QUEUE_FLOW, rows, view, **group_texts(messages))


def _late(view: ForestView, messages: Messages) -> pl.DataFrame:
    taken, forest = messages.taken, view.forest
    lag = lag_ns(taken.sent_ns, taken.taken_ns)
    late = np.flatnonzero((taken.sent_ns >= 0) & (lag >= LATE_NS))
    span, trace = taken.span[late], forest.trace[taken.span[late]]
    keys = ["window_ns", "environment", "system", "group", "instance", "sent_minute_ns", "taken_minute_ns"]
    rows = pl.DataFrame(
        {
            **strata_of(view, span),
            "system": taken.place[late],
            "group": taken.group[late],
            "instance": forest.resources["instance"].gather(forest.resource[span].astype(np.uint32)),
            "sent_minute_ns": taken.sent_ns[late] // _MINUTE_NS * _MINUTE_NS,
            "taken_minute_ns": taken.taken_ns[late] // _MINUTE_NS * _MINUTE_NS,
            "sent_ns": taken.sent_ns[late],
            "lag_ns": lag[late],
            "hi": forest.trace_hi[trace],
            "lo": forest.trace_lo[trace],
        }
    )
    merged = rows.group_by(keys).agg(
        pl.len().alias("messages"),
        pl.col("sent_ns").min().alias("first_sent_ns"),
        ranked("lag_ns", "hi", "lo").max().alias("rank"),
    )
    return fact_rows(QUEUE_LATE, merged.with_columns(destination="system"), view, **group_texts(messages))


def _slow_handlers(view: ForestView, messages: Messages) -> pl.DataFrame:
    taken, forest = messages.taken, view.forest
    heads = view.calls.span_request[taken.span] == taken.span
    slow = np.flatnonzero((forest.duration_ns[taken.span] >= SLOW_HANDLER_NS) & heads)
    span, trace = taken.span[slow], forest.trace[taken.span[slow]]
    keys = ["window_ns", "environment", "system", "group", "minute_ns"]
    rows = pl.DataFrame(
        {
            **strata_of(view, span),
            "system": taken.place[slow],
            "group": taken.group[slow],
            "minute_ns": forest.start_ns[span] // _MINUTE_NS * _MINUTE_NS,
            "start_ns": forest.start_ns[span],
            "duration_ns": forest.duration_ns[span],
            "hi": forest.trace_hi[trace],
            "lo": forest.trace_lo[trace],
        }
    )
    merged = rows.group_by(keys).agg(
        pl.len().alias("messages"),
        pl.col("start_ns").min().alias("first_ns"),
        ranked("duration_ns", "hi", "lo").max().alias("rank"),
    )
    return fact_rows(QUEUE_SLOW_HANDLERS, merged.with_columns(destination="system"), view, **group_texts(messages))
