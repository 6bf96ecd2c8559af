"""Waiting behind queues.

Question: Who waits behind a queue for an answer, and which consumer groups stand still while messages wait?
Method: A request that sends a message and receives the answer to it before it ends has waited for whoever answered:
    one trace proves it where the answer, or its link, leads back to the message. Where answers leave no span, the time
    left in the request is compared with the time until its message had been handled, by least squares and by a slope
    that single requests cannot move. For consumer groups, stretches without any message taken are compared with the
    messages that were sent meanwhile and had to wait.
Reading: Slope 1 means that a request takes exactly so much longer as the answer does: the queue hides a call. Slope 0
    means that the message is handed over. A stall is a stretch in which no instance of a group took anything although
    messages were waiting; its chance is how many such gaps one would expect among as many messages.
Needs: 30 messages with a known answer for each operation; 100 messages with a known wait for each group. A stall shows
    only if messages were sent during it, eight at least.
False positives: Handling that is quick enough to be over before the request is no wait, and is not taken for one.
    Groups that take their messages once an hour or once a night, partitions that are stuck alone, and producers that
    pause are no stalls. A group whose service is down stands still as well: look at the cause.
Source: Own; consumer groups after the Kafka protocol, robust slopes after Theil 1950 and Sen 1968.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.exemplars import slowest_ids
from tracelith.analysis.queues.asking import QUEUE_WAIT_EXEMPLARS, QUEUE_WAITS, observe_asking
from tracelith.analysis.queues.causes import Cause, find_causes
from tracelith.analysis.queues.destinations import destinations
from tracelith.analysis.queues.groups import consumer_groups
from tracelith.analysis.queues.messages import messaging
from tracelith.analysis.queues.silence import QUEUE_FLOW, QUEUE_LATE, QUEUE_SLOW_HANDLERS, observe_silence
from tracelith.analysis.queues.stalls import Stall, find_stalls
from tracelith.analysis.queues.traffic import (
    GROUP_KEYS,
    QUEUE_EXEMPLARS,
    QUEUE_MEMBERS,
    QUEUE_SENT,
    QUEUE_TAKEN,
    observe_traffic,
)
from tracelith.analysis.queues.waits import Wait, queue_waits
from tracelith.analysis.times import iso_time, lasting
from tracelith.forest.view import ForestView
from tracelith.model.document import ConsumerGroupDocument, StallDocument
from tracelith.model.findings import Finding, Severity, State

__all__ = ["ANALYSIS"]

_TABLES = (
    QUEUE_SENT,
    QUEUE_TAKEN,
    QUEUE_MEMBERS,
    QUEUE_EXEMPLARS,
    QUEUE_FLOW,
    QUEUE_LATE,
    QUEUE_SLOW_HANDLERS,
    QUEUE_WAITS,
    QUEUE_WAIT_EXEMPLARS,
)

_SECOND_NS = 1_000_000_000


def observe(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts about queues, see the modules of the package queues."""
    if not messaging(view):
        return {table.name: pl.DataFrame(schema=table.schema) for table in _TABLES}
    return {**observe_traffic(view), **observe_silence(view), **observe_asking(view)}


def conclude(evidence: Evidence) -> Conclusion:
    """The document's queues; a finding for each wait, each group that stood still and each that is shared."""
    nodes = destinations(evidence)
    if not nodes:
        return Conclusion(without_evidence("no messages were seen in this period"))
    waits = queue_waits(evidence)
    stalls = find_stalls(evidence)
    causes = find_causes(evidence, stalls)
    groups = consumer_groups(evidence, stalls)
    services = {(row["system"], row["destination"], row["group"]): row["services"] for row in groups}
    told = [
        _stall(stall, cause, services.get(stall.group, []))
        for stall, cause in zip(stalls, causes, strict=True)
        if stall.group in services
    ]
    known = any(row["status"] == "ok" for row in (*groups, *(wait.document for wait in waits), *nodes))
    part = {
        "destinations": nodes,
        "waits": [wait.document for wait in waits],
        "stalls": told,
        "groups": groups,
        "status": str(State.OK if known else State.INSUFFICIENT_DATA),
        "reason": "" if known else "too few messages yet",
    }
    findings = [
        *(_wait_finding(wait) for wait in waits if wait.document["label"] == "waits"),
        *_stall_findings(told, groups),
        *(_shared_finding(row) for row in groups if row["shared"]),
    ]
    return Conclusion({"queues": part}, tuple(findings))


def without_evidence(reason: str) -> dict[str, Any]:
    """The part when nothing can be said."""
    empty: dict[str, Any] = {name: [] for name in ("destinations", "waits", "stalls", "groups")}
    return {"queues": {**empty, "status": str(State.INSUFFICIENT_DATA), "reason": reason}}


