"""What failed because of an origin while it was in trouble: services in order of time, and requests from outside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.exemplars import slowest_ids
from tracelith.analysis.failures.edges import Edge
from tracelith.analysis.failures.stretches import Stretch, Troubles
from tracelith.analysis.failures.tables import ENTRY_OUTCOMES
from tracelith.analysis.failures.timelines import Timelines
from tracelith.model.facts import FactReader

__all__ = ["Loss", "Spread", "Victim", "entry_windows", "spreads_of"]

Int64 = NDArray[np.int64]

FEWEST_LOST = 5
"""Requests that a service loses to an origin before it counts as taken along; and the least share of them."""
LEAST_SHARE = 0.05

_EXAMPLES = 3

_RANKS = 16
"""Ranks looked at for so many different traces."""

_BETWEEN = "\n"


@dataclass(frozen=True, slots=True)
class Victim:
    """A service that failed because of the origin: from when, in how many minutes, what share of its requests."""

    service: str
    from_ns: int
    minutes: int
    failed_share: float


@dataclass(frozen=True, slots=True)
class Loss:
    """Requests from outside of one entry operation that failed because of the origin."""

    service: str
    operation: str
    requests: int
    failed: int

    @property
    def share(self) -> float:
        """Of its requests in that time."""
        return self.failed / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Spread:
    """What a stretch did.

    Attributes:
        victims: in the order in which they began to fail. losses: largest first. requests: from outside, all of them.
    """

    stretch: Stretch
    victims: tuple[Victim, ...]
    losses: tuple[Loss, ...]
    requests: int
    trace_ids: tuple[str, ...]

    @property
    def failed(self) -> int:
        """Requests from outside that failed because of it."""
        return sum(loss.failed for loss in self.losses)

    @property
    def lost_share(self) -> float:
        """Of all requests from outside in that time."""
        return self.failed / self.requests if self.requests else 0.0


def entry_windows(facts: FactReader) -> pl.DataFrame:
    """Requests from outside per window and entry operation."""
    keys = ["window_ns", "service", "operation"]
    return facts.by_window(ENTRY_OUTCOMES).group_by(keys).agg(pl.col("requests").sum()).sort(keys)


def distances(edges: Sequence[Edge]) -> Callable[[str], Mapping[str, int]]:
    """How many failed calls away from a node its callers are, and theirs: who fails in one minute fails in turn."""
    callers: dict[str, list[str]] = {}
    for edge in edges:
        callers.setdefault(edge.callee, []).append(edge.caller)

    @cache
    def away(origin: str) -> Mapping[str, int]:
        found = {origin: 0}
        for node in (pending := [origin]):
            for caller in callers.get(node, ()):
                if caller not in found:
                    found[caller] = found[node] + 1
                    pending.append(caller)
        return found

    return away


def spreads_of(troubles: Troubles, entries: pl.DataFrame, away: Callable[[str], Mapping[str, int]]) -> list[Spread]:
    """What failed because of each stretch.

    Args:
        entries: of entry_windows. away: of distances.
    """
    stretches = [stretch for found in troubles.stretches.values() for stretch in found]
    if not stretches:
        return []
    here = _during(stretches, troubles.minutes)
    victims = _victims(stretches, here, troubles.nodes)
    losses = _losses(stretches, here.filter(pl.col("operation") != ""), entries)
    outside = here.filter(pl.col("operation") != "")
    examples = {**_examples(here), **_examples(outside)}
    start, end = _bounds(stretches, np.arange(len(stretches)))
    whole = Timelines.of(entries.with_columns(all=pl.lit("")), "all", ["requests"])
    asked = np.round(whole.between([""] * len(stretches), "requests", start, end)).astype(np.int64).tolist()
    told = []
    for number, stretch in enumerate(stretches):
        lost = tuple(sorted(losses.get(number, ()), key=lambda loss: (-loss.failed, loss.service, loss.operation)))
        requests = max(asked[number], sum(loss.failed for loss in lost))
        along = _in_turn(victims.get(number, []), away, stretch.node)
        told.append(Spread(stretch, along, lost, requests, examples.get(number, ())))
    return told


def _during(stretches: Sequence[Stretch], minutes: pl.DataFrame) -> pl.DataFrame:
    """Rows of FAILED_MINUTES within stretches of their origin, with the number of the stretch."""
    bounds = pl.DataFrame(
        {
            "origin": [stretch.node for stretch in stretches],
            "begin_ns": [stretch.start_ns for stretch in stretches],
            "end_ns": [stretch.end_ns for stretch in stretches],
            "stretch": range(len(stretches)),
        }
    ).sort("begin_ns")
    placed = minutes.sort("minute_ns").join_asof(
        bounds, left_on="minute_ns", right_on="begin_ns", by="origin", strategy="backward", check_sortedness=False
    )
    return placed.filter(pl.col("minute_ns") < pl.col("end_ns"))


def _bounds(stretches: Sequence[Stretch], which: Int64) -> tuple[Int64, Int64]:
    start = np.array([stretch.start_ns for stretch in stretches], dtype=np.int64)
    end = np.array([stretch.end_ns for stretch in stretches], dtype=np.int64)
    return start[which], end[which]


def _victims(stretches: Sequence[Stretch], here: pl.DataFrame, nodes: pl.DataFrame) -> Mapping[int, list[Victim]]:
    """By number of the stretch."""
    told = (
        here.filter((pl.col("service") != "") & (pl.col("service") != pl.col("origin")))
        .group_by("stretch", "service")
        .agg(pl.col("failures").sum(), pl.col("minute_ns").min().alias("from_ns"), pl.col("minute_ns").n_unique())
        .filter(pl.col("failures") >= FEWEST_LOST)
    )
    of = nodes.filter(pl.col("node").is_in(told["service"].unique().implode()))
    timelines = Timelines.of(of, "node", ["requests", "own"])
    services, (start, end) = told["service"].to_list(), _bounds(stretches, told["stretch"].to_numpy())
    asked, own = (timelines.between(services, column, start, end) for column in ("requests", "own"))
    failures = told["failures"].to_numpy()
    share = failures / np.maximum(asked, failures)
    # Who mostly fails on its own account meanwhile was not taken along: both have a cause in common.
    along = told.with_columns(share=pl.Series(share)).filter(pl.Series((share >= LEAST_SHARE) & (own < failures)))
    victims: dict[int, list[Victim]] = {}
    for number, *row in along.select("stretch", "service", "from_ns", "minute_ns", "share").iter_rows():
        victims.setdefault(number, []).append(Victim(*row))
    return victims


def _in_turn(victims: Sequence[Victim], away: Callable[[str], Mapping[str, int]], origin: str) -> tuple[Victim, ...]:
    """Victims in the order in which they began to fail; of one minute, the nearest to the origin first."""
    if not victims:
        return ()
    hops = away(origin)
    return tuple(sorted(victims, key=lambda one: (one.from_ns, hops.get(one.service, len(hops)), one.service)))


def _losses(stretches: Sequence[Stretch], outside: pl.DataFrame, entries: pl.DataFrame) -> Mapping[int, list[Loss]]:
    """By number of the stretch."""
    name = pl.concat_str("service", "operation", separator=_BETWEEN).alias("entry")
    counted = outside.group_by("stretch", "service", "operation").agg(pl.col("failures").sum()).with_columns(name)
    of = entries.join(counted.select("service", "operation"), on=["service", "operation"], how="semi")
    timelines = Timelines.of(of.with_columns(name), "entry", ["requests"])
    start, end = _bounds(stretches, counted["stretch"].to_numpy())
    asked = np.round(timelines.between(counted["entry"].to_list(), "requests", start, end)).astype(np.int64)
    losses: dict[int, list[Loss]] = {}
    rows = counted.select("stretch", "service", "operation", "failures").iter_rows()
    for (number, service, operation, failed), requests in zip(rows, asked.tolist(), strict=True):
        losses.setdefault(number, []).append(Loss(service, operation, max(requests, failed), failed))
    return losses


def _examples(rows: pl.DataFrame) -> Mapping[int, tuple[str, ...]]:
    """Example traces by number of the stretch."""
    ranks = rows.group_by("stretch").agg(pl.col("rank").sort(descending=True).head(_RANKS))
    return {number: tuple(slowest_ids(pl.Series(of_one))[:_EXAMPLES]) for number, of_one in ranks.iter_rows()}
