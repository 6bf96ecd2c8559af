"""Where each chain is counted, and with what weight: worked out once for all that is observed of chains."""

from dataclasses import dataclass

import polars as pl

from tracelith.analysis.places import places_of
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.histograms import bucket_of
from tracelith.forest.view import Float64, ForestView, Int32, Int64

__all__ = ["CountedChains", "counted_chains"]


@dataclass(frozen=True, slots=True)
class CountedChains:
    """Chains with their stratum: chains of one window, environment, entry operation and kind of sampling.

    Attributes:
        stratum: int32[c], row of strata. strata: window_ns, environment (code), sampling_known, entry (code),
            restarted.
        latency_ns: int64[c], how long the chain took; bucket: int32[c], of that.
        weight: float64[c], for how many chains it stands.
    """

    stratum: Int32
    strata: pl.DataFrame
    latency_ns: Int64
    bucket: Int32
    weight: Float64

    def named(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with the columns of their stratum beside its number."""
        return rows.hstack(self.strata[rows["stratum"].to_numpy()])


def counted_chains(view: ForestView) -> CountedChains:
    """Asked for through ``view.once``."""
    chains, places = view.chains, view.once(places_of)
    strata = groups_of({"place": places.of_trace[chains.trace], "entry": chains.entry, "restarted": chains.restarted})
    keys = dict(strata.keys)
    latency_ns = view.forest.duration_ns[chains.root]
    return CountedChains(
        stratum=strata.group,
        strata=pl.DataFrame({**places.columns(keys.pop("place")), **keys}),
        latency_ns=latency_ns,
        bucket=bucket_of(latency_ns),
        weight=places.weight[chains.trace],
    )
