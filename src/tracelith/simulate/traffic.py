"""When requests arrive: a daily and weekly cycle, and jobs at their hour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.latency import Micros
from tracelith.simulate.topology import System

__all__ = ["DAY_US", "WEEK_US", "Arrivals", "draw_arrivals"]

DAY_US = 86_400_000_000
WEEK_US = 7 * DAY_US
_MINUTE_US = 60_000_000
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Requests in order of arrival: entry (int64 index into the system's entries) and at_us."""

    entry: NDArray[np.int64]
    at_us: Micros


def draw_arrivals(system: System, rng: np.random.Generator, traces: int, start_us: int, end_us: int) -> Arrivals:
    """Exactly ``traces`` requests between start and end, nightly jobs included in the number."""
    entries: list[NDArray[np.int64]] = []
    times: list[Micros] = []
    for index, entry in enumerate(system.entries):
        if entry.nightly_hour is not None:
            runs = _nightly(rng, entry.nightly_hour, start_us, end_us)[:traces]
            entries.append(np.full(runs.size, index, np.int64))
            times.append(runs)
    remaining = max(traces - sum(part.size for part in times), 0)
    shares = np.array([0.0 if entry.nightly_hour is not None else entry.share for entry in system.entries])
    entries.append(rng.choice(len(shares), size=remaining, p=shares / shares.sum()).astype(np.int64))
    times.append(_cyclic(rng, remaining, start_us, end_us))
    entry_of, at_us = np.concatenate(entries), np.concatenate(times)
    order = np.argsort(at_us, kind="stable")[:traces]
    return Arrivals(entry_of[order], at_us[order])


def _cyclic(rng: np.random.Generator, count: int, start_us: int, end_us: int) -> Micros:
    """Times with a peak at 14:00 UTC of nine times the night's trough, and quieter weekends."""
    minutes = np.arange(start_us, end_us, _MINUTE_US, dtype=np.int64)
    hour = (minutes % DAY_US) / (DAY_US / 24)
    weekday = (minutes // DAY_US + _EPOCH_WEEKDAY) % 7
    rate = (1 + 0.8 * np.cos((hour - 14) / 24 * 2 * np.pi)) * np.where(weekday >= 5, 0.6, 1.0)
    chosen = rng.choice(minutes.size, size=count, p=rate / rate.sum())
    arrived: Micros = minutes[chosen] + rng.integers(0, _MINUTE_US, count)
    return np.minimum(arrived, end_us - 1)


def _nightly(rng: np.random.Generator, hour: float, start_us: int, end_us: int) -> Micros:
    first_day = -(-start_us // DAY_US) * DAY_US
    days = np.arange(first_day, end_us - DAY_US, DAY_US, dtype=np.int64)
    started: Micros = days + int(hour / 24 * DAY_US)
    return started + rng.integers(0, 5_000_000, days.size)
