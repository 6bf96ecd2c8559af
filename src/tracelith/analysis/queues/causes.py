"""What happened when a consumer group stood still: a message that took too long, a deployment, other instances."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from tracelith.analysis.base import Evidence
from tracelith.analysis.deployments.events import deployment_events
from tracelith.analysis.deployments.version_sightings import SERVICE_VERSIONS
from tracelith.analysis.queues.silence import QUEUE_SLOW_HANDLERS, unpacked
from tracelith.analysis.queues.stalls import Stall
from tracelith.analysis.queues.traffic import GROUP_KEYS, QUEUE_MEMBERS
from tracelith.analysis.times import iso_time

__all__ = ["Cause", "find_causes"]

_SECOND_NS = 1_000_000_000

NEAR_NS = 120_000_000_000
"""A cause lies within two minutes of the begin of a stall (metrics.md §10.3)."""

_RARE = 0.01
"""Long handling explains a stall only where it is rare: surely not where more of the messages take so long."""

_GROUP = list(GROUP_KEYS)


@dataclass(frozen=True, slots=True)
class Cause:
    """What kind of cause, and a sentence about it."""

    kind: Literal["deployment", "slow_handler", "instances", "unknown"]
    detail: str


def find_causes(evidence: Evidence, stalls: list[Stall]) -> list[Cause]:
    """The cause of each stall; the most telling one if there are several."""
    if not stalls:
        return []
    members = evidence.facts.merged(QUEUE_MEMBERS)
    slow = evidence.facts.merged(QUEUE_SLOW_HANDLERS)
    events = deployment_events(
        evidence.facts.by_window(SERVICE_VERSIONS),
        evidence.deployments,
        start_ns=evidence.start_ns,
        end_ns=evidence.end_ns,
    ).events
    return [
        _slow_handler(stall, slow, members)
        or _deployment(stall, events, members)
        or _instances(stall, members)
        or Cause("unknown", "nothing in the traces and no deployment known explains it")
        for stall in stalls
    ]


def _of_group(rows: pl.DataFrame, stall: Stall) -> pl.DataFrame:
    return rows.filter(
        pl.all_horizontal(pl.col(name) == value for name, value in zip(_GROUP, stall.group, strict=True))
    )


def _slow_handler(stall: Stall, slow: pl.DataFrame, members: pl.DataFrame) -> Cause | None:
    """A message that was being handled when the stall began, for so long that its consumer may have been given up."""
    mine = _of_group(slow, stall)
    if mine["messages"].sum() > max(3, _RARE * int(_of_group(members, stall)["messages"].sum())):
        return None
    for rank, first_ns in mine.sort("rank", descending=True).select("rank", "first_ns").rows():
        took_ns = unpacked(rank)[0]
        if first_ns <= stall.start_ns + NEAR_NS and first_ns + took_ns >= stall.start_ns - NEAR_NS:
            began = iso_time(first_ns // _SECOND_NS * _SECOND_NS)
            return Cause(
                "slow_handler",
                f"a message was being handled for {took_ns / 1e9:,.0f} s from {began} on; its consumer may have been "
                "given up for dead",
            )
    return None


def _deployment(stall: Stall, events: pl.DataFrame, members: pl.DataFrame) -> Cause | None:
    services = _of_group(members, stall)["service"].unique()
    near = events.filter(
        pl.col("service").is_in(services.implode())
        & (pl.col("at_ns") >= stall.start_ns - NEAR_NS)
        & (pl.max_horizontal("earliest_ns", pl.col("at_ns") - NEAR_NS) <= stall.start_ns + NEAR_NS)
    ).sort("at_ns", "service")
    if near.is_empty():
        return None
    row = near.row(0, named=True)
    version = f" {row['version']}" if row["version"] else ""
    return Cause("deployment", f"{row['service']}{version} was deployed at {iso_time(row['at_ns'])}")


def _instances(stall: Stall, members: pl.DataFrame) -> Cause | None:
    """Instances that took their first or last message just then, while others were there before and after."""
    mine = _of_group(members, stall).group_by("instance").agg(pl.col("first_ns").min(), pl.col("last_ns").max())
    begin, end = stall.start_ns - NEAR_NS, stall.end_ns + NEAR_NS
    staying = mine.filter((pl.col("first_ns") < begin) & (pl.col("last_ns") > end))
    came = mine.filter(pl.col("first_ns").is_between(begin, end) & (pl.col("last_ns") > end))
    went = mine.filter(pl.col("last_ns").is_between(begin, end) & (pl.col("first_ns") < begin))
    if staying.is_empty() or (came.is_empty() and went.is_empty()):
        return None
    return Cause("instances", f"{len(came)} instances joined the group and {len(went)} left it")
