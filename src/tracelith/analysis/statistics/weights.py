"""Estimators for sampled traces (metrics.md §2.2): totals, ratios and the effective sample size."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

__all__ = ["SAMPLING_KEY", "effective_size", "hajek_ratio", "horvitz_thompson_total", "known_sampling", "speaking_rows"]

SAMPLING_KEY = "sampling_known"
"""Boolean key of every fact that counts traces: whether the traces said with what probability they were kept."""


def effective_size(weight: ArrayLike, weight_squares: ArrayLike) -> float:
    """Kish's effective number of observations, (Σw)² / Σw², from the two sums; 0 without observations."""
    total, squares = float(np.sum(weight)), float(np.sum(weight_squares))
    return total**2 / squares if squares > 0 else 0.0


def horvitz_thompson_total(weights: ArrayLike) -> tuple[float, float]:
    """Estimated number of units before sampling, and its variance Σ (1-p)/p² with p = 1/w."""
    w = np.asarray(weights, dtype=np.float64)
    return float(w.sum()), float((w * (w - 1)).sum())


def hajek_ratio(values: ArrayLike, weights: ArrayLike) -> float:
    """Weighted mean Σwy / Σw; NaN without weight."""
    y, w = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    return float((w * y).sum() / w.sum()) if w.sum() > 0 else float("nan")


def known_sampling(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which traces know their weight, and the weights with 1 in place of the unknown ones.

    An unknown probability is not a probability of 1. The two kinds are therefore kept apart by SAMPLING_KEY: among
    traces that all lack a weight, 1 says only "every trace received counts the same".
    """
    known = np.isfinite(weights) & (weights > 0)
    return known, np.where(known, weights, 1.0)


def speaking_rows(rows: pl.DataFrame, strata: Sequence[str]) -> pl.DataFrame:
    """Rows of the kind of traces (sampling known or not) that is more numerous in each stratum.

    Traces of known and unknown probability cannot be weighed against each other, so the larger kind speaks
    alone; at a tie the one with known probabilities does. Rows need SAMPLING_KEY and ``traces``.
    """
    if rows.is_empty() or rows[SAMPLING_KEY].n_unique() == 1:
        return rows
    totals = rows.group_by(*strata, SAMPLING_KEY).agg(pl.col("traces").sum().alias("_traces"))
    chosen = totals.sort("_traces", SAMPLING_KEY, descending=True).unique(
        list(strata), keep="first", maintain_order=True
    )
    return rows.join(chosen.drop("_traces"), on=[*strata, SAMPLING_KEY], how="semi", maintain_order="left")
