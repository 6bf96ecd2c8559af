"""Where the time of requests goes: a diary of stretches of time, written by the steps as they happen.

A stretch says which requests spent it where, from when to when. Steps that follow each other write stretches that
follow each other. What was not waited for after all is taken out again: the branches that were not the last to finish,
and what a callee did after its caller had given up. What is left covers each request's latency once, without gaps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.execution.spans import Ints, OpenSpans
from tracelith.simulate.latency import Micros

__all__ = ["Ledger", "Place"]

PlaceKind = Literal["service", "network", "datastore", "destination", "external"]


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere time is spent.

    Attributes:
        kind: service (its own time), network (between caller and callee), or waiting for a datastore, for messages to
            come through a destination, for somebody external.
        caller: the service that spends or waits. callee: the same for kind service; else the service called, or
            ``system namespace`` of a datastore, ``system name`` of a destination, the address of somebody external.
    """

    kind: PlaceKind
    caller: str
    callee: str


@dataclass(slots=True)
class _Stretch:
    place: Place
    request: Ints
    start_us: Micros
    end_us: Micros


@dataclass(slots=True)
class _Arrival:
    """Requests reached a service that they wait for; decisive: on the path that their latency lies on."""

    request: Ints
    at_us: Micros
    hops: int
    over_queue: bool
    decisive: NDArray[np.bool_]


class Ledger:
    """The diary of one slice of requests to one entry."""

    def __init__(self, requests: int) -> None:
        self._requests = requests
        self._stretches: list[_Stretch] = []
        self._arrivals: list[_Arrival] = []

    def spend(self, place: Place, within: OpenSpans, start_us: Micros, end_us: Micros) -> None:
        """What was awaited here took from start to end."""
        if within.awaited:
            self._stretches.append(_Stretch(place, within.request, start_us.copy(), end_us.copy()))

    def arrive(self, spans: OpenSpans, at_us: Micros) -> None:
        """The requests reached the service of these spans."""
        if spans.awaited:
            decisive = np.ones(at_us.size, bool)
            self._arrivals.append(_Arrival(spans.request, at_us.copy(), spans.hops, spans.over_queue, decisive))

    def mark(self) -> tuple[int, int]:
        """This moment of the diary."""
        return len(self._stretches), len(self._arrivals)

    def cut(self, since: tuple[int, int], spans: OpenSpans, rows: NDArray[np.intp], until_us: Micros) -> None:
        """Nobody waits any longer, from until_us on, for what these rows of the spans did since the mark."""
        limit = np.full(self._requests, np.iinfo(np.int64).max)
        limit[spans.request[rows]] = until_us
        for stretch in self._stretches[since[0] :]:
            until = limit[stretch.request]
            stretch.start_us, stretch.end_us = np.minimum(stretch.start_us, until), np.minimum(stretch.end_us, until)
        for arrival in self._arrivals[since[1] :]:
            kept = arrival.at_us < limit[arrival.request]
            arrival.request, arrival.at_us = arrival.request[kept], arrival.at_us[kept]
            arrival.decisive = arrival.decisive[kept]

    def drop(self, since: tuple[int, int], until: tuple[int, int], spans: OpenSpans, rows: NDArray[np.intp]) -> None:
        """What these rows of the spans did between two marks was over before what they waited for otherwise."""
        dropped = np.zeros(self._requests, bool)
        dropped[spans.request[rows]] = True
        for stretch in self._stretches[since[0] : until[0]]:
            stretch.end_us = np.where(dropped[stretch.request], stretch.start_us, stretch.end_us)
        for arrival in self._arrivals[since[1] : until[1]]:
            arrival.decisive = arrival.decisive & ~dropped[arrival.request]

    def places(self) -> tuple[Place, ...]:
        """Every place that was written about, in order of first mention."""
        return tuple(dict.fromkeys(stretch.place for stretch in self._stretches))

    def spent_us(self, places: Sequence[Place]) -> NDArray[np.int64]:
        """int64[requests, places] microseconds."""
        spent = np.zeros((len(places), self._requests), np.int64)
        column = {place: number for number, place in enumerate(places)}
        for stretch in self._stretches:
            spent[column[stretch.place]][stretch.request] += stretch.end_us - stretch.start_us
        return np.ascontiguousarray(spent.T)

    def hops(self, *, over_queues: bool, decisive: bool = False) -> NDArray[np.int64]:
        """int64[requests], the longest chain of services that wait for each other, without the first one.

        Args:
            over_queues: also those that wait for the answer to a message.
            decisive: without branches that others outlasted, so that only chains count that limit the latency.
        """
        deepest = np.zeros(self._requests, np.int64)
        for arrival in self._arrivals:
            if over_queues or not arrival.over_queue:
                counted = arrival.request[arrival.decisive] if decisive else arrival.request
                deepest[counted] = np.maximum(deepest[counted], arrival.hops)
        return deepest
