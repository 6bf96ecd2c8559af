"""What is asked of every method: the detectors, what their subjects are and how their answers are judged, as data."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["DETECTORS", "Detector", "detector"]


@dataclass(frozen=True, slots=True)
class Detector:
    """One question that can be answered rightly or wrongly.

    Attributes:
        name: identifier. question: what is asked, in plain words. subject: what it is asked of.
        kind: ``claim`` is judged by precision and recall, ``estimate`` by error and by how often the interval covers.
        unit: of the number, where there is one. exact: the number is a count that must be met exactly.
        invented: a claim about a subject that does not exist is a false alarm.
        relative: errors are told as shares of the true value.
        chosen: a method chooses of which subjects it speaks (one of several quantiles, one of two directions); the
            others are not held against it.
        naming: it is asked of the places of a subject (written before ``⟂``); a method that says nothing of any of them
            has abstained.
    """

    name: str
    question: str
    subject: str
    kind: Literal["claim", "estimate"]
    unit: str = ""
    exact: bool = False
    invented: bool = False
    relative: bool = False
    chosen: bool = False
    naming: bool = False


DETECTORS = (
    Detector(
        "deep-chain",
        "Does a request wait for three or more services behind one another (p95)?",
        "entry operation",
        "claim",
    ),
    Detector("depth-p50", "How many awaited hops, median?", "entry operation", "estimate", "hops", exact=True),
    Detector("depth-p95", "How many awaited hops, p95?", "entry operation", "estimate", "hops", exact=True),
    Detector("depth-max", "How many awaited hops at most?", "entry operation", "estimate", "hops", exact=True),
    Detector("edge", "Does one service call, or send messages to, another?", "caller → callee", "claim", invented=True),
    Detector("sync-edge", "Does the caller wait for the answer?", "caller → callee", "claim"),
    Detector("awaited-share", "For which share of the calls is waited?", "caller → callee", "estimate", "share"),
    Detector(
        "tail-hop",
        "Which place takes the largest share of what the slowest requests take longer? A ranking, told or not.",
        "entry operation ⟂ place",
        "claim",
        naming=True,
    ),
    Detector(
        "tail-finding",
        "Is the user told of the place, away from the entry service, that makes the slowest requests much slower?",
        "entry operation ⟂ place",
        "claim",
        naming=True,
    ),
    Detector(
        "tail-share",
        "Which share of the extra time of the slowest requests is spent there?",
        "entry operation ⟂ place @ quantile",
        "estimate",
        "share",
        chosen=True,
    ),
    Detector(
        "tail-excess",
        "How much longer do the slowest requests spend there than ordinary ones?",
        "entry operation ⟂ place @ quantile",
        "estimate",
        "ms",
        relative=True,
        chosen=True,
    ),
    Detector("latency-p50", "How slow, median?", "entry operation", "estimate", "ms", relative=True),
    Detector("latency-p95", "How slow, p95?", "entry operation", "estimate", "ms", relative=True),
    Detector("latency-p99", "How slow, p99?", "entry operation", "estimate", "ms", relative=True),
    Detector(
        "codeployment-pair",
        "Do two services deploy together more than the rhythm of releases explains?",
        "a + b",
        "claim",
        invented=True,
    ),
    Detector(
        "codeployment-rate",
        "Which share of the deployments of a service coincides with one of another?",
        "service with other",
        "estimate",
        "share",
        chosen=True,
    ),
    Detector(
        "codeployment-excess",
        "How far beyond the calendar does a service deploy together with another?",
        "service with other",
        "estimate",
        "share",
        chosen=True,
    ),
    Detector("lockstep", "Does hardly any service ever deploy alone?", "system", "claim"),
    Detector("solo-rate", "Which share of deployments is alone?", "system", "estimate", "share"),
    Detector("lockstep-excess", "How much rarer is that than without coupling?", "system", "estimate", "share"),
    Detector("shared-datastore", "Is one datastore used by several services?", "datastore", "claim", invented=True),
    Detector("alarm", "Is a healthy system accused of anything?", "rule", "claim", invented=True),
)
"""In the order of tables."""


def detector(name: str) -> Detector:
    """The detector of that name.

    Raises:
        KeyError: there is none.
    """
    for one in DETECTORS:
        if one.name == name:
            return one
    raise KeyError(name)
