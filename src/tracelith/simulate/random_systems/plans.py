"""What random systems may look like: how large they are and what is planted in them, as data.

A plan gives ranges; a seed draws one system from them. Whatever a plan does not plant is absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

__all__ = ["PLANS", "Cause", "Releasing", "Shape", "Symptoms", "SystemPlan", "Tails"]

Whole = tuple[int, int]
Share = tuple[float, float]

Cause = Literal["stalls", "queueing", "slow table", "slow peer", "fan-out", "heavy requests"]
Departures = Literal["weekly", "fortnightly", "irregular"]


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a system is and how its requests run. Pairs are ranges, both ends included.

    Attributes:
        services: how many. entries: entry operations, without the small ones that reach otherwise idle services.
        hops: awaited hops of an entry operation, exactly drawn. fan_out: calls of an operation beside the one deeper.
        spans: of a request, on average over an entry operation's requests; keeps large systems affordable.
        branching: share of entry operations only some of whose requests take the longest chain.
        parallel: share of operations that make their calls at once. reuse: share of calls to what others call too.
        cached: share of side calls behind a cache. asynchronous: share of entry operations that send messages.
        own_trace: share of consumers that start a trace of their own.
        shared_server: share of databases that stand on one server, each with a namespace of its own.
        tolerated: share of side calls without whose answer the caller can go on.
        pauses: share of services whose instances pause for some milliseconds every few seconds.
        queueing: every operation queues a little for its workers. steady: share of operations that compute long, but
            always about equally long.
        scaled: share of services that run fewer instances at night, as the traffic of offices asks for.
        idle: share of services without traffic. small_entries: whether services that no entry operation reaches get
            a little traffic of their own; otherwise others call them now and then.
    """

    services: Whole = (8, 30)
    entries: Whole = (3, 8)
    hops: Whole = (0, 2)
    fan_out: Whole = (0, 2)
    spans: float = 32.0
    branching: float = 0.3
    parallel: float = 0.4
    reuse: float = 0.5
    cached: float = 0.15
    asynchronous: float = 0.5
    own_trace: float = 0.5
    shared_server: float = 0.3
    tolerated: float = 0.6
    pauses: float = 0.3
    queueing: bool = True
    steady: float = 0.15
    scaled: float = 0.3
    idle: float = 0.05
    small_entries: bool = True


@dataclass(frozen=True, slots=True)
class Tails:
    """Hops that make the slowest requests slow; at most one in an entry operation.

    Attributes:
        planted: share of the entry operations with such a hop. share: of the extra time of the slowest percent of
            requests that is spent there. causes: why.
        hops_away: awaited hops between the entry service and the service where it is, if the chain is that long.
        long: share of the hops that make the slowest requests take ``slowdown`` times as long as ordinary ones, and
            more than half of that; the rest is made elsewhere. The others are as strong as their share asks for.
    """

    planted: float = 0.6
    share: Share = (0.4, 0.95)
    causes: tuple[Cause, ...] = ("stalls", "queueing", "slow table", "slow peer", "fan-out", "heavy requests")
    hops_away: Whole = (0, 4)
    long: float = 0.0
    slowdown: Share = (2.5, 10.0)


@dataclass(frozen=True, slots=True)
class Releasing:
    """How often services are deployed, and with whom.

    Attributes:
        per_week: median over services of their own deployments. spread: two in three services are within this factor.
        pairs, groups: how many are planted. group_size: members of a group.
        follows: probability that a member after the first takes part in a planted deployment.
        together_per_week: planted deployments of each pair and group. alone: their members' own deployments, relative
            to what they would be.
        within_min: minutes over which a planted deployment spreads.
        train_share: of all deployments that wait for a train with all services; 0 has none. departures: its kinds.
        canaries, rollbacks, monorepos: shares of systems that have some, all harmless.
    """

    per_week: float = 1.1
    spread: float = 1.7
    pairs: Whole = (0, 0)
    groups: Whole = (0, 0)
    group_size: Whole = (3, 8)
    follows: Share = (0.7, 1.0)
    together_per_week: Share = (0.5, 1.5)
    alone: float = 0.4
    within_min: Share = (4.0, 20.0)
    train_share: float = 0.0
    departures: tuple[Departures, ...] = ("weekly", "fortnightly", "irregular")
    canaries: float = 0.3
    rollbacks: float = 0.3
    monorepos: float = 0.2


@dataclass(frozen=True, slots=True)
class Symptoms:
    """How many of each kind are planted.

    Attributes:
        foreign_tables: tables that a service reads, writes or joins although another one owns them.
        outages: of services that others wait for; each caller passes on a share of its own of the failures.
        replies: requests that wait for an answer over a queue. group_stalls: consumer groups that stand still.
        pass_through: services that hand calls on and do nothing else. cycles: callees that ask their callers back.
        chatter: operations that read row by row. own_axes: chains of services that are busy when the others are not.
        locks: migrations of a table that several services use. shared_groups: groups in which a second service takes
        messages away from the first.
        hubs: services that many call and that call many. megas: services with far more operations than others.
        nanos: services that do next to nothing before they ask on. hangs: operations that now and then take longer
        than anybody should wait, and for which nobody gives up waiting.
    """

    foreign_tables: Whole = (0, 0)
    outages: Whole = (0, 0)
    replies: Whole = (0, 0)
    group_stalls: Whole = (0, 0)
    pass_through: Whole = (0, 0)
    cycles: Whole = (0, 0)
    chatter: Whole = (0, 0)
    own_axes: Whole = (0, 0)
    locks: Whole = (0, 0)
    shared_groups: Whole = (0, 0)
    hubs: Whole = (0, 0)
    megas: Whole = (0, 0)
    nanos: Whole = (0, 0)
    hangs: Whole = (0, 0)


