"""How failures travel, what they cost, and what was done to stop them."""

from tracelith.evaluate.detectors.form import Detector

__all__ = ["FAILURES"]

_EDGE = "caller → callee"

FAILURES = (
    Detector(
        "hard-dependency",
        "Does the failure of a callee fail its caller?",
        _EDGE,
        "claim",
        "failures",
    ),
    Detector(
        "propagation-power",
        "Which share of a callee's failures fails its caller?",
        _EDGE,
        "estimate",
        "failures",
        "share",
    ),
    Detector(
        "failure-cascade",
        "Did the failure of a service take others along?",
        "service",
        "claim",
        "failures",
        invented=True,
        rules=("failure-cascade",),
    ),
    Detector(
        "failing-together",
        "Do two services fail at the same times for a reason that both share?",
        "a + b",
        "claim",
        "failures",
        rules=("failing-together",),
    ),
    Detector(
        "retry-storm",
        "Do calls multiply when the callee fails?",
        _EDGE,
        "claim",
        "failures",
        invented=True,
        rules=("retry-storm",),
    ),
    Detector(
        "missing-timeout",
        "Does a caller wait without end?",
        _EDGE,
        "claim",
        "failures",
        invented=True,
        rules=("missing-timeout",),
        graded=True,
    ),
    Detector(
        "blast-radius",
        "Which share of requests from outside fails if a service does?",
        "service",
        "estimate",
        "failures",
        "share",
        rules=("large-blast-radius", "hard-dependency-chain"),
    ),
    Detector(
        "availability",
        "Which share of the requests succeeds?",
        "entry operation",
        "estimate",
        "failures",
        "share",
    ),
    Detector(
        "hidden-errors",
        "Which share of the successful requests has a failure inside?",
        "entry operation",
        "estimate",
        "failures",
        "share",
        rules=("hidden-errors",),
    ),
)
