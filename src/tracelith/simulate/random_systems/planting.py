"""What planting needs: what is told of something planted, operations that requests reach, room for another service."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tracelith.simulate.incidents import Incident
from tracelith.simulate.random_systems.draft import CallDraft, OperationDraft, SystemDraft
from tracelith.simulate.topology import Service
from tracelith.simulate.traffic_shape import Rush

__all__ = ["PlantedSymptom", "calls_of", "insert_before", "operations_of"]


@dataclass(frozen=True, slots=True)
class PlantedSymptom:
    """Something planted.

    Attributes:
        kind: its key in System.planted. told: a sentence without its full stop. facts: JSON-ready.
        incidents: what goes wrong because of it. rushes: when many requests come.
    """

    kind: str
    told: str
    facts: dict[str, Any]
    incidents: tuple[Incident, ...] = ()
    rushes: tuple[Rush, ...] = ()


def operations_of(draft: SystemDraft) -> list[OperationDraft]:
    """Every operation that requests from outside always or often reach, each once."""
    found: dict[int, OperationDraft] = {}

    def visit(operation: OperationDraft) -> None:
        if id(operation) not in found:
            found[id(operation)] = operation
            for call in operation.calls:
                if call.mean > 0.2:
                    visit(call.target)

    for entry in draft.entries:
        if entry.share > 2:
            visit(entry.operation)
    return list(found.values())


def calls_of(draft: SystemDraft) -> Iterator[tuple[OperationDraft, CallDraft]]:
    """The calls of those operations, with who makes them."""
    for operation in operations_of(draft):
        for call in operation.calls:
            yield operation, call


def insert_before(draft: SystemDraft, behind: Service, name: str) -> Service:
    """A new service that is called before this one and after all who call this one."""
    taken = {service.name for service in draft.services}
    while name in taken:
        name += "-proxy"
    service = replace(behind, name=name, port=behind.port + 1_000, instances=2)
    tier = draft.tier_of(behind) - 1
    draft.tiers = (*draft.tiers[:tier], (*draft.tiers[tier], service), *draft.tiers[tier + 1 :])
    draft.waits[name] = ()
    return service
