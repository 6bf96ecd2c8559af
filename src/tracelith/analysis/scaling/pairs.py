"""Each pair of services of which one causes most requests of the other: do both answer to one load?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.scaling.contrast import OWN_CV
from tracelith.analysis.scaling.instances import Instances, instance_correlation
from tracelith.analysis.scaling.loads import Loads, stretches
from tracelith.analysis.scaling.ratios import Elasticity, elasticity, log_steps, ratio_variation
from tracelith.analysis.statistics.intervals import proportion
from tracelith.model.findings import Estimate, State

__all__ = ["LISTED_DOMINANCE", "AxisPair", "Label", "caused_pairs"]

DOMINANCE = 0.95
"""Share of b's requests that a causes, lower bound (metrics.md §12): hardly any other load reaches b."""
LISTED_DOMINANCE = 0.5
"""Pairs below are of no interest here: b has loads of its own."""
STEADY_CV = 0.15
"""Largest variation of the ratio on one axis (metrics.md §12), upper bound."""
SLOPES = (0.8, 1.2)
"""Between these lies the elasticity on one axis (metrics.md §12)."""
LEAST_R_SQUARED, OWN_R_SQUARED = 0.8, 0.3
"""Of changes on one axis at least, and on different axes at most (metrics.md §12)."""

MOST_PAIRS = 400
"""Caused pairs looked at, those with most requests first."""

_FEWEST, _MOST = 20.0, 800.0
"""Requests of the rarer service in a stretch: enough for a ratio, and where its noise is .05 (metrics.md §12)."""
_PER_DAY = 4
"""Stretches of about six hours at most, so that the cycle of a day is seen in them."""
NEEDED_DAYS = 7
"""With a weekend among them (metrics.md §12)."""
NEEDED_PER_DAY = 2 * _FEWEST
"""With fewer requests a day, day and night could not be told apart."""

Float64 = NDArray[np.float64]

Label = Literal["same_axis", "own_axis", "unclear", "unknown"]


@dataclass(frozen=True, slots=True)
class AxisPair:
    """Two services; a causes most requests of b.

    Attributes:
        direct: a calls b itself. per_request: requests of b per request of a.
        dominance: share of b's requests that a causes. cv: of the ratio of their rates, None where it is not known.
        follows: how b's rate changes with a's. instances: correlation of changes in their numbers.
    """

    a: str
    b: str
    direct: bool
    per_request: float
    dominance: Estimate
    cv: float | None
    follows: Elasticity
    instances: float | None
    label: Label
    state: State
    reason: str


def caused_pairs(loads: Loads, caused: pl.DataFrame, instances: Mapping[str, Instances]) -> list[AxisPair]:
    """Pairs of which one service causes at least LISTED_DOMINANCE of the other's requests, busiest first.

    Args:
        loads: of all services. caused: merged facts of CAUSED_REQUESTS. instances: from read_instances.
    """
    number = {name: at for at, name in enumerate(loads.services)}
    totals = dict(zip(loads.services, loads.requests.sum(axis=0).tolist(), strict=True))
    rows = [
        row
        for row in caused.sort("requests", "cause", "service", descending=[True, False, False]).to_dicts()
        if row["cause"] in number and row["requests"] >= LISTED_DOMINANCE * totals.get(row["service"], float("inf"))
    ]
    return [_pair(loads, row, number[row["cause"]], number[row["service"]], instances) for row in rows[:MOST_PAIRS]]


