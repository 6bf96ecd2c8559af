"""What the document says of destinations and of the groups that take from them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from tracelith.analysis.base import Evidence
from tracelith.analysis.exemplars import newest, slowest_ids
from tracelith.analysis.queues.gaps import needed_messages
from tracelith.analysis.queues.stalls import GROUP_LEVEL, LATE_SHARE, LEAST_WAITING, SHORTEST_NS, Stall
from tracelith.analysis.queues.traffic import GROUP_KEYS, QUEUE_EXEMPLARS, QUEUE_MEMBERS, QUEUE_TAKEN, UNKNOWN
from tracelith.analysis.statistics.bootstrap import block_length_ns
from tracelith.analysis.statistics.intervals import proportion_in_time
from tracelith.analysis.times import MINUTE_NS
from tracelith.model.document import ConsumerGroupDocument
from tracelith.model.findings import Estimate

__all__ = ["consumer_groups"]

LEAST_MESSAGES = 100
"""With a known wait; fewer say nothing about when a group stands still."""

SHARING = 10
"""Messages that each of two services must have taken to compete for a group's messages."""

_GROUP = list(GROUP_KEYS)


def consumer_groups(evidence: Evidence, stalls: Sequence[Stall]) -> list[ConsumerGroupDocument]:
    """Every group that names itself, those with stalls first, then by number of messages."""
    members = evidence.facts.merged(QUEUE_MEMBERS).filter(pl.col("group") != "")
    if members.is_empty():
        return []
    waits = evidence.facts.merged(QUEUE_TAKEN).filter(pl.col("lag_bucket") > UNKNOWN)
    known = {tuple(row[:3]): int(row[3]) for row in waits.group_by(_GROUP).agg(pl.col("messages").sum()).rows()}
    exemplars = newest(evidence.facts, QUEUE_EXEMPLARS).partition_by(_GROUP, as_dict=True)
    groups = []
    for key, rows in members.partition_by(_GROUP, as_dict=True).items():
        mine = [stall for stall in stalls if stall.group == key]
        told = slowest_ids(exemplars[key]["rank"]) if key in exemplars else []
        examples = slowest_ids(pl.Series([rank for stall in mine for rank in stall.ranks], dtype=pl.String)) or told
        groups.append(_group(key, rows, known.get(key, 0), _stall_share(evidence, mine, known.get(key, 0)), examples))
        groups[-1]["stalls"] = len(mine)
    return sorted(
        groups, key=lambda row: (-row["stalls"], -row["messages"], row["system"], row["destination"], row["group"])
    )


def _group(
    key: tuple[Any, ...], members: pl.DataFrame, known: int, share: Estimate, trace_ids: list[str]
) -> ConsumerGroupDocument:
    return ConsumerGroupDocument(
        system=key[0],
        destination=key[1],
        group=key[2],
        services=sorted(members["service"].unique().to_list()),
        instances=members["instance"].n_unique(),
        messages=int(members["messages"].sum()),
        stalls=0,
        stall_share=share.document(),  # type: ignore[typeddict-item]  # the JSON form has these keys
        noticeable_s=_noticeable_s(members, known),
        shared=_shared(members),
        trace_ids=trace_ids[:3],
        status=str(share.state),  # type: ignore[typeddict-item]  # a state's name
        reason=share.reason,
    )


def _noticeable_s(members: pl.DataFrame, known: int) -> float | None:
    """How long a stall must be until so many messages wait that it stands out, at the usual rate."""
    if not known:
        return None
    active_ns = float(np.ptp([*members["first_ns"].to_list(), *members["last_ns"].to_list()]))
    needed = needed_messages(int(members["messages"].sum()), GROUP_LEVEL, LATE_SHARE, LEAST_WAITING)
    return max(SHORTEST_NS, needed * active_ns / known) / 1e9


def _stall_share(evidence: Evidence, stalls: Sequence[Stall], known: int) -> Estimate:
    """Share of the period in which the group stood still."""
    block_ns = block_length_ns(evidence.start_ns, evidence.end_ns)
    edges = np.append(np.arange(evidence.start_ns, evidence.end_ns, block_ns), evidence.end_ns).astype(np.float64)
    whole = np.diff(edges)
    part = np.zeros(whole.size)
    for stall in stalls:
        part += np.clip(np.minimum(edges[1:], stall.end_ns) - np.maximum(edges[:-1], stall.start_ns), 0, None)
    return proportion_in_time(
        part,
        whole,
        float(whole.sum()) / MINUTE_NS,
        n=known,
        minimum=LEAST_MESSAGES,
        reason=f"{LEAST_MESSAGES} messages are needed of which it is known how long they waited, seen {known}",
    )


def _shared(members: pl.DataFrame) -> bool:
    """Whether several services take messages of the group at the same time; one that took another's name does not."""
    services = members.group_by("service").agg(
        pl.col("messages").sum(), pl.col("first_ns").min(), pl.col("last_ns").max()
    )
    taking = services.filter(pl.col("messages") >= SHARING)
    if len(taking) < 2:
        return False
    # Two of them overlap if, in order of their beginning, one begins before an earlier one has ended.
    ordered = taking.sort("first_ns").with_columns(before_ns=pl.col("last_ns").cum_max().shift(1))
    return bool((ordered["first_ns"] < ordered["before_ns"]).fill_null(value=False).any())
