"""The simulated systems as tests read them: every span with its service, through the generated OTLP classes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tracelith.simulate import Deployment, Simulation, simulate

__all__ = [
    "CLIENT",
    "CONSUMER",
    "PRODUCER",
    "SERVER",
    "UNTIL",
    "Seen",
    "Trace",
    "alone",
    "attribute",
    "awaited_hops",
    "chosen",
    "database_servers",
    "deployed_at",
    "latencies",
    "read_spans",
    "requests",
    "root_of",
    "story",
    "together",
    "traces_of",
    "within",
]

UNTIL = datetime(2026, 3, 2, tzinfo=UTC)
SERVER, CLIENT = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT
PRODUCER, CONSUMER = Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER


@dataclass(frozen=True, slots=True)
class Seen:
    """A span as it arrived, with the attributes of the resource that sent it."""

    resource: Mapping[str, str]
    span: Span

    @property
    def service(self) -> str:
        return self.resource["service.name"]

    @property
    def milliseconds(self) -> float:
        return (self.span.end_time_unix_nano - self.span.start_time_unix_nano) / 1e6

    @property
    def failed(self) -> bool:
        return bool(self.span.status.code == Status.STATUS_CODE_ERROR)

    @property
    def started_at(self) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.span.start_time_unix_nano // 1_000)


Trace = list[Seen]


def read_spans(simulation: Simulation) -> list[Seen]:
    """Every span of a run."""
    found = []
    for payload in simulation.payloads():
        for resource in ExportTraceServiceRequest.FromString(payload).resource_spans:
            described = {item.key: item.value.string_value for item in resource.resource.attributes}
            found += [Seen(described, span) for scope in resource.scope_spans for span in scope.spans]
    return found


@lru_cache(maxsize=1)  # the tests of one story are in one file, and spans are large
def story(system: str) -> Simulation:
    """Three thousand requests to a story in twelve weeks."""
    return simulate(system, seed=3, weeks=12, traces=3_000, until=UNTIL)


@lru_cache(maxsize=1)
def traces_of(system: str) -> dict[bytes, Trace]:
    """The spans of each trace of a story."""
    traces: dict[bytes, Trace] = defaultdict(list)
    for seen in read_spans(story(system)):
        traces[seen.span.trace_id].append(seen)
    return traces


def root_of(trace: Trace) -> Seen:
    return next(seen for seen in trace if not seen.span.parent_span_id)


def requests(system: str, operation: str) -> list[Trace]:
    """Traces that begin with this operation."""
    return [trace for trace in traces_of(system).values() if root_of(trace).span.name == operation]


def chosen(spans: Iterable[Seen], *, service: str | None = None, name: str | None = None, kind: int = 0) -> list[Seen]:
    """The spans of this service, name and kind."""
    return [
        seen
        for seen in spans
        if service in (None, seen.service) and name in (None, seen.span.name) and kind in (0, seen.span.kind)
    ]


def attribute(span: Span, key: str) -> str | int | None:
    for item in span.attributes:
        if item.key == key:
            return item.value.string_value or item.value.int_value
    return None


def awaited_hops(trace: Trace) -> int:
    """Longest chain of services that call each other, by following parents."""
    spans = {seen.span.span_id: seen for seen in trace}
    deepest = 0
    for seen in trace:
        hops, below = 0, seen
        while below is not None and below.span.kind != CONSUMER:
            above = spans.get(below.span.parent_span_id)
            hops += above is not None and above.service != below.service
            below = above
        deepest = max(deepest, hops if below is None else 0)
    return deepest


def latencies(name: str, traces: Iterable[Trace]) -> NDArray[np.float64]:
    """Milliseconds that each trace spent in spans of this name, added up."""
    return np.array([sum(seen.milliseconds for seen in chosen(trace, name=name)) for trace in traces])


def within(begin: datetime, minutes: float, traces: Iterable[Trace]) -> list[Trace]:
    """Traces whose root starts in this stretch of time."""
    return [trace for trace in traces if begin <= root_of(trace).started_at < begin + timedelta(minutes=minutes)]


def database_servers(traces: Iterable[Trace]) -> dict[str, set[str]]:
    """Services that talk to each database server."""
    users: dict[str, set[str]] = defaultdict(set)
    for trace in traces:
        for seen in trace:
            if attribute(seen.span, "db.system.name"):
                users[str(attribute(seen.span, "server.address"))].add(seen.service)
    return users


def deployed_at(deployments: Iterable[Deployment], service: str) -> NDArray[np.int64]:
    """Microseconds since 1970."""
    return np.array([row.at_us for row in deployments if row.service == service])


def together(deployments: Iterable[Deployment], a: str, b: str, *, minutes: float = 30) -> float:
    """Share of the deployments of a that have one of b so close."""
    left, right = deployed_at(deployments, a), deployed_at(deployments, b)
    return float((np.abs(left[:, None] - right).min(axis=1) <= minutes * 60e6).mean())


def alone(deployments: Iterable[Deployment], *, minutes: float = 30) -> float:
    """Share of all deployments that have none of another service so close."""
    rows = list(deployments)
    at = np.array([row.at_us for row in rows])
    other = np.array([row.service for row in rows])[:, None] != np.array([row.service for row in rows])
    return float((~((np.abs(at[:, None] - at) <= minutes * 60e6) & other).any(axis=1)).mean())
