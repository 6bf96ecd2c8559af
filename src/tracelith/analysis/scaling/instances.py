"""How many instances of a service ran at a time, and whether two services change theirs together."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.base import Evidence
from tracelith.analysis.scaling.facts import SERVICE_INSTANCES

__all__ = ["Instances", "instance_correlation", "read_instances"]

Int64 = NDArray[np.int64]

_ENOUGH_REQUESTS = 5
"""Requests per instance in a block, so that hardly any instance goes unseen (e^-5)."""

_FEWEST_STEPS = 6
"""Changes of which a correlation is told."""


@dataclass(frozen=True, slots=True)
class Instances:
    """Attributes: at: numbers of the blocks in which so many requests came that every instance should show. count:
    instances in each. seen: distinct ones in the whole period."""

    at: Int64
    count: Int64
    seen: int


def read_instances(evidence: Evidence, block_ns: int) -> dict[str, Instances]:
    """Instances of each service, by its name."""
    rows = evidence.facts.by_window(SERVICE_INSTANCES, block_ns)
    most = rows.group_by("service").agg(seen=pl.col("instance").n_unique())
    blocks = (
        rows.group_by("service", "window_ns")
        .agg(count=pl.col("instance").n_unique(), requests=pl.col("requests").sum())
        .with_columns(usual=pl.col("count").quantile(0.95).over("service"))
        .filter(pl.col("requests") >= _ENOUGH_REQUESTS * pl.col("usual"))
        .sort("service", "window_ns")
    )
    told = {
        str(service): (part["window_ns"].to_numpy() // block_ns, part["count"].to_numpy().astype(np.int64))
        for (service,), part in blocks.partition_by("service", as_dict=True).items()
    }
    nothing = (np.empty(0, np.int64), np.empty(0, np.int64))
    return {name: Instances(*told.get(name, nothing), seen) for name, seen in most.iter_rows()}


def instance_correlation(a: Instances, b: Instances) -> float | None:
    """Correlation of the changes in the number of instances from block to block; None if one never changes."""
    _, in_a, in_b = np.intersect1d(a.at, b.at, return_indices=True)
    steps_a, steps_b = np.diff(a.count[in_a]), np.diff(b.count[in_b])
    if len(steps_a) < _FEWEST_STEPS or not steps_a.any() or not steps_b.any():
        return None
    if steps_a.std() == 0 or steps_b.std() == 0:
        return None
    return float(np.corrcoef(steps_a, steps_b)[0, 1])
