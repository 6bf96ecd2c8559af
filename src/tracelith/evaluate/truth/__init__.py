"""What is true of a simulated system: from its description, and from large reference runs of the same system.

Nothing here looks at spans or uses the rules of a detector: a truth that the detector's own code computes would agree
with it however wrong both are.
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
    if any(truth.detector == "lockstep" and truth.positive is not False for truth in found):
        # Released together by habit, however well it runs: to say so is no false alarm.
        found.append(Truth("alarm", "system-lockstep"))
    return [truth for truth in found if truth.detector in wanted]


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
        "tail-share",
        "tail-excess",
        "latency-p50",
        "latency-p95",
        "latency-p99",
    )
)
