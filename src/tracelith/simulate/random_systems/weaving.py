"""Services, what they keep, and what requests make them do: an ordinary system, nothing planted yet."""

from tracelith.simulate.flow import GRPC, Answer, Entry, Job, Publish, Query, Stall, Step, Task, Wait, Work
from tracelith.simulate.latency import Episodes, Latency, Queueing
from tracelith.simulate.random_systems.dice import Dice, rounded
from tracelith.simulate.random_systems.draft import CallDraft, ConsumerDraft, EntryDraft, OperationDraft, SystemDraft
from tracelith.simulate.random_systems.plans import Shape
from tracelith.simulate.random_systems.vocabulary import VERBS, front_names, plural, service_names
from tracelith.simulate.topology import Database, Scaling, Service, Topic
from tracelith.simulate.traffic_shape import OFFICE_HOURS

__all__ = ["draw_operation", "draw_ordinary", "new_operation"]

_LANGUAGES = ("java", "nodejs", "python", "go")
_TYPED = ("go", "java")  # where gRPC is common
_HITS = (
    0.15,
    0.3,
    0.75,
    0.9,
)  # shares of requests that caches answer; none of them makes a quantile of depth a toss-up
_STATEMENT_TAIL = (2.5, 4.0)  # p99 in multiples of the median
_QUEUES = ((0.1, 2.0), (0.2, 1.0), (0.3, 1.0))  # utilisation and burst_ms; few, as each needs a path of its own
_BRANCHES = (0.25, 0.8)  # shares of requests that take the deepest chain: likewise
_LEAST_SPANS = 3.0  # a call, what it calls and one statement


def draw_ordinary(dice: Dice, shape: Shape, *, fresh: float) -> SystemDraft:
    """Tiers of services with their databases, entry operations with all that hangs below them, and messages.

    Args:
        fresh: share of entry operations whose longest chain serves nobody else.
    """
    draft = _draw_services(dice, shape)
    for number in range(max(dice.whole(shape.entries), len(draft.tiers[0]))):
        front = draft.tiers[0][number % len(draft.tiers[0])]
        draft.entries.append(_draw_entry(dice, shape, draft, front, fresh=dice.chance(fresh)))
    _send_messages(dice, shape, draft)
    _reach_the_others(dice, shape, draft)
    return draft


def _draw_entry(dice: Dice, shape: Shape, draft: SystemDraft, front: Service, *, fresh: bool) -> EntryDraft:
    hops = min(dice.whole(shape.hops), len(draft.tiers) - 1)
    operation = draw_operation(dice, shape, draft, front, hops=hops, budget=shape.spans, fresh=fresh)
    operation.before.append(Answer(dice.between((0.002, 0.03)), dice.pick((404, 422, 409))))
    entry = EntryDraft(operation, dice.around(10, 1.4), fresh=fresh)
    if hops and not fresh and dice.chance(shape.branching):
        operation.calls[0].share = dice.pick(_BRANCHES)
    return entry


def draw_operation(
    dice: Dice,
    shape: Shape,
    draft: SystemDraft,
    service: Service,
    *,
    hops: int,
    budget: float,
    fresh: bool = False,
) -> OperationDraft:
    """An operation with exactly so many awaited hops below it, and with about so many spans at most.

    Args:
        fresh: nobody else calls the operation, nor those on the chain below it.
    """
    # Only where requests go anyway: long work on a side path would make the few that take it another kind of request.
    operation = new_operation(dice, draft, service, steady=shape.steady if hops else 0.0, listed=not fresh)
    left = budget - operation.mean_spans
    if hops:
        target = _target(dice, shape, draft, service, hops=hops - 1, budget=left, fresh=fresh)
        operation.calls.append(CallDraft(target))
        left -= operation.calls[-1].target.mean_spans + 1
        for _ in range(dice.whole(shape.fan_out)):
            below = dice.whole((0, hops - 1)) if dice.chance(0.3) else 0
            if left < _LEAST_SPANS * (below + 1):
                break
            side = _side_call(dice, shape, _target(dice, shape, draft, service, hops=below, budget=left))
            operation.calls.append(side)
            left -= side.mean * (side.target.mean_spans + 1) + 1
        if len(operation.calls) > 1 and dice.chance(shape.parallel):
            for call in operation.calls:
                call.together = True
    return operation


