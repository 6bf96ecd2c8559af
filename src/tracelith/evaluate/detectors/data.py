"""Whose data services use, and what they wait for there."""

from tracelith.evaluate.detectors.form import Detector

__all__ = ["DATA"]

_TABLE = "table"

DATA = (
    Detector(
        "shared-datastore",
        "Is one datastore used by several services?",
        "datastore",
        "claim",
        "data",
        invented=True,
        others=("shared-datastore",),
    ),
    Detector(
        "foreign-use",
        "Do several services use one table, whoever keeps it?",
        _TABLE,
        "claim",
        "data",
        invented=True,
        rules=("foreign-write", "foreign-read"),
    ),
    Detector(
        "foreign-write",
        "Is a table written by more than one service?",
        _TABLE,
        "claim",
        "data",
        invented=True,
        rules=("foreign-write",),
    ),
    Detector(
        "foreign-read",
        "Does a service read a table that another one keeps?",
        _TABLE,
        "claim",
        "data",
        invented=True,
        rules=("foreign-read",),
    ),
    Detector(
        "foreign-join",
        "Does a service join tables that belong to different ones?",
        "service",
        "claim",
        "data",
        invented=True,
        rules=("cross-owner-join",),
    ),
    Detector(
        "foreign-write-share",
        "Which share of the writes is not the main writer's?",
        _TABLE,
        "estimate",
        "data",
        "share",
    ),
    Detector(
        "lock-contention",
        "Did several services wait for one table at the same time?",
        _TABLE,
        "claim",
        "data",
        invented=True,
        rules=("lock-contention",),
    ),
)
