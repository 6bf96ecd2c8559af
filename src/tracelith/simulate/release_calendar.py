"""When each service is released: habits first, then trains that gather deployments, then monorepos that spread them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.latency import Micros
from tracelith.simulate.releases import Monorepo, ReleaseHabit, Train
from tracelith.simulate.topology import System
from tracelith.simulate.traffic import DAY_US, WEEK_US

__all__ = [
    "EPOCH_MONDAY_US",
    "FIRST_HOUR",
    "HOUR_US",
    "LAST_HOUR",
    "MINUTE_US",
    "WORKING_DAYS",
    "Releases",
    "draw_releases",
]

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
EPOCH_MONDAY_US = 4 * DAY_US  # 1970-01-05
WORKING_DAYS, FIRST_HOUR, LAST_HOUR = 5, 8, 17  # UTC
_QUEUE_WEEKS = 26  # before the period: what was ready then may leave with a departure inside it
_RESTART_US = 5 * MINUTE_US  # within which a monorepo's pipeline restarts all of its services
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Releases:
    """Releases of one service in order of time.

    Attributes:
        at_us: when its first instance starts, whole seconds.
        cut_us: the moment the release was cut: services released from one cut carry the same commit.
    """

    at_us: Micros
    cut_us: Micros


@dataclass(frozen=True, slots=True)
class _Release:
    """One release of one service."""

    service: str
    at_us: int
    cut_us: int


def draw_releases(system: System, rng: np.random.Generator, start_us: int, end_us: int) -> Mapping[str, Releases]:
    """Releases of each service between start and end.

    A habit's deployment waits for the first train that carries any of its services, and all of them go along. One that
    is due several times at one departure is deployed once. Releases of a service come in order, equal ones once.
    """
    waiting_from_us = start_us - _QUEUE_WEEKS * WEEK_US
    trains = [(train, _departures(rng, train, waiting_from_us, end_us)) for train in system.trains]
    rows = []
    for habit in system.habits:
        ready = _working_moments(rng, habit.per_week, waiting_from_us, end_us)
        rows += _habit_releases(rng, habit, trains, ready)
    for monorepo in system.monorepos:
        if monorepo.all_at_once:
            rows = _spread(rng, monorepo, rows)
    return {
        service.name: _in_order([row for row in rows if row.service == service.name], start_us, end_us)
        for service in system.services
    }


def _habit_releases(
    rng: np.random.Generator, habit: ReleaseHabit, trains: list[tuple[Train, Micros]], ready: Micros
) -> list[_Release]:
    """Releases that one habit makes of the changes that are ready at these moments."""
    begins = cuts = ready
    boarded = next((train for train in trains if {*train[0].services} & {*habit.services}), None)
    if boarded is not None:
        begins, cuts = _board(rng, *boarded, habit, ready)
    rows = []
    for place, name in enumerate(habit.services):
        takes_part = np.ones(ready.size, np.bool_) if place == 0 else rng.random(ready.size) < habit.follows
        after = rng.integers(0, int(habit.within_min * MINUTE_US) + 1, ready.size)
        for at_us, cut_us in zip((begins + after)[takes_part].tolist(), cuts[takes_part].tolist(), strict=True):
            rows.append(_Release(name, at_us, cut_us))
    return rows


def _board(
    rng: np.random.Generator, train: Train, departures: Micros, habit: ReleaseHabit, ready: Micros
) -> tuple[Micros, Micros]:
    """Begin and cut of each deployment, with a share of them moved to the next departure after they were ready."""
    waits = rng.random(ready.size) < train.share
    spread = rng.integers(0, int(max(train.within_min - habit.within_min, 0.0) * MINUTE_US) + 1, ready.size)
    never = np.int64(np.iinfo(np.int64).max // 2)  # after the last departure: not released in this period
    leaves = np.append(departures, never)[np.searchsorted(departures, ready)]
    return np.where(waits, leaves + spread, ready), np.where(waits, leaves, ready)


def _departures(rng: np.random.Generator, train: Train, from_us: int, end_us: int) -> Micros:
    """Moments at which the train leaves."""
    mondays = _mondays(from_us, end_us)
    mondays = mondays[(mondays - EPOCH_MONDAY_US) // WEEK_US % train.every_weeks == 0]
    mondays = mondays[rng.random(mondays.size) < train.departs]
    if train.departs < 1:
        return np.sort(mondays + _moments_of_week(rng, mondays.size))
    leaves: Micros = mondays + train.weekday * DAY_US + int(train.hour * HOUR_US)
    return leaves


def _spread(rng: np.random.Generator, monorepo: Monorepo, rows: list[_Release]) -> list[_Release]:
    """Every release of one of the repository's services becomes a release of all of them, minutes apart."""
    cuts = sorted({row.cut_us for row in rows if row.service in monorepo.services})
    together = [
        _Release(name, cut_us + int(rng.integers(0, _RESTART_US)), cut_us)
        for cut_us in cuts
        for name in monorepo.services
    ]
    return [row for row in rows if row.service not in monorepo.services] + together


def _in_order(rows: list[_Release], start_us: int, end_us: int) -> Releases:
    """Inside the period, a day from its ends so that both versions are seen in traces; the first of one cut counts."""
    inside = [row for row in rows if start_us + DAY_US <= row.at_us < end_us - DAY_US]
    first_of_cut: dict[int, int] = {}
    for row in sorted(inside, key=lambda row: row.at_us):
        first_of_cut.setdefault(row.cut_us, row.at_us // _SECOND_US * _SECOND_US)
    return Releases(np.array([*first_of_cut.values()], np.int64), np.array([*first_of_cut], np.int64))


def _working_moments(rng: np.random.Generator, per_week: float, from_us: int, end_us: int) -> Micros:
    """Moments anywhere in working time, per_week of them each week (a fraction is the chance of one more)."""
    mondays = _mondays(from_us, end_us)
    weeks = np.repeat(mondays, (per_week + rng.random(mondays.size)).astype(np.int64))
    return np.sort(weeks + _moments_of_week(rng, weeks.size))


def _moments_of_week(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Random moments of working time since Monday 00:00."""
    days = rng.integers(0, WORKING_DAYS, count) * DAY_US
    return days + rng.integers(FIRST_HOUR * 3_600, LAST_HOUR * 3_600, count) * _SECOND_US


def _mondays(from_us: int, end_us: int) -> Micros:
    first = (from_us - EPOCH_MONDAY_US) // WEEK_US * WEEK_US + EPOCH_MONDAY_US
    return np.arange(first, end_us, WEEK_US, dtype=np.int64)
