"""Systems of a few services, described in a test, and their spans."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from stories import UNTIL, Seen, Trace, read_spans
from tracelith.simulate import Simulation, simulate
from tracelith.simulate.flow import Entry, Operation, Step, Work
from tracelith.simulate.latency import Latency
from tracelith.simulate.topology import Database, Service, System, Topic

__all__ = [
    "LEDGERS",
    "NETWORK",
    "ORDERS",
    "QUICK",
    "back",
    "children",
    "constant",
    "front",
    "operation",
    "run_of",
    "small_system",
    "spans_by_id",
    "traces_in",
]

QUICK = Latency(2, 6)
NETWORK = Latency(0.4, 1.2)
LEDGERS = Database("postgresql", "ledgers.internal", 5432, "ledgers.public")
ORDERS = Topic("kafka", "broker.internal", 9092, "orders")
front = Service("front", "go", 2, "1.0")
back = Service("back", "java", 3, "2.0")


def constant(milliseconds: float) -> Work:
    """Work of the same length for all requests."""
    return Work(Latency(milliseconds, milliseconds))


def operation(service: Service, *steps: Step, route: str = "/things") -> Operation:
    return Operation(service, "GET", route, steps)


def small_system(*steps: Step, entry: Entry | None = None, **more: Any) -> System:
    """A system whose only entry, GET /pages of front, takes these steps."""
    asked = entry or Entry(operation(front, *steps, route="/pages"), share=1)
    settled: dict[str, Any] = {"services": (front, back), "consumers": (), "habits": (), "network": NETWORK}
    return System(name="small", title="small", readme="# small\n", entries=(asked,), **settled | more)


def run_of(system: System, *, traces: int = 2_000, seed: int = 5, weeks: int = 1) -> Simulation:
    return simulate(system, seed=seed, traces=traces, weeks=weeks, until=UNTIL)


def traces_in(simulation: Simulation) -> list[Trace]:
    traces: dict[bytes, Trace] = defaultdict(list)
    for seen in read_spans(simulation):
        traces[seen.span.trace_id].append(seen)
    return [sorted(trace, key=lambda seen: seen.span.start_time_unix_nano) for trace in traces.values()]


def spans_by_id(trace: Trace) -> Mapping[bytes, Seen]:
    return {seen.span.span_id: seen for seen in trace}


def children(trace: Trace, parent: Seen) -> list[Seen]:
    """Spans directly below one, in order of start."""
    return [seen for seen in trace if seen.span.parent_span_id == parent.span.span_id]
