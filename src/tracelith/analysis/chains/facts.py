"""Facts about synchronous chains: how deep, along which services, and the slowest examples."""

import json
from collections.abc import Mapping

import numpy as np
import polars as pl

from tracelith.analysis.chains.counted import CountedChains, counted_chains
from tracelith.analysis.exemplars import SLOT_KEY, slowest_rows
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.strata import ENTRY_KEYS, fact_rows
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactTable

__all__ = ["CHAIN_DEPTH", "CHAIN_EXEMPLARS", "CHAIN_PATHS", "observe_depth", "path_of"]

CHAIN_DEPTH = FactTable(
    "chain_depth",
    keys={**ENTRY_KEYS, "measure": pl.String, "hops": pl.Int16},
    sums={"traces": pl.Int64, "weight": pl.Float64, "weight_squares": pl.Float64},
)
"""Chains per number of hops. measure: critical (on the critical path), any (all awaited), with_peers (leaf calls to
datastores and external parties counted too)."""

CHAIN_PATHS = FactTable(
    "chain_paths",
    keys={**ENTRY_KEYS, "path": pl.String},
    sums={"traces": pl.Int64, "weight": pl.Float64, "weighted_ns": pl.Float64},
)
"""Chains per sequence of services, as a JSON list."""

CHAIN_EXEMPLARS = FactTable(
    "chain_exemplars",
    keys={
        "service": pl.String,
        "operation": pl.String,
        "restarted": pl.Boolean,
        "path": pl.String,
        SLOT_KEY: pl.Int8,
    },
    sums={},
    maxima={"rank": pl.String},
)
"""The slowest traces of each path, see exemplars."""


def path_of(text: str) -> list[str]:
    """Services of a stored path."""
    return [str(service) for service in json.loads(text)]


def observe_depth(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of the three tables, by table name."""
    chains = view.once(counted_chains)
    texts = tuple(json.dumps(services, ensure_ascii=False) for services in view.chains.paths)
    return {
        CHAIN_DEPTH.name: _depths(view, chains),
        CHAIN_PATHS.name: fact_rows(CHAIN_PATHS, _paths(view, chains), view, path=texts),
        CHAIN_EXEMPLARS.name: fact_rows(CHAIN_EXEMPLARS, _exemplars(view, chains), view, path=texts),
    }


def _depths(view: ForestView, chains: CountedChains) -> pl.DataFrame:
    measures = (view.chains.hops_critical, view.chains.hops_any, view.chains.hops_with_peers)
    weight = np.tile(chains.weight, len(measures))
    cells = groups_of(
        {
            "stratum": np.tile(chains.stratum, len(measures)),
            "measure": np.repeat(np.arange(len(measures), dtype=np.int32), chains.stratum.size),
            "hops": np.concatenate(measures),
        }
    )
    rows = chains.named(cells.frame("traces", weight=weight, weight_squares=weight**2))
    return fact_rows(CHAIN_DEPTH, rows, view, measure=("critical", "any", "with_peers"))


def _paths(view: ForestView, chains: CountedChains) -> pl.DataFrame:
    cells = groups_of({"stratum": chains.stratum, "path": view.chains.path})
    return chains.named(cells.frame("traces", weight=chains.weight, weighted_ns=chains.weight * chains.latency_ns))


def _exemplars(view: ForestView, chains: CountedChains) -> pl.DataFrame:
    rows = pl.DataFrame(
        {
            "stratum": chains.stratum,
            "path": view.chains.path,
            "trace": view.chains.trace,
            "duration_ns": chains.latency_ns,
        }
    )
    return chains.named(slowest_rows(view, rows, ["stratum", "path"]))
