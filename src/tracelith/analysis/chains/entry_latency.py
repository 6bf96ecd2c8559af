"""How long requests of each entry operation took: the histogram that depth and tail analyses both conclude from."""

import polars as pl

from tracelith.analysis.base import Evidence
from tracelith.analysis.chains.counted import counted_chains
from tracelith.analysis.statistics.bootstrap import block_length_ns
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.strata import ENTRY_KEYS, fact_rows
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactTable

__all__ = ["ENTRY_LATENCY", "observe_entry_latency", "time_block_ns"]

ENTRY_LATENCY = FactTable(
    "entry_latency",
    keys={**ENTRY_KEYS, "bucket": pl.Int32},
    sums={"traces": pl.Int64, "weight": pl.Float64, "weight_squares": pl.Float64, "weighted_ns": pl.Float64},
)
"""Chains of complete traces per latency bucket; weighted_ns is Σ weight · latency."""


def observe_entry_latency(view: ForestView) -> pl.DataFrame:
    """Facts of ENTRY_LATENCY."""
    chains = view.once(counted_chains)
    cells = groups_of({"stratum": chains.stratum, "bucket": chains.bucket})
    weight = chains.weight
    rows = cells.frame("traces", weight=weight, weight_squares=weight**2, weighted_ns=weight * chains.latency_ns)
    return fact_rows(ENTRY_LATENCY, chains.named(rows), view)


def time_block_ns(evidence: Evidence) -> int:
    """Length of the time blocks to cut the facts into, by the time in which there were requests.

    The period asked for may be much longer: three hours of a week would be three blocks, from which nothing follows.
    """
    whole_ns = block_length_ns(evidence.start_ns, evidence.end_ns)
    begins = evidence.facts.by_window(ENTRY_LATENCY, whole_ns)["window_ns"]
    if begins.is_empty():
        return whole_ns
    first_ns, last_ns = int(begins[0]), int(begins[-1])
    return min(whole_ns, block_length_ns(first_ns, last_ns + whole_ns))
