"""Plants what is neither depth, tail nor deployment: data, failures, queues, layers, cycles, chatter, scaling.

Services out of proportion, and calls without a limit, are in outliers.
"""

from collections.abc import Callable

from tracelith.simulate.flow import Publish, Query, Repeat
from tracelith.simulate.incidents import GroupStall, Moments, Outage, TableLock
from tracelith.simulate.latency import Latency
from tracelith.simulate.random_systems.dice import Dice
from tracelith.simulate.random_systems.draft import (
    CallDraft,
    ConsumerDraft,
    EntryDraft,
    OperationDraft,
    SystemDraft,
)
from tracelith.simulate.random_systems.outliers import plant_hang, plant_hub, plant_mega, plant_nano
from tracelith.simulate.random_systems.plans import Symptoms
from tracelith.simulate.random_systems.planting import PlantedSymptom, calls_of, insert_before, operations_of
from tracelith.simulate.random_systems.vocabulary import plural
from tracelith.simulate.random_systems.weaving import new_operation
from tracelith.simulate.topology import Database, Scaling, Service, Topic
from tracelith.simulate.traffic_shape import Cycle, Rush

__all__ = ["plant_symptoms"]

_MOST_SPANS = 45.0  # of an entry operation, before something is added that makes many
_ISLANDS = (("feed", "ticks"), ("intake", "readings"), ("renderer", "frames"))
_TOLERANCE = (0.0, 0.0, 0.5, 0.9, 1.0)  # shares of a callee's failures that a caller answers as if nothing had happened


def plant_symptoms(dice: Dice, draft: SystemDraft, symptoms: Symptoms) -> list[PlantedSymptom]:
    """Plants each kind as often as the plan says, where it fits."""
    kinds: tuple[tuple[tuple[int, int], Callable[[Dice, SystemDraft], PlantedSymptom | None]], ...] = (
        (symptoms.pass_through, _pass_through),
        (symptoms.cycles, _cycle),
        (symptoms.chatter, _chatter),
        (symptoms.foreign_tables, _foreign_table),
        (symptoms.replies, _reply),
        (symptoms.group_stalls, _group_stall),
        (symptoms.outages, _outage),
        (symptoms.own_axes, _own_axis),
        (symptoms.locks, _lock),
        (symptoms.shared_groups, _shared_group),
        (symptoms.hubs, plant_hub),
        (symptoms.megas, plant_mega),
        (symptoms.nanos, plant_nano),
        (symptoms.hangs, plant_hang),
    )
    if symptoms.outages[1]:
        _draw_tolerance(dice, draft)
    planted = [plant(dice, draft) for bounds, plant in kinds for _ in range(dice.whole(bounds))]
    return [symptom for symptom in planted if symptom is not None]


