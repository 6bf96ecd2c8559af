"""Who calls whom, and who waits: follows from the description of a system alone."""

from collections import defaultdict
from collections.abc import Iterator

from tracelith.evaluate.claims import Case, Truth, edge_subject
from tracelith.evaluate.naming import service_names
from tracelith.evaluate.truth.steps import steps_taken
from tracelith.simulate import Simulation
from tracelith.simulate.flow import Publish

__all__ = ["call_truths"]


def call_truths(_case: Case, simulation: Simulation) -> list[Truth]:
    """Edges between services, and whether they are awaited."""
    names, awaited = service_names(simulation.system), _awaited_messages(simulation)
    modes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for call in simulation.truth["calls"]:
        edge = call["caller"], call["callee"]
        if edge[0] != edge[1] and edge[1] in names:  # others are outside the system
            mode = "sync" if call["mode"] == "async" and edge in awaited else call["mode"]
            modes[names[edge[0]], names[edge[1]]].add(mode)
    return [truth for edge, found in sorted(modes.items()) for truth in _edge(edge, found)]


def _awaited_messages(simulation: Simulation) -> set[tuple[str, str]]:
    """Who waits for whose answers to all the messages between them."""
    consumers = simulation.system.consumers
    waits: defaultdict[tuple[str, str], set[bool]] = defaultdict(set)
    for taken in steps_taken(simulation.system):
        if isinstance(taken.step, Publish):
            for consumer in consumers:
                if consumer.topic == taken.step.topic:
                    waits[taken.where.service, consumer.service.name].add(taken.step.awaits_reply)
    return {edge for edge, found in waits.items() if found == {True}}


def _edge(edge: tuple[str, str], modes: set[str]) -> Iterator[Truth]:
    """Answers to messages are messages too; where a service both calls and sends, nobody judges how it waits."""
    subject, waits = edge_subject(*edge), modes == {"sync"}
    yield Truth("edge", subject, positive=True)
    if waits or "sync" not in modes:
        yield Truth("sync-edge", subject, positive=waits)
        yield Truth("awaited-share", subject, value=float(waits))
