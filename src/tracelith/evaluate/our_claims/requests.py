"""Depth, time and tails of entry operations; calls between services."""

from collections.abc import Iterator
from itertools import groupby

from tracelith.evaluate.claims import Claim, edge_subject, entry_subject, hop_subject
from tracelith.evaluate.our_claims.reading import Reading, estimate

__all__ = ["request_claims"]


def request_claims(reading: Reading) -> Iterator[Claim]:
    """Entry operations, edges and tails."""
    yield from _entry_claims(reading)
    yield from _edge_claims(reading)
    yield from _tail_claims(reading)
    yield from _tail_findings(reading)


def _entry_claims(reading: Reading) -> Iterator[Claim]:
    deep = {finding["subjects"][0] for finding in reading.accused if finding["rule"] == "deep-synchronous-chain"}
    for entry in reading.document["entry_operations"]:
        if entry["restarted"]:
            continue  # the truths are about requests from outside
        subject, depth = entry_subject(entry["service"], entry["operation"]), entry["depth"]
        known = depth["p95"]["value"] is not None
        yield Claim("deep-chain", subject, claimed=subject in deep if known else None)
        yield estimate("depth-p50", subject, depth["p50"])
        yield estimate("depth-p95", subject, depth["p95"])
        yield Claim("depth-max", subject, estimate=float(depth["max"]) if known else None)
        for name, number in entry["latency_ms"].items():
            yield estimate(f"latency-{name}", subject, number)


def _edge_claims(reading: Reading) -> Iterator[Claim]:
    for edge in reading.document["edges"]:
        if edge["callee_kind"] != "service":
            continue
        subject = edge_subject(edge["caller"], edge["callee"])
        yield Claim("edge", subject, claimed=True)
        yield Claim("sync-edge", subject, claimed=None if edge["mode"] == "mixed" else edge["mode"] == "sync")
        yield estimate("awaited-share", subject, edge["awaited_share"])


def _tail_claims(reading: Reading) -> Iterator[Claim]:
    """The place with the largest share is named; every listed share is an estimate at the quantile it speaks of."""
    for (service, operation), rows in groupby(
        reading.document["tail"], key=lambda row: (row["service"], row["operation"])
    ):
        known = [row for row in rows if not row.get("restarted") and row["share"] is not None]
        if known:
            first = max(known, key=lambda row: row["share"])
            yield Claim("tail-hop", hop_subject(service, operation, first["hop"]), claimed=True)
        for row in known:
            subject = f"{hop_subject(service, operation, row['hop'])} @ {row['q']:g}"
            yield Claim("tail-share", subject, None, row["share"], *row["ci"])
            yield Claim("tail-excess", subject, None, row["excess_ms"], *row["excess_ci"])


def _tail_findings(reading: Reading) -> Iterator[Claim]:
    """Every place that is measured, and whether a finding of any severity names it; of others nothing is said."""
    told = {tuple(one["subjects"][:2]) for one in reading.document["findings"] if one["rule"] == "remote-tail-hop"}
    for row in reading.document["tail"]:
        if row["status"] == "ok" and not row.get("restarted"):
            entry = entry_subject(row["service"], row["operation"])
            subject = hop_subject(row["service"], row["operation"], row["hop"])
            yield Claim("tail-finding", subject, claimed=(entry, row["hop"]) in told)
