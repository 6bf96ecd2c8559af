"""Who is deployed together, and whether anything is ever deployed alone."""

from tracelith.evaluate.detectors.form import Detector

__all__ = ["DEPLOYMENTS"]

_WITH = "service with other"

DEPLOYMENTS = (
    Detector(
        "codeployment-pair",
        "Do two services deploy together more than the rhythm of releases explains?",
        "a + b",
        "claim",
        "deployments",
        invented=True,
        rules=("codeployment-pair", "codeployment-group"),
        graded=True,
        others=("code-maat", "jaccard", "hypergeometric", "event-coincidence"),
    ),
    Detector(
        "codeployment-rate",
        "Which share of the deployments of a service coincides with one of another?",
        _WITH,
        "estimate",
        "deployments",
        "share",
        chosen=True,
    ),
    Detector(
        "codeployment-excess",
        "How far beyond the calendar does a service deploy together with another?",
        _WITH,
        "estimate",
        "deployments",
        "share",
        chosen=True,
    ),
    Detector(
        "lockstep",
        "Does hardly any service ever deploy alone?",
        "system",
        "claim",
        "deployments",
        rules=("system-lockstep",),
        graded=True,
    ),
    Detector("solo-rate", "Which share of deployments is alone?", "system", "estimate", "deployments", "share"),
    Detector(
        "lockstep-excess",
        "How much rarer is that than without coupling?",
        "system",
        "estimate",
        "deployments",
        "share",
    ),
)
