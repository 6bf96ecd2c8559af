"""What is asked of every method: the detectors, what their subjects are and how their answers are judged, as data.

form         what a detector says of itself
requests     how deep and slow requests are; who calls whom
deployments  who is deployed together
data         whose data services use
failures     how failures travel
queues       who waits behind queues
shape        layers, cycles, chatter, scaling, hidden coupling
"""

from collections.abc import Collection

from tracelith.evaluate.detectors.data import DATA
from tracelith.evaluate.detectors.deployments import DEPLOYMENTS
from tracelith.evaluate.detectors.failures import FAILURES
from tracelith.evaluate.detectors.form import TOPICS, Detector, Topic
from tracelith.evaluate.detectors.queues import QUEUES
from tracelith.evaluate.detectors.requests import CALLS, REQUESTS
from tracelith.evaluate.detectors.shape import COUPLING, SCALING, STRUCTURE

__all__ = ["DETECTORS", "RULES", "TOPICS", "Detector", "Topic", "detector", "of_topics"]

_ALARM = Detector(
    "alarm",
    "Is a healthy system accused of anything?",
    "rule",
    "claim",
    "alarms",
    invented=True,
)

DETECTORS: tuple[Detector, ...] = (
    *REQUESTS,
    *CALLS,
    *DEPLOYMENTS,
    *DATA,
    *FAILURES,
    *QUEUES,
    *STRUCTURE,
    *SCALING,
    *COUPLING,
    _ALARM,
)
"""In the order of tables."""

RULES: tuple[str, ...] = tuple(dict.fromkeys(rule for one in DETECTORS for rule in one.rules))
"""Every rule of ours that can accuse; its alarms have a denominator."""


def detector(name: str) -> Detector:
    """The detector of that name.

    Raises:
        KeyError: there is none.
    """
    for one in DETECTORS:
        if one.name == name:
            return one
    raise KeyError(name)


def of_topics(*topics: Topic, without: Collection[str] = ()) -> tuple[str, ...]:
    """Names of the detectors of these topics, in the order of tables."""
    return tuple(one.name for one in DETECTORS if one.topic in topics and one.name not in without)