def _foreign_table(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """A table that a service uses although another one owns it."""
    operations = [one for one in operations_of(draft) if one.service.name in draft.own_data]
    tables: dict[str, str] = {}
    for one in operations:
        home = draft.own_data[one.service.name]
        # What it keeps in the database of somebody else, as a planted join does, is no table of its own.
        kept = [step.collection for step in one.data if isinstance(step, Query) and step.database == home]
        if kept:
            tables.setdefault(one.service.name, kept[0])
    owners = sorted(tables)
    if len(owners) < 2:
        return None
    owner = dice.pick(owners)
    where = dice.pick([one for one in operations if one.service.name != owner])
    name, database, table = where.service.name, draft.own_data[owner], tables[owner]
    way = dice.pick(("reads", "writes", "joins"))
    if way == "joins":
        own = f"{plural(name)}_of_{plural(owner)}"
        draft.table_owners[own] = name
        where.data.append(Query(database, "SELECT", own, dice.latency(1.8), joins=(table,)))
    else:
        action = "SELECT" if way == "reads" else "UPDATE"
        where.data.append(Query(database, action, table, dice.latency(1.6)))
    facts = {"table": table, "owner": owner, "service": name, "way": way, "namespace": database.namespace}
    return PlantedSymptom("foreign_tables", f"{name} {way} the table {table}, which belongs to {owner}", facts)


def _lock(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """A migration that locks a table which several services use, in the middle of a busy hour."""
    users: dict[tuple[Database, str], set[str]] = {}
    for operation in operations_of(draft):
        for step in operation.data:
            if isinstance(step, Query):
                for table in (step.collection, *step.joins):
                    users.setdefault((step.database, table), set()).add(operation.service.name)
    shared = sorted((one for one, names in users.items() if len(names) > 1), key=lambda one: (one[0].address, one[1]))
    if not shared:
        return None
    database, table = dice.pick(shared)
    owner, at, seconds = draft.table_owners[table], dice.between((0.2, 0.8)), float(dice.whole((60, 180)))
    lock = TableLock(
        database,
        table,
        Moments(at=(at,)),
        seconds,
        by=owner,
        statement=f"ALTER TABLE {table} ADD COLUMN remarks text",
        patience_s=dice.pick((0.5, 2.0, 30.0)),
    )
    services = sorted(users[database, table])
    facts = {"table": table, "by": owner, "services": services, "seconds": seconds}
    told = f"{owner} changes its table {table} and locks {' and '.join(services)} out for {seconds:g} seconds"
    return PlantedSymptom("locks", told, facts, (lock,), (Rush(at, minutes=12, share=0.04),))


def _draw_tolerance(dice: Dice, draft: SystemDraft) -> None:
    """How much of each callee's failures its callers pass on, the same in all of a caller's operations."""
    tolerated: dict[tuple[str, str], float] = {}
    for caller, call in calls_of(draft):
        pair = caller.service.name, call.target.service.name
        call.tolerated = tolerated.setdefault(pair, dice.pick(_TOLERANCE))
        call.attempts = 3 if dice.chance(0.15) else 1
        call.fallback = (dice.work(0.3),) if call.tolerated else ()


def _outage(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """A service that others wait for fails now and then; sometimes with a stranger, for a reason they share."""
    callees = sorted({call.target.service.name for _, call in calls_of(draft)})
    if not callees:
        return None
    failing = dice.some(callees, 2 if dice.chance(0.25) else 1)
    minutes, share, per_week = dice.whole((60, 240)), dice.between((0.4, 1.0)), dice.between((0.7, 2.0))
    # The first one at a fixed time, so that no run goes without.
    moments = Moments(at=(dice.between((0.2, 0.8)),), per_week=per_week)
    outage = Outage(tuple(failing), moments, float(minutes), share)
    told = (
        f"{' and '.join(failing)} fail {share:.0%} of their requests for {minutes} minutes, {per_week:g} times a week"
    )
    return PlantedSymptom("outages", told, {"services": sorted(failing), "share": share}, (outage,))


def _reply(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """A request that waits for an answer over a queue."""
    operations = [one for one in operations_of(draft) if one.calls or not one.sends]
    asking = dice.pick(operations)
    others = [service for service in draft.services if service != asking.service]
    if not others:
        return None
    answering = dice.pick(others)
    destination = f"{asking.service.name}-asks-{answering.name}-{len(draft.consumers) + 1}"
    topic, reply = (Topic("kafka", "broker.internal", 9092, f"{destination}{end}") for end in ("", "-replies"))
    asking.sends.append(Publish(topic, dice.latency(1.2), reply=reply, awaits_reply=True))
    body = OperationDraft(answering, "", "", before=[dice.work(4)])
    draft.consumers.append(
        ConsumerDraft(answering, topic, Latency(dice.between((4, 30)), 120.0), body, own_trace=False)
    )
    told = f"{asking.service.name} asks {answering.name} over the queue {destination} and waits for the answer"
    facts = {"caller": asking.service.name, "callee": answering.name, "destination": destination}
    return PlantedSymptom("sync_over_async", told, facts)


def _group_stall(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """A consumer group that stands still while it rebalances."""
    waiting = [consumer for consumer in draft.consumers if "-asks-" not in consumer.topic.destination]
    if not waiting:
        return None
    consumer = dice.pick(waiting)
    minutes, handler_s = dice.between((6, 30)), dice.pick((0.0, 70.0))
    at = dice.between((0.2, 0.8))
    stall = GroupStall(consumer.topic, consumer.group, Moments(at=(at,), per_week=0.7), minutes, handler_s)
    told = f"the consumer group {consumer.group} takes nothing from its queue for {minutes:g} minutes now and then"
    facts = {"group": consumer.group, "destination": consumer.topic.destination, "service": consumer.service.name}
    # Groups rebalance when much is to be done; and of a quiet hour nobody could tell whether anything was waiting.
    rush = Rush(at, minutes=minutes + 30, share=0.06)
    return PlantedSymptom("group_stalls", told, facts, (stall,), (rush,))


def _shared_group(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """A second service that was given the consumer group of another one, so that each gets some of the messages."""
    groups = [consumer for consumer in draft.consumers if "-asks-" not in consumer.topic.destination]
    if not groups:
        return None
    first = dice.pick(groups)
    taking = {consumer.service.name for consumer in draft.consumers if consumer.topic == first.topic}
    others = [service for service in draft.services if service.name not in taking]
    if not others:
        return None
    second = dice.pick(others)
    body = OperationDraft(second, "", "", before=[dice.work(2)])
    draft.consumers.append(ConsumerDraft(second, first.topic, first.delay, body, first.own_trace, first.group))
    told = f"{second.name} takes messages in the consumer group {first.group} of {first.service.name}"
    facts = {
        "group": first.group,
        "destination": first.topic.destination,
        "services": sorted((first.service.name, second.name)),
    }
    return PlantedSymptom("shared_groups", told, facts)


def _pass_through(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """A service through which all calls to another one go, operation for operation, and that adds nothing."""
    callees = [call.target.service for _, call in calls_of(draft) if call.target.service.name not in draft.layers]
    if not callees:
        return None
    behind = dice.pick(callees)
    between = insert_before(draft, behind, f"{behind.name}-service")
    draft.layers |= {between.name, behind.name}
    wrapped: dict[int, OperationDraft] = {}
    for operation in [*draft.operations, *operations_of(draft)]:
        for call in operation.calls:
            if call.target.service == behind and operation.service != between:
                target = call.target
                if id(target) not in wrapped:
                    wrapped[id(target)] = OperationDraft(
                        between,
                        target.method,
                        target.route,
                        before=[dice.work(0.3)],
                        calls=[CallDraft(target)],
                        after=[dice.work(0.15)],
                    )
                call.target = wrapped[id(target)]
    told = f"{between.name} hands every call on to {behind.name} and does nothing else"
    return PlantedSymptom("pass_through", told, {"service": between.name, "callee": behind.name})


def _chatter(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """Many statements or calls in a row where one would do."""
    spans = {id(one): entry.operation.mean_spans for entry in draft.entries for one in entry.spine()}
    talking = [one for one in operations_of(draft) if spans.get(id(one), _MOST_SPANS) < _MOST_SPANS - 15]
    reading = [one for one in talking if one.data and isinstance(one.data[0], Query)]
    if not reading:
        return None
    where = dice.pick(reading)
    least, most = dice.whole((6, 10)), dice.whole((14, 24))
    first = where.data[0]
    if not isinstance(first, Query):
        return None
    where.data[0] = Repeat(least, most, (first,))
    facts = {"caller": where.service.name, "callee": f"{first.database.system} {first.database.namespace}"}
    told = f"{where.service.name} reads {first.collection} row by row, {least} to {most} statements in a request"
    return PlantedSymptom("chatter", told, facts | {"table": first.collection, "least": least, "most": most})


def _cycle(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """A callee that asks its caller back before it answers."""
    pairs = [
        (one, call.target)
        for one, call in calls_of(draft)
        if call.share == 1 and call.cache is None and not draft.layers & {one.service.name, call.target.service.name}
    ]
    if not pairs:
        return None
    caller, callee = dice.pick(pairs)
    callee.calls.append(CallDraft(new_operation(dice, draft, caller.service, listed=False)))
    told = f"{callee.service.name} asks {caller.service.name} back before it answers it"
    return PlantedSymptom("cycles", told, {"services": [caller.service.name, callee.service.name]})


def _own_axis(dice: Dice, draft: SystemDraft) -> PlantedSymptom | None:
    """Two services with requests, hours and instances of their own, which the others have nothing to do with."""
    taken = {service.name for service in draft.services}
    free = [names for names in _ISLANDS if taken.isdisjoint(names)]
    if not free or len(draft.tiers) == 1:
        return None
    axis = Cycle(peak_hour=dice.pick((1.0, 3.0, 5.0, 22.0)), swing=0.9, weekend=dice.between((0.1, 1.6)))
    front, behind = (
        Service(name, "go", dice.whole((4, 8)), "1.4", 9_500 + place, scaling=Scaling(axis, least=1))
        for place, name in enumerate(dice.pick(free))
    )
    for service in (front, behind):
        draft.waits[service.name] = ()
        database = Database("postgresql", f"{service.name}-db.internal", 5432, f"{service.name}.public")
        draft.own_data[service.name] = database
    draft.tiers = ((*draft.tiers[0], front), *draft.tiers[1:-1], (*draft.tiers[-1], behind))
    entry = new_operation(dice, draft, front, listed=False)
    entry.calls.append(CallDraft(new_operation(dice, draft, behind, listed=False)))
    draft.entries.append(EntryDraft(entry, dice.around(15, 1.4), cycle=axis))
    told = f"{front.name} and {behind.name} are busy around {axis.peak_hour:g}:00 UTC, when the others are not"
    return PlantedSymptom("own_axes", told, {"services": [front.name, behind.name], "peak_hour": axis.peak_hour})
