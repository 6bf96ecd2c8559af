"""Concludes when consumer groups stood still although there were messages to take."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from tracelith.analysis.base import Evidence
from tracelith.analysis.queues.gaps import chance_of_silence, silent_gaps
from tracelith.analysis.queues.silence import QUEUE_FLOW, QUEUE_LATE
from tracelith.analysis.queues.traffic import GROUP_KEYS, LAG_FACTOR, QUEUE_MEMBERS, QUEUE_TAKEN, UNKNOWN
from tracelith.analysis.queues.waits import middle
from tracelith.analysis.times import MINUTE_NS
from tracelith.forest.view import Bool, Int64
from tracelith.model.schema import WINDOW_NS

__all__ = ["GROUP_LEVEL", "LATE_SHARE", "LEAST_WAITING", "SHORTEST_NS", "Group", "Stall", "find_stalls"]

Group = tuple[str, str, str]
"""System, destination and consumer group."""

GROUP_LEVEL = 1e-3
"""Expected number of such gaps by chance in a group, below which one is no chance (metrics.md §10.3)."""

LATE_SHARE = 0.1
"""Share of messages taken to wait for long anyway, if no more do: those of a moment are not independent (own)."""

LEAST_WAITING = 8
"""Fewer messages that wait together are not called a group that stands still (own)."""

SHORTEST_NS = 30_000_000_000
"""Sharing out partitions anew takes seconds on its own; standing still for half a minute is worth a look (own)."""

UNUSUAL = 5.0
"""A stall makes messages wait so many times as long as three in four usually do: groups that take their messages once
an hour, or a night, do not stand still in between (own)."""

_PIECE = 2.0
"""An interrupted stall consists of gaps at least so many times as long as messages usually wait."""

_LONG_PIECE = 0.1
"""And at least so many times as long as the longest of them."""

_NEAR_NS = 120_000_000_000
"""Gaps closer than this are one stall with interruptions: consumers that come and go share out their work each time."""

_DRAINED_NS = 300_000_000_000
"""What waited is taken soon after: within five minutes, or as long as the stall was. Messages that are meant to wait
(delayed, retried) are not."""


_GROUP = list(GROUP_KEYS)


@dataclass(frozen=True, slots=True)
class Stall:
    """A stretch in which a group took nothing.

    Attributes:
        start_ns: when the first message that waited had been sent, or the last one before had been taken, whichever is
            later. end_ns: when the group took messages again.
        waiting: messages that waited. probability: see chance_of_silence. instances: that took them in the end.
        interruptions: gaps it consists of. ranks: exemplars.
    """

    group: Group
    start_ns: int
    end_ns: int
    waiting: int
    probability: float
    instances: int
    interruptions: int
    ranks: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Gaps close together: start, end, which of the late messages waited, and how many gaps there are."""

    start_ns: int
    end_ns: int
    waited: Bool
    pieces: int


def find_stalls(evidence: Evidence) -> list[Stall]:
    """Stalls of all groups, longest first."""
    late = evidence.facts.merged(QUEUE_LATE)
    if late.is_empty():
        return []
    flow = evidence.facts.by_window(QUEUE_FLOW).join(late.select(_GROUP).unique(), on=_GROUP, how="semi")
    gaps = silent_gaps(flow).partition_by(_GROUP, as_dict=True, maintain_order=True)
    usual_ns, taken = _usual_waits(evidence), _taken(flow)
    stalls: list[Stall] = []
    for key, rows in late.partition_by(_GROUP, as_dict=True, maintain_order=True).items():
        if key in gaps and key in usual_ns:
            found = _stretches(gaps[key], rows, usual_ns[key])
            share = _late_share(found, rows, taken[key])
            told = (_stall(key, stretch, rows, taken[key], share) for stretch in found)
            stalls += [stall for stall in told if _credible(stall, usual_ns[key])]
    return sorted(
        _of_whole_groups(evidence, stalls),
        key=lambda stall: (stall.start_ns - stall.end_ns, stall.group, stall.start_ns),
    )


def _usual_waits(evidence: Evidence) -> dict[tuple[object, ...], float]:
    """How long three in four messages of each group wait at most, in ns."""
    known = evidence.facts.merged(QUEUE_TAKEN).filter(pl.col("lag_bucket") > UNKNOWN + 1)
    counted = known.group_by(*_GROUP, "lag_bucket").agg(pl.col("messages").sum()).sort(*_GROUP, "lag_bucket")
    upto = counted.with_columns(share=pl.col("messages").cum_sum().over(_GROUP) / pl.col("messages").sum().over(_GROUP))
    bucket = upto.filter(pl.col("share") >= 0.75).group_by(_GROUP).agg(pl.col("lag_bucket").min())
    usual_ms = middle(bucket["lag_bucket"].cast(pl.Float64).to_numpy(), LAG_FACTOR)
    return {tuple(key): float(ms) * 1e6 for key, ms in zip(bucket.select(_GROUP).rows(), usual_ms, strict=True)}


def _taken(flow: pl.DataFrame) -> dict[tuple[object, ...], int]:
    counted = flow.group_by(_GROUP).agg(pl.col("messages").sum())
    return {tuple(row[:3]): int(row[3]) for row in counted.select(*_GROUP, "messages").rows()}


