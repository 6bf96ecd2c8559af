"""Services out of proportion: hubs, very large and very small ones, from the steps of a system's description."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import exp, log, nan
from typing import TypeAlias

from tracelith.evaluate.claims import Truth
from tracelith.evaluate.naming import service_names
from tracelith.evaluate.truth.steps import Taken
from tracelith.simulate import Simulation
from tracelith.simulate.flow import Cached, Call, Publish, Repeat, Sometimes, Step, Task, Wait, Work
from tracelith.simulate.latency import Latency
from tracelith.simulate.topology import System

__all__ = ["proportion_truths"]

Times: TypeAlias = defaultdict[str, float]

SEEN, HARDLY_SEEN = 20.0, 0.5
"""Requests of an operation, or calls between two services, that nobody could overlook, and that may not happen."""
FEWEST_REQUESTS = 300.0
"""Of a service, below which its size need not be judged."""
FEWEST_SERVICES = 10
"""Below so many no one stands out from the others."""
MANY, NOT_MANY = 6, 3
"""Neighbours on one side, operations likewise twice as many: so many stand out, so few do not."""
TIMES_MORE, NOT_MUCH_MORE = 4.0, 2.0
"""As many as the other services have on average."""
SHORTER, NOT_SHORTER = 0.7, 1.4
"""Own time in terms of the way there and back; it and the way are known no better."""
_P99 = 2.326


@dataclass(slots=True)
class _Proportions:
    """What one service is like. operations: requests by name; callers, callees: calls; own_ms: usual, by operation."""

    operations: Times = field(default_factory=partial(defaultdict, float))
    callers: Times = field(default_factory=partial(defaultdict, float))
    callees: Times = field(default_factory=partial(defaultdict, float))
    own_ms: dict[str, float] = field(default_factory=dict)
    from_outside: float = 0.0


def proportion_truths(simulation: Simulation, steps: Sequence[Taken], requests: Sequence[float]) -> Iterator[Truth]:
    """Hubs, very large and very small services.

    Args:
        requests: observed, of each entry.
    """
    names = service_names(simulation.system)
    found = _proportions(simulation.system, steps, requests)
    network_ms = 2 * _mean_ms(simulation.system.network)
    for name, one in sorted(found.items()):
        others = [other for other in found if other != name]
        callers, callees, operations = (
            _outstanding({other: getattr(found[other], side) for other in found}, name, others, least)
            for side, least in (("callers", 1), ("callees", 1), ("operations", 2))
        )
        door = one.from_outside >= 0.3 * sum(one.operations.values())
        busy = sum(one.operations.values()) >= FEWEST_REQUESTS
        yield Truth("hub-service", names[name], _both(callers, callees) and (None if door else True))
        # Many operations for many callers; whether one that works much is large is not told by a description alone.
        large = _both(operations, callers)
        many_but = operations is not False and not large
        yield Truth("mega-service", names[name], None if many_but else large and (busy or None))
        yield Truth("nano-service", names[name], _tiny(one, network_ms) and (busy or None))


def _proportions(system: System, steps: Sequence[Taken], requests: Sequence[float]) -> Mapping[str, _Proportions]:
    found: defaultdict[str, _Proportions] = defaultdict(_Proportions)
    for entry, number in zip(system.entries, requests, strict=True):
        called = found[entry.operation.service.name]
        called.operations[entry.operation.name] += number
        called.own_ms[entry.operation.name] = _own_ms(entry.operation.steps)
        called.from_outside += number
    for taken in steps:
        step, caller, times = taken.step, taken.where.service, taken.mean * requests[taken.where.entry]
        if isinstance(step, Call):
            called = found[step.operation.service.name]
            called.operations[step.operation.name] += times
            called.own_ms[step.operation.name] = _own_ms(step.operation.steps)
            if caller != step.operation.service.name:
                called.callers[caller] += times
                found[caller].callees[step.operation.service.name] += times
        elif isinstance(step, Publish):
            for consumer in system.consumers:
                if consumer.topic == step.topic:
                    taking, name = found[consumer.service.name], f"process {step.topic.destination}"
                    taking.operations[name] += times
                    taking.own_ms[name] = _own_ms(consumer.steps)
                    if step.awaits_reply:
                        taking.callers[caller] += times
                        found[caller].callees[consumer.service.name] += times
    return found


def _outstanding(every: Mapping[str, Times], name: str, others: Sequence[str], least: int) -> bool | None:
    """Whether a service surely has many and many times more than the others, or surely not."""
    sure, possible = (
        {service: sum(times >= bound for times in one.values()) for service, one in every.items()}
        for bound in (SEEN, HARDLY_SEEN)
    )
    if not others or possible[name] <= NOT_MANY * least:
        return False
    usual, usual_at_most = (sum(count[other] for other in others) / len(others) for count in (sure, possible))
    if possible[name] <= NOT_MUCH_MORE * usual:
        return False
    surely = sure[name] >= MANY * least and sure[name] >= TIMES_MORE * max(usual_at_most, 1.0)
    return True if surely and len(others) >= FEWEST_SERVICES else None


def _both(a: bool | None, b: bool | None) -> bool | None:
    if a is False or b is False:
        return False
    return True if a and b else None


def _tiny(one: _Proportions, network_ms: float) -> bool | None:
    """One operation, shorter than the way to it, that asks on."""
    if sum(times >= SEEN for times in one.operations.values()) > 1 or not one.callers:
        return False
    if sum(one.callees.values()) < HARDLY_SEEN:
        return False
    own_ms = max(one.own_ms.values())
    if own_ms >= NOT_SHORTER * network_ms:
        return False
    alone = sum(times >= HARDLY_SEEN for times in one.operations.values()) == 1
    return True if alone and own_ms <= SHORTER * network_ms and max(one.callees.values()) >= SEEN else None


def _own_ms(steps: Sequence[Step]) -> float:
    """What most requests of it are worked on and wait within the service; not a number where nobody can tell."""
    total = 0.0
    for step in steps:
        match step:
            case Work(time):
                total += time.median_ms
            case Wait(queue):
                total += queue.utilisation / (1 - queue.utilisation) * queue.burst_ms
            case Publish() if step.awaits_reply:
                total = nan  # from outside it looks as if it worked all the while
            case Task():
                total += _own_ms(step.steps)
            case Repeat():
                total += _own_ms(step.steps) * (step.least + step.most) / 2
            case Sometimes() | Cached():
                share = step.probability if isinstance(step, Sometimes) else 1 - step.hit
                total += _own_ms(step.steps) if share > 0.5 else 0.0
            case _:
                pass
    return total


def _mean_ms(time: Latency) -> float:
    sigma = log(time.p99_ms / time.median_ms) / _P99
    return time.median_ms * exp(sigma**2 / 2)