def new_operation(
    dice: Dice, draft: SystemDraft, service: Service, *, steady: float = 0.0, listed: bool = True
) -> OperationDraft:
    """An operation that calls nobody yet.

    Args:
        steady: probability that it computes long, but always about equally long.
        listed: among those that others may call.
    """
    number = draft.named[service.name]
    draft.named[service.name] += 1
    verb = VERBS[number % len(VERBS)] + ("" if number < len(VERBS) else str(number // len(VERBS) + 1))
    operation = _named(dice, draft, service, verb)
    operation.before += draft.waits[service.name]
    operation.before.append(dice.work(1.4))
    if dice.chance(steady):
        operation.before.append(Task(f"{verb} {plural(service.name)}", (_steady(dice),)))
    if service.name in draft.own_data:
        operation.data += [_statement(dice, draft, service) for _ in range(dice.pick((1, 1, 1, 2)))]
    operation.after.append(dice.work(0.7))
    if listed:
        draft.operations.append(operation)
    return operation


def _named(dice: Dice, draft: SystemDraft, service: Service, verb: str) -> OperationDraft:
    """Services that face the outside speak of what others are about, by HTTP; some others speak gRPC."""
    faces_outside = service in draft.tiers[0] and len(draft.tiers) > 1
    if not faces_outside and service.language in _TYPED and dice.chance(0.5):
        words = "".join(part.capitalize() for part in service.name.split("-"))
        return OperationDraft(service, GRPC, f"shop.{service.name.replace('-', '')}.v1.{words}/{verb.capitalize()}")
    about = dice.pick([other for tier in draft.tiers[1:] for other in tier]) if faces_outside else service
    path = plural(about.name).replace("_", "-")
    method = dice.pick(("GET", "GET", "POST", "PUT"))
    return OperationDraft(service, method, f"/{path}/{verb}" if method == "POST" else f"/{path}/{{id}}/{verb}")


def _draw_waits(dice: Dice, shape: Shape, service: Service) -> tuple[Step, ...]:
    """What holds every request up in this service now and then on an ordinary day."""
    steps: list[Step] = []
    if shape.queueing:
        steps.append(Wait(Queueing(f"{service.name} workers", *dice.pick(_QUEUES))))
    if dice.chance(shape.pauses):
        # Too rare to make the slowest percent, as collectors of garbage are set up to be.
        length = dice.between((0.003, 0.008))
        every = rounded(length * dice.between((400, 900)))
        steps.append(Stall(Episodes(every, length, rounded(length * 2), 2.5)))
    return tuple(steps)


def _steady(dice: Dice) -> Work:
    median = dice.around(14, 1.6)
    return Work(Latency(median, rounded(median * dice.between((1.15, 1.35)))))


def _statement(dice: Dice, draft: SystemDraft, service: Service) -> Query:
    """A statement on one of the service's own tables."""
    table = plural(service.name) + dice.pick(("", "", "_log"))
    draft.table_owners[table] = service.name
    action = dice.pick(("SELECT", "SELECT", "SELECT", "UPDATE", "INSERT"))
    time = dice.latency(1.2 if action == "SELECT" else 2.0, _STATEMENT_TAIL)
    return Query(draft.own_data[service.name], action, table, time, failure=0.0002)


def _side_call(dice: Dice, shape: Shape, target: OperationDraft) -> CallDraft:
    call = CallDraft(target, timeout_ms=dice.pick((None, 5_000.0, 10_000.0)))
    if target.hops == 0 and dice.chance(shape.cached):
        call.cache = Database("redis", f"{target.service.name}-cache.internal", 6379, "0")
        call.hit = dice.pick(_HITS)
    if dice.chance(shape.tolerated):
        call.tolerated = dice.between((0.8, 1.0))
        call.fallback = (dice.work(0.3),)
    return call


def _target(
    dice: Dice,
    shape: Shape,
    draft: SystemDraft,
    caller: Service,
    *,
    hops: int,
    budget: float,
    fresh: bool = False,
) -> OperationDraft:
    """An operation with so many hops below it in a tier after the caller's: a known one, or a new one."""
    tier = draft.tier_of(caller)
    known = [
        operation
        for operation in draft.operations
        if draft.tier_of(operation.service) > tier and operation.hops == hops and operation.mean_spans < budget
    ]
    if known and not fresh and dice.chance(shape.reuse):
        return dice.pick(known)
    candidates = [service for tier in draft.tiers[tier + 1 : len(draft.tiers) - hops] for service in tier]
    # A few services are asked for by everybody: those that come first, as popular ones do in published graphs.
    service = dice.pick(candidates, [1 / (2 + place) for place in range(len(candidates))])
    return draw_operation(dice, shape, draft, service, hops=hops, budget=budget - 1, fresh=fresh)


def _draw_services(dice: Dice, shape: Shape) -> SystemDraft:
    count = dice.whole(shape.services)
    depth = min(shape.hops[1], count - 1)
    fronts = max(1, min(count // 10, 6, count - depth))
    names = [*front_names(dice, fronts), *service_names(dice, count - fronts)]
    languages = dice.some(_LANGUAGES, dice.whole((3, len(_LANGUAGES))))
    services = [_service(dice, shape, name, dice.pick(languages), 8_000 + place) for place, name in enumerate(names)]
    tiers = [services[:fronts]]
    rest = services[fronts:]
    if depth == 0:
        tiers = [services]
    else:
        # One service each, so that no tier is empty; the others anywhere.
        tiers += [[service] for service in rest[:depth]]
        for service in rest[depth:]:
            dice.pick(tiers[1:]).append(service)
    keepers = [service for tier in (tiers if depth == 0 else tiers[1:]) for service in tier if dice.chance(0.85)]
    waits = {service.name: _draw_waits(dice, shape, service) for service in services}
    return SystemDraft(tuple(tuple(tier) for tier in tiers), _draw_data(dice, shape, keepers), waits)


def _service(dice: Dice, shape: Shape, name: str, language: str, port: int) -> Service:
    release = f"{dice.whole((0, 9))}.{dice.whole((0, 30))}"
    instances = dice.pick((1, 2, 2, 3, 3, 4))
    scaling = Scaling(OFFICE_HOURS, least=1) if dice.chance(shape.scaled) else None
    return Service(name, language, instances + 2 if scaling else instances, release, port, scaling=scaling)


def _draw_data(dice: Dice, shape: Shape, keepers: list[Service]) -> dict[str, Database]:
    """A database for each service that keeps data: some on servers of their own, some on one with others."""
    shared = "shared-db.internal"
    own = {}
    for service in keepers:
        address = shared if dice.chance(shape.shared_server) else f"{service.name}-db.internal"
        own[service.name] = Database("postgresql", address, 5432, f"{plural(service.name)}.public")
    return own


def _send_messages(dice: Dice, shape: Shape, draft: SystemDraft) -> None:
    """Messages that entry operations send without waiting, and who takes them."""
    for number, entry in enumerate(draft.entries):
        if dice.chance(shape.asynchronous):
            sender = dice.pick(entry.spine())
            _send(dice, shape, draft, sender, f"{sender.service.name}-events-{number + 1}")


def _send(dice: Dice, shape: Shape, draft: SystemDraft, sender: OperationDraft, destination: str) -> None:
    idle = [service for service in draft.services if service.name not in draft.reached()]
    others = [service for service in draft.services if service != sender.service]
    if not others:
        return
    topic = Topic("kafka", "broker.internal", 9092, destination)
    sender.sends.append(Publish(topic, dice.latency(1.2)))
    for service in dice.some(idle or others, dice.pick((1, 1, 2))):
        consumer = OperationDraft(service, "", "", before=[dice.work(1.6)])
        if service.name in draft.own_data:
            consumer.data += [_statement(dice, draft, service) for _ in range(dice.whole((1, 2)))]
        delay = Latency(dice.around(60, 2.0), 900.0)
        draft.consumers.append(ConsumerDraft(service, topic, delay, consumer, dice.chance(shape.own_trace)))


def _reach_the_others(dice: Dice, shape: Shape, draft: SystemDraft) -> None:
    """Gives most of the services that nothing reaches something to do: rare calls, nightly jobs, small entries."""
    reached = draft.reached()
    for service in draft.services:
        if service.name in reached or dice.chance(shape.idle):
            continue
        tier = draft.tier_of(service)
        callers = [known for known in draft.operations if known.hops and draft.tier_of(known.service) < tier]
        if shape.small_entries and dice.chance(0.5):
            draft.entries.append(EntryDraft(new_operation(dice, draft, service), dice.between((0.3, 1.5))))
        elif len(draft.jobs) < 2 and dice.chance(0.3):
            draft.jobs.append(Entry(_job(dice, draft, service), nightly_hour=dice.between((0.5, 5.0))))
        elif callers:
            call = CallDraft(new_operation(dice, draft, service), share=dice.between((0.01, 0.06)))
            dice.pick(callers).calls.append(call)


def _job(dice: Dice, draft: SystemDraft, service: Service) -> Job:
    steps: list[Step] = [Work(Latency(20, 60))]
    if service.name in draft.own_data:
        table = plural(service.name)
        draft.table_owners[table] = service.name
        steps.append(Query(draft.own_data[service.name], "DELETE", table, dice.latency(80)))
    return Job(service, f"clean up {plural(service.name)}", tuple(steps))
