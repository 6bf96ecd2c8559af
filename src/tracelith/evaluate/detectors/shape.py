"""The shape of a system: layers, cycles, chatter, proportions, what scales together or is bound unseen."""

from tracelith.evaluate.detectors.form import Detector

__all__ = ["COUPLING", "SCALING", "STRUCTURE"]

_PAIR = "a + b"

STRUCTURE = (
    Detector(
        "pass-through",
        "Does a service only hand requests on?",
        "service",
        "claim",
        "structure",
        invented=True,
        rules=("pass-through-service",),
    ),
    Detector(
        "layer-split",
        "Does nearly every request pass the same services in the same order?",
        "services in order",
        "claim",
        "structure",
        invented=True,
        rules=("layer-split",),
    ),
    Detector(
        "chatty",
        "Does a request make the same call again and again where one would do?",
        "operation → callee",
        "claim",
        "structure",
        invented=True,
        rules=("chatty-calls",),
        others=("fixed-calls",),
    ),
    Detector(
        "call-cycle",
        "Do services ask back whoever asked them?",
        "services",
        "claim",
        "structure",
        invented=True,
        rules=("call-cycle",),
        others=("graph-cycles",),
    ),
    *(
        Detector(f"{kind}-service", question, "service", "claim", "structure", rules=(f"{kind}-service",), graded=True)
        for kind, question in (
            ("hub", "Do far more services call it, and does it call far more, than is usual in the system?"),
            ("mega", "Does it do far more different things than the other services?"),
            ("nano", "Does it work for a shorter time than it takes to reach it?"),
        )
    ),
    Detector(
        "too-many-services",
        "Are there more services than their work and their teams explain?",
        "system",
        "claim",
        "structure",
        rules=("too-many-services",),
    ),
)

SCALING = (
    Detector(
        "same-axis",
        "Do two services always need to grow and shrink together?",
        _PAIR,
        "claim",
        "scaling",
        rules=("same-scaling-axis",),
    ),
    Detector(
        "own-axis",
        "Do two services need to grow and shrink at different times?",
        _PAIR,
        "claim",
        "scaling",
    ),
)

COUPLING = (
    Detector(
        "hidden-coupling",
        "Are two services bound to each other although neither calls the other?",
        _PAIR,
        "claim",
        "coupling",
        invented=True,
        rules=("hidden-coupling",),
    ),
)
