"""Deployments: what becomes of each release, and which instance runs which version at a moment.

A service passes through generations of processes. A release starts one everywhere; a canary starts it on the first
instance and on all others only hours later, or takes it back; a rollback starts one more with the older version.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.latency import Micros
from tracelith.simulate.release_calendar import HOUR_US, MINUTE_US, Releases, draw_releases
from tracelith.simulate.releases import Canary, Rollback
from tracelith.simulate.topology import Service, System

__all__ = ["Deployment", "DeploymentKind", "Fleet", "Generations", "draw_rollouts"]

_APART_US = HOUR_US  # a service is not deployed again sooner after its last deployment was over
_STAGGER_US = 20_000_000  # a rolling restart replaces one instance after another
_COMMIT_DIGITS = 12

Attributes = tuple[tuple[str, str | int], ...]


class DeploymentKind(StrEnum):
    """What a deployment was."""

    RELEASE = "release"
    CANARY = "canary"
    FAILED_CANARY = "failed_canary"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as a pipeline records it: once, when its first instance runs the version (at_us)."""

    service: str
    version: str
    at_us: int
    kind: DeploymentKind = DeploymentKind.RELEASE


@dataclass(frozen=True, slots=True)
class Generations:
    """What one service ran, one generation of processes after another.

    Attributes:
        versions: of each generation; the first one ran when the period began.
        first_us: int64[g - 1], when the first instance passes to each later generation, ascending.
        others_us: int64[h], when the other instances do, ascending. others: int64[h + 1], their generations, from 0 on;
            a canary that was taken back is none of theirs.
        deployments: what a pipeline knows of it, in order of time.
    """

    versions: tuple[str, ...]
    first_us: Micros
    others_us: Micros
    others: NDArray[np.int64]
    deployments: tuple[Deployment, ...]

    def running(self, instance: NDArray[np.int64], at_us: Micros) -> NDArray[np.int64]:
        """Generation of the process that serves on each instance at each moment."""
        leading = np.searchsorted(self.first_us, at_us, side="right")
        following = self.others[np.searchsorted(self.others_us, at_us - instance * _STAGGER_US, side="right")]
        return np.where(instance == 0, leading, following)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Every process that ever ran: one resource per service, instance and generation.

    Attributes:
        services: in the system's order. generations: of each.
        first_resource: per service the number of its first resource, in order of service, instance and generation.
    """

    services: tuple[Service, ...]
    generations: tuple[Generations, ...]
    first_resource: tuple[int, ...]
    seed: int

    @classmethod
    def of(cls, system: System, rollouts: Mapping[str, Generations], seed: int) -> "Fleet":
        """The fleet of a system with these generations per service."""
        generations = tuple(rollouts[service.name] for service in system.services)
        sizes = [
            service.instances * len(ran.versions) for service, ran in zip(system.services, generations, strict=True)
        ]
        firsts = tuple(int(first) for first in np.concatenate([[0], np.cumsum(sizes)]))
        return cls(system.services, generations, firsts, seed)

    def running(self, service: Service, instance: NDArray[np.int64], at_us: Micros) -> NDArray[np.int64]:
        """Resource number of the process that serves on this instance at this moment."""
        index = self.services.index(service)
        ran = self.generations[index]
        return self.first_resource[index] + instance * len(ran.versions) + ran.running(instance, at_us)

    def attributes(self, resource: int) -> Attributes:
        """Resource attributes as an SDK in a container reports them."""
        index = int(np.searchsorted(self.first_resource, resource, side="right")) - 1
        service, ran = self.services[index], self.generations[index]
        instance, generation = divmod(resource - self.first_resource[index], len(ran.versions))
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{self.seed}/{service.name}/{instance}/{generation}")
        owner = (("service.namespace", service.namespace),) if service.namespace else ()
        return (
            ("service.name", service.name),
            *owner,
            ("service.version", ran.versions[generation]),
            ("service.instance.id", str(identity)),
            ("deployment.environment.name", "production"),
            ("host.name", f"{service.name}-{identity.hex[:10]}"),
            ("telemetry.sdk.language", service.language),
            ("telemetry.sdk.name", "opentelemetry"),
            ("telemetry.sdk.version", "1.40.0"),
        )

    def deployments(self) -> tuple[Deployment, ...]:
        """All deployments in order of time."""
        rows = [row for ran in self.generations for row in ran.deployments]
        return tuple(sorted(rows, key=lambda row: (row.at_us, row.service)))


def draw_rollouts(system: System, rng: np.random.Generator, start_us: int, end_us: int) -> dict[str, Generations]:
    """What each service runs from start to end, drawn from the system's habits and what is made of them."""
    releases = draw_releases(system, rng, start_us, end_us)
    secret = int(rng.integers(2**63))
    return {
        service.name: _roll_out(system, service, releases[service.name], rng, _Run(secret, end_us))
        for service in system.services
    }


