"""What changed between two weeks: findings that came, stayed or went, and numbers that moved beyond doubt.

A finding that is not repeated is only called gone if this week's evidence could have shown it; otherwise nobody
knows. Numbers count as moved when their 95 % intervals do not touch, which for two intervals of equal width is a
test at well below 1 % (z = 2.8), and so rarely mistakes noise for news.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from tracelith.model.document import AnalysisDocument, EstimateDocument, FindingDocument
from tracelith.present import text
from tracelith.present.answers import Topic, topic_of
from tracelith.present.sections import sections

__all__ = ["FindingChange", "Movement", "Standing", "compare_findings", "movements"]

_TOGETHER = frozenset({"codeployment-pair", "codeployment-group"})

_SAME_FIRST: Mapping[str, int] = {
    "deep-synchronous-chain": 1,
    "foreign-write": 1,
    "foreign-read": 1,
    "lock-contention": 1,
    "failure-cascade": 1,
    "hard-dependency-chain": 1,
    "large-blast-radius": 1,
    "sync-over-async": 2,
    "consumer-group-stall": 1,
    "shared-consumer-group": 1,
}
"""Rules whose findings are told by so many subjects; the others, whom it concerned, may change from week to week."""

_ALIKE = frozenset({"cross-owner-join", "call-cycle", "layer-split"})
"""Rules whose findings are still the same when some of their subjects are others."""


class Standing(StrEnum):
    """How a finding stands against the week before."""

    NEW = "new"
    FIRST_MEASURED = "first_measured"  # found now; the week before had not enough data to tell
    PERSISTING = "persisting"
    GONE = "gone"
    UNMEASURED = "unmeasured"  # found the week before; this week has not enough data to tell


@dataclass(frozen=True, slots=True)
class FindingChange:
    """One finding of either week.

    Attributes:
        finding: as of this week, or of the week before where it is gone or unmeasured.
        standing: against the week before.
        note: what is different about one that persists; empty if nothing is.
    """

    finding: FindingDocument
    standing: Standing
    note: str = ""


@dataclass(frozen=True, slots=True)
class Movement:
    """A number whose intervals in the two weeks do not touch.

    Attributes:
        topic: which question it belongs to; quality for the evidence itself.
        subject: what it is about, untrusted text. measure, unit: what was measured.
        before, after: value and 95 % interval.
        worse: whether it moved in the bad direction.
    """

    topic: Topic | str
    subject: str
    measure: str
    unit: str
    before: EstimateDocument
    after: EstimateDocument
    worse: bool


# --- findings ----------------------------------------------------------------------------------------------------


def compare_findings(before: AnalysisDocument, after: AnalysisDocument) -> tuple[FindingChange, ...]:
    """Every finding of both weeks and how it stands: this week's in their order, then those of the week before."""
    left = list(before["findings"])
    changes = []
    for finding in after["findings"]:
        match = _match(finding, left)
        if match is None:
            standing = Standing.NEW if _measurable(before, finding, after) else Standing.FIRST_MEASURED
            changes.append(FindingChange(finding, standing))
        else:
            left.remove(match)
            changes.append(FindingChange(finding, Standing.PERSISTING, _difference(match, finding)))
    for finding in left:
        standing = Standing.GONE if _measurable(after, finding, before) else Standing.UNMEASURED
        changes.append(FindingChange(finding, standing))
    return tuple(changes)


def _match(finding: FindingDocument, candidates: Sequence[FindingDocument]) -> FindingDocument | None:
    """The same claim of the week before: the same id, or a chain or group that changed a member."""
    scored = [(_likeness(finding, candidate), candidate) for candidate in candidates]
    best = max(scored, key=lambda pair: pair[0], default=(0, None))
    return best[1] if best[0] else None


def _likeness(one: FindingDocument, other: FindingDocument) -> int:
    if one["id"] == other["id"]:
        return 1_000_000
    if one["rule"] in _TOGETHER and other["rule"] in _TOGETHER:
        common = len(set(one["subjects"]) & set(other["subjects"]))
        return common if common >= 2 else 0
    if one["rule"] != other["rule"]:
        return 0
    if one["rule"] in _ALIKE:
        common = len(set(one["subjects"]) & set(other["subjects"]))
        return common if 2 * common > max(len(one["subjects"]), len(other["subjects"])) else 0
    told_by = _SAME_FIRST.get(one["rule"], 0)
    return int(told_by > 0 and one["subjects"][:told_by] == other["subjects"][:told_by])


def _difference(before: FindingDocument, after: FindingDocument) -> str:
    notes = []
    if before["severity"] != after["severity"]:
        notes.append(f"was {before['severity']}")
    joined = [name for name in after["subjects"] if name not in before["subjects"]]
    left = [name for name in before["subjects"] if name not in after["subjects"]]
    notes += [f"joined: {_names(joined)}"] if joined else []
    notes += [f"left: {_names(left)}"] if left else []
    return "; ".join(notes)


def _names(subjects: Sequence[str]) -> str:
    return ", ".join(text.printable(name) for name in subjects)


