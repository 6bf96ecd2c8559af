"""Release sessions, and the classical co-change measures on them, for display beside the tests (metrics.md §7.5)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.analysis.deployments.coincidence import DeploymentLog

__all__ = ["CoChange", "Sessions", "co_change", "find_sessions"]


@dataclass(frozen=True, slots=True)
class Sessions:
    """Deployments of the whole organisation, split where nothing was deployed for longer than the gap.

    Attributes:
        session: int64[e], session of each event in the log's order, numbered by time.
        incidence: bool[S, M], whether service s took part in session m.
    """

    session: NDArray[np.int64]
    incidence: NDArray[np.bool_]

    @property
    def batch_sizes(self) -> NDArray[np.int64]:
        """int64[M], distinct services per session."""
        sizes: NDArray[np.int64] = self.incidence.sum(axis=0, dtype=np.int64)
        return sizes


@dataclass(frozen=True, slots=True)
class CoChange:
    """How often two services change together, the way change-coupling tools count it.

    Attributes:
        support: share of sessions with both. confidence_ab: of the sessions with a, the share with b.
        lift: support over what independence would give. jaccard: both over either.
        phi: correlation of the two indicators, −1 to 1. degree: both over the mean of the two counts.
        odds_ratio: with half a session added to each cell.
    """

    support: float | None
    confidence_ab: float | None
    confidence_ba: float | None
    lift: float | None
    jaccard: float | None
    phi: float | None
    degree: float | None
    odds_ratio: float

    def document(self) -> dict[str, float | None]:
        """The part of it that the analysis document shows."""
        shown = ("support", "confidence_ab", "confidence_ba", "lift", "jaccard", "phi", "degree")
        return {name: None if (value := getattr(self, name)) is None else round(value, 4) for name in shown}


def find_sessions(log: DeploymentLog, gap_ns: int) -> Sessions:
    """The log's sessions: a deployment more than ``gap_ns`` after the one before it opens a new one."""
    order = np.argsort(log.at_ns, kind="stable")
    opens = np.diff(log.at_ns[order], prepend=log.at_ns[order[:1]]) > gap_ns
    session = np.empty(len(order), dtype=np.int64)
    session[order] = np.cumsum(opens)
    incidence = np.zeros((len(log.services), int(session.max(initial=-1)) + 1), dtype=np.bool_)
    incidence[log.service, session] = True
    return Sessions(session, incidence)


def co_change(sessions: int, with_a: int, with_b: int, with_both: int) -> CoChange:
    """The classical measures from four counts; a measure without a denominator is None.

    These describe, they do not test: working hours and release trains inflate all of them (metrics.md §7.7).
    """
    without = sessions - with_a - with_b + with_both
    only_a, only_b = with_a - with_both, with_b - with_both
    spread = float(with_a) * (sessions - with_a) * with_b * (sessions - with_b)
    return CoChange(
        support=_ratio(with_both, sessions),
        confidence_ab=_ratio(with_both, with_a),
        confidence_ba=_ratio(with_both, with_b),
        lift=_ratio(sessions * with_both, with_a * with_b),
        jaccard=_ratio(with_both, with_a + with_b - with_both),
        phi=_ratio(with_both * without - only_a * only_b, spread**0.5),
        degree=_ratio(2 * with_both, with_a + with_b),
        odds_ratio=(with_both + 0.5) * (without + 0.5) / ((only_a + 0.5) * (only_b + 0.5)),
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
