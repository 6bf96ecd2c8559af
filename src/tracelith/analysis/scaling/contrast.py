"""Which services differ from most others: all rates against each other, one service after the other as the measure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.analysis.scaling.loads import Loads, stretches
from tracelith.analysis.scaling.ratios import ratio_variation

__all__ = ["OWN_CV", "Contrast", "contrasts"]

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

OWN_CV = 0.5
"""Two loads whose ratio varies more than this need different numbers of instances (metrics.md §12)."""

_LEAST_REQUESTS = 20.0
"""Of the measuring service in a stretch: enough for a ratio to be more than chance."""

_LEAST_OTHERS = 40.0
"""Requests of the other service in all; in fewer, a cycle cannot be told from chance (own)."""

_LEAST_PER_DAY = 2
"""Stretches a day; in fewer, the cycle of a day is averaged out."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Attributes: cv, low: float64[s, s], of the ratio of two loads, NaN where it cannot be told. compared: bool[s, s].
    differs: bool[s, s], surely more than OWN_CV. All are symmetric."""

    cv: Float64
    low: Float64
    compared: Bool
    differs: Bool


def contrasts(loads: Loads) -> Contrast:
    """Every service against every other."""
    services = len(loads.services)
    cv, low = np.full((services, services), np.nan), np.full((services, services), np.nan)
    totals = loads.requests.sum(axis=0)
    upto, spread = np.vstack([np.zeros((1, services)), np.cumsum(loads.weight, axis=0)]), loads.noise
    for measure in range(services):
        firsts = stretches(loads.requests[:, measure], _LEAST_REQUESTS)
        others = np.flatnonzero((totals >= _LEAST_OTHERS) & (np.arange(services) != measure))
        if len(firsts) < _LEAST_PER_DAY * loads.days or not others.size:
            continue
        counts = np.diff(upto[np.append(firsts, len(loads.weight))], axis=0)
        a, b = counts[:, measure], counts[:, others]
        noise = spread[measure] + spread[others] * (a.sum() / b.sum(axis=0))
        found = ratio_variation(a, b, (1 / a, noise), loads.day[firsts])
        cv[measure, others], low[measure, others] = found.cv, found.low
    cv, low = _clearer(cv, low)
    compared = ~np.isnan(low)
    return Contrast(cv, low, compared, compared & (np.nan_to_num(low) > OWN_CV))


def _clearer(cv: Float64, low: Float64) -> tuple[Float64, Float64]:
    """Of the two ways to look at a pair, the one with the larger lower bound.

    A service measures time by its own requests: one that sleeps on weekends hardly sees them, the other one does.
    """
    here, there = (np.nan_to_num(bound, nan=-1.0) for bound in (low, low.T))
    return np.where(there > here, cv.T, cv), np.where(there > here, low.T, low)
