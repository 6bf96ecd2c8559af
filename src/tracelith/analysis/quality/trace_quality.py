"""Facts about what of the evidence can be used: complete traces, orphan spans and other defects, and services seen."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.trace_strata import trace_strata
from tracelith.analysis.visits import visits_of
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactReader, FactTable

__all__ = [
    "LARGEST_LOSS",
    "LARGEST_ORPHAN_SHARE",
    "ONLY_SHORT_ONES",
    "SERVICE_ACTIVITY",
    "TRACE_DEFECTS",
    "TRACE_QUALITY",
    "observe_quality",
    "orphan_shares",
]

LARGEST_ORPHAN_SHARE = 0.05
"""With more orphan spans than this, chains are cut too often for their depth to be read (metrics.md §19)."""
LARGEST_LOSS = 0.1
"""From this share of orphan spans around an entry operation on, its latencies and tails are not told (own): traces that
are still complete are the small and quick ones. With 5 % of spans lost intervals hold the truth as often as without any
loss; with 20 % those of the median did .27 of the time."""
ONLY_SHORT_ONES = (
    f"a tenth of the spans around it or more lack their parent, and the requests that are complete are the small ones; "
    f"below {LARGEST_LOSS:.0%} is needed"
)

TRACE_QUALITY = FactTable(
    "trace_quality",
    keys={"root_service": pl.String},
    sums={
        "traces": pl.Int64,
        "complete_traces": pl.Int64,
        "spans": pl.Int64,
        "orphan_spans": pl.Int64,
    },
)
"""Traces by the service of their root; root_service is empty for traces without one."""

TRACE_DEFECTS = FactTable("trace_defects", keys={"name": pl.String}, sums={"count": pl.Int64})
"""Defects met while the forest was built, by name (TraceForest.trace_counts)."""

SERVICE_ACTIVITY = FactTable(
    "service_activity",
    keys={"service": pl.String},
    sums={"spans": pl.Int64, "traces": pl.Int64, "failed_spans": pl.Int64},
    minima={"first_ns": pl.Int64},
    maxima={"last_ns": pl.Int64},
)


def observe_quality(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of the three tables, by table name."""
    return {
        TRACE_QUALITY.name: _traces(view),
        TRACE_DEFECTS.name: _defects(view),
        SERVICE_ACTIVITY.name: _services(view),
    }


def orphan_shares(facts: FactReader) -> dict[str, float]:
    """Share of orphan spans around the entry operations of each service.

    A trace without a root may have lost a root in any service, so it counts against every one of them.
    """
    rows = facts.merged(TRACE_QUALITY)
    rootless = rows.filter(root_service="")
    lost, spans = rootless["orphan_spans"].sum(), rootless["spans"].sum()
    return {
        str(service): float((orphans + lost) / max(1, count + spans))
        for service, orphans, count in rows.select("root_service", "orphan_spans", "spans").iter_rows()
        if service
    }


def _traces(view: ForestView) -> pl.DataFrame:
    forest = view.forest
    root_service = np.where(forest.trace_root >= 0, forest.service[forest.trace_root], len(forest.services))
    orphans = np.bincount(forest.trace[forest.orphan], minlength=len(root_service))
    strata = view.once(trace_strata)
    places = groups_of({"stratum": strata.stratum, "root_service": root_service.astype(np.int32)})
    merged = places.frame(
        "traces",
        complete_traces=forest.trace_complete.astype(np.int64),
        spans=np.diff(forest.trace_first).astype(np.int64),
        orphan_spans=orphans.astype(np.int64),
    )
    return fact_rows(TRACE_QUALITY, strata.placed(merged), view, root_service=(*forest.services, ""))


def _defects(view: ForestView) -> pl.DataFrame:
    forest = view.forest
    met = {name: counts for name, counts in forest.trace_counts.items() if counts.any()}
    traces = [np.flatnonzero(counts) for counts in met.values()]
    trace = np.concatenate([np.empty(0, np.int64), *traces])
    defects = groups_of(
        {
            "window_ns": forest.trace_window[trace],
            "environment": forest.trace_environment[trace],
            "name": np.repeat(np.arange(len(met), dtype=np.int32), [one.size for one in traces]),
        }
    )
    counts = [counts[found] for counts, found in zip(met.values(), traces, strict=True)]
    merged = defects.frame("traces", count=np.concatenate([np.empty(0, np.int64), *counts]))
    return fact_rows(TRACE_DEFECTS, merged, view, name=tuple(met))


def _services(view: ForestView) -> pl.DataFrame:
    forest, visits, strata = view.forest, view.once(visits_of), view.once(trace_strata)
    activity = groups_of({"stratum": strata.stratum[visits.trace], "service": visits.service})
    # Several versions of a service in one trace are one trace of that service, and follow each other.
    same = (visits.trace[1:] == visits.trace[:-1]) & (visits.service[1:] == visits.service[:-1])
    rows = pl.DataFrame(
        {
            **activity.keys,
            "spans": activity.sums(visits.spans),
            "traces": activity.counts() - np.bincount(activity.group[1:][same], minlength=activity.size),
            "failed_spans": activity.sums(visits.failed_spans),
            "first_ns": activity.smallest(visits.first_ns),
            "last_ns": activity.largest(visits.last_ns),
        }
    )
    return fact_rows(SERVICE_ACTIVITY, strata.placed(rows), view, service=forest.services)
