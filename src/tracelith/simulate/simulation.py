"""One run of a system: deployments, truth and spans, reproducible from its seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np

from tracelith.model.errors import ConfigurationError
from tracelith.simulate.batching import BATCH_SPANS, Batcher
from tracelith.simulate.defects import NO_DEFECTS, Defects, check_defects, describe_defects
from tracelith.simulate.delivery import Delivery, deliver
from tracelith.simulate.encoding import PROTOBUF, Encoding
from tracelith.simulate.execution import Followed, SpanBlock, World, execute, follow
from tracelith.simulate.incidents import Incident, Occurrences
from tracelith.simulate.recording import process_attributes, record
from tracelith.simulate.rollouts import Deployment, Fleet, draw_rollouts
from tracelith.simulate.span_table import SpanTable
from tracelith.simulate.systems import SYSTEMS, find_system
from tracelith.simulate.topology import System
from tracelith.simulate.traffic import Arrivals, draw_arrivals
from tracelith.simulate.truth import truth_of

__all__ = ["DEFAULT_TRACES", "DEFAULT_WEEKS", "SYSTEMS", "Batch", "Simulation", "simulate"]

DEFAULT_WEEKS, DEFAULT_TRACES = 12, 20_000

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""What readers of spans and deployments take for a moment that can be meant."""
LONGEST_WEEKS = 5_000

_SLICE_TRACES = 4_096  # requests held in memory at once; part of the result, as every slice has its own random stream
_DEPLOYMENTS, _ARRIVALS = 1, 2  # independent random streams
_DEFECT_BITS = 10  # room for the random streams of defects between two seeds


@dataclass(frozen=True, slots=True)
class Batch:
    """One OTLP request.

    Attributes:
        payload: an encoded ExportTraceServiceRequest. spans: how many it holds.
        traces_done: requests simulated so far, for progress bars.
    """

    payload: bytes
    spans: int
    traces_done: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """A system with everything about the run fixed; the spans are made when they are asked for, each time the same.

    Attributes:
        system: what is simulated. seed, traces: as given. start, end: half-open period in UTC.
        deployments: in order of time. truth: JSON-ready, what was planted. defects: of the spans.
    """

    system: System
    seed: int
    traces: int
    start: datetime
    end: datetime
    deployments: tuple[Deployment, ...]
    truth: dict[str, Any]
    defects: Defects
    _world: World
    _arrivals: Arrivals

    @property
    def period_us(self) -> tuple[int, int]:
        """Start and end in microseconds since 1970."""
        return _micros(self.start), _micros(self.end)

    @property
    def arrivals(self) -> Arrivals:
        """When which entry is asked."""
        return self._arrivals

    @property
    def occurrences(self) -> tuple[Occurrences[Incident], ...]:
        """What went wrong, and when."""
        return self._world.occurrences

    def batches(self, encoding: Encoding = PROTOBUF, *, batch_spans: int = BATCH_SPANS) -> Iterator[Batch]:
        """Requests in order of time, at most batch_spans spans each."""
        batcher = Batcher(encoding, partial(process_attributes, self._world.fleet), batch_spans)
        for first in range(0, self._arrivals.at_us.size, _SLICE_TRACES):
            done = min(first + _SLICE_TRACES, self.traces)
            blocks = self._blocks(first)
            if not blocks:
                continue
            arrived = self._arriving(SpanTable.of(blocks))
            for payload, count in batcher.requests(arrived.spans, arrived.leaving_us):
                yield Batch(payload, count, done)

    def payloads(self) -> Iterator[bytes]:
        """The same as protobuf bytes only, ready for TraceService/Export."""
        for batch in self.batches():
            yield batch.payload

    def _arriving(self, made: SpanTable) -> Delivery:
        if self.defects == NO_DEFECTS:
            return Delivery(made, made.end_us)
        seed = self.seed << _DEFECT_BITS
        return deliver(record(made, self.defects, self._world.fleet, seed), self.defects, seed)

    def followed(self) -> Iterator[Followed]:
        """The same requests without spans, with what became of them and where their time went."""
        for first in range(0, self._arrivals.at_us.size, _SLICE_TRACES):
            yield from follow(self._world, self._arrivals, first, _SLICE_TRACES)

    def _blocks(self, first: int) -> list[SpanBlock]:
        return execute(self._world, self._arrivals, first, _SLICE_TRACES)


def simulate(
    system: str | System,
    *,
    seed: int = 1,
    weeks: int = DEFAULT_WEEKS,
    traces: int = DEFAULT_TRACES,
    until: datetime | None = None,
    defects: Defects = NO_DEFECTS,
) -> Simulation:
    """A run of a system over the weeks before ``until``.

    Args:
        system: a key of SYSTEMS, or a description of one's own.
        seed: the same seed gives the same bytes.
        weeks, traces: length of the period and number of requests in it; what they cause in traces of its own comes
            on top.
        until: end of the period, with a time zone; now if not given.
        defects: what becomes of the spans on their way.

    Raises:
        ConfigurationError: no such system, or a length, number, time or defect that makes no sense.
    """
    chosen = find_system(system, weeks=weeks, traces=traces, seed=seed)
    check_defects(defects, [service.name for service in chosen.services])
    end = (until or datetime.now(UTC)).astimezone(UTC)
    if weeks > LONGEST_WEEKS or not EARLIEST <= end - timedelta(weeks=weeks) < end <= LATEST:
        raise ConfigurationError(
            f"the period must lie between {EARLIEST:%Y} and {LATEST:%Y}, not be the {weeks} weeks before {end:%Y-%m-%d}"
        )
    start = end - timedelta(weeks=weeks)
    start_us, end_us = _micros(start), _micros(end)
    rollouts = draw_rollouts(chosen, np.random.default_rng([seed, _DEPLOYMENTS]), start_us, end_us)
    fleet = Fleet.of(chosen, rollouts, seed)
    world = World.of(chosen, fleet, seed, start_us, end_us)
    arrivals = draw_arrivals(chosen, np.random.default_rng([seed, _ARRIVALS]), traces, start_us, end_us)
    truth = {
        "seed": seed,
        "traces": traces,
        "start": start.isoformat(),
        "end": end.isoformat(),
        "defects": describe_defects(defects),
    } | truth_of(chosen, fleet, world.occurrences)
    return Simulation(
        chosen,
        seed,
        traces,
        start,
        end,
        fleet.deployments(),
        truth,
        defects,
        world,
        arrivals,
    )


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
