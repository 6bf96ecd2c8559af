"""Findings about data: foreign writes, foreign reads, joins across owners, and tables that services wait for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracelith.analysis.datastores.contention import Contention
from tracelith.analysis.datastores.document import Ownership
from tracelith.analysis.datastores.identity import Table
from tracelith.analysis.datastores.joins import ForeignJoin
from tracelith.analysis.datastores.sharing import FLAGGED, SharedTable
from tracelith.analysis.names import listed
from tracelith.analysis.shares import percent
from tracelith.analysis.times import iso_time
from tracelith.model.findings import Estimate, Finding, Severity, State

__all__ = ["data_findings"]

MOST_EXAMPLES = 3
LEAST_WAITERS = 2
"""A table that makes only its own service wait is that service's business."""

_OWNED = {
    "declared": "declared to own it",
    "writes": "the one that writes most",
    "migrations": "the one that alters it",
    "name": "the one it is named after",
    "reads": "the one that reads most",
    "unknown": "the busiest user, as nothing tells the owner",
}
_UNSURE = " Whether all of them mean the same table is not sure: {remark}."


def data_findings(owned: Ownership) -> tuple[Finding, ...]:
    """Everything worth telling, worst first."""
    found = [
        *(_foreign_write(shared, owned) for shared in owned.tables if _written(shared)),
        *(_foreign_read(shared, owned) for shared in owned.tables if _read(shared)),
        *(_join(join, owned) for join in owned.joins if join.regular),
        *_contentions(owned.contentions),
    ]
    return tuple(sorted(found, key=lambda finding: (-finding.severity.rank, -finding.metric["n"], finding.subjects)))


def _written(shared: SharedTable) -> bool:
    return shared.level == "written" and shared.band in {"flag", "strong"}


def _read(shared: SharedTable) -> bool:
    """Whether readers are told by themselves: a finding about writes names them, too."""
    if _written(shared) or shared.used.purpose != "data" or not shared.readers:
        return False
    return shared.foreign_reads.state is State.OK and (shared.foreign_reads.low or 0.0) > FLAGGED


def _foreign_write(shared: SharedTable, owned: Ownership) -> Finding:
    table, share = shared.used.table, shared.foreign_writes
    writers = _named(shared.writers)
    also = f"; {_named(shared.readers)} read{_s(shared.readers)} it" if shared.readers else ""
    return Finding(
        rule="foreign-write",
        severity=_write_severity(shared),
        subjects=(table.label, shared.main, *shared.writers),
        title=f"{percent(share.value or 0.0)} of the writes to {table.name} come from {writers}, "
        f"not from {shared.main}{also}",
        metric={
            "name": "foreign share of the writes",
            "value": share.value,
            "ci": _interval(share),
            "unit": "share",
            "n": share.n,
            "reading": f"below 1 % is fine, above 10 % strong; {shared.main} is {_OWNED[shared.owner.by]}",
        },
        advice=f"Let {shared.main} offer an operation for what {writers} change{_s(shared.writers)} here, or merge "
        f"them into one module with this table.{_correction(shared)}{_doubt(shared)}",
        evidence=_evidence(shared, (*shared.writers, *shared.readers), owned)
        | {
            "readers": list(shared.readers),
            "effective_writers": shared.effective_writers.value,
            "owner_by": shared.owner.by,
        },
    )


def _write_severity(shared: SharedTable) -> Severity:
    if shared.used.confidence == "low":
        return Severity.INFO
    # Whose table it is by its name alone is worth a question, not an alarm, as long as one service does all writing.
    sure = shared.owner.by != "name" or len(shared.writers) > 1 or (shared.foreign_writes.high or 1.0) < 1.0
    return Severity.CRITICAL if shared.band == "strong" and sure else Severity.WARNING


def _foreign_read(shared: SharedTable, owned: Ownership) -> Finding:
    table, share = shared.used.table, shared.foreign_reads
    constant = not shared.used.writes
    severity = Severity.INFO if constant or shared.used.confidence == "low" else Severity.WARNING
    readers = _named(shared.readers)
    never = " Nobody wrote to it in this period: if it never changes, a copy is as good." if constant else ""
    return Finding(
        rule="foreign-read",
        severity=severity,
        subjects=(table.label, shared.main, *shared.readers),
        title=f"{percent(share.value or 0.0)} of the reads of {table.name} come from {readers}, not from {shared.main}",
        metric={
            "name": "foreign share of the reads",
            "value": share.value,
            "ci": _interval(share),
            "unit": "share",
            "n": share.n,
            "reading": f"0 is a table of one's own; {shared.main} is {_OWNED[shared.owner.by]}",
        },
        advice=f"{shared.main} cannot change this table without {readers}: let them ask {shared.main}, or keep a copy "
        f"of what they need from its events.{never}{_correction(shared)}{_doubt(shared)}",
        evidence=_evidence(shared, shared.readers, owned) | {"owner_by": shared.owner.by},
    )