def _measurable(document: AnalysisDocument, finding: FindingDocument, other: AnalysisDocument) -> bool:
    """Whether this document could have shown the finding of the other one."""
    subjects = finding["subjects"]
    topic = topic_of(finding["rule"])
    if topic == "deployments":
        if finding["rule"] not in _TOGETHER:
            return bool(document["codeployment"]["system"]["lockstep_excess"]["status"] == "ok")
        frequent = {
            row["service"] for row in document["codeployment"]["services"] if row["solo_rate"]["status"] == "ok"
        }
        return len(frequent & set(subjects)) >= 2
    if topic == "chains":
        return subjects[0] in {_label(row) for row in document["entry_operations"] if row["status"] == "ok"}
    if topic == "tail":
        return subjects[0] in {_label(row) for row in document["tail"] if row["status"] == "ok"}
    part = next((kind.part for kind in sections() if kind.topic == topic), None)
    if part is None:
        return False  # nothing here says what such a finding rests on; silence must not read as health
    told: Mapping[str, Any] = {**document}
    return told[part]["status"] == "ok" and _services_of(subjects, other) <= _services(document)


def _services(document: AnalysisDocument) -> set[str]:
    return {row["service"] for row in document["quality"]["service_list"]}


def _services_of(subjects: Sequence[str], document: AnalysisDocument) -> set[str]:
    """The services of a document that a finding speaks of: by name, in ``a → b``, or with an operation behind."""
    parts = [part for subject in subjects for part in subject.split(" → ")]
    return {name for name in _services(document) if any(part == name or part.startswith(f"{name} ") for part in parts)}


def _label(row: object) -> str:
    """How findings name an entry operation."""
    return f"{row['service']} {row['operation']}"  # type: ignore[index]  # one of two TypedDicts with both keys


# --- numbers -----------------------------------------------------------------------------------------------------


class _Measure(NamedTuple):
    topic: Topic | str
    subject: str
    name: str
    unit: str
    estimate: EstimateDocument
    more_is_worse: bool = True


def movements(before: AnalysisDocument, after: AnalysisDocument) -> tuple[Movement, ...]:
    """Numbers known in both weeks whose intervals do not touch; those that got worse first."""
    earlier = {measure[:4]: measure for measure in _measures(before)}
    pairs = ((earlier[now[:4]], now) for now in _measures(after) if now[:4] in earlier)
    moved = (movement for was, now in pairs if (movement := _movement(was, now)) is not None)
    return tuple(sorted(moved, key=lambda one: (not one.worse, one.topic, one.subject, one.measure)))


def _movement(was: _Measure, now: _Measure) -> Movement | None:
    before, after = _bounds(was.estimate), _bounds(now.estimate)
    if before is None or after is None or (before[0] <= after[1] and after[0] <= before[1]):
        return None
    rose = after[0] > before[1]
    return Movement(*now[:4], was.estimate, now.estimate, worse=rose == now.more_is_worse)


def _bounds(estimate: EstimateDocument) -> list[float] | None:
    return estimate["ci"] if estimate["status"] == "ok" and estimate["value"] is not None else None


def _measures(document: AnalysisDocument) -> Iterator[_Measure]:
    for entry in document["entry_operations"]:
        label = text.operation_name(entry["service"], entry["operation"])
        yield _Measure("chains", label, "awaited hops, p95", "hops", entry["depth"]["p95"])
        for quantile in ("p50", "p99"):
            if quantile in entry["latency_ms"]:
                yield _Measure("tail", label, f"latency, {quantile}", "ms", entry["latency_ms"][quantile])
    for row in document["tail"]:
        # The quantile is part of the name: extra times of different quantiles do not compare.
        slowest = text.percent(1 - row["q"])
        excess: EstimateDocument = {
            "value": row["excess_ms"],
            "ci": row["excess_ci"],
            "n": row["tail_traces"],
            "n_eff": float(row["tail_traces"]),
            "status": row["status"],
            "reason": row["reason"],
        }
        label = text.operation_name(row["service"], row["operation"])
        name = f"extra time of the slowest {slowest} at {text.printable(row['hop'])}"
        yield _Measure("tail", label, name, "ms", excess)
    yield from _topic_measures(document)
    yield _Measure(
        "deployments", "system", "lockstep excess", "", document["codeployment"]["system"]["lockstep_excess"]
    )
    yield _Measure(
        "quality", "system", "traces that could be used", "share", document["quality"]["usable_share"], False
    )


def _topic_measures(document: AnalysisDocument) -> Iterator[_Measure]:
    for table in document["datastores"]["tables"]:
        label = text.printable(" ".join(filter(None, (table["server"], table["namespace"], table["table"]))))
        yield _Measure("data", label, "writes by others", "share", table["foreign_write_share"])
    for operation in document["failures"]["entries"]:
        label = text.operation_name(operation["service"], operation["operation"])
        yield _Measure("failures", label, "availability", "share", operation["availability"], False)
        yield _Measure("failures", label, "hidden errors", "share", operation["hidden_errors"])
    for retry in document["failures"]["retries"]:
        label = f"{text.printable(retry['caller'])} → {text.printable(retry['callee'])}"
        yield _Measure("failures", label, "attempts per call", "", retry["amplification"])
    for destination in document["queues"]["destinations"]:
        for consumer in destination["consumers"]:
            label = f"{text.printable(destination['destination'])} → {text.printable(consumer['service'])}"
            if "p95" in consumer["lag_ms"]:
                yield _Measure("queues", label, "waiting in the queue, p95", "ms", consumer["lag_ms"]["p95"])
