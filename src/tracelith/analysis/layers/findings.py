"""What is said about services that only hand on, and about systems cut by layer."""

from collections.abc import Mapping
from typing import Any

from tracelith.analysis.shares import percent
from tracelith.model.findings import Finding, Severity

__all__ = ["pass_through_finding", "split_finding"]


def pass_through_finding(document: Mapping[str, Any]) -> Finding:
    """The finding of a service labelled pass_through.

    Args:
        document: its PassThroughDocument.
    """
    service, share = document["service"], document["passing_share"]
    behind = " and ".join(sorted({row["callee"] for row in document["operations"] if row["passes_through"]}))
    return Finding(
        rule="pass-through-service",
        severity=Severity.WARNING,
        subjects=(service,),
        title=f"{service} hands {percent(share['value'])} of its requests on to {behind} and adds next to nothing",
        metric={
            "name": "share of requests handed on",
            "value": share["value"],
            "ci": share["ci"],
            "unit": "share",
            "n": share["n"],
            "reading": "requests of operations that make one call, always the same, and do little themselves; "
            "above 0.5 the service only passes on",
        },
        advice=f"{_instead(document, behind)}{_saving(document)}. If it guards, translates or separates teams, "
        "declare it a gateway.",
        evidence={
            "trace_ids": document["trace_ids"],
            "callees": document["callees"],
            "hops_saved": document["hops_saved"],
            "saved_ms": document["saved_ms"]["value"],
        },
    )


def split_finding(document: Mapping[str, Any]) -> Finding:
    """The finding of a LayerSplitDocument."""
    names, share = document["services"], document["trace_share"]
    return Finding(
        rule="layer-split",
        severity=Severity.WARNING,
        subjects=tuple(names),
        title=f"The system is cut by layer: {percent(share['value'])} of the requests go through {' → '.join(names)}",
        metric={
            "name": "share of requests through all layers",
            "value": share["value"],
            "ci": share["ci"],
            "unit": "share",
            "n": share["n"],
            "reading": "0.8 and more: nearly every change needs all of these, as none holds a whole capability",
        },
        advice=f"Make {', '.join(names[:-1])} part of {names[-1]}, or cut along what the business does instead: "
        f"a request would wait for {document['hops_saved']} calls fewer in a row.",
        evidence={
            "trace_ids": document["trace_ids"],
            "entry_share": document["entry_share"],
            "purity": document["purity"],
            "hops_saved": document["hops_saved"],
        },
    )


def _instead(document: Mapping[str, Any], behind: str) -> str:
    service = document["service"]
    if document["callers"]:
        return f"Let the callers of {service} ask {behind} directly, or make {service} a module of {behind}"
    return f"Make {service} a module of {behind}, so that requests come in there"


def _saving(document: Mapping[str, Any]) -> str:
    saved = document["saved_ms"]["value"]
    return "" if saved is None else f": {saved:.1f} ms per request would go"
