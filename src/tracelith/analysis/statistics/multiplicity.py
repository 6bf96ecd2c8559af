"""Keep false discoveries rare when thousands of pairs are tested at once (metrics.md §7.8, §7.9)."""

from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = ["adjusted_p_values", "minimum_coincidences"]


def adjusted_p_values(p_values: ArrayLike, *, dependent: bool = False) -> NDArray[np.float64]:
    """The false discovery rate at which each test would just be rejected.

    Args:
        p_values: one per test, each in [0, 1]; only tests that could have been significant at all.
        dependent: hold under any dependence (Benjamini–Yekutieli) instead of positive dependence.

    Returns:
        float64 array of the same length; reject where it is at most the tolerated rate.

    Source: Benjamini & Hochberg 1995; Benjamini & Yekutieli 2001.
    """
    tests = np.asarray(p_values, dtype=np.float64)
    if tests.size == 0:
        return tests
    return cast(NDArray[np.float64], stats.false_discovery_control(tests, method="by" if dependent else "bh"))


def minimum_coincidences(trials: ArrayLike, base_rate: ArrayLike, alpha: float) -> NDArray[np.int64]:
    """The fewest coincidences among ``trials`` deployments that chance at ``base_rate`` explains with p <= alpha.

    A result above ``trials`` means that no outcome can be significant: such a pair is not tested (Tarone 1990), and
    does not burden the correction of the others.
    """
    most_by_chance = stats.binom.isf(alpha, np.asarray(trials), np.asarray(base_rate))
    return np.asarray(most_by_chance, dtype=np.int64) + 1
