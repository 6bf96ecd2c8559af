"""Who waits behind queues, how long messages wait, and which groups stand still: from descriptions and incidents."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from tracelith.evaluate.claims import Case, Truth, group_subject, message_subject
from tracelith.evaluate.naming import service_names
from tracelith.evaluate.truth.steps import Taken, requests_by_entry, requests_within, steps_taken
from tracelith.simulate import Simulation
from tracelith.simulate.flow import Consumer, Publish
from tracelith.simulate.incidents import GroupStall, Outage
from tracelith.simulate.latency import Latency
from tracelith.simulate.topology import Topic

__all__ = ["queue_truths"]

FEWEST_REQUESTS = 60.0
"""That ask over a queue; to say that they wait takes thirty."""
FEWEST_WAITING = 25.0
"""Messages that come while a group stands still: nobody could overlook that none of so many is taken."""
FEWEST_MESSAGES = 300.0
"""Of a group, for the quantiles of their wait."""
_Z95 = 1.6448536269514722


def queue_truths(case: Case, simulation: Simulation) -> list[Truth]:
    """Answers that are awaited, groups that stand still or are shared, and how long messages wait."""
    steps = steps_taken(simulation.system)
    return [
        *_awaited(simulation, steps, case.sampling),
        *_groups(simulation, steps, case.sampling),
    ]


def _named(topic: Topic) -> str:
    return f"{topic.system} {topic.destination}"


def _awaited(simulation: Simulation, steps: Sequence[Taken], sampling: float) -> Iterator[Truth]:
    names, requests = service_names(simulation.system), requests_by_entry(simulation)
    asked: defaultdict[tuple[str, bool], float] = defaultdict(float)
    for taken in steps:
        if isinstance(taken.step, Publish) and taken.where.answers:
            where = taken.where
            subject = message_subject(names[where.service], where.operation, _named(taken.step.topic))
            asked[subject, taken.step.awaits_reply] += taken.mean * requests[where.entry] * sampling
    for (subject, waits), times in sorted(asked.items()):
        yield Truth("sync-over-async", subject, positive=waits and (times >= FEWEST_REQUESTS or None))


def _groups(simulation: Simulation, steps: Sequence[Taken], sampling: float) -> Iterator[Truth]:
    system = simulation.system
    sharing: defaultdict[tuple[Topic, str], list[Consumer]] = defaultdict(list)
    for consumer in system.consumers:
        sharing[consumer.topic, consumer.group].append(consumer)
    for (topic, group), consumers in sorted(sharing.items(), key=lambda item: (item[0][0].destination, item[0][1])):
        subject = group_subject(_named(topic), group)
        services = {consumer.service.name for consumer in consumers}
        yield Truth("shared-group", subject, positive=len(services) > 1)
        waiting = _waiting(simulation, steps, topic, group, services)
        positive = None if waiting is None else waiting * sampling >= FEWEST_WAITING or (None if waiting else False)
        yield Truth("group-stall", subject, positive, waiting)
        messages = _messages(steps, topic, requests_by_entry(simulation)) * sampling
        if waiting == 0 and len(consumers) == 1 and messages >= FEWEST_MESSAGES:
            yield from _lag(subject, consumers[0].delay)


def _messages(steps: Sequence[Taken], topic: Topic, requests: Sequence[int]) -> float:
    return sum(
        taken.mean * requests[taken.where.entry]
        for taken in steps
        if isinstance(taken.step, Publish) and taken.step.topic == topic
    )


def _waiting(
    simulation: Simulation, steps: Sequence[Taken], topic: Topic, group: str, services: set[str]
) -> float | None:
    """Messages that come during the worst stall of a group, 0 without one; None if its services fail now and then."""
    worst = 0.0
    for happens in simulation.occurrences:
        incident = happens.incident
        if isinstance(incident, Outage) and services & set(incident.services):
            return None  # what it would take waits meanwhile, which may be called a stall or not
        if isinstance(incident, GroupStall) and (incident.topic, incident.group) == (topic, group):
            for start_us in happens.starts_us.tolist():
                requests = requests_within(simulation, (start_us, start_us + happens.length_us))
                worst = max(worst, _messages(steps, topic, requests), math.ulp(0.0))
    return worst


def _lag(subject: str, delay: Latency) -> Iterator[Truth]:
    """Quantiles of a log-normal wait."""
    yield Truth("lag-p50", subject, value=delay.median_ms)
    yield Truth("lag-p95", subject, value=delay.median_ms * (delay.p99_ms / delay.median_ms) ** (_Z95 / 2.3263478740))
