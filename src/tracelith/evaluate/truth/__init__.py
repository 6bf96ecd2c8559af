"""What is true of a simulated system: from its description, and from large reference runs of the same system.

Nothing here looks at spans or runs a detector's code, which would agree with itself however wrong it is. What a number
means is the same on both sides: which stretch of time counts as together, how many deployments a service needs.
"""

from tracelith.evaluate.claims import Case, Truth
from tracelith.evaluate.truth.calls import call_truths
from tracelith.evaluate.truth.deployments import deployment_truths
from tracelith.evaluate.truth.requests import request_truths
from tracelith.simulate import Simulation

__all__ = ["truths_of"]


def truths_of(case: Case, simulation: Simulation) -> list[Truth]:
    """Everything that the case's detectors are to be compared with."""
    wanted = set(case.detectors)
    found = [
        *call_truths(simulation),
        *(deployment_truths(simulation) if wanted & _OF_DEPLOYMENTS else ()),
        *(request_truths(case, simulation) if wanted & _OF_REQUESTS else ()),
    ]
    found += [Truth("alarm", rule) for rule in _justified(found)]
    return [truth for truth in found if truth.detector in wanted]


def _justified(truths: list[Truth]) -> list[str]:
    """Rules under which a system that runs well may be accused all the same: to say what is so is no false alarm."""
    so = {truth.detector for truth in truths if truth.positive is not False}
    return [rule for detector, rules in _TOLD_BY.items() if detector in so for rule in rules]


_TOLD_BY = {
    "lockstep": ("system-lockstep",),
    "codeployment-pair": (
        "codeployment-pair",
        "codeployment-group",
        "code-maat",
        "jaccard",
        "hypergeometric",
        "event-coincidence",
    ),
    "shared-datastore": ("shared-datastore",),
}
"""Rules of ours and of the baselines by the detector whose truth they speak of."""

_OF_DEPLOYMENTS = frozenset(
    (
        "alarm",
        "codeployment-pair",
        "codeployment-rate",
        "codeployment-excess",
        "lockstep",
        "solo-rate",
        "lockstep-excess",
    )
)
_OF_REQUESTS = frozenset(
    (
        "deep-chain",
        "depth-p50",
        "depth-p95",
        "depth-max",
        "tail-hop",
        "tail-finding",
        "tail-share",
        "tail-excess",
        "latency-p50",
        "latency-p95",
        "latency-p99",
    )
)
