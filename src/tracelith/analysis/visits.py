"""Which services, in which versions, each trace passed through: counted once for all who ask."""

from dataclasses import dataclass

import numpy as np

from tracelith.analysis.numbered import numbered
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.forest.view import ForestView, Int32, Int64
from tracelith.model.schema import Outcome

__all__ = ["Visits", "visits_of"]


@dataclass(frozen=True, slots=True)
class Visits:
    """One entry per trace, service and version, sorted by them.

    Attributes:
        trace: int32, index into the forest's traces. service: int32, index into its services.
        version: int32, index into versions.
        spans, failed_spans: int64, how many the service wrote there.
        first_ns, last_ns: int64, starts of the first and the last of them.
        versions: all texts that resources call their version, sorted.
    """

    trace: Int32
    service: Int32
    version: Int32
    spans: Int64
    failed_spans: Int64
    first_ns: Int64
    last_ns: Int64
    versions: tuple[str, ...]


def visits_of(view: ForestView) -> Visits:
    """The visits of all traces; ask for them by ``view.once(visits_of)``."""
    forest = view.forest
    versions, version = numbered(forest.resources["version"].fill_null("").to_list())
    groups = groups_of({"trace": forest.trace, "service": forest.service, "version": version[forest.resource]})
    last_ns = np.empty(groups.size, np.int64)
    last_ns[groups.group] = forest.start_ns  # spans of a trace are in order of their start: the last one stays
    return Visits(
        trace=groups.keys["trace"],
        service=groups.keys["service"],
        version=groups.keys["version"],
        spans=groups.counts(),
        failed_spans=groups.sums((forest.outcome == Outcome.FAILED).astype(np.int64)),
        first_ns=groups.firsts(forest.start_ns),
        last_ns=last_ns,
        versions=versions,
    )