@dataclass(frozen=True, slots=True)
class SystemPlan:
    """What a random system may look like.

    Attributes:
        name: identifier; systems are called random-NAME. title: one line.
        shapes: one of them is drawn. releasing: likewise. tails: None plants none. symptoms: what else is planted.
    """

    name: str
    title: str
    shapes: tuple[Shape, ...] = (Shape(),)
    releasing: tuple[Releasing, ...] = (Releasing(),)
    tails: Tails | None = None
    symptoms: Symptoms = Symptoms()

    def with_train(self, share: float) -> "SystemPlan":
        """The same plan with this share of all deployments on a train."""
        return replace(self, releasing=tuple(replace(one, train_share=share) for one in self.releasing))

    def with_services(self, services: Whole) -> "SystemPlan":
        """The same plan for systems of this size."""
        return replace(self, shapes=tuple(replace(one, services=services) for one in self.shapes))


_SHALLOW = Shape(hops=(0, 2))
_GATEWAY = Shape(services=(8, 40), entries=(4, 10), hops=(1, 1), fan_out=(1, 6), parallel=0.9, asynchronous=0.2)
_EVENTS = Shape(services=(5, 25), entries=(3, 8), hops=(0, 1), fan_out=(0, 1), asynchronous=0.95)
_LARGE = Shape(services=(60, 200), entries=(10, 25), hops=(0, 2))
_CALM = Releasing()
_TRAIN = Releasing(train_share=0.7)

HEALTHY = SystemPlan(
    "healthy",
    "A random system with nothing to warn about: shallow, own data, deployed apart or all on a train",
    shapes=(_SHALLOW, _GATEWAY, _EVENTS, _LARGE),
    releasing=(_CALM, _CALM, _TRAIN),
)

DEPTH = SystemPlan(
    "depth",
    "A random system whose requests wait for chains of up to six hops",
    shapes=(Shape(services=(8, 40), entries=(2, 5), hops=(0, 6), small_entries=False),),
)

TAIL = SystemPlan(
    "tail",
    "A random system in which single hops make the slowest requests slow",
    shapes=(
        Shape(
            services=(6, 60),
            entries=(2, 4),
            hops=(2, 5),
            branching=0.0,
            steady=0.0,
            asynchronous=0.3,
            small_entries=False,
        ),
    ),
    tails=Tails(long=0.67),
)

CODEPLOYMENT = SystemPlan(
    "codeployment",
    "A random system in which pairs and groups of services are deployed together",
    shapes=(Shape(services=(8, 60), entries=(2, 4), hops=(0, 2), spans=12.0),),
    releasing=(Releasing(pairs=(1, 3), groups=(0, 2)),),
)

SCALING = SystemPlan(
    "scaling",
    "A random system in which some services are busy when the others are not",
    shapes=(Shape(services=(8, 40), entries=(3, 6), hops=(0, 2), scaled=1.0),),
    symptoms=Symptoms(own_axes=(1, 2)),
)

_PLAIN = Shape(services=(8, 40), entries=(3, 6), hops=(1, 3))

DATA = SystemPlan(
    "data",
    "A random system in which services use tables that belong to others",
    shapes=(_PLAIN,),
    symptoms=Symptoms(foreign_tables=(1, 4), locks=(0, 1)),
)

FAILURES = SystemPlan(
    "failures",
    "A random system in which services fail, and callers pass on what they cannot do without",
    shapes=(_PLAIN,),
    symptoms=Symptoms(outages=(1, 4), hangs=(0, 2)),
)

QUEUES = SystemPlan(
    "queues",
    "A random system in which requests wait behind queues",
    shapes=(replace(_PLAIN, asynchronous=0.8),),
    symptoms=Symptoms(replies=(1, 2), group_stalls=(0, 2), shared_groups=(0, 1)),
)

STRUCTURE = SystemPlan(
    "structure",
    "A random system with services that hand on, callees that ask back, row-by-row reading, and some out of proportion",
    shapes=(_PLAIN,),
    symptoms=Symptoms(pass_through=(0, 2), cycles=(0, 1), chatter=(0, 2), hubs=(1, 1), megas=(1, 1), nanos=(0, 2)),
)

TANGLED = SystemPlan(
    "tangled",
    "A random system with trouble of many kinds at once: in its data, behind its queues and between its layers",
    shapes=(replace(_PLAIN, services=(12, 30), asynchronous=0.8, spans=20.0),),
    symptoms=Symptoms(
        foreign_tables=(4, 5),
        replies=(1, 2),
        group_stalls=(1, 2),
        shared_groups=(1, 1),
        pass_through=(1, 2),
        cycles=(1, 1),
        chatter=(1, 2),
        locks=(1, 1),
        hubs=(1, 1),
        megas=(1, 1),
        nanos=(1, 1),
    ),
)

COUPLED = SystemPlan(
    "coupled",
    "A random system with deep chains, hops that make tails, and services deployed together",
    shapes=(Shape(services=(10, 40), entries=(3, 6), hops=(1, 6), small_entries=False),),
    releasing=(
        Releasing(pairs=(1, 3), groups=(0, 1)),
        Releasing(pairs=(1, 3), groups=(0, 1), train_share=0.3),
    ),
    tails=Tails(),
    symptoms=Symptoms(foreign_tables=(1, 3)),
)

PLANS: Mapping[str, SystemPlan] = MappingProxyType(
    {
        plan.name: plan
        for plan in (HEALTHY, COUPLED, DEPTH, TAIL, CODEPLOYMENT, DATA, FAILURES, QUEUES, STRUCTURE, TANGLED, SCALING)
    }
)
"""Every plan by its name."""
