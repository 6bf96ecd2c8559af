"""Services that only hand requests on.

Question: Which services only pass requests on, and is the system cut by technical layer?
Method: An operation passes through if nearly all of its requests (lower bound above 0.8) make exactly one awaited call
    to a service and no other, retries counted once, their median own time (what no call covers) is below a fifth of
    the duration, for a quarter of them even less than what the call loses on the way, and more than nine tenths of
    these calls go to one operation. A service passes through if more than half of its requests (lower bound) are of
    such operations. Two such services in a row and what they hand on to are a split by layer if at least four fifths
    of the requests from outside pass all of them in this order.
Reading: The index is single calls x others' time x purity, 0 to 1. Hops saved is by how much the 95th percentile of
    awaited calls in a row would drop, saved time the mean time between the two sides of the calls that would go.
Needs: 30 requests of the service and 20 of the operation in complete traces, 200 requests from outside for a split.
False positives: Spared are services at which requests from outside come in (unless what they call only hands on, too)
    or that stand before three services and more, those that turn 1 % of the requests away themselves (guards),
    answer 5 % without asking (caches), translate between HTTP and RPC, stand between callers and callees of
    different teams, or are declared to be gateways. Databases and queues that are not traced make a service look
    idle; work that takes no time (a mapping of fields that two teams agreed on) cannot be seen.
Source: Own; the split by layer is the "wrong cuts" smell of Taibi and Lenarduzzi, IEEE Software 2018.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.exemplars import newest, slowest_ids
from tracelith.analysis.layers.contraction import Contraction
from tracelith.analysis.layers.facts import ENTRY_CALLS, HANDED_ON, PASSING_EXEMPLARS, observe_layers
from tracelith.analysis.layers.findings import pass_through_finding, split_finding
from tracelith.analysis.layers.operations import operation_document
from tracelith.analysis.layers.services import PassingService, passing_services
from tracelith.analysis.layers.splits import LayerSplit, layer_splits
from tracelith.analysis.statistics.intervals import proportion
from tracelith.forest.view import ForestView
from tracelith.model.findings import Estimate, State

__all__ = ["ANALYSIS"]

MOST_OPERATIONS = 20
"""Operations listed per service, those with most requests first."""

NO_REQUESTS = "no requests in complete traces yet"


def observe(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts about what requests add to what they call, see layers.facts."""
    return observe_layers(view)


def conclude(evidence: Evidence) -> Conclusion:
    """The document's layers, and a finding per service that only passes on and per split."""
    handed_on = evidence.facts.merged(HANDED_ON)
    if handed_on.is_empty():
        return Conclusion({"layers": _nothing(NO_REQUESTS)["layers"]})
    services = passing_services(evidence, handed_on)
    splits = layer_splits(services, evidence.facts.merged(ENTRY_CALLS))
    layered = {name for split in splits for name in split.services[:-1]}
    # A service at the edge is a gateway by itself; before another one that only hands on it is the first of the layers.
    judged = [replace(one, label="pass_through", reason="") if one.service in layered else one for one in services]
    contraction, examples = Contraction.of(evidence), _examples(evidence)
    rows = [_document(one, contraction, examples.get(one.service, [])) for one in judged]
    rows.sort(key=_worst_first)
    split_rows = [_split(split, contraction, examples.get(split.services[-2], [])) for split in splits]
    known = sum(row["label"] != "unknown" for row in rows)
    state = State.OK if known else State.INSUFFICIENT_DATA
    layers = {
        "services": rows,
        "splits": split_rows,
        "pass_through_share": proportion(
            sum(row["label"] == "pass_through" for row in rows), known, reason="no service handled enough requests"
        ).document(),
        "status": str(state),
        "reason": "" if known else "no service handled enough requests",
    }
    findings = [split_finding(row) for row in split_rows]
    findings += [pass_through_finding(row) for row in rows if row["label"] == "pass_through"]
    return Conclusion({"layers": layers}, tuple(findings))


def _examples(evidence: Evidence) -> dict[str, list[str]]:
    ranks = newest(evidence.facts, PASSING_EXEMPLARS).partition_by("service", as_dict=True)
    return {str(service): slowest_ids(part["rank"]) for (service,), part in ranks.items()}


def _document(one: PassingService, contraction: Contraction, trace_ids: list[str]) -> dict[str, Any]:
    callees = frozenset(row["callee"] for row in one.operations if row["passes"])
    saved = contraction.saved_ms(one.service, callees) if one.hands_on else _not_asked()
    return {
        "service": one.service,
        "requests": one.share.n,
        "passing_share": one.share.document(),
        "callers": list(one.callers),
        "callees": list(one.callees),
        "label": one.label,
        "label_reason": one.reason if one.label != "unknown" else "",
        "hops_saved": contraction.hops_saved(frozenset((one.service,))) if one.hands_on else None,
        "saved_ms": saved.document(),
        "operations": [operation_document(row) for row in one.operations[:MOST_OPERATIONS]],
        "trace_ids": trace_ids if one.hands_on else [],
        "status": str(one.share.state),
        "reason": one.share.reason,
    }


def _not_asked() -> Estimate:
    return Estimate(None, state=State.NOT_IDENTIFIABLE, reason="the service does not hand on what it is asked")


def _worst_first(row: Mapping[str, Any]) -> tuple[int, float, str]:
    labels: Sequence[str] = ("pass_through", "gateway", "cache", "boundary", "works", "unknown")
    return labels.index(row["label"]), -(row["passing_share"]["value"] or 0.0), row["service"]


def _split(split: LayerSplit, contraction: Contraction, trace_ids: list[str]) -> dict[str, Any]:
    return {
        "services": list(split.services),
        "entry_share": split.entry_share,
        "trace_share": split.share.document(),
        "purity": split.purity,
        "hops_saved": round(contraction.hops_saved(frozenset(split.services[:-1])) or 0.0),
        "trace_ids": trace_ids,
    }


def _nothing(reason: str) -> dict[str, Any]:
    lacking = Estimate(None, state=State.INSUFFICIENT_DATA, reason=reason)
    return {
        "layers": {
            "services": [],
            "splits": [],
            "pass_through_share": lacking.document(),
            "status": str(lacking.state),
            "reason": reason,
        }
    }


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=(HANDED_ON, ENTRY_CALLS, PASSING_EXEMPLARS),
    observe=observe,
    conclude=conclude,
    without_evidence=_nothing,
)
