"""Rates of all services over time, and stretches of time in which a service handles about equally many requests."""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.base import Evidence
from tracelith.analysis.scaling.facts import SERVICE_LOAD
from tracelith.analysis.times import DAY_NS, HOUR_NS
from tracelith.model.schema import is_folded

__all__ = ["Loads", "block_ns", "read_loads", "stretches"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

_MOST_BLOCKS = 750
"""Blocks of one to six hours: a day's cycle is seen in all of them, and half a year has as many as a month."""

_THURSDAY = 3  # 1970-01-01; Monday is 0
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Loads:
    """b blocks of equal length in order, none left out, and s services.

    Attributes:
        services: names, sorted. block_ns: length of a block.
        requests: float64[b, s], as received. weight: before sampling. squares: variance of weight by chance alone.
        unweighted: float64[s], share of the requests that do not say how many they stand for.
        day: int64[b], number of the day of each block, from 0.
        days: how many days have requests. weekend: whether a Saturday or Sunday (UTC) is among them.
    """

    services: tuple[str, ...]
    block_ns: int
    requests: Float64
    weight: Float64
    squares: Float64
    unweighted: Float64
    day: Int64
    days: int
    weekend: bool

    @property
    def noise(self) -> Float64:
        """By how much the variance of each service's count exceeds the count, float64[s]; 1 is Poisson's."""
        total = self.weight.sum(axis=0)
        noise: Float64 = np.divide(self.squares.sum(axis=0), total, out=np.ones_like(total), where=total > 0)
        return noise


def block_ns(start_ns: int, end_ns: int) -> int:
    """Length of the blocks for a period: one to six hours."""
    hours = (end_ns - start_ns) / HOUR_NS
    return next((length for length in (1, 2, 3, 4) if hours <= length * _MOST_BLOCKS), 6) * HOUR_NS


def read_loads(evidence: Evidence) -> Loads:
    """Loads of every service of the period, those that stand for many left out."""
    days = evidence.facts.by_window(SERVICE_LOAD, DAY_NS)["window_ns"]
    # A period may be much longer than what is known of it.
    length = block_ns(int(days.min()), int(days.max()) + DAY_NS) if len(days) else HOUR_NS  # type: ignore[arg-type]  # integers
    rows = evidence.facts.by_window(SERVICE_LOAD, length)
    services = tuple(name for name in rows["service"].unique().sort().to_list() if not is_folded(name))
    rows = rows.filter(pl.col("service").is_in(services))
    starts = rows["window_ns"].to_numpy()
    first, last = (int(starts.min()), int(starts.max())) if len(starts) else (0, -length)
    number = {name: at for at, name in enumerate(services)}
    column = np.array([number[name] for name in rows["service"].to_list()], np.int64)
    place = ((starts - first) // length, column)
    shape = ((last - first) // length + 1, len(services))
    tables = {}
    for name in ("requests", "weight", "squares", "unweighted"):
        tables[name] = np.zeros(shape)
        tables[name][place] = rows[name].to_numpy()
    at = first + length * np.arange(shape[0], dtype=np.int64)
    busy = np.unique(at[tables["requests"].any(axis=1)] // DAY_NS)
    total = tables["requests"].sum(axis=0)
    return Loads(
        services=services,
        block_ns=length,
        requests=tables["requests"],
        weight=tables["weight"],
        squares=tables["squares"],
        unweighted=np.divide(tables["unweighted"].sum(axis=0), total, out=np.zeros_like(total), where=total > 0),
        day=(at - first) // DAY_NS,
        days=len(busy),
        weekend=bool(((busy + _THURSDAY) % 7 >= _SATURDAY).any()),
    )


def stretches(requests: Float64, least: float) -> Int64:
    """First blocks of stretches in which a service handles at least so many requests each, int64[k].

    A stretch is as short as that allows, so that busy hours are seen one by one and quiet ones together; its sampling
    noise is about the same everywhere. What is left over at the end is joined to the last stretch.
    """
    upto = [0.0, *np.cumsum(requests).tolist()]
    firsts = [0]
    while True:
        after = bisect_left(upto, upto[firsts[-1]] + least - 1e-9)
        if after >= len(upto) - 1:
            break
        firsts.append(after)
    if len(firsts) > 1 and upto[-1] - upto[firsts[-1]] < least:
        firsts.pop()
    return np.array(firsts, np.int64)