def _pair(loads: Loads, row: Mapping[str, Any], a: int, b: int, instances: Mapping[str, Instances]) -> AxisPair:
    total_a, total_b = float(loads.weight[:, a].sum()), float(loads.weight[:, b].sum())
    dominance = proportion(row["requests"], float(loads.requests[:, b].sum()))
    state, reason = _evidence(loads, a, b)
    cv, cv_low, cv_high, follows = None, 0.0, math.inf, _unknown(state, reason)
    if state is State.OK:
        cv, cv_low, cv_high, follows = _compared(loads, a, b, dominance.value or 0.0)
    label = _label(dominance, cv, cv_low, cv_high, follows) if state is State.OK else "unknown"
    name_a, name_b = loads.services[a], loads.services[b]
    told = instances.get(name_a), instances.get(name_b)
    return AxisPair(
        a=name_a,
        b=name_b,
        direct=row["direct"] > 0,
        per_request=total_b / total_a,
        dominance=dominance,
        cv=cv,
        follows=follows,
        instances=instance_correlation(told[0], told[1]) if told[0] and told[1] else None,
        label=label,
        state=state,
        reason=reason,
    )


def _evidence(loads: Loads, a: int, b: int) -> tuple[State, str]:
    if loads.days < NEEDED_DAYS or not loads.weekend:
        return State.INSUFFICIENT_DATA, f"{NEEDED_DAYS} days with a weekend among them are needed, {loads.days} came"
    rarer = float(min(loads.requests[:, a].sum(), loads.requests[:, b].sum()))
    if rarer < NEEDED_PER_DAY * loads.days:
        needed = round(NEEDED_PER_DAY * loads.days)
        reason = f"{needed:,} requests of the rarer one are needed in {loads.days} days, {round(rarer):,} came"
        return State.INSUFFICIENT_DATA, reason
    return State.OK, ""


def _compared(loads: Loads, a: int, b: int, dominance: float) -> tuple[float | None, float, float, Elasticity]:
    """Coefficient of variation of the ratio with its interval, and elasticity."""
    requests_a, requests_b = loads.requests[:, a], loads.requests[:, b]
    rarer = min(requests_a.sum(), requests_b.sum())
    least = min(max(rarer / (_PER_DAY * loads.days), _FEWEST), _MOST)
    firsts = stretches(requests_a, least * max(1.0, requests_a.sum() / requests_b.sum()))
    counts_a, counts_b = (np.add.reduceat(loads.weight[:, one], firsts) for one in (a, b))
    lengths = np.diff(np.append(firsts, len(loads.weight))).astype(np.float64)
    noise_a, noise_b = loads.noise[a] / counts_a, loads.noise[b] / (counts_a * counts_b.sum() / counts_a.sum())
    # What a causes fluctuates with it: only the rest of its noise is b's own.
    ratio_noise = np.maximum(noise_a + noise_b - 2 * dominance * noise_a, 0)
    day = loads.day[firsts]
    varied = ratio_variation(counts_a, counts_b[:, None], (ratio_noise, np.ones(1)), day)
    steps = log_steps(counts_a, lengths), log_steps(counts_b, lengths)
    alone = ((1 - dominance) * noise_a, np.maximum(noise_b - dominance * noise_a, 0), np.zeros_like(noise_a))
    both = [noise[1:] + noise[:-1] for noise in alone]
    follows = elasticity(steps, (both[0], both[1], both[2]), day[1:])
    cv, low, high = (float(value[0]) for value in (varied.cv, varied.low, varied.high))
    if math.isnan(cv) or math.isnan(high):
        return None, 0.0, math.inf, follows
    return cv, low, high, follows


def _label(dominance: Estimate, cv: float | None, low: float, high: float, follows: Elasticity) -> Label:
    if cv is None:
        return "unclear"
    r_squared, slope = follows.r_squared, follows.slope
    if low > OWN_CV or (low > STEADY_CV and r_squared is not None and r_squared < OWN_R_SQUARED):
        return "own_axis"
    steady = high <= STEADY_CV and r_squared is not None and r_squared >= LEAST_R_SQUARED
    inside = slope.low is not None and slope.high is not None and SLOPES[0] <= slope.low and slope.high <= SLOPES[1]
    dominated = dominance.low is not None and dominance.low >= DOMINANCE
    return "same_axis" if dominated and steady and inside else "unclear"


def _unknown(state: State, reason: str) -> Elasticity:
    return Elasticity(Estimate(None, state=state, reason=reason), None)