def _stretches(gaps: pl.DataFrame, late: pl.DataFrame, usual_ns: float) -> list[_Stretch]:
    """Gaps in which messages waited, near ones together."""
    long = gaps.filter(pl.col("end_ns") - pl.col("start_ns") >= _PIECE * usual_ns)
    start_ns, end_ns = long["start_ns"].to_numpy(), long["end_ns"].to_numpy()
    pieces: list[list[tuple[int, int, Bool]]] = []
    for at in np.flatnonzero(_any_waited(end_ns, late)):
        start, end = int(start_ns[at]), int(end_ns[at])
        waited = _waited(late, start, end)
        if not waited.any():
            continue
        if pieces and start - pieces[-1][-1][1] <= _NEAR_NS:
            pieces[-1].append((start, end, waited))
        else:
            pieces.append([(start, end, waited)])
    return [_together(near) for near in pieces]


def _together(pieces: list[tuple[int, int, Bool]]) -> _Stretch:
    """One stretch of the long ones among pieces close together: a backlog is worked off with pauses, too."""
    least_ns = _LONG_PIECE * max(end - start for start, end, _ in pieces)
    long = [piece for piece in pieces if piece[1] - piece[0] >= least_ns]
    waited = np.logical_or.reduce([waited for _, _, waited in long])
    return _Stretch(long[0][0], long[-1][1], waited, len(long))


def _any_waited(end_ns: Int64, late: pl.DataFrame) -> Bool:
    """Gaps that end while some late message waits; ends ascending."""
    order = np.argsort(end_ns, kind="stable")
    ends = end_ns[order]
    steps = np.zeros(ends.size + 1, np.int64)
    np.add.at(steps, np.searchsorted(ends, late["first_sent_ns"].to_numpy(), "right"), 1)
    np.add.at(steps, np.searchsorted(ends, late["last_taken_ns"].to_numpy(), "right"), -1)
    marked = np.zeros(ends.size, np.bool_)
    marked[order] = np.cumsum(steps[:-1]) > 0
    return marked


def _waited(late: pl.DataFrame, start_ns: int, end_ns: int) -> Bool:
    """Late messages that were sent in the gap, or in the minute before it, and taken soon after it."""
    until_ns = end_ns + max(_DRAINED_NS, end_ns - start_ns)
    sent_in = (pl.col("first_sent_ns") >= start_ns - MINUTE_NS) & (pl.col("last_sent_ns") < end_ns)
    taken_after = (pl.col("first_taken_ns") >= end_ns) & (pl.col("last_taken_ns") <= until_ns)
    return late.select(sent_in & taken_after).to_series().to_numpy()


def _late_share(found: list[_Stretch], late: pl.DataFrame, taken: int) -> float:
    """Share of messages that waited for long outside of all stretches; not less than LATE_SHARE."""
    messages = late["messages"].to_numpy()
    waited = np.logical_or.reduce([np.zeros(messages.size, np.bool_), *(stretch.waited for stretch in found)])
    outside = int(messages[~waited].sum())
    return max(LATE_SHARE, outside / max(taken - int(messages[waited].sum()), 1))


def _stall(key: tuple[object, ...], stretch: _Stretch, late: pl.DataFrame, taken: int, late_share: float) -> Stall:
    waited = late.filter(pl.Series(stretch.waited))
    waiting = int(waited["messages"].sum())
    first_sent_ns = waited["first_sent_ns"].min()
    return Stall(
        group=(str(key[0]), str(key[1]), str(key[2])),
        start_ns=max(stretch.start_ns, int(first_sent_ns) if isinstance(first_sent_ns, int) else 0),
        end_ns=stretch.end_ns,
        waiting=waiting,
        probability=chance_of_silence(taken, waiting, late_share),
        instances=len(set(waited["first_instance"]) | set(waited["last_instance"])),
        interruptions=stretch.pieces,
        ranks=tuple(waited["rank"].sort(descending=True).head(3).to_list()),
    )


def _credible(stall: Stall, usual_ns: float) -> bool:
    """Whether it is long and no chance."""
    length_ns = stall.end_ns - stall.start_ns
    return (
        stall.waiting >= LEAST_WAITING
        and length_ns >= max(SHORTEST_NS, UNUSUAL * usual_ns)
        and stall.probability < GROUP_LEVEL
    )


def _of_whole_groups(evidence: Evidence, stalls: list[Stall]) -> list[Stall]:
    """Without those in which everything waited for one of several instances, the others with all that took messages.

    That is a partition with a slow or stuck consumer: the group goes on. A group that has just one instance at that
    time is whole.
    """
    if not stalls:
        return []
    members = evidence.facts.by_window(QUEUE_MEMBERS).partition_by(_GROUP, as_dict=True)
    whole = []
    for stall in stalls:
        # By when they took messages, not by windows: old ones are hours, in which others may have come and gone.
        then = (pl.col("last_ns") > stall.start_ns - WINDOW_NS) & (pl.col("first_ns") < stall.end_ns + _DRAINED_NS)
        near = members[stall.group].filter(then)
        if stall.instances > 1:
            late = near.filter(pl.col("late") > 0)["instance"].n_unique()
            whole.append(replace(stall, instances=max(stall.instances, late)))
        elif near["instance"].n_unique() == 1:
            whole.append(stall)
    return whole
