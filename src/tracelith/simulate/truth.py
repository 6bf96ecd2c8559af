"""What is true of a simulated system: the part that follows from its description, and the part that was planted.

Says nothing of what anybody should find: it names calls, depths, owners, incidents and habits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, assert_never

from tracelith.simulate.deployment_truth import deployment_truth
from tracelith.simulate.flow import (
    Answer,
    Cached,
    Call,
    Consumer,
    Entry,
    External,
    Job,
    Operation,
    Parallel,
    Publish,
    Query,
    Repeat,
    Sometimes,
    Stall,
    Step,
    Task,
    Wait,
    Work,
)
from tracelith.simulate.incidents import Incident, Occurrences
from tracelith.simulate.rollouts import Fleet
from tracelith.simulate.topology import Database, System

__all__ = ["truth_of"]


def truth_of(system: System, fleet: Fleet, occurrences: Sequence[Occurrences[Incident]] = ()) -> dict[str, Any]:
    """JSON-ready description of the planted truth; what the system itself says is planted comes last and wins."""
    uses = tuple(_uses(system))
    return {
        "system": system.name,
        "title": system.title,
        "services": sorted(service.name for service in system.services),
        "entry_operations": [_entry(system, entry) for entry in system.entries],
        "consumers": [
            {
                "service": consumer.service.name,
                "topic": consumer.topic.destination,
                "group": consumer.group,
                "own_trace": consumer.own_trace,
            }
            for consumer in system.consumers
        ],
        "calls": _calls(system, uses),
        "dependencies": _dependencies(uses),
        "awaited_replies": _awaited_replies(system, uses),
        "datastores": _datastores(uses),
        "tables": _tables(system, uses),
        "joins": _joins(uses),
        "queues": _queues(uses),
        "scaling": _scaling(system),
        "incidents": [_incident(happens) for happens in occurrences],
        "deployments": deployment_truth(system, fleet),
        **system.planted,
    }


@dataclass(frozen=True, slots=True)
class _Use:
    """A step, the service that takes it, and in which of its operations, jobs or consumed topics."""

    service: str
    operation: str
    step: Step


def _uses(system: System) -> Iterator[_Use]:
    """Every step of the system, once for each operation it is in."""
    pending: list[tuple[Operation | Job | Consumer, str]] = [
        *((entry.operation, entry.operation.name) for entry in system.entries),
        *((consumer, f"process {consumer.topic.destination}") for consumer in system.consumers),
    ]
    seen = set()
    while pending:
        taken_in, name = pending.pop()
        if id(taken_in) in seen:
            continue
        seen.add(id(taken_in))
        for step in _walk(taken_in.steps):
            yield _Use(taken_in.service.name, name, step)
            if isinstance(step, Call):
                pending.append((step.operation, step.operation.name))


def _walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Every step within one service, nested ones included."""
    for step in steps:
        yield step
        match step:
            case Task() | Sometimes() | Cached() | Repeat():
                yield from _walk(step.steps)
            case Parallel():
                yield from chain.from_iterable(map(_walk, step.branches))
            case Call():
                yield from _walk(step.fallback)
            case Work() | Stall() | Wait() | Query() | External() | Publish() | Answer():
                pass  # nothing inside
            case _:
                assert_never(step)


def _entry(system: System, entry: Entry) -> dict[str, Any]:
    operation = entry.operation
    by_calls, over_queues = (_longest_chain(system, operation, queues) for queues in (False, True))
    return {
        "service": operation.service.name,
        "operation": operation.name,
        "awaited_hops": len(by_calls) - 1,
        "chain": by_calls,
        "awaited_hops_over_queues": len(over_queues) - 1,
        "chain_over_queues": over_queues,
    }


def _longest_chain(system: System, operation: Operation | Job | Consumer, over_queues: bool) -> list[str]:
    """Services of the deepest chain of awaited calls, the operation's own first; calls within a service add nothing.

    Args:
        over_queues: an answer that is awaited over a queue counts as a call.
    """
    below = []
    for step in _walk(operation.steps):
        if isinstance(step, Call):
            below.append(_longest_chain(system, step.operation, over_queues))
        elif isinstance(step, Publish) and step.awaits_reply and over_queues:
            below += [_longest_chain(system, consumer, over_queues) for consumer in _consumers(system, step)]
    own = operation.service.name
    longer = ([own, *services] if services[0] != own else services for services in below)
    return max(longer, key=len, default=[own])


def _consumers(system: System, step: Publish) -> list[Consumer]:
    return [consumer for consumer in system.consumers if consumer.topic == step.topic]


