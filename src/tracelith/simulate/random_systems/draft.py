"""A system while it is being drawn: operations that can still be changed, frozen into a description at the end."""

from collections import Counter
from dataclasses import dataclass, field

from tracelith.simulate.flow import (
    Cached,
    Call,
    Entry,
    Operation,
    Parallel,
    Publish,
    Repeat,
    Sometimes,
    Step,
)
from tracelith.simulate.latency import Latency
from tracelith.simulate.topology import Database, Service, Topic
from tracelith.simulate.traffic_shape import OFFICE_HOURS, Cycle

__all__ = ["CallDraft", "ConsumerDraft", "EntryDraft", "OperationDraft", "SystemDraft"]

_CACHE = Latency(0.4, 1.8)  # a look into a cache in memory of a neighbour


@dataclass(slots=True)
class CallDraft:
    """A call that can still be changed.

    Attributes:
        share: of the requests that make it. together: starts with the operation's other such calls.
        hit, cache: share of requests that a cache answers instead. times: how often in a row, both ends included.
        timeout_ms, attempts, tolerated, fallback: as in flow.Call.
    """

    target: "OperationDraft"
    share: float = 1.0
    together: bool = False
    hit: float = 0.0
    cache: Database | None = None
    times: tuple[int, int] = (1, 1)
    timeout_ms: float | None = None
    attempts: int = 1
    tolerated: float = 0.0
    fallback: tuple[Step, ...] = ()

    @property
    def mean(self) -> float:
        """Mean number of calls in a request."""
        return self.share * (1 - self.hit) * (self.times[0] + self.times[1]) / 2

    def freeze(self) -> Step:
        """The call with everything around it."""
        step: Step = Call(
            self.target.freeze(),
            timeout_ms=self.timeout_ms,
            attempts=self.attempts,
            tolerated=self.tolerated,
            fallback=self.fallback,
        )
        if self.times != (1, 1):
            step = Repeat(*self.times, (step,))
        if self.cache is not None:
            step = Cached(self.cache, self.hit, _CACHE, (step,))
        return step if self.share == 1 else Sometimes(self.share, (step,))


@dataclass(slots=True, eq=False)
class OperationDraft:
    """An operation in the making; its steps are taken in the order of the attributes.

    Attributes:
        before: computing and answers that end the request. data: statements. calls: to other services.
        sends: messages. after: computing at the end.
    """

    service: Service
    method: str
    route: str
    before: list[Step] = field(default_factory=list)
    data: list[Step] = field(default_factory=list)
    calls: list[CallDraft] = field(default_factory=list)
    sends: list[Publish] = field(default_factory=list)
    after: list[Step] = field(default_factory=list)

    @property
    def hops(self) -> int:
        """Awaited hops below it at most."""
        return max((1 + call.target.hops for call in self.calls), default=0)

    @property
    def mean_spans(self) -> float:
        """Spans that a request of it makes on average, consumers of its messages left out."""
        called = sum(call.mean * (1 + call.target.mean_spans) + (call.cache is not None) for call in self.calls)
        rounds = sum((step.least + step.most) / 2 if isinstance(step, Repeat) else 1 for step in self.data)
        return 1 + rounds + len(self.sends) + called

    def reached(self) -> set[str]:
        """Names of the services that its requests may visit, its own included."""
        return {self.service.name}.union(*(call.target.reached() for call in self.calls))

    def steps(self) -> tuple[Step, ...]:
        """Everything it does."""
        one_by_one = [call.freeze() for call in self.calls if not call.together]
        at_once = [(call.freeze(),) for call in self.calls if call.together]
        fan = [Parallel(tuple(at_once))] if at_once else []
        return (*self.before, *self.data, *one_by_one, *fan, *self.sends, *self.after)

    def freeze(self) -> Operation:
        """The operation as it is now."""
        return Operation(self.service, self.method, self.route, self.steps())


@dataclass(slots=True)
class EntryDraft:
    """Where requests come in.

    Attributes:
        fresh: the operations on its longest chain serve nobody else.
    """

    operation: OperationDraft
    share: float
    cycle: Cycle = OFFICE_HOURS
    fresh: bool = False

    def spine(self) -> list[OperationDraft]:
        """The longest chain of operations that every request waits for, the entry operation first."""
        chain = [self.operation]
        while certain := [call for call in chain[-1].calls if call.share == 1 and call.cache is None]:
            chain.append(max(certain, key=lambda call: call.target.hops).target)
        return chain

    def freeze(self) -> Entry:
        """The entry as it is now."""
        return Entry(self.operation.freeze(), share=self.share, cycle=self.cycle)


@dataclass(slots=True)
class ConsumerDraft:
    """What a service does with the messages of a topic; body is an operation of which only the steps count.

    Attributes:
        group: name of the consumer group.
    """

    service: Service
    topic: Topic
    delay: Latency
    body: OperationDraft
    own_trace: bool
    group: str = ""

    def __post_init__(self) -> None:
        self.group = self.group or f"{self.service.name}-{self.topic.destination}"


@dataclass(slots=True)
class SystemDraft:
    """Everything drawn so far.

    Attributes:
        tiers: services; calls go from one tier to later ones. own_data: database of each service that keeps data.
        waits: what holds requests up in each service. operations: what others may call.
        layers: names of services that only hand calls on, and of those they hand them on to.
        named: how many operations each service has, whether others may call them or not.
    """

    tiers: tuple[tuple[Service, ...], ...]
    own_data: dict[str, Database]
    waits: dict[str, tuple[Step, ...]]
    operations: list[OperationDraft] = field(default_factory=list)
    named: Counter[str] = field(default_factory=Counter)
    layers: set[str] = field(default_factory=set)
    entries: list[EntryDraft] = field(default_factory=list)
    jobs: list[Entry] = field(default_factory=list)
    consumers: list[ConsumerDraft] = field(default_factory=list)
    table_owners: dict[str, str] = field(default_factory=dict)

    @property
    def services(self) -> tuple[Service, ...]:
        """All services, the outermost first."""
        return tuple(service for tier in self.tiers for service in tier)

    def tier_of(self, service: Service) -> int:
        """The number of its tier."""
        return next(number for number, tier in enumerate(self.tiers) if service in tier)

    def reached(self) -> set[str]:
        """Names of the services that some request, job or message reaches."""
        bodies = [entry.operation for entry in self.entries] + [consumer.body for consumer in self.consumers]
        names = {job.operation.service.name for job in self.jobs}
        return names.union(*(body.reached() for body in bodies))
