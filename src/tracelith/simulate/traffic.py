"""When requests arrive: in daily and weekly cycles, in rushes, and jobs at their hour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.latency import Micros
from tracelith.simulate.topology import System
from tracelith.simulate.traffic_shape import Cycle, Rush

__all__ = ["DAY_US", "WEEK_US", "Arrivals", "draw_arrivals"]

DAY_US = 86_400_000_000
WEEK_US = 7 * DAY_US
_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Requests in order of arrival: entry (int64 index into the system's entries) and at_us."""

    entry: NDArray[np.int64]
    at_us: Micros


def draw_arrivals(system: System, rng: np.random.Generator, traces: int, start_us: int, end_us: int) -> Arrivals:
    """Exactly ``traces`` requests between start and end, nightly jobs and rushes included in the number."""
    jobs = [
        (index, _nightly(rng, entry.nightly_hour, start_us, end_us)[:traces])
        for index, entry in enumerate(system.entries)
        if entry.nightly_hour is not None
    ]
    asked = _asked_entries(system, rng, max(traces - sum(runs.size for _, runs in jobs), 0))
    entry_of = np.concatenate([asked, *(np.full(runs.size, index, np.int64) for index, runs in jobs)])
    at_us = np.concatenate([_moments(system, rng, asked, start_us, end_us), *(runs for _, runs in jobs)])
    order = np.argsort(at_us, kind="stable")[:traces]
    return Arrivals(entry_of[order], at_us[order])


def _asked_entries(system: System, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Which entry each request asks, in random order."""
    shares = np.array([0.0 if entry.nightly_hour is not None else entry.share for entry in system.entries])
    if not shares.sum():
        return np.empty(0, np.int64)
    return rng.choice(shares.size, size=count, p=shares / shares.sum()).astype(np.int64)


def _moments(system: System, rng: np.random.Generator, asked: NDArray[np.int64], start_us: int, end_us: int) -> Micros:
    """When each request comes: the first ones of the list in rushes, the others in the cycle of their entry."""
    at_us = np.empty(asked.size, np.int64)
    taken = 0
    for rush in system.rushes:
        count = min(round(rush.share * asked.size), asked.size - taken)
        at_us[taken : taken + count] = _rushing(rng, rush, count, start_us, end_us)
        taken += count
    for index, entry in enumerate(system.entries):
        rows = taken + np.flatnonzero(asked[taken:] == index)
        if rows.size:
            at_us[rows] = _cyclic(rng, entry.cycle, rows.size, start_us, end_us)
    return at_us


def _rushing(rng: np.random.Generator, rush: Rush, count: int, start_us: int, end_us: int) -> Micros:
    length_us = min(int(rush.minutes * _MINUTE_US), end_us - start_us)
    first_us = int(start_us + rush.at * (end_us - start_us)) - length_us // 2
    first_us = max(min(first_us, end_us - length_us), start_us)
    return rng.integers(first_us, first_us + length_us, count)


def _cyclic(rng: np.random.Generator, cycle: Cycle, count: int, start_us: int, end_us: int) -> Micros:
    minutes = np.arange(start_us, end_us, _MINUTE_US, dtype=np.int64)
    rate = cycle.load(minutes)
    chosen = rng.choice(minutes.size, size=count, p=rate / rate.sum())
    arrived: Micros = minutes[chosen] + rng.integers(0, _MINUTE_US, count)
    return np.minimum(arrived, end_us - 1)


def _nightly(rng: np.random.Generator, hour: float, start_us: int, end_us: int) -> Micros:
    first_day = -(-start_us // DAY_US) * DAY_US
    days = np.arange(first_day, end_us - DAY_US, DAY_US, dtype=np.int64)
    started: Micros = days + int(hour / 24 * DAY_US)
    return started + rng.integers(0, 5_000_000, days.size)