@dataclass(frozen=True, slots=True)
class _Run:
    """What all services of a run share: what makes its commits its own, and when it ends."""

    secret: int
    end_us: int


@dataclass(slots=True)
class _History:
    """The generations of one service while they are written down."""

    service: str
    versions: list[str]
    first_us: list[int] = field(default_factory=list)
    others_us: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=lambda: [0])
    deployments: list[Deployment] = field(default_factory=list)
    over_us: int | None = None

    def start(self, version: str, at_us: int) -> None:
        """The first instance runs a version from now on."""
        self.versions.append(version)
        self.first_us.append(at_us)
        self.over_us = at_us

    def follow(self, at_us: int) -> None:
        """All others run what the first instance runs."""
        self.others_us.append(at_us)
        self.others.append(len(self.versions) - 1)
        self.over_us = at_us

    def record(self, kind: DeploymentKind) -> None:
        """The pipeline noted what the first instance just began to run."""
        self.deployments.append(Deployment(self.service, self.versions[-1], self.first_us[-1], kind))

    def finished(self) -> Generations:
        return Generations(
            tuple(self.versions),
            np.array(self.first_us, np.int64),
            np.array(self.others_us, np.int64),
            np.array(self.others, np.int64),
            tuple(self.deployments),
        )


def _roll_out(system: System, service: Service, releases: Releases, rng: np.random.Generator, run: _Run) -> Generations:
    canary = next((canary for canary in system.canaries if service.name in canary.services), None)
    rollback = next((rollback for rollback in system.rollbacks if service.name in rollback.services), None)
    history = _History(service.name, [_version(system, service, 0, 0, run.secret)])
    number = 0
    for at_us, cut_us in zip(releases.at_us.tolist(), releases.cut_us.tolist(), strict=True):
        if history.over_us is not None and at_us - history.over_us < _APART_US:
            continue
        number += 1
        before = history.versions[-1]
        history.start(_version(system, service, number, cut_us, run.secret), at_us)
        if _stays(history, canary if service.instances > 1 else None, rng, before):
            _perhaps_roll_back(history, rollback, rng, before, run.end_us)
    return history.finished()


def _stays(history: _History, canary: Canary | None, rng: np.random.Generator, before: str) -> bool:
    """Whether the release that just started reaches all instances."""
    at_us = history.first_us[-1]
    if canary is None or rng.random() >= canary.share:
        history.record(DeploymentKind.RELEASE)
        history.follow(at_us)
        return True
    decided_us = at_us + int(canary.hours * HOUR_US)
    if rng.random() < canary.fails:
        history.record(DeploymentKind.FAILED_CANARY)
        history.start(before, decided_us)
        return False
    history.record(DeploymentKind.CANARY)
    history.follow(decided_us)
    return True


def _perhaps_roll_back(
    history: _History, rollback: Rollback | None, rng: np.random.Generator, before: str, end_us: int
) -> None:
    if rollback is None or rng.random() >= rollback.share:
        return
    at_us = history.others_us[-1] + int(rollback.after_min * MINUTE_US)
    if at_us < end_us:
        history.start(before, at_us)
        history.record(DeploymentKind.ROLLBACK)
        history.follow(at_us)


def _version(system: System, service: Service, number: int, cut_us: int, secret: int) -> str:
    """The patch number, or in a monorepo its commit at the moment of the cut."""
    for place, monorepo in enumerate(system.monorepos):
        if service.name in monorepo.services:
            return sha256(f"{secret}/{place}/{cut_us}".encode()).hexdigest()[:_COMMIT_DIGITS]
    return f"{service.release}.{number}"