def _stall(stall: Stall, cause: Cause, services: Sequence[str]) -> StallDocument:
    system, destination, group = stall.group
    return StallDocument(
        system=system,
        destination=destination,
        group=group,
        service=services[0],
        start=iso_time(stall.start_ns // _SECOND_NS * _SECOND_NS),
        end=iso_time(stall.end_ns // _SECOND_NS * _SECOND_NS),
        seconds=stall.seconds,
        waiting=stall.waiting,
        probability=stall.probability,
        instances=stall.instances,
        interruptions=stall.interruptions,
        cause=cause.kind,
        cause_detail=cause.detail,
        trace_ids=slowest_ids(pl.Series(list(stall.ranks), dtype=pl.String)),
    )


def _wait_finding(wait: Wait) -> Finding:
    row = wait.document
    subject, queue = f"{row['service']} {row['operation']}", f"{row['system']} {row['destination']}"
    answering = " and ".join(row["answered_by"]) or "somebody"
    proven = wait.proven.value is not None and wait.proven.low is not None and wait.proven.low > 0
    slope = row["slope"]
    told = wait.proven.document() if proven else {"value": slope["value"], "ci": slope["ci"], "n": slope["n"]}
    how = f" over {row['system']} {row['reply']}" if row["reply"] else ""
    typical = f", half of them longer than {row['wait_ms']['p50']:,.0f} ms" if "p50" in row["wait_ms"] else ""
    return Finding(
        rule="sync-over-async",
        severity=Severity.WARNING,
        subjects=(subject, queue, *row["answered_by"]),
        title=f"{subject} sends a message to {queue} and waits until {answering} answers{how}{typical}",
        metric={
            "name": "requests that wait for the answer" if proven else "extra time per time until the answer",
            "value": told["value"],
            "ci": told["ci"],
            "unit": "share" if proven else "",
            "n": told["n"],
            "reading": "share of the messages whose answer the request received before it went on, request by request"
            if proven
            else "1: the request takes exactly so much longer as the answer does; 0: it does not wait",
        },
        advice=f"Call {answering} directly, so that timeouts, retries and traces show the dependency, or end the "
        "request once the message is sent and let the caller learn of the outcome later.",
        evidence={
            "trace_ids": row["trace_ids"],
            "slope": slope["value"],
            "r_squared": row["r_squared"],
            "contained": row["contained"]["value"],
            "contained_by_chance": row["contained_by_chance"],
            "idle_share": row["idle_share"],
        },
    )


def _stall_findings(stalls: Sequence[StallDocument], groups: Sequence[ConsumerGroupDocument]) -> list[Finding]:
    """One for each group that stood still, about its longest stall."""
    shares = {tuple(row[name] for name in GROUP_KEYS): row["stall_share"] for row in groups}  # type: ignore[literal-required]  # names of the keys
    worst: dict[tuple[str, ...], list[StallDocument]] = {}
    for stall in stalls:
        worst.setdefault((stall["system"], stall["destination"], stall["group"]), []).append(stall)
    return [_stall_finding(key, mine, shares[key]) for key, mine in worst.items()]


def _stall_finding(key: tuple[str, ...], stalls: Sequence[StallDocument], share: Mapping[str, Any]) -> Finding:
    longest = stalls[0]
    label = " ".join(part for part in key if part)
    again = "" if len(stalls) == 1 else f", and {len(stalls) - 1} more times"
    return Finding(
        rule="consumer-group-stall",
        severity=Severity.WARNING,
        subjects=(label, longest["service"]),
        title=f"{label} took nothing for {lasting(longest['seconds'])} while {longest['waiting']:,.0f} messages "
        f"waited, from {longest['start']} on{again}",
        metric={
            "name": "share of the period in which the group stood still",
            "value": share["value"],
            "ci": share["ci"],
            "unit": "share",
            "n": share["n"],
            "reading": "0 is normal; what the messages change is out of date for so long",
        },
        advice=_ADVICE[longest["cause"]],
        evidence={
            "trace_ids": longest["trace_ids"],
            "seconds": longest["seconds"],
            "waiting": longest["waiting"],
            "probability": longest["probability"],
            "cause": longest["cause"],
            "cause_detail": longest["cause_detail"],
            "stalls": len(stalls),
        },
    )


_ADVICE = {
    "slow_handler": "Handle long messages outside of polling, or poll fewer at a time, so that the broker does not "
    "give the consumer up. Cooperative rebalancing and static membership keep the others at work.",
    "deployment": "Use cooperative rebalancing and static group membership, so that replacing one instance does not "
    "stop the whole group.",
    "instances": "Look at why instances came and went; cooperative rebalancing and static membership keep the others "
    "at work meanwhile.",
    "unknown": "Look at the logs of broker and consumers of that time for rebalances, and at what the instances were "
    "busy with.",
}


def _shared_finding(row: ConsumerGroupDocument) -> Finding:
    label = f"{row['system']} {row['destination']} {row['group']}"
    names = " and ".join(row["services"])
    return Finding(
        rule="shared-consumer-group",
        severity=Severity.WARNING,
        subjects=(label, *row["services"]),
        title=f"{names} compete for the messages of {label}: each message reaches only one of them",
        metric={
            "name": "services in one consumer group",
            "value": float(len(row["services"])),
            "ci": None,
            "unit": "count",
            "n": row["messages"],
            "reading": "1 is normal; with more, which service sees a message is left to the broker",
        },
        advice="Give each service a consumer group of its own, or let one of them take the messages for all.",
        evidence={"trace_ids": row["trace_ids"]},
    )


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=_TABLES,
    observe=observe,
    conclude=conclude,
    without_evidence=without_evidence,
)
