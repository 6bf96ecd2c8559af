"""What is true of a simulated system: from its description, and from large reference runs of the same system.

Nothing here looks at spans or runs a detector's code, which would agree with itself however wrong it is. What a number
means is the same on both sides: which stretch of time counts as together, how many deployments a service needs.

    calls        who calls whom
    coupling     who is bound without a call
    data         whose data services use
    deployments  who is deployed together: many years of releases
    failures     how failures travel; fate works out what becomes of requests while services fail
    proportions  hubs, very large and very small services
    queues       who waits behind queues
    requests     how deep and slow requests are: large reference runs
    scaling      who answers to one load
    steps        how often requests take each step of a system
    structure    layers, chatter and cycles
    waiting      who waits without end
"""

from collections.abc import Callable, Mapping, Sequence

from tracelith.evaluate.claims import Case, Truth
from tracelith.evaluate.detectors import DETECTORS, Topic, detector
from tracelith.evaluate.truth.calls import call_truths
from tracelith.evaluate.truth.coupling import coupling_truths
from tracelith.evaluate.truth.data import data_truths
from tracelith.evaluate.truth.deployments import deployment_truths
from tracelith.evaluate.truth.failures import failure_truths
from tracelith.evaluate.truth.queues import queue_truths
from tracelith.evaluate.truth.requests import request_truths
from tracelith.evaluate.truth.scaling import scaling_truths
from tracelith.evaluate.truth.structure import structure_truths
from tracelith.simulate import Simulation

__all__ = ["truths_of"]

_SOURCES: Mapping[Topic, Callable[[Case, Simulation], Sequence[Truth]]] = {
    "calls": call_truths,
    "coupling": coupling_truths,
    "data": data_truths,
    "deployments": deployment_truths,
    "failures": failure_truths,
    "queues": queue_truths,
    "requests": request_truths,
    "scaling": scaling_truths,
    "structure": structure_truths,
}
"""Who knows what is true, by what detectors are about."""

_NEVER_HEALTHY: frozenset[Topic] = frozenset(("requests",))
"""What no healthy system has any of: deep chains, and tails made far away."""


def truths_of(case: Case, simulation: Simulation) -> list[Truth]:
    """Everything that the case's detectors are to be compared with."""
    wanted = set(case.detectors)
    topics = {detector(name).topic for name in wanted}
    if "alarm" in wanted:
        topics |= {one.topic for one in DETECTORS if one.rules} - _NEVER_HEALTHY
    found = [truth for topic, truths in _SOURCES.items() if topic in topics for truth in truths(case, simulation)]
    found += [Truth("alarm", rule) for rule in _justified(found)]
    return [truth for truth in found if truth.detector in wanted]


def _justified(truths: Sequence[Truth]) -> list[str]:
    """Rules under which a system that runs well may be accused all the same: to say what is so is no false alarm."""
    so = {truth.detector for truth in truths if truth.positive}
    may_be = {truth.detector for truth in truths if truth.positive is None}
    asked = [one for one in DETECTORS if one.kind == "claim" and one.topic not in _NEVER_HEALTHY]
    told = [one for one in asked if one.name in so or (one.graded and one.name in may_be)]
    return list(dict.fromkeys(rule for one in told for rule in (*one.rules, *one.others)))
