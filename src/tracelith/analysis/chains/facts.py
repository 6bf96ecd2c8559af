"""Facts about synchronous chains: how deep, along which services, and the slowest examples."""

import json
from collections.abc import Mapping

import numpy as np
import polars as pl

from tracelith.analysis.exemplars import SLOT_KEY, slowest_rows
from tracelith.analysis.strata import ENTRY_KEYS, chain_rows, fact_rows
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

_STRATUM = ["window_ns", "environment", "entry", "restarted", "sampling_known"]


def path_of(text: str) -> list[str]:
    """Services of a stored path."""
    return [str(service) for service in json.loads(text)]


def observe_depth(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of the three tables, by table name."""
    rows = chain_rows(view).with_columns(path=pl.Series(view.chains.path))
    texts = tuple(json.dumps(services, ensure_ascii=False) for services in view.chains.paths)
    return {
        CHAIN_DEPTH.name: _depths(view, rows),
        CHAIN_PATHS.name: fact_rows(CHAIN_PATHS, _paths(rows), view, path=texts),
        CHAIN_EXEMPLARS.name: fact_rows(CHAIN_EXEMPLARS, _exemplars(view, rows), view, path=texts),
    }


def _depths(view: ForestView, rows: pl.DataFrame) -> pl.DataFrame:
    chains = view.chains
    measures = (chains.hops_critical, chains.hops_any, chains.hops_with_peers)
    stacked = pl.concat([rows.select(*_STRATUM, "weight")] * len(measures)).with_columns(
        hops=pl.Series(np.concatenate(measures)),
        measure=pl.Series(np.repeat(np.arange(len(measures), dtype=np.int32), len(chains.root))),
    )
    counted = stacked.group_by(*_STRATUM, "measure", "hops").agg(
        pl.len().alias("traces"), pl.col("weight").sum(), (pl.col("weight") ** 2).sum().alias("weight_squares")
    )
    return fact_rows(CHAIN_DEPTH, counted, view, measure=("critical", "any", "with_peers"))


def _paths(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by(*_STRATUM, "path").agg(
        pl.len().alias("traces"),
        pl.col("weight").sum(),
        (pl.col("weight") * pl.col("latency_ns")).sum().alias("weighted_ns"),
    )


def _exemplars(view: ForestView, rows: pl.DataFrame) -> pl.DataFrame:
    keys = ["window_ns", "environment", "entry", "restarted", "path"]
    timed = rows.select(*keys, duration_ns="latency_ns", trace=pl.Series(view.chains.trace))
    return slowest_rows(view, timed, keys)
