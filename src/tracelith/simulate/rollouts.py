"""Deployments: when each service gets a new version, and which instance runs which version at a moment."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.latency import Micros
from tracelith.simulate.releases import ReleaseHabit
from tracelith.simulate.topology import Service, System
from tracelith.simulate.traffic import DAY_US, WEEK_US

__all__ = ["Deployment", "Fleet", "draw_rollouts"]

_HOUR_US = 3_600_000_000
_EPOCH_MONDAY_US = 4 * DAY_US  # 1970-01-05
_WORKING_DAYS, _FIRST_HOUR, _LAST_HOUR = 5, 8, 17  # UTC
_APART_US = 2 * _HOUR_US  # one service is not deployed again sooner
_STAGGER_US = 20_000_000  # a rolling restart replaces one instance after another

Attributes = tuple[tuple[str, str | int], ...]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A new version of a service; its first instance runs it from at_us on."""

    service: str
    version: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """Every process that ever ran: one resource per service, instance and version.

    Attributes:
        services: in the system's order. starts_us: per service the sorted deployment times.
        first_resource: per service the number of its first resource, in order of service, instance and version.
    """

    services: tuple[Service, ...]
    starts_us: tuple[Micros, ...]
    first_resource: tuple[int, ...]
    seed: int

    @classmethod
    def of(cls, system: System, rollouts: Mapping[str, Micros], seed: int) -> "Fleet":
        """The fleet of a system with these deployment times per service."""
        starts = tuple(rollouts[service.name] for service in system.services)
        sizes = [service.instances * (times.size + 1) for service, times in zip(system.services, starts, strict=True)]
        firsts = tuple(int(first) for first in np.concatenate([[0], np.cumsum(sizes)]))
        return cls(system.services, starts, firsts, seed)

    def running(self, service: Service, instance: NDArray[np.int64], at_us: Micros) -> NDArray[np.int64]:
        """Resource number of the process that serves on this instance at this moment."""
        index = self.services.index(service)
        starts = self.starts_us[index]
        version = np.searchsorted(starts, at_us - instance * _STAGGER_US, side="right")
        return self.first_resource[index] + instance * (starts.size + 1) + version

    def attributes(self, resource: int) -> Attributes:
        """Resource attributes as an SDK in a container reports them."""
        index = int(np.searchsorted(self.first_resource, resource, side="right")) - 1
        service = self.services[index]
        instance, version = divmod(resource - self.first_resource[index], self.starts_us[index].size + 1)
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{self.seed}/{service.name}/{instance}/{version}")
        return (
            ("service.name", service.name),
            ("service.version", _version(service, version)),
            ("service.instance.id", str(identity)),
            ("deployment.environment.name", "production"),
            ("host.name", f"{service.name}-{identity.hex[:10]}"),
            ("telemetry.sdk.language", service.language),
            ("telemetry.sdk.name", "opentelemetry"),
            ("telemetry.sdk.version", "1.40.0"),
        )

    def deployments(self) -> tuple[Deployment, ...]:
        """All deployments in order of time."""
        rows = [
            Deployment(service.name, _version(service, number), int(at_us))
            for service, starts in zip(self.services, self.starts_us, strict=True)
            for number, at_us in enumerate(starts, start=1)
        ]
        return tuple(sorted(rows, key=lambda row: (row.at_us, row.service)))


def draw_rollouts(system: System, rng: np.random.Generator, start_us: int, end_us: int) -> dict[str, Micros]:
    """Sorted deployment times of each service, drawn from the system's habits."""
    drawn: dict[str, list[Micros]] = {service.name: [] for service in system.services}
    for habit in system.habits:
        starts = _working_moments(rng, habit, start_us, end_us)
        for name in habit.services:
            offsets = rng.integers(0, int(habit.within_min * 60e6) + 1, starts.size) if habit.within_min else 0
            drawn[name].append(starts + offsets)
    return {name: _apart(np.sort(np.concatenate([*parts, np.empty(0, np.int64)]))) for name, parts in drawn.items()}


def _working_moments(rng: np.random.Generator, habit: ReleaseHabit, start_us: int, end_us: int) -> Micros:
    """Moments anywhere in working time, per_week of them each week (a fraction is the chance of one more)."""
    first_monday = (start_us - _EPOCH_MONDAY_US) // WEEK_US * WEEK_US + _EPOCH_MONDAY_US
    mondays = np.arange(first_monday, end_us, WEEK_US, dtype=np.int64)
    weeks = np.repeat(mondays, (habit.per_week + rng.random(mondays.size)).astype(np.int64))
    days = rng.integers(0, _WORKING_DAYS, weeks.size) * DAY_US
    seconds = rng.integers(_FIRST_HOUR * 3_600, _LAST_HOUR * 3_600, weeks.size) * 1_000_000
    moments = weeks + days + seconds
    inside = (moments >= start_us + DAY_US) & (moments < end_us - DAY_US)  # so that both versions are seen in traces
    return np.sort(moments[inside])


def _apart(sorted_us: Micros) -> Micros:
    kept: list[int] = []
    for at_us in sorted_us.tolist():
        if not kept or at_us - kept[-1] >= _APART_US:
            kept.append(at_us // 1_000_000 * 1_000_000)
    return np.array(kept, np.int64)


def _version(service: Service, number: int) -> str:
    return f"{service.release}.{number}"
