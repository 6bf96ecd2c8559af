"""What would go if a service that only hands requests on were one with what it calls: hops, and time on the way."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.base import Evidence
from tracelith.analysis.call_facts import CALL_EDGES
from tracelith.analysis.chains.facts import CHAIN_PATHS, path_of
from tracelith.analysis.statistics.bootstrap import block_draws, block_length_ns, generator, percentiles
from tracelith.analysis.statistics.quantiles import WeightedValues
from tracelith.model.findings import Estimate, State

__all__ = ["Contraction"]

Float64 = NDArray[np.float64]

NEEDED_CALLS = 30
"""Calls seen from both sides: below, a mean time on the way is chance (own)."""


@dataclass(frozen=True, slots=True)
class Contraction:
    """Answers for services of one environment and period.

    Attributes:
        paths: services on the deepest critical path, and the weight of the chains that take it.
        calls: facts of CALL_EDGES per block of time, of calls seen from both sides.
    """

    paths: tuple[tuple[tuple[str, ...], float], ...]
    calls: pl.DataFrame

    @classmethod
    def of(cls, evidence: Evidence) -> "Contraction":
        """Reads what is needed, once for all services."""
        taken = evidence.facts.merged(CHAIN_PATHS).group_by("path").agg(pl.col("weight").sum()).sort("path")
        length = block_length_ns(evidence.start_ns, evidence.end_ns)
        return cls(
            tuple((tuple(path_of(path)), weight) for path, weight in taken.iter_rows()),
            evidence.facts.by_window(CALL_EDGES, length).filter(pl.col("network_calls") > 0),
        )

    def hops_saved(self, services: frozenset[str]) -> float | None:
        """p95 of awaited hops on the critical path, as it is minus without these; None if nothing passes them.

        A visit to a service costs one hop as long as something comes before or after it. Requests that do not pass any
        of the services are left out. Of a path longer than what is kept, the end nearest to the answer counts.
        """
        crossing = [
            (len(path) - 1, sum(one in services for one in path), weight)
            for path, weight in self.paths
            if len(path) > 1 and not services.isdisjoint(path)
        ]
        if not crossing:
            return None
        hops, visits, weight = (np.array(column, dtype=np.float64) for column in zip(*crossing, strict=True))
        before, after = (WeightedValues.of(values, weight) for values in (hops, np.maximum(hops - visits, 0)))
        return float(before.at(0.95) - after.at(0.95))

    def saved_ms(self, service: str, callees: frozenset[str]) -> Estimate:
        """Mean time of a call between the two sides: client minus server, network and queueing (metrics.md §11)."""
        rows = self.calls.filter((pl.col("caller") == service) & pl.col("callee").is_in(sorted(callees)))
        blocks = rows.group_by("window_ns").agg(pl.col("network_calls", "network_ns").sum()).sort("window_ns")
        calls, spent = (blocks[name].to_numpy().astype(np.float64) for name in ("network_calls", "network_ns"))
        count = int(calls.sum())
        if count < NEEDED_CALLS:
            reason = f"{NEEDED_CALLS} awaited calls seen from both sides are needed, {count} came"
            return Estimate(None, n=count, n_eff=float(count), state=State.INSUFFICIENT_DATA, reason=reason)
        mean = float(spent.sum()) / count / 1e6
        if len(blocks) < 2:
            return Estimate(mean, n=count, n_eff=float(count))
        draws = block_draws(generator("saved", service), len(blocks))
        low, high = percentiles((draws @ spent) / np.maximum(draws @ calls, 1) / 1e6, len(blocks))
        return Estimate(mean, float(low), float(high), count, float(count))
