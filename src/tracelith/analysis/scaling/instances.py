"""How many instances of a service ran at a time, and whether two services change theirs together."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.base import Evidence
from tracelith.analysis.scaling.facts import SERVICE_INSTANCES

__all__ = ["Instances", "instance_correlation", "read_instances"]

Int64 = NDArray[np.int64]

_ENOUGH_REQUESTS = 8
"""Requests per instance seen in a block, so that hardly any other one goes unseen: of two, one in 2^7 times."""

_FEWEST_BLOCKS = 10
"""So many blocks must tell; otherwise longer ones are looked at."""

_FEWEST_STEPS = 6
"""Changes of which a correlation is told."""

_LONGER = (1, 6, 24)
"""Blocks of one, six and 24 of the shortest."""

_RARE = 0.1
"""Blocks left out at either end (own): while a version is replaced, old and new instances count in one block, and now
and then an instance does go unseen."""


@dataclass(frozen=True, slots=True)
class Instances:
    """Attributes: at: numbers of the blocks in which so many requests came that every instance should show. count:
    instances in each. block_ns: length of a block."""

    at: Int64
    count: Int64
    block_ns: int

    @property
    def fewest(self) -> int | None:
        """At quiet times; None if it cannot be told."""
        return int(np.quantile(self.count, _RARE, method="lower")) if len(self.count) else None

    @property
    def most(self) -> int | None:
        """At busy times; None if it cannot be told."""
        return int(np.quantile(self.count, 1 - _RARE, method="higher")) if len(self.count) else None


def read_instances(evidence: Evidence, block_ns: int) -> dict[str, Instances]:
    """Instances of each service that has enough requests to see them all, by its name."""
    rows = evidence.facts.by_window(SERVICE_INSTANCES, block_ns)
    found: dict[str, Instances] = {}
    for times in _LONGER:
        length = block_ns * times
        at = pl.col("window_ns") // length
        each = rows.with_columns(at=at)
        if times > 1:
            each = each.group_by("service", "instance", "at").agg(pl.col("requests").sum())
        blocks = (
            each.group_by("service", "at")
            .agg(pl.col("requests").sum(), count=pl.len())
            .filter(pl.col("requests") >= _ENOUGH_REQUESTS * pl.col("count"))
            .sort("service", "at")
        )
        for (service,), part in blocks.partition_by("service", as_dict=True).items():
            if len(part) >= _FEWEST_BLOCKS:
                found[str(service)] = Instances(
                    part["at"].to_numpy(), part["count"].to_numpy().astype(np.int64), length
                )
        rows = rows.filter(~pl.col("service").is_in(list(found)))
    return found


def instance_correlation(a: Instances, b: Instances) -> float | None:
    """Correlation of the changes in the number of instances from block to block; None if one never changes."""
    if a.block_ns != b.block_ns:
        return None
    _, in_a, in_b = np.intersect1d(a.at, b.at, return_indices=True)
    steps_a, steps_b = np.diff(a.count[in_a]), np.diff(b.count[in_b])
    if len(steps_a) < _FEWEST_STEPS or steps_a.std() == 0 or steps_b.std() == 0:
        return None
    return float(np.corrcoef(steps_a, steps_b)[0, 1])