def _interval(share: Estimate) -> list[float] | None:
    return None if share.low is None or share.high is None else [share.low, share.high]


def _s(names: Sequence[str]) -> str:
    return "s" if len(names) == 1 else ""


def _correction(shared: SharedTable) -> str:
    inferred = shared.owner.by not in {"declared", "migrations"}
    return f" If it is not {shared.main}'s table, declare its owner." if inferred else ""


def _join(join: ForeignJoin, owned: Ownership) -> Finding:
    names = [table.name for table in join.tables]
    owners = dict.fromkeys(owner for owner in join.owners if owner and owner != join.service)
    others = _named(tuple(owners)) or "others"
    return Finding(
        rule="cross-owner-join",
        severity=Severity.WARNING if join.sure else Severity.INFO,
        subjects=(join.service, *(table.label for table in join.tables)),
        title=f"{join.service} joins {_named(tuple(names))}, which belong to different services, in {join.calls:,} "
        f"statements",
        metric={
            "name": "statements that join them",
            "value": float(join.calls),
            "ci": None,
            "unit": "count",
            "n": join.calls,
            "reading": "as long as there are any, these tables have to stay in one database",
        },
        advice=f"Ask {others} for these rows, or keep a copy of the columns that are needed: a join ties both schemas "
        f"to one database and one pace.",
        evidence={"trace_ids": owned.examples.get((join.service, join.tables[0]), [])[:MOST_EXAMPLES]},
    )


def _contentions(contentions: Sequence[Contention]) -> Iterator[Finding]:
    """One finding per table: its longest occurrence is told, the others are counted."""
    by_table: dict[Table, list[Contention]] = {}
    for one in contentions:
        by_table.setdefault(one.table, []).append(one)
    for occurrences in by_table.values():
        yield _contention(occurrences[0], len(occurrences))


def _contention(one: Contention, times: int) -> Finding:
    seconds, name = (one.end_ns - one.start_ns) / 1e9, one.table.name
    causes: Mapping[str, str] = {
        "migration": f", while {one.cause_service} ran {one.cause_detail}",
        "deployment": f", right after {one.cause_service} was deployed",
        "unknown": "",
    }
    failed = f"{one.failures} of them failed; " if one.failures else ""
    return Finding(
        rule="lock-contention",
        severity=Severity.WARNING if one.users >= LEAST_WAITERS else Severity.INFO,
        subjects=(one.table.label, *one.services),
        title=f"{_named(one.services)} waited {seconds:.0f} s for the table {name}{causes[one.cause]}",
        metric={
            "name": "time in which calls to the table waited",
            "value": seconds,
            "ci": None,
            "unit": "s",
            "n": one.calls,
            "reading": f"{one.calls} calls waited, {failed}they took {_took(one.late_ns)} instead of "
            f"{_took(one.usual_ns)}",
        },
        advice=_ADVICE[one.cause],
        evidence={
            "trace_ids": list(one.trace_ids),
            "start": iso_time(one.start_ns),
            "cause": one.cause,
            "cause_service": one.cause_service,
            "cause_detail": one.cause_detail,
            "occurrences": times,
        },
    )


_ADVICE: Mapping[str, str] = {
    "migration": "Give the migration a short lock_timeout and change the table in steps that do not lock it. As long "
    "as services share the table, each of them is down while one of them alters it.",
    "deployment": "Look at what the new version asks of this table in the example traces: a long transaction or a "
    "migration on start. As long as services share the table, each waits for the others.",
    "unknown": "Look at what held the table in the example traces: a long transaction, a batch job or a migration "
    "without a span. As long as services share the table, each waits for the others.",
}


def _took(duration_ns: float) -> str:
    milliseconds = duration_ns / 1e6
    return f"{milliseconds / 1000:.3g} s" if milliseconds >= 1000 else f"{milliseconds:.3g} ms"


def _named(names: Sequence[str]) -> str:
    return listed(names, 3, first=2)


def _doubt(shared: SharedTable) -> str:
    return _UNSURE.format(remark=shared.used.remark) if shared.used.confidence != "high" else ""


def _evidence(shared: SharedTable, services: Sequence[str], owned: Ownership) -> dict[str, Any]:
    table = shared.used.table
    lists = [owned.examples.get((service, table), []) for service in services]
    # One of each service first, so that the example is not always of the busiest.
    ids = [traces[place] for place in range(MOST_EXAMPLES) for traces in lists if place < len(traces)]
    return {"trace_ids": list(dict.fromkeys(ids))[:MOST_EXAMPLES], "confidence": shared.used.confidence}
