"""Data quality.

Question: How much of the evidence could be used, and why could the rest not?
Method: Every defect met while traces are put together is counted, with the trace or span it belongs to. A trace is
    complete if it has exactly one root, no span whose parent is missing, and no cycle; only complete traces are used
    for depth and latency.
Reading: The usable share is the share of complete traces. The list names what is missing, what that costs, and how to
    get it; the first line costs most. Services with more names, destinations or versions than are kept apart are
    listed with what is no longer concluded about them. Services that the declarations name and that send no spans are
    listed, too: most often they are misspelt.
Needs: One trace.
False positives: Traces that were still arriving when they were analysed count as incomplete until their window is
    analysed again; a caller outside your systems that sends a trace context but no spans leaves traces without root.
Source: Own; intervals after Wilson 1927.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.deployments.version_sightings import SERVICE_VERSIONS
from tracelith.analysis.quality.absent_services import absent_services
from tracelith.analysis.quality.defects import DEFECTS, Defect
from tracelith.analysis.quality.folded_texts import FOLDED_SPANS, folded_texts, observe_folded
from tracelith.analysis.quality.trace_quality import SERVICE_ACTIVITY, TRACE_DEFECTS, TRACE_QUALITY, observe_quality
from tracelith.analysis.statistics.intervals import proportion
from tracelith.analysis.times import iso_time
from tracelith.forest.view import ForestView
from tracelith.model.findings import Estimate, State

__all__ = ["ANALYSIS"]

NO_TRACES = "no traces in this period; point an exporter at the receiver or import a file"


def observe(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts about defects and services, see trace_quality, and about what was too much to be kept apart."""
    return {**observe_quality(view), FOLDED_SPANS.name: observe_folded(view)}


def conclude(evidence: Evidence) -> Conclusion:
    """The document's quality."""
    counts = _counts(evidence)
    services = _services(evidence)
    usable = proportion(counts["complete_traces"], counts["traces"], reason=NO_TRACES)
    quality: dict[str, Any] = {
        "traces": counts["traces"],
        "complete_traces": counts["complete_traces"],
        "usable_share": usable.document(),
        "spans": counts["spans"],
        "services": len(services),
        **{defect.name: counts.get(defect.name, 0) for defect in DEFECTS},
        "refused_spans": sum(evidence.refusals.values()),
        "refusals": [{"reason": reason, "spans": spans} for reason, spans in evidence.refusals.items()],
        "defects": _defects(counts),
        "folded": folded_texts(evidence.facts, {row["service"]: row["spans"] for row in services}),
        "service_list": services,
        "absent_services": absent_services(evidence.declarations, {row["service"] for row in services}),
        "environments": [evidence.environment] if counts["traces"] else [],
        "status": str(usable.state),
        "reason": usable.reason,
    }
    return Conclusion({"quality": quality})


def _counts(evidence: Evidence) -> dict[str, int]:
    built = evidence.facts.merged(TRACE_DEFECTS)
    counts = {str(name): int(count) for name, count in built.select("name", "count").iter_rows()}
    traces = evidence.facts.merged(TRACE_QUALITY)
    return counts | {name: int(traces[name].sum()) for name in TRACE_QUALITY.sums}


def _defects(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    known = {defect.name for defect in DEFECTS}
    others = sorted(set(counts) - known - set(TRACE_QUALITY.sums))
    listed = (*DEFECTS, *(Defect.unnamed(name) for name in others))
    rows = [_row(defect, counts) for defect in listed if counts.get(defect.name)]
    return [row for _, row in sorted(rows, key=lambda ranked: ranked[0])]


def _row(defect: Defect, counts: Mapping[str, int]) -> tuple[tuple[float, str], dict[str, Any]]:
    count = counts[defect.name]
    share = count / max(1, counts["traces" if defect.of_traces else "spans"])
    row = {
        "name": defect.name,
        "title": defect.title,
        "count": count,
        "share": share,
        "consequence": defect.consequence,
        "remedy": defect.remedy,
    }
    return (-share * defect.harm, defect.name), row


def _services(evidence: Evidence) -> list[dict[str, Any]]:
    versions = dict(
        evidence.facts.merged(SERVICE_VERSIONS).filter(pl.col("version") != "").group_by("service").len().iter_rows()
    )
    rows = evidence.facts.merged(SERVICE_ACTIVITY).sort("spans", "service", descending=[True, False])
    return [
        {
            "service": row["service"],
            "spans": row["spans"],
            "traces": row["traces"],
            "failed_spans": row["failed_spans"],
            "versions": versions.get(row["service"], 0),
            "first_seen": iso_time(row["first_ns"]),
            "last_seen": iso_time(row["last_ns"]),
        }
        for row in rows.to_dicts()
    ]


def _without_evidence(reason: str) -> Mapping[str, Any]:
    unknown = Estimate(None, state=State.INSUFFICIENT_DATA, reason=reason)
    numbers = ("traces", "complete_traces", "spans", "services", *(defect.name for defect in DEFECTS), "refused_spans")
    lists = ("refusals", "defects", "folded", "service_list", "absent_services", "environments")
    return {
        "quality": {
            **dict.fromkeys(numbers, 0),
            "usable_share": unknown.document(),
            **{name: [] for name in lists},
            "status": str(unknown.state),
            "reason": reason,
        }
    }


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=(TRACE_QUALITY, TRACE_DEFECTS, SERVICE_ACTIVITY, FOLDED_SPANS),
    observe=observe,
    conclude=conclude,
    without_evidence=_without_evidence,
)