def _calls(system: System, uses: Sequence[_Use]) -> list[dict[str, str]]:
    """Who calls whom: sync, async by message, or reply by the message that answers one."""
    edges = set()
    for use in uses:
        match use.step:
            case Call(operation):
                edges.add((use.service, operation.service.name, "sync"))
            case External(address):
                edges.add((use.service, address, "sync"))
            case Publish() as step:
                for consumer in _consumers(system, step):
                    edges.add((use.service, consumer.service.name, "async"))
                    if step.awaits_reply:
                        edges.add((consumer.service.name, use.service, "reply"))
            case _:
                pass
    return [{"caller": caller, "callee": callee, "mode": mode} for caller, callee, mode in sorted(edges)]


def _dependencies(uses: Sequence[_Use]) -> list[dict[str, Any]]:
    """Every call between two operations, with the probability that its failure fails the caller."""
    return [
        {
            "caller": use.service,
            "caller_operation": use.operation,
            "callee": use.step.operation.service.name,
            "callee_operation": use.step.operation.name,
            "propagation": round(1 - use.step.tolerated, 6),
            "timeout_ms": use.step.timeout_ms,
            "attempts": use.step.attempts,
        }
        for use in sorted(uses, key=lambda use: (use.service, use.operation))
        if isinstance(use.step, Call)
    ]


def _awaited_replies(system: System, uses: Sequence[_Use]) -> list[dict[str, Any]]:
    """Requests that wait for the answer to a message."""
    return [
        {
            "service": use.service,
            "operation": use.operation,
            "topic": use.step.topic.destination,
            "reply": use.step.reply.destination,
            "answered_by": sorted(consumer.service.name for consumer in _consumers(system, use.step)),
            "timeout_ms": use.step.timeout_ms,
        }
        for use in sorted(uses, key=lambda use: (use.service, use.operation))
        if isinstance(use.step, Publish) and use.step.reply is not None and use.step.awaits_reply
    ]


def _datastores(uses: Sequence[_Use]) -> list[dict[str, Any]]:
    """Every database and cache with the services that use it."""
    users: dict[tuple[str, str, str], set[str]] = {}
    for use in uses:
        if isinstance(use.step, Query | Cached):
            database = use.step.database if isinstance(use.step, Query) else use.step.cache
            users.setdefault((_server(database), database.namespace, database.system), set()).add(use.service)
    return [
        {"server": server, "namespace": namespace, "system": system, "services": sorted(services)}
        for (server, namespace, system), services in sorted(users.items())
    ]


def _tables(system: System, uses: Sequence[_Use]) -> list[dict[str, Any]]:
    """Every table with its owner, if the system names one, and the services that read and write it."""
    tables: dict[tuple[str, str, str], dict[str, set[str]]] = {}
    for use in uses:
        if isinstance(use.step, Query):
            query = use.step
            for number, (namespace, table) in enumerate(query.tables):
                key = (_server(query.database), namespace, table)
                roles = tables.setdefault(key, {"readers": set(), "writers": set()})
                reads = query.action == "SELECT" or number > 0
                roles["readers" if reads else "writers"].add(use.service)
    return [
        {"server": server, "namespace": namespace, "table": table, "owner": system.table_owners.get(table)}
        | {role: sorted(services) for role, services in roles.items()}
        for (server, namespace, table), roles in sorted(tables.items())
    ]


def _joins(uses: Sequence[_Use]) -> list[dict[str, Any]]:
    """Which tables services join."""
    joined = {
        (_server(use.step.database), use.step.database.namespace, use.service, (use.step.collection, *use.step.joins))
        for use in uses
        if isinstance(use.step, Query) and use.step.joins
    }
    return [
        {"server": server, "namespace": namespace, "service": service, "tables": list(tables)}
        for server, namespace, service, tables in sorted(joined)
    ]


def _queues(uses: Sequence[_Use]) -> list[dict[str, Any]]:
    """Resources that requests queue for, with the services whose requests do."""
    waiting: dict[Wait, set[str]] = {}
    for use in uses:
        if isinstance(use.step, Wait):
            waiting.setdefault(use.step, set()).add(use.service)
    return [
        asdict(wait.queue) | {"services": sorted(services)}
        for wait, services in sorted(waiting.items(), key=lambda item: (item[0].queue.name, sorted(item[1])))
    ]


def _scaling(system: System) -> list[dict[str, Any]]:
    """Services whose instances follow a load; the ones with the same axis scale together."""
    return [
        {
            "service": service.name,
            "axis": asdict(service.scaling.axis),
            "least": service.scaling.least,
            "most": service.instances,
        }
        for service in system.services
        if service.scaling is not None
    ]


def _incident(happens: Occurrences[Incident]) -> dict[str, Any]:
    """An incident as described, with its moments in this run."""
    described = {name: value for name, value in asdict(happens.incident).items() if name != "moments"}
    length = timedelta(microseconds=happens.length_us)
    starts = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(at_us)) for at_us in happens.starts_us]
    times = [{"start": start.isoformat(), "end": (start + length).isoformat()} for start in starts]
    return {"kind": type(happens.incident).__name__, **described, "times": times}


def _server(database: Database) -> str:
    return f"{database.address}:{database.port}"
