"""What failed because of an origin while it was in trouble: services in order of time, and requests from outside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tracelith.analysis.exemplars import slowest_ids
from tracelith.analysis.failures.edges import Edge
from tracelith.analysis.failures.stretches import Stretch, Troubles, requests_between
from tracelith.analysis.failures.tables import ENTRY_OUTCOMES
from tracelith.model.facts import FactReader

__all__ = ["Loss", "Spread", "Victim", "entry_windows", "spread_of"]

FEWEST_LOST = 5
"""Requests that a service loses to an origin before it counts as taken along; and the least share of them."""
LEAST_SHARE = 0.05

_EXAMPLES = 3


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

    def away(origin: str) -> Mapping[str, int]:
        found = {origin: 0}
        for node in (pending := [origin]):
            for caller in callers.get(node, ()):
                if caller not in found:
                    found[caller] = found[node] + 1
                    pending.append(caller)
        return found

    return away


def spread_of(
    stretch: Stretch, troubles: Troubles, entries: pl.DataFrame, away: Callable[[str], Mapping[str, int]]
) -> Spread:
    """What failed because of a stretch.

    Args:
        entries: of entry_windows. away: of distances.
    """
    here = troubles.minutes.filter(
        (pl.col("origin") == stretch.node)
        & (pl.col("minute_ns") >= stretch.start_ns)
        & (pl.col("minute_ns") < stretch.end_ns)
    )
    losses = _losses(stretch, here.filter(pl.col("operation") != ""), entries)
    ranks = here.filter(pl.col("operation") != "")["rank"] if losses else here["rank"]
    asked = round(requests_between(entries, "requests", stretch.start_ns, stretch.end_ns))
    return Spread(
        stretch,
        _victims(stretch, here, troubles.nodes, away(stretch.node)),
        losses,
        max(asked, sum(loss.failed for loss in losses)),
        tuple(slowest_ids(ranks.head(64))[:_EXAMPLES]),
    )


def _victims(stretch: Stretch, here: pl.DataFrame, nodes: pl.DataFrame, away: Mapping[str, int]) -> tuple[Victim, ...]:
    others = here.filter((pl.col("service") != "") & (pl.col("service") != stretch.node))
    told = (
        others.group_by("service")
        .agg(pl.col("failures").sum(), pl.col("minute_ns").min().alias("from_ns"), pl.col("minute_ns").n_unique())
        .filter(pl.col("failures") >= FEWEST_LOST)
        .sort("service")
    )
    victims = []
    for row in told.iter_rows(named=True):
        windows = nodes.filter(pl.col("node") == row["service"])
        asked, own = (
            requests_between(windows, column, stretch.start_ns, stretch.end_ns) for column in ("requests", "own")
        )
        share = row["failures"] / max(asked, row["failures"])
        # Who mostly fails on its own account meanwhile was not taken along: both have a cause in common.
        if share >= LEAST_SHARE and own < row["failures"]:
            victims.append(Victim(row["service"], row["from_ns"], row["minute_ns"], share))
    return tuple(sorted(victims, key=lambda one: (one.from_ns, away.get(one.service, len(away)), one.service)))


def _losses(stretch: Stretch, here: pl.DataFrame, entries: pl.DataFrame) -> tuple[Loss, ...]:
    counted = here.group_by("service", "operation").agg(pl.col("failures").sum())
    losses = []
    for row in counted.iter_rows(named=True):
        windows = entries.filter((pl.col("service") == row["service"]) & (pl.col("operation") == row["operation"]))
        asked = round(requests_between(windows, "requests", stretch.start_ns, stretch.end_ns))
        losses.append(Loss(row["service"], row["operation"], max(asked, row["failures"]), row["failures"]))
    return tuple(sorted(losses, key=lambda loss: (-loss.failed, loss.service, loss.operation)))
