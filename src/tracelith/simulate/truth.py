"""What is true of a simulated system: the part that follows from its description, and the part that was planted.

Says nothing of what anybody should find: it names calls, depths, owners and habits.
"""

from collections.abc import Iterator
from typing import Any

from tracelith.simulate.deployment_truth import deployment_truth
from tracelith.simulate.flow import (
    Call,
    External,
    Job,
    Operation,
    Parallel,
    Publish,
    Query,
    Sometimes,
    Step,
    Task,
)
from tracelith.simulate.rollouts import Fleet
from tracelith.simulate.topology import System

__all__ = ["truth_of"]


def truth_of(system: System, fleet: Fleet) -> dict[str, Any]:
    """JSON-ready description of the planted truth."""
    return {
        "system": system.name,
        "title": system.title,
        "services": sorted(service.name for service in system.services),
        "entry_operations": [_entry(entry.operation) for entry in system.entries],
        "consumers": [
            {
                "service": consumer.service.name,
                "topic": consumer.topic.destination,
                "group": consumer.group,
                "own_trace": consumer.own_trace,
            }
            for consumer in system.consumers
        ],
        "calls": _calls(system),
        "tables": _tables(system),
        "deployments": deployment_truth(system, fleet),
        **system.planted,
    }


def _entry(operation: Operation | Job) -> dict[str, Any]:
    chain = _longest_chain(operation)
    return {
        "service": operation.service.name,
        "operation": operation.name,
        "awaited_hops": len(chain) - 1,
        "chain": chain,
    }


def _longest_chain(operation: Operation | Job) -> list[str]:
    """Services of the deepest chain of awaited calls, the operation's own first."""
    below = [_longest_chain(step.operation) for step in _walk(operation.steps) if isinstance(step, Call)]
    return [operation.service.name, *max(below, key=len, default=[])]


def _walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Every step within one service, nested ones included."""
    for step in steps:
        yield step
        if isinstance(step, Task | Sometimes):
            yield from _walk(step.steps)
        elif isinstance(step, Parallel):
            for branch in step.branches:
                yield from _walk(branch)


def _all_steps(system: System) -> Iterator[tuple[str, Step]]:
    """Every step of the system with the service that takes it."""
    pending: list[tuple[str, tuple[Step, ...]]] = [
        (entry.operation.service.name, entry.operation.steps) for entry in system.entries
    ]
    pending += [(consumer.service.name, consumer.steps) for consumer in system.consumers]
    while pending:
        service, steps = pending.pop()
        for step in _walk(steps):
            yield service, step
            if isinstance(step, Call):
                pending.append((step.operation.service.name, step.operation.steps))


def _calls(system: System) -> list[dict[str, str]]:
    edges = {(*edge, "sync") for edge in _sync_edges(system)} | {(*edge, "async") for edge in _async_edges(system)}
    return [{"caller": caller, "callee": callee, "mode": mode} for caller, callee, mode in sorted(edges)]


def _sync_edges(system: System) -> Iterator[tuple[str, str]]:
    for service, step in _all_steps(system):
        if isinstance(step, Call):
            yield service, step.operation.service.name
        elif isinstance(step, External):
            yield service, step.address


def _async_edges(system: System) -> Iterator[tuple[str, str]]:
    for service, step in _all_steps(system):
        if isinstance(step, Publish):
            for consumer in system.consumers:
                if consumer.topic == step.topic:
                    yield service, consumer.service.name


def _tables(system: System) -> list[dict[str, Any]]:
    """Every table with the services that read and write it."""
    uses: dict[tuple[str, str, str], dict[str, set[str]]] = {}
    for service, step in _all_steps(system):
        if isinstance(step, Query):
            database = step.database
            table = uses.setdefault(
                (f"{database.address}:{database.port}", database.namespace, step.collection),
                {"readers": set(), "writers": set()},
            )
            table["readers" if step.action == "SELECT" else "writers"].add(service)
    return [
        {"server": server, "namespace": namespace, "table": table}
        | {role: sorted(services) for role, services in roles.items()}
        for (server, namespace, table), roles in sorted(uses.items())
    ]
