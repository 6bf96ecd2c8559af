"""What a detector says of itself: what is asked, of what, how answers are judged, and which rules speak of it."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["TOPICS", "Detector", "Topic"]

Topic = Literal[
    "requests", "calls", "deployments", "data", "failures", "queues", "structure", "scaling", "coupling", "alarms"
]

TOPICS: dict[Topic, str] = {
    "requests": "Depth and time of requests",
    "calls": "Who calls whom",
    "deployments": "Deployments",
    "data": "Data",
    "failures": "Failures",
    "queues": "Queues",
    "structure": "Shape of the system",
    "scaling": "Scaling",
    "coupling": "Hidden coupling",
    "alarms": "Healthy systems",
}
"""What detectors are about, in the order of tables, with the titles of their tables."""


@dataclass(frozen=True, slots=True)
class Detector:
    """One question that can be answered rightly or wrongly.

    Attributes:
        name: identifier. question: what is asked, in plain words. subject: what it is asked of.
        kind: ``claim`` is judged by precision and recall, ``estimate`` by error and by how often the interval covers.
        topic: what it is about; ``truth`` has a module of this name that knows what is true of it.
        unit: of the number, where there is one. exact: the number is a count that must be met exactly.
        invented: a claim about a subject that does not exist is a false alarm.
        relative: errors are told as shares of the true value.
        chosen: a method chooses of which subjects it speaks (one of several quantiles, one of two directions); the
            others are not held against it.
        naming: it is asked of the places of a subject (written before ``⟂``); a method that says nothing of any of them
            has abstained.
        rules: of our findings that speak of its subjects. Where a claim is true, they may accuse a healthy system too.
        graded: likewise where it is neither clearly true nor clearly not.
        others: names of baselines that accuse under their own name and speak of it, likewise.
    """

    name: str
    question: str
    subject: str
    kind: Literal["claim", "estimate"]
    topic: Topic
    unit: str = ""
    exact: bool = False
    invented: bool = False
    relative: bool = False
    chosen: bool = False
    naming: bool = False
    rules: tuple[str, ...] = ()
    graded: bool = False
    others: tuple[str, ...] = ()
