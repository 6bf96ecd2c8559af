"""How much the failures of one incident are alike: a power is as sure as the incidents it was seen in agree.

An outage fails what it hits in the same way hundreds of times; the next one may hit something else. Where incidents
differ beyond chance, each counts as one observation, and few of them make a wide interval. One incident alone cannot
show how much the next one would differ.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from tracelith.analysis.statistics.intervals import Z
from tracelith.analysis.times import DAY_NS, HOUR_NS

__all__ = ["INCIDENT_COLUMNS", "incidents_of", "worth_of_incidents"]

Float64 = NDArray[np.float64]


APART_NS = 2 * HOUR_NS
"""Failures with as much time without any between them are not of one incident."""

LONGEST_NS = DAY_NS
"""What fails all the time is cut into days, which may differ."""

_DIFFER = 0.1
"""Chance of incidents as different as these if all were alike, below which they are taken to differ. Generous: to call
alike ones different costs width, the other way round an interval promises too much."""

INCIDENT_COLUMNS = (
    "incidents",
    "weight_all",
    "failed_all",
    "failed_squares",
    "both",
    "weight_squares_all",
    "squares_by",
)
"""Of the incidents of an edge, each with weight W and failed weight F: their number, ΣW, ΣF, ΣF², ΣFW, ΣW², ΣF²/W."""


def incidents_of(rows: pl.DataFrame, keys: Sequence[str], block_ns: int) -> pl.DataFrame:
    """INCIDENT_COLUMNS per combination of keys.

    Args:
        rows: with window_ns (blocks of block_ns), weight and caller_failed.
    """
    failed = pl.col("weight").filter("caller_failed").sum().alias("failed")
    blocks = rows.group_by(*keys, "window_ns").agg(failed, pl.col("weight").sum()).sort(*keys, "window_ns")
    pause = pl.col("window_ns") - pl.col("window_ns").shift().over(keys) - block_ns
    begins = pl.when((pause >= APART_NS) | pause.is_null()).then(pl.col("window_ns"))
    blocks = blocks.with_columns(began=begins).with_columns(pl.col("began").forward_fill())
    day = (pl.col("window_ns") - pl.col("began")) // LONGEST_NS
    incidents = blocks.with_columns(day=day).group_by(*keys, "began", "day").agg(pl.col("failed", "weight").sum())
    f, w = pl.col("failed"), pl.col("weight")
    sums = (pl.len(), w.sum(), f.sum(), (f * f).sum(), (f * w).sum(), (w * w).sum(), (f * f / w).sum())
    named = (column.alias(name) for column, name in zip(sums, INCIDENT_COLUMNS, strict=True))
    return incidents.group_by(keys).agg(*named)


def worth_of_incidents(share: Float64, size: Float64, sums: pl.DataFrame) -> tuple[Float64, Float64]:
    """How many independent observations shares are worth, and the quantile for their intervals.

    Args:
        share, size: and the number of observations if all were independent.
        sums: INCIDENT_COLUMNS, null where there was no incident.

    Source: chi-square test of homogeneity (Pearson 1900); variance between clusters, Student's quantile.
    """
    incidents, weight, failed, failed_squares, both, weight_squares, squares_by = (
        sums[name].fill_null(0).to_numpy().astype(np.float64) for name in INCIDENT_COLUMNS
    )
    chance = share * (1 - share)
    several = (incidents > 1) & (chance > 1e-9) & (weight > 0)
    total, spread = np.where(several, weight, 1.0), np.where(several, chance, 1.0)
    # Σ (F − pW)²/W and Σ (F − pW)², of all incidents; observations per weight turn the first into chi-square.
    relative = np.maximum(squares_by - 2 * share * failed + share**2 * weight, 0.0)
    absolute = np.maximum(failed_squares - 2 * share * both + share**2 * weight_squares, 0.0)
    degrees = np.maximum(incidents - 1, 1)
    differ = several & (stats.chi2.sf(relative / spread * size / total, degrees) < _DIFFER)
    variance = absolute / total**2 * incidents / degrees
    worth = np.divide(chance, variance, out=size.copy(), where=differ & (variance > 0))
    return np.minimum(worth, size), np.where(differ, stats.t.ppf(0.975, degrees), Z)
