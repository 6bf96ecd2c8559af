"""The document in a few tables and lines, the same for the terminal, Markdown and the printed report."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tracelith.analysis.names import listed
from tracelith.model.document import (
    AbsentServiceDocument,
    AnalysisDocument,
    CodeploymentDocument,
    EntryOperationDocument,
    EstimateDocument,
    FindingDocument,
    PairDocument,
    QualityDocument,
    TailDocument,
)
from tracelith.present import text
from tracelith.present.answers import tail_by_entry
from tracelith.present.chart import Table
from tracelith.present.deployment_figures import COUPLED

__all__ = [
    "compact",
    "compact_estimate",
    "coupled_pairs",
    "depth_table",
    "evidence_lines",
    "findings_count",
    "lockstep_sentence",
    "moments",
    "no_findings",
    "pairs_table",
    "quality_sentence",
    "score_sentence",
    "services_table",
    "tail_caption",
    "tail_groups",
    "tail_summary",
    "unmeasured",
    "worst_entries",
]

Bounds = Sequence[float] | None


def compact(value: float | None, ci: Bounds, unit: str = "") -> str:
    """``0.83 (0.71–0.93)``, for columns whose heading says what the brackets are."""
    if value is None:
        return text.MISSING
    shown = text.format_of(unit)(value)
    return shown if ci is None else f"{shown} ({text.bounds(list(ci), unit).removeprefix('95 %: ')})"


def compact_estimate(estimate: EstimateDocument, unit: str = "") -> str:
    """The same for an estimate; in plain words where there is none."""
    if estimate["status"] != "ok":
        return text.plain(estimate["status"])
    return compact(estimate["value"], estimate["ci"], unit)


# --- sentences -----------------------------------------------------------------------------------------------


def quality_sentence(quality: QualityDocument) -> str:
    """How much of the evidence could be used."""
    if not quality["traces"]:
        return "No traces arrived in this period."
    share = compact_estimate(quality["usable_share"], "share")
    refused = quality.get("refused_spans", 0)
    beside = f" {text.count(refused)} spans were refused; the data quality page says why." if refused else ""
    if quality["absent_services"]:
        named = listed([_absent(row) for row in quality["absent_services"]], 4)
        beside += f" The declarations name what sends no spans: {named}."
    return (
        f"{share} of {text.count(quality['traces'])} traces could be used in full: {text.count(quality['spans'])} "
        f"spans of {text.count(quality['services'])} services.{beside}"
    )


def _absent(row: AbsentServiceDocument) -> str:
    similar = f" (is it {text.printable(row['similar'], 60)}?)" if row["similar"] else ""
    return f"{text.printable(row['service'], 60)}{similar}"


def score_sentence(document: AnalysisDocument) -> str:
    """The score, or how much evidence one would need."""
    verdict = document["verdict"]
    evidence = f"{text.percent(verdict['coverage'])} of its weight has evidence"
    if verdict["score"] is None:
        return f"No score yet: {evidence}, 60 % are needed."
    low, high = verdict["ci_low"], verdict["ci_high"]
    bounds = None if low is None or high is None else [low, high]
    return f"Score {text.interval(verdict['score'], bounds)} of 100, {text.printable(verdict['label'])}; {evidence}."


def lockstep_sentence(codeployment: CodeploymentDocument) -> str:
    """How often services of the whole system deploy alone."""
    system = codeployment["system"]
    solo = system["solo_rate"]
    if solo["status"] != "ok":
        reason = system.get("reason") or solo["reason"] or "too few deployments are known"
        return f"Whether the system deploys in lockstep is not known: {text.printable(reason)}."
    expected = system["expected_solo_rate"]
    beside = "" if expected is None else f"; {text.percent(expected)} would, if services were independent"
    return (
        f"{text.count(system['deployments'])} deployments of {text.count(system['services'])} services in "
        f"{text.number(system['weeks'])} weeks. {text.estimate(solo, 'share')} of them happened alone{beside}."
    )


def findings_count(findings: Sequence[FindingDocument]) -> str:
    """``3 findings: 1 critical, 2 warnings``."""
    if not findings:
        return "No findings"
    names = {"critical": ("critical", "critical"), "warning": ("warning", "warnings"), "info": ("note", "notes")}
    counted = [(sum(f["severity"] == severity for f in findings), words) for severity, words in names.items()]
    parts = ", ".join(f"{number} {words[number != 1]}" for number, words in counted if number)
    return f"{len(findings)} finding{'s' if len(findings) != 1 else ''}: {parts}"


def no_findings(document: AnalysisDocument) -> str:
    """What it means that there are no findings."""
    if not document["quality"]["traces"]:
        return "Without traces nothing could be found; that is no sign of health."
    return "Nothing that could be measured gives reason for one. What was not measured is no sign of health."


def evidence_lines(finding: FindingDocument) -> list[str]:
    """Where to look: example traces, and when it was."""
    evidence: Mapping[str, Any] = finding["evidence"]
    traces = [f"trace {text.printable(str(trace_id))}" for trace_id in evidence.get("trace_ids", [])[:3]]
    return [*traces, *moments(finding)]


def moments(finding: FindingDocument) -> list[str]:
    """When it was: the worst time of trouble, or times at which services deployed together."""
    evidence: Mapping[str, Any] = finding["evidence"]
    lines = []
    if "start" in evidence and "end" in evidence:
        which = f"worst of {evidence['occurrences']} times: " if evidence.get("occurrences", 1) > 1 else ""
        lines.append(f"{which}{text.time(evidence['start'])} to {text.time(evidence['end'])}")
    for moment in evidence.get("coincidences", [])[:3]:
        names = ", ".join(text.printable(str(name)) for name in moment["services"])
        lines.append(f"{text.time(moment['at'])}: {names}, within {text.minutes(moment['minutes'])}")
    return lines


# --- entry operations and tail ---------------------------------------------------------------------------------


def worst_entries(entries: Iterable[EntryOperationDocument]) -> list[EntryOperationDocument]:
    """Deepest first, then busiest; those that could not be measured last."""
    return sorted(
        entries,
        key=lambda entry: (
            entry["depth"]["p95"]["value"] is None,
            -(entry["depth"]["p95"]["value"] or 0),
            -entry["traces"],
            entry["service"],
            entry["operation"],
        ),
    )


def depth_table(entries: Iterable[EntryOperationDocument]) -> Table:
    """How deep and how slow these entry operations are."""
    return Table.of(
        ("Entry operation", "#Requests", "#Hops, p95", "#Most", "Depth is", "#Latency, p95"),
        (
            (
                text.operation_name(entry["service"], entry["operation"]),
                text.count(entry["traces"]),
                compact_estimate(entry["depth"]["p95"]),
                str(entry["depth"]["max"]),
                text.plain(entry["depth"]["band"]),
                compact_estimate(entry["latency_ms"]["p95"], "ms"),
            )
            for entry in entries
        ),
    )


def tail_groups(rows: Iterable[TailDocument], entries: int, hops: int) -> list[list[TailDocument]]:
    """The largest hops of the busiest entry operations; those that make a tail worth speaking of come first."""
    known = tail_by_entry(row for row in rows if row["share"] is not None)

    def rank(entry: tuple[str, str]) -> tuple[bool, int, tuple[str, str]]:
        calm = all(row["band"] not in {"watch", "dominant"} for row in known[entry])
        return calm, -known[entry][0]["traces"], entry

    return [known[entry][:hops] for entry in sorted(known, key=rank)[:entries]]


def tail_caption(hops: Sequence[TailDocument]) -> str:
    """Whose slow requests the hops of one group explain."""
    first = hops[0]
    return (
        f"{text.operation_name(first['service'], first['operation'])}, slowest {text.percent(1 - first['q'])} of "
        f"{text.count(first['traces'])} requests"
    )


def tail_summary(hops: Iterable[TailDocument]) -> Table:
    """What these hops add to the slow requests of their entry operation."""
    return Table.of(
        ("Hop", "#Share of extra time", "#Extra time", "Share is"),
        (
            (
                text.printable(row["hop"]),
                compact(row["share"], row["ci"], "share"),
                compact(row["excess_ms"], row["excess_ci"], "ms"),
                text.plain(row["band"]),
            )
            for row in hops
        ),
    )


def unmeasured(rows: Iterable[Any], what: str) -> str:
    """One line on the rows without enough evidence, with the first reason; empty if all were measured."""
    missing = {
        (row["service"], row["operation"]): row["reason"] for row in rows if row["status"] != "ok" and row["reason"]
    }
    if not missing:
        return ""
    example, reason = next(iter(missing.items()))
    subject = f"{len(missing)} {what}s" if len(missing) > 1 else f"One {what}"
    return f"{subject} could not be measured, for example {text.operation_name(*example)}: {text.printable(reason)}."


# --- deployments and services ----------------------------------------------------------------------------------


def coupled_pairs(codeployment: CodeploymentDocument) -> list[PairDocument]:
    """Pairs that deploy together more than the calendar explains, strongest first."""
    return [pair for pair in codeployment["pairs"] if pair["label"] in COUPLED]


def pairs_table(pairs: Iterable[PairDocument]) -> Table:
    """How often two services deployed together, and who came first."""
    return Table.of(
        ("Service", "Service", "#Together", "#By the calendar", "#Excess, at least", "Who is first"),
        (
            (
                text.printable(pair["a"]),
                text.printable(pair["b"]),
                f"{pair['coincidences']} of {pair['deployments_a']} and {pair['deployments_b']}",
                text.percent(pair["base_rate"]),
                text.number(pair["excess_low"], 2),
                _first(pair),
            )
            for pair in pairs
        ),
    )


def services_table(document: AnalysisDocument) -> Table:
    """Every service with its traffic and its deployments."""
    deployers = {row["service"]: row for row in document["codeployment"]["services"]}
    traffic = {row["service"]: row for row in document["quality"]["service_list"]}
    names = sorted(traffic.keys() | deployers.keys())
    nothing = {"traces": None, "spans": None, "deployments": None, "solo_rate": None, "last_at": None}
    rows = ((name, {**nothing, **traffic.get(name, {}), **deployers.get(name, {})}) for name in names)
    return Table.of(
        ("Service", "#Traces", "#Spans", "#Deployments", "#Alone", "#Last deployed"),
        (
            (
                text.printable(name),
                text.count(row["traces"]),
                text.count(row["spans"]),
                text.count(row["deployments"]),
                compact_estimate(row["solo_rate"], "share") if row["solo_rate"] else text.MISSING,
                text.time(row["last_at"]),
            )
            for name, row in rows
        ),
    )


def _first(pair: PairDocument) -> str:
    lag = pair["lag_minutes"]
    if pair["direction"] == "undetermined" or lag is None or lag["value"] is None:
        return text.plain("undetermined")
    leader = pair["a"] if pair["direction"] == "a_first" else pair["b"]
    return f"{text.printable(leader)}, by {text.minutes(abs(lag['value']))}"
