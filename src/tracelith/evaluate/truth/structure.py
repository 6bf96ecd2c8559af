"""Layers, chatter and cycles: from the steps of a system's description and how often requests take them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tracelith.evaluate.claims import Case, Truth, chatty_subject, cycle_subject, layers_subject
from tracelith.evaluate.naming import service_names
from tracelith.evaluate.truth.proportions import proportion_truths
from tracelith.evaluate.truth.steps import Taken, requests_by_entry, steps_taken
from tracelith.simulate import Simulation
from tracelith.simulate.flow import Cached, Call, Consumer, External, Operation, Parallel, Publish, Query, Repeat, Step
from tracelith.simulate.topology import Database, System

__all__ = ["structure_truths"]

FEWEST_REQUESTS = 200.0
"""Of an operation, below which its habits need not be seen."""
MANY_CALLS, FEW_CALLS = 12.0, 6.0
"""In a row, in one request in twenty: so many are chatter, and so few are not; the line is drawn at ten."""
HANDING_ON, WORKING = 0.75, 0.25
"""Share of a service's requests that only make one call: so many are what it is for, so few are an exception."""
COMING_BACK, FEWEST_COMING_BACK = 0.002, 20.0
"""Share and number of all requests that come back to a service they are on their way from; fewer may be overlooked."""


@dataclass(slots=True)
class _Habits:
    """What the operations of a service do. requests: expected; handed_on: of those, with one call and nothing else."""

    requests: float = 0.0
    handed_on: float = 0.0


def structure_truths(case: Case, simulation: Simulation) -> list[Truth]:
    """Who only hands on, who talks too much, who is asked back, and who is out of proportion."""
    steps, names = steps_taken(simulation.system), service_names(simulation.system)
    requests = [number * case.sampling for number in requests_by_entry(simulation)]
    layers = [names[name] for name in simulation.system.planted.get("layers", ())]
    return [
        *_pass_through(simulation, steps, requests),
        *([Truth("layer-split", layers_subject(layers), positive=True)] if layers else ()),
        *_chatter(names, steps, requests),
        *_cycles(simulation, steps),
        *proportion_truths(simulation, steps, requests),
        *_size(case),
    ]


def _size(case: Case) -> Iterator[Truth]:
    """Whether there are too many services is a matter of taste but in the stories that say so."""
    if not case.system.startswith("random-"):
        yield Truth("too-many-services", "system", positive=case.system == "fifty")


def _pass_through(simulation: Simulation, steps: Sequence[Taken], requests: Sequence[float]) -> Iterator[Truth]:
    """A service that was planted to hand on, and others by what they do; who faces the outside is a gateway."""
    system, names = simulation.system, service_names(simulation.system)
    planted = _planted(system.planted.get("pass_through", ()))
    outside = {entry.operation.service.name for entry in system.entries if isinstance(entry.operation, Operation)}
    habits = _habits(system, steps, requests)
    for name in sorted(names):
        service = habits[name]
        share = service.handed_on / service.requests if service.requests else 0.0
        if name in outside or 0 < service.requests < FEWEST_REQUESTS:
            positive = None if share > WORKING or name in planted else False
        elif name in planted:
            positive = True if share >= HANDING_ON else None
        else:
            positive = None if share > WORKING else False
        yield Truth("pass-through", names[name], positive, share)


def _planted(told: Sequence[str | Mapping[str, str]]) -> set[str]:
    """Names of services: stories list them, random systems describe them."""
    return {one if isinstance(one, str) else one["service"] for one in told}


def _habits(system: System, steps: Sequence[Taken], requests: Sequence[float]) -> Mapping[str, _Habits]:
    """What services do with calls and with messages; both are requests to them."""
    found: defaultdict[str, _Habits] = defaultdict(_Habits)
    for taken in steps:
        for operation, share in _asked_to(taken.step, system):
            service = found[operation.service.name]
            times = taken.mean * requests[taken.where.entry] * share
            service.requests += times
            service.handed_on += times * _hands_on(operation)
    return found


