"""Who waits behind queues after all, and where they stand still."""

from tracelith.evaluate.detectors.form import Detector

__all__ = ["QUEUES"]

QUEUES = (
    Detector(
        "sync-over-async",
        "Does a request wait for the answer to a message?",
        "operation → destination",
        "claim",
        "queues",
        invented=True,
        rules=("sync-over-async",),
    ),
    Detector(
        "group-stall",
        "Did a consumer group stand still although there were messages?",
        "destination group",
        "claim",
        "queues",
        invented=True,
        rules=("consumer-group-stall",),
    ),
    Detector(
        "lag-p50",
        "How long does a message wait until it is taken, median?",
        "destination group",
        "estimate",
        "queues",
        "ms",
        relative=True,
    ),
    Detector(
        "lag-p95",
        "How long does a message wait until it is taken, p95?",
        "destination group",
        "estimate",
        "queues",
        "ms",
        relative=True,
    ),
    Detector(
        "shared-group",
        "Do several services take messages in one consumer group?",
        "destination group",
        "claim",
        "queues",
        invented=True,
        rules=("shared-consumer-group",),
    ),
)
