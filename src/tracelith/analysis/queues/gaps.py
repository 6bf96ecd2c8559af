"""Stretches of time in which a consumer group took nothing, from what is remembered of each five minutes."""

import math

import polars as pl

from tracelith.analysis.queues.silence import unpacked
from tracelith.analysis.queues.traffic import GROUP_KEYS, LATE_NS

__all__ = ["chance_of_silence", "needed_messages", "silent_gaps"]

_GROUP = list(GROUP_KEYS)


def silent_gaps(flow: pl.DataFrame) -> pl.DataFrame:
    """Gaps of at least LATE_NS between two messages taken by a group, all instances and partitions together.

    Args:
        flow: QUEUE_FLOW rows per window.

    Returns:
        Columns of GROUP_KEYS, start_ns and end_ns; sorted.
    """
    ordered = flow.sort(*_GROUP, "first_ns", "last_ns").with_columns(
        before_ns=pl.col("last_ns").cum_max().shift(1).over(_GROUP)
    )
    between = ordered.filter(pl.col("first_ns") - pl.col("before_ns") >= LATE_NS).select(
        *_GROUP, start_ns="before_ns", end_ns="first_ns"
    )
    return pl.concat([between, _inside(flow)]).sort(*_GROUP, "start_ns", "end_ns")


def _inside(flow: pl.DataFrame) -> pl.DataFrame:
    """Gaps within five minutes; what traces of different windows say of the same five minutes must agree."""
    remembered = flow.filter(pl.col("gap") != "")
    numbers = [unpacked(gap) for gap in remembered["gap"].to_list()]
    gaps = remembered.select(*_GROUP, "slot_ns", "window_ns").with_columns(
        start_ns=pl.Series([end - length for length, end in numbers], dtype=pl.Int64),
        end_ns=pl.Series([end for _, end in numbers], dtype=pl.Int64),
    )
    others = flow.select(*_GROUP, "slot_ns", "window_ns", "first_ns", "last_ns")
    filled = (
        gaps.join(others, on=[*_GROUP, "slot_ns"], suffix="_other")
        .filter(
            (pl.col("window_ns") != pl.col("window_ns_other"))
            & (pl.col("first_ns") < pl.col("end_ns"))
            & (pl.col("last_ns") > pl.col("start_ns"))
        )
        .select(gaps.columns)
    )
    return gaps.join(filled, on=gaps.columns, how="anti").select(*_GROUP, "start_ns", "end_ns")


def chance_of_silence(gaps: float, waiting: float, late_share: float = math.exp(-1)) -> float:
    """Expected number of gaps like this one by chance, at most 1.

    Args:
        gaps: how many there are between messages. waiting: messages that were sent meanwhile, and waited.
        late_share: share of messages that wait so long anyway. The default makes it the Poisson process of metrics.md
            §10.3, where waiting is λg, the messages to expect: right where it is not known which messages waited.

    Source: metrics.md §10.3; with counted messages own, as it holds for producers that send in bursts too.
    """
    return min(1.0, gaps * math.pow(late_share, waiting))


def needed_messages(gaps: float, level: float, late_share: float, minimum: int) -> int:
    """The fewest waiting messages, from a minimum on, that make a gap less likely than ``level``."""
    return max(minimum, math.ceil(math.log(max(gaps, 1.0) / level) / -math.log(late_share)))
