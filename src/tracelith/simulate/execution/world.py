"""What all requests of a run share: the system, its processes, and when which incident happens."""

import zlib
from dataclasses import dataclass, field
from typing import TypeVar, assert_never

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.execution.spans import Ints
from tracelith.simulate.flow import Consumer, Query
from tracelith.simulate.incidents import (
    GroupStall,
    Incident,
    Occurrences,
    Outage,
    Slowdown,
    TableLock,
    draw_occurrences,
)
from tracelith.simulate.instrumentation import REFUSED, SpanShape
from tracelith.simulate.latency import Micros
from tracelith.simulate.rollouts import Fleet
from tracelith.simulate.topology import Service, System

__all__ = ["FAILED", "FINE", "World"]

FINE, FAILED = 200, 500

_INCIDENTS = 14  # random stream

Kind = TypeVar("Kind", bound=Incident)


@dataclass(frozen=True, slots=True)
class World:
    """A system in a period, ready for requests.

    Attributes:
        seed: of the run. occurrences: every incident that happens, in the system's order.
        shapes: shapes made so far, which many slices use again.
    """

    system: System
    fleet: Fleet
    seed: int
    occurrences: tuple[Occurrences[Incident], ...]
    outages: tuple[Occurrences[Outage], ...]
    slowdowns: tuple[Occurrences[Slowdown], ...]
    locks: tuple[Occurrences[TableLock], ...]
    stalls: tuple[Occurrences[GroupStall], ...]
    shapes: dict[tuple[object, ...], SpanShape] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, system: System, fleet: Fleet, seed: int, start_us: int, end_us: int) -> "World":
        """The world of a run from start to end; its incidents are drawn here, once for all requests."""
        drawn = draw_occurrences(system.incidents, (seed, _INCIDENTS), start_us, end_us)
        outages: list[Occurrences[Outage]] = []
        slowdowns: list[Occurrences[Slowdown]] = []
        locks: list[Occurrences[TableLock]] = []
        stalls: list[Occurrences[GroupStall]] = []
        for happens in drawn:
            match happens.incident:
                case Outage() as outage:
                    outages.append(_when(happens, outage))
                case Slowdown() as slowdown:
                    slowdowns.append(_when(happens, slowdown))
                case TableLock() as lock:
                    locks.append(_when(happens, lock))
                case GroupStall() as stall:
                    stalls.append(_when(happens, stall))
                case unknown:
                    assert_never(unknown)  # the truth would list what never happened
        return cls(system, fleet, seed, drawn, tuple(outages), tuple(slowdowns), tuple(locks), tuple(stalls))

    def instance(self, service: Service, rng: np.random.Generator, at_us: Micros) -> Ints:
        """A random one of the instances that run at each moment."""
        if service.scaling is None:
            return rng.integers(0, service.instances, at_us.size)
        least = service.scaling.least
        running = least + np.rint(service.scaling.axis.level(at_us) * (service.instances - least)).astype(np.int64)
        return (rng.random(at_us.size) * running).astype(np.int64)

    def seed_of(self, service: Service) -> int:
        """Seed of what happens to the instances of one service, whoever asks."""
        return self.seed * 2**32 + zlib.crc32(service.name.encode())

    def fate(self, service: Service, rng: np.random.Generator, at_us: Micros) -> Ints | None:
        """What outages do to requests that reach the service: FINE, FAILED or REFUSED; None if nothing to any."""
        fate = None
        for outage in self.outages:
            if service.name in outage.incident.services:
                hit = _hit(outage, rng, at_us) > 0
                if hit.any():
                    fate = np.full(at_us.size, FINE) if fate is None else fate
                    fate[hit & (fate != REFUSED)] = REFUSED if outage.incident.refused else FAILED
        return fate

    def slower_us(self, service: Service, rng: np.random.Generator, at_us: Micros) -> Micros | None:
        """What slowdowns add to requests that the service begins to handle; None if nothing to any."""
        added = None
        for slowdown in self.slowdowns:
            if service.name in slowdown.incident.services:
                rows = np.flatnonzero(slowdown.end_us(at_us))
                if rows.size:
                    added = np.zeros(at_us.size, np.int64) if added is None else added
                    added[rows] += slowdown.incident.added.draw_us(rng, rows.size)
        return added

    def locked_us(self, query: Query, at_us: Micros) -> tuple[Micros, NDArray[np.bool_]] | None:
        """How long locks hold a statement up, and whether it gives up then; None if they hold up none."""
        waits, gives_up = np.zeros(at_us.size, np.int64), np.zeros(at_us.size, bool)
        for lock in self.locks:
            held = lock.incident
            same_server = held.database.address == query.database.address
            if same_server and (held.database.namespace, held.collection) in query.tables:
                wait = np.maximum(lock.end_us(at_us + waits) - (at_us + waits), 0)
                patience_us = round(held.patience_s * 1e6)
                gives_up |= wait > patience_us
                waits += np.minimum(wait, patience_us)
        return (waits, gives_up) if waits.any() else None

    def taken_us(self, consumer: Consumer, rng: np.random.Generator, ready_us: Micros) -> Micros:
        """When messages that are ready for a consumer are taken: not while its group stalls or its service is out."""
        for stall in self.stalls:
            if stall.incident.topic == consumer.topic and stall.incident.group == consumer.group:
                ready_us = stall.taken_us(ready_us)
        for outage in self.outages:
            if consumer.service.name in outage.incident.services:
                held = outage.incident.share >= 1 or rng.random(ready_us.size) < outage.incident.share
                ready_us = np.where(held, outage.taken_us(ready_us), ready_us)
        return ready_us


def _when(happens: Occurrences[Incident], incident: Kind) -> Occurrences[Kind]:
    """The same occurrences, their incident being of a known kind."""
    return Occurrences(incident, happens.starts_us, happens.length_us)


def _hit(outage: Occurrences[Outage], rng: np.random.Generator, at_us: Micros) -> Micros:
    end_us = outage.end_us(at_us)
    rows = np.flatnonzero(end_us)
    if outage.incident.share < 1 and rows.size:
        end_us[rows[rng.random(rows.size) >= outage.incident.share]] = 0
    return end_us
