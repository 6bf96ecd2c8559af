"""Plants services out of proportion: hubs, very large and very small ones, and one that is waited for without end."""

from collections.abc import Sequence

from tracelith.simulate.flow import Sometimes, Work
from tracelith.simulate.latency import Latency
from tracelith.simulate.random_systems.dice import Dice
from tracelith.simulate.random_systems.draft import CallDraft, EntryDraft, OperationDraft, SystemDraft
from tracelith.simulate.random_systems.planting import PlantedSymptom, calls_of, insert_before, operations_of
from tracelith.simulate.random_systems.weaving import new_operation
from tracelith.simulate.topology import Service

__all__ = ["plant_hang", "plant_hub", "plant_mega", "plant_nano"]

_MANY = (6, 9)  # neighbours on one side of a hub; others have one or two
_OPERATIONS = (14, 20)  # of a very large service; others have one to six
_AT_ONCE = 2  # services that one operation of a hub asks
_SELDOM = 0.2  # share of a caller's requests that ask: what is planted must not make most of the spans
_ROOM = 28.0  # spans of an operation's requests that leave room for more
_HANGS = (0.004, 0.01)  # share of requests
_HANGING = Latency(60_000.0, 110_000.0)  # beyond the half minute after which whoever asked has left


def plant_hub(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """A service that many call for several things, each of which it asks others for."""
    within = [service for tier in draft.tiers[1:] for service in tier if service.name not in draft.layers]
    within = [one for one in within if min(len(_before(draft, one)), len(_behind(draft, one))) >= _MANY[0]]
    if not within:
        return None
    hub = dice.pick(within)
    callers = dice.some(_before(draft, hub), dice.whole(_MANY))
    callees = dice.some(_behind(draft, hub), dice.whole(_MANY))
    offered = []
    for first in range(0, len(callees), _AT_ONCE):
        operation = new_operation(dice, draft, hub, listed=False)
        for callee in callees[first : first + _AT_ONCE]:
            operation.calls.append(CallDraft(new_operation(dice, draft, callee, listed=False)))
        offered.append(operation)
    # Every operation is asked for, and every caller asks.
    for number in range(max(len(callers), len(offered))):
        _let_call(dice, draft, callers[number % len(callers)], offered[number % len(offered)])
    draft.layers.add(hub.name)
    told = f"{hub.name} is called by {len(callers)} services and calls {len(callees)}, for the most different things"
    facts = {"service": hub.name, "callers": _names(callers), "callees": _names(callees)}
    return PlantedSymptom("hubs", told, facts)


def plant_mega(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """A service that does all sorts of things for many."""
    last = [service for service in draft.tiers[-1] if service.name not in draft.layers]
    last = [service for service in last if len(_before(draft, service)) >= _MANY[0]]
    if not last:
        return None
    large = dice.pick(last)
    callers, count = dice.some(_before(draft, large), dice.whole(_MANY)), dice.whole(_OPERATIONS)
    for number in range(count):
        operation = new_operation(dice, draft, large, listed=False)
        _let_call(dice, draft, callers[number % len(callers)], operation)
    draft.layers.add(large.name)
    told = f"{large.name} has grown {count} operations more than anybody else, for {len(callers)} services"
    return PlantedSymptom("megas", told, {"service": large.name, "callers": _names(callers), "operations": count})


def plant_nano(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """A service that takes less time than the way to it, and then asks two others."""
    places = [
        call
        for caller, call in calls_of(draft)
        if not draft.layers & {caller.service.name, call.target.service.name}
        and draft.tier_of(caller.service) < draft.tier_of(call.target.service)  # asking back has no room between
        and call.cache is None
    ]
    if not places:
        return None
    call = dice.pick(places)
    target = call.target
    beside = [
        one
        for one in operations_of(draft)
        if one.service != target.service
        and one.service.name not in draft.layers
        and draft.tier_of(one.service) >= draft.tier_of(target.service)
        and one.hops == 0
    ]
    if not beside:
        return None
    small = insert_before(draft, target.service, f"{target.service.name}-gate")
    calls = [CallDraft(target), CallDraft(dice.pick(beside))]
    call.target = OperationDraft(small, target.method, target.route, before=[dice.work(0.12)], calls=calls)
    draft.layers.add(small.name)
    told = f"{small.name} works for a shorter time than it takes to reach it, and asks two others"
    return PlantedSymptom("nanos", told, {"service": small.name, "callees": [one.target.service.name for one in calls]})


def plant_hang(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """An operation that hangs now and then, behind callers none of whom has set a limit."""
    targets = [call.target for _, call in calls_of(draft) if call.mean > 0.5 and call.cache is None]
    if not targets:
        return None
    hanging = dice.pick(targets)
    share = dice.between(_HANGS)
    hanging.before.append(Sometimes(share, (Work(_HANGING),)))
    waiting = [call for operation in _everywhere(draft) for call in operation.calls if _reaches(call.target, hanging)]
    for call in waiting:
        call.timeout_ms = None
    name = hanging.freeze().name
    told = f"{hanging.service.name} `{name}` hangs for a minute in {share:.1%} of its requests, and nobody gives up"
    return PlantedSymptom("hangs", told, {"service": hanging.service.name, "operation": name, "share": share})


def _before(draft: SystemDraft, service: Service) -> list[Service]:
    """Services that may call it, further out in the system; layers only do what they are for."""
    services = draft.services
    return [one for one in services[: services.index(service)] if one.name not in draft.layers]


def _behind(draft: SystemDraft, service: Service) -> list[Service]:
    """Services that it may call."""
    services = draft.services
    return [one for one in services[services.index(service) + 1 :] if one.name not in draft.layers]


def _let_call(dice: Dice, draft: SystemDraft, caller: Service, target: OperationDraft) -> None:
    """Some operation of the caller asks for it, a new one with requests of its own where the others are busy."""
    free = [one for one in operations_of(draft) if one.service == caller and one.mean_spans < _ROOM]
    if free:
        dice.pick(free).calls.append(CallDraft(target, share=_SELDOM))
    else:
        entry = new_operation(dice, draft, caller, listed=False)
        entry.calls.append(CallDraft(target))
        draft.entries.append(EntryDraft(entry, dice.between((0.5, 1.5))))


def _everywhere(draft: SystemDraft) -> list[OperationDraft]:
    """Every operation that requests may take, however seldom, each once."""
    found: dict[int, OperationDraft] = {}
    pending = [*(entry.operation for entry in draft.entries), *draft.operations]
    while pending:
        operation = pending.pop()
        if id(operation) not in found:
            found[id(operation)] = operation
            pending += [call.target for call in operation.calls]
    return list(found.values())


def _reaches(operation: OperationDraft, other: OperationDraft) -> bool:
    return operation is other or any(_reaches(call.target, other) for call in operation.calls)


def _names(services: Sequence[Service]) -> list[str]:
    return sorted(service.name for service in services)