def _asked_to(step: Step, system: System) -> list[tuple[Operation | Consumer, float]]:
    """What the step makes other services do, and in which share of the times."""
    if isinstance(step, Call):
        return [(step.operation, 1.0)]
    taking = [one for one in system.consumers if one.topic == step.topic] if isinstance(step, Publish) else []
    return [(one, 1 / sum(other.group == one.group for other in taking)) for one in taking]


def _hands_on(operation: Operation | Consumer) -> bool:
    """Its steps that leave the service are one call."""
    leaving = [step for step in operation.steps if isinstance(step, Call | Query | External | Publish | Cached)]
    others = any(isinstance(step, Parallel | Repeat) or hasattr(step, "steps") for step in operation.steps)
    return len(leaving) == 1 and isinstance(leaving[0], Call) and not others


def _chatter(names: Mapping[str, str], steps: Sequence[Taken], requests: Sequence[float]) -> Iterator[Truth]:
    """An operation that repeats a call; one that calls the same neighbour for several things does not."""
    found: dict[str, bool | None] = {}
    for taken in steps:
        where = taken.where
        if not where.answers:
            continue
        for step, most in _repeated(taken.step):
            subject = chatty_subject(names[where.service], where.operation, _callee(step, names))
            enough = taken.mean * requests[where.entry] >= FEWEST_REQUESTS
            so = False if most < FEW_CALLS else True if most >= MANY_CALLS and enough else None
            known = found.get(subject, False)
            found[subject] = True if so or known else None if so is None or known is None else False
    for subject, positive in sorted(found.items()):
        yield Truth("chatty", subject, positive)


def _repeated(step: Step) -> Iterator[tuple[Step, float]]:
    """Calls that the step makes, with how many of them one request in twenty makes at least."""
    if isinstance(step, Repeat):
        most = step.most - 0.05 * (step.most - step.least + 1)
        yield from ((inner, most) for inner in step.steps if isinstance(inner, Call | Query))
    elif isinstance(step, Call | Query):
        yield step, 1.0


def _callee(step: Step, names: Mapping[str, str]) -> str:
    if isinstance(step, Call):
        return names[step.operation.service.name]
    return _datastore(step.database) if isinstance(step, Query) else ""


def _datastore(database: Database) -> str:
    return f"{database.system} {database.namespace or database.address}"


def _cycles(simulation: Simulation, steps: Sequence[Taken]) -> Iterator[Truth]:
    """Services that one and the same request goes round; circles that only different requests close may be told."""
    names, requests = service_names(simulation.system), requests_by_entry(simulation)
    edges: set[tuple[str, str]] = set()
    back: defaultdict[frozenset[str], float] = defaultdict(float)
    for taken in steps:
        path, caller = taken.where.path, taken.where.service
        for callee in _asked(taken.step, simulation.system) - {caller}:
            edges.add((caller, callee))
            if callee in path:
                back[frozenset(path[path.index(callee) :])] += taken.mean * requests[taken.where.entry]
    found: dict[str, bool | None] = {cycle_subject([names[name] for name in one]): None for one in _circles(edges)}
    for circle, times in back.items():
        seen = times >= max(COMING_BACK * sum(requests), FEWEST_COMING_BACK)
        found[cycle_subject([names[name] for name in circle])] = seen or None
    yield from (Truth("call-cycle", subject, positive) for subject, positive in sorted(found.items()))


def _asked(step: Step, system: System) -> set[str]:
    """Services whose answer to this step is awaited."""
    if isinstance(step, Call):
        return {step.operation.service.name}
    if isinstance(step, Publish) and step.awaits_reply:
        return {consumer.service.name for consumer in system.consumers if consumer.topic == step.topic}
    return set()


def _circles(edges: set[tuple[str, str]]) -> list[set[str]]:
    """Sets of at least two services each of which reaches all the others."""
    if not edges:
        return []
    services = sorted({service for edge in edges for service in edge})
    place = {service: number for number, service in enumerate(services)}
    rows, columns = zip(*((place[caller], place[callee]) for caller, callee in sorted(edges)), strict=True)
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(services), len(services)))
    number, label = connected_components(graph, directed=True, connection="strong")
    groups = [{services[at] for at in np.flatnonzero(label == one)} for one in range(number)]
    return [group for group in groups if len(group) > 1]
