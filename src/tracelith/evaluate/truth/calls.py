"""Who calls whom, and who waits: follows from the description of a system alone."""

from collections import defaultdict
from collections.abc import Iterator

from tracelith.evaluate.claims import Case, Truth, edge_subject
from tracelith.evaluate.naming import service_names
from tracelith.evaluate.truth.steps import requests_by_entry, steps_taken
from tracelith.simulate import Simulation
from tracelith.simulate.flow import Publish

__all__ = ["call_truths"]


def call_truths(_case: Case, simulation: Simulation) -> list[Truth]:
    """Edges between services, and whether they are awaited."""
    names, awaited = service_names(simulation.system), _awaited_messages(simulation)
    waits: defaultdict[tuple[str, str], set[float]] = defaultdict(set)
    for call in simulation.truth["calls"]:
        edge = call["caller"], call["callee"]
        if edge[0] != edge[1] and edge[1] in names:  # others are outside the system
            sent = call["mode"] == "async"
            share = awaited.get(edge, 0.0) if sent else float(call["mode"] == "sync")
            waits[names[edge[0]], names[edge[1]]].add(share)
    return [truth for edge, found in sorted(waits.items()) for truth in _edge(edge, found)]


def _awaited_messages(simulation: Simulation) -> dict[tuple[str, str], float]:
    """Of the messages of one service that another takes, the share to which an answer is awaited."""
    consumers, requests = simulation.system.consumers, requests_by_entry(simulation)
    every: defaultdict[tuple[str, str], float] = defaultdict(float)
    awaited: defaultdict[tuple[str, str], float] = defaultdict(float)
    for taken in steps_taken(simulation.system):
        if isinstance(taken.step, Publish):
            taking = [consumer for consumer in consumers if consumer.topic == taken.step.topic]
            for consumer in taking:
                sharing = sum(other.group == consumer.group for other in taking)
                edge, times = (taken.where.service, consumer.service.name), taken.mean * requests[taken.where.entry]
                every[edge] += times / sharing
                awaited[edge] += times / sharing * taken.step.awaits_reply
    return {edge: awaited[edge] / times for edge, times in every.items() if times}


def _edge(edge: tuple[str, str], waits: set[float]) -> Iterator[Truth]:
    """Answers to messages are messages too; where a service waits now and then, nobody judges how it does.

    Args:
        waits: share of the calls, of the messages and of the answers that is awaited.
    """
    subject = edge_subject(*edge)
    yield Truth("edge", subject, positive=True)
    if len(waits) == 1:
        (share,) = waits
        if share in (0.0, 1.0):
            yield Truth("sync-edge", subject, positive=share == 1.0)
        yield Truth("awaited-share", subject, value=share)
