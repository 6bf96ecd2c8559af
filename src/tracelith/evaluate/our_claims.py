"""What Tracelith itself says: claims and estimates read from the analysis document, as any script would read them."""

from collections.abc import Iterator, Mapping
from itertools import combinations, groupby
from typing import Any

from tracelith.evaluate.claims import Claim, Evidence, Method, edge_subject, entry_subject, hop_subject, pair_subject
from tracelith.evaluate.detectors import DETECTORS
from tracelith.evaluate.truth.deployments import directed_subject
from tracelith.model.findings import Severity

__all__ = ["RULES", "TRACELITH"]

RULES = (
    "deep-synchronous-chain",
    "remote-tail-hop",
    "codeployment-pair",
    "codeployment-group",
    "system-lockstep",
)
"""Every rule that can accuse; its alarms have a denominator."""


def _judge(evidence: Evidence) -> list[Claim]:
    document = evidence.document
    accused = [one for one in document["findings"] if Severity(one["severity"]).rank >= Severity.WARNING.rank]
    return [
        *_entry_claims(document, accused),
        *_edge_claims(document),
        *_tail_claims(document),
        *_tail_findings(document),
        *_pair_claims(document, accused),
        *_lockstep_claims(document, accused),
        *_alarms(accused),
    ]


def _alarms(accused: list[Mapping[str, Any]]) -> Iterator[Claim]:
    """One claim for each rule, known or not, and whether it accuses anybody."""
    raised = {finding["rule"] for finding in accused}
    for rule in dict.fromkeys((*RULES, *sorted(raised))):
        yield Claim("alarm", rule, claimed=rule in raised)


def _estimate(detector: str, subject: str, estimate: Mapping[str, Any]) -> Claim:
    """A claim from an EstimateDocument; without a number, an abstention."""
    low, high = estimate["ci"] or (None, None)
    return Claim(detector, subject, estimate=estimate["value"], low=low, high=high)


def _entry_claims(document: Mapping[str, Any], accused: list[Mapping[str, Any]]) -> Iterator[Claim]:
    deep = {finding["subjects"][0] for finding in accused if finding["rule"] == "deep-synchronous-chain"}
    for entry in document["entry_operations"]:
        if entry["restarted"]:
            continue  # the truths are about requests from outside
        subject, depth = entry_subject(entry["service"], entry["operation"]), entry["depth"]
        known = depth["p95"]["value"] is not None
        yield Claim("deep-chain", subject, claimed=subject in deep if known else None)
        yield _estimate("depth-p50", subject, depth["p50"])
        yield _estimate("depth-p95", subject, depth["p95"])
        yield Claim("depth-max", subject, estimate=float(depth["max"]) if known else None)
        for name, estimate in entry["latency_ms"].items():
            yield _estimate(f"latency-{name}", subject, estimate)


def _edge_claims(document: Mapping[str, Any]) -> Iterator[Claim]:
    for edge in document["edges"]:
        if edge["callee_kind"] != "service":
            continue
        subject = edge_subject(edge["caller"], edge["callee"])
        yield Claim("edge", subject, claimed=True)
        yield Claim("sync-edge", subject, claimed=None if edge["mode"] == "mixed" else edge["mode"] == "sync")
        yield _estimate("awaited-share", subject, edge["awaited_share"])


def _tail_claims(document: Mapping[str, Any]) -> Iterator[Claim]:
    """The place with the largest share is named; every listed share is an estimate at the quantile it speaks of."""
    for (service, operation), rows in groupby(document["tail"], key=lambda row: (row["service"], row["operation"])):
        known = [row for row in rows if not row.get("restarted") and row["share"] is not None]
        if known:
            first = max(known, key=lambda row: row["share"])
            yield Claim("tail-hop", hop_subject(service, operation, first["hop"]), claimed=True)
        for row in known:
            subject = f"{hop_subject(service, operation, row['hop'])} @ {row['q']:g}"
            yield Claim("tail-share", subject, None, row["share"], *row["ci"])
            yield Claim("tail-excess", subject, None, row["excess_ms"], *row["excess_ci"])


def _tail_findings(document: Mapping[str, Any]) -> Iterator[Claim]:
    """Every place that is measured, and whether a finding of any severity names it; of others nothing is said."""
    told = {tuple(one["subjects"][:2]) for one in document["findings"] if one["rule"] == "remote-tail-hop"}
    for row in document["tail"]:
        if row["status"] == "ok" and not row.get("restarted"):
            entry = entry_subject(row["service"], row["operation"])
            subject = hop_subject(row["service"], row["operation"], row["hop"])
            yield Claim("tail-finding", subject, claimed=(entry, row["hop"]) in told)


def _pair_claims(document: Mapping[str, Any], accused: list[Mapping[str, Any]]) -> Iterator[Claim]:
    told = {
        pair_subject(*pair)
        for finding in accused
        if finding["rule"] in ("codeployment-pair", "codeployment-group")
        for pair in combinations(finding["subjects"], 2)
    }
    for subject in sorted(told):
        yield Claim("codeployment-pair", subject, claimed=True)
    for pair in document["codeployment"]["pairs"]:
        subject = pair_subject(pair["a"], pair["b"])
        if subject not in told:
            yield Claim("codeployment-pair", subject, claimed=None if pair["label"] == "untested" else False)
        if pair["rate"] is not None:
            given = pair["a"] if pair["rate_of"] == pair["b"] else pair["b"]
            directed = directed_subject(pair["rate_of"], given)
            yield Claim("codeployment-rate", directed, None, pair["rate"], *pair["rate_ci"])
            yield Claim("codeployment-excess", directed, None, pair["excess"], pair["excess_low"], pair["excess_high"])


def _lockstep_claims(document: Mapping[str, Any], accused: list[Mapping[str, Any]]) -> Iterator[Claim]:
    system = document["codeployment"]["system"]
    known = system["lockstep_excess"]["value"] is not None
    raised = any(finding["rule"] == "system-lockstep" for finding in accused)
    yield Claim("lockstep", "system", claimed=raised if known else None)
    yield _estimate("solo-rate", "system", system["solo_rate"])
    yield _estimate("lockstep-excess", "system", system["lockstep_excess"])


TRACELITH = Method(
    name="tracelith",
    title="Tracelith",
    explanation="What `tracelith analyze` prints for the same spans and deployments.",
    detectors=tuple(one.name for one in DETECTORS if one.name != "shared-datastore"),
    judge=_judge,
)
