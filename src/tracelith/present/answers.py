"""The three headline questions answered in a sentence each: claim, number, how to read it, where to look further."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tracelith.analysis.names import listed
from tracelith.model.document import (
    AnalysisDocument,
    EntryOperationDocument,
    FindingDocument,
    PairDocument,
    TailDocument,
)
from tracelith.present import text

__all__ = ["Answer", "Tone", "Topic", "answers", "tail_by_entry", "topic_of"]

Topic = Literal[
    "chains",
    "tail",
    "deployments",
    "data",
    "failures",
    "queues",
    "layers",
    "scaling",
    "chatter",
    "structure",
    "coupling",
]
"""Each has a page of its name."""
Tone = Literal["fine", "notable", "unknown"]

_TOPICS: dict[str, Topic] = {
    "deep-synchronous-chain": "chains",
    "remote-tail-hop": "tail",
    "codeployment-pair": "deployments",
    "codeployment-group": "deployments",
    "system-lockstep": "deployments",
    "foreign-write": "data",
    "foreign-read": "data",
    "cross-owner-join": "data",
    "lock-contention": "data",
    "failure-cascade": "failures",
    "hard-dependency-chain": "failures",
    "large-blast-radius": "failures",
    "hidden-errors": "failures",
    "retry-storm": "failures",
    "missing-timeout": "failures",
    "failing-together": "failures",
    "sync-over-async": "queues",
    "consumer-group-stall": "queues",
    "shared-consumer-group": "queues",
    "pass-through-service": "layers",
    "layer-split": "layers",
    "same-scaling-axis": "scaling",
    "chatty-calls": "chatter",
    "call-cycle": "structure",
    "hub-service": "structure",
    "nano-service": "structure",
    "mega-service": "structure",
    "too-many-services": "structure",
    "hidden-coupling": "coupling",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One headline question and what can be said about it.

    Attributes:
        topic: which page has the details. question: its heading.
        claim: the answer as a sentence. number: with interval and unit, empty without one.
        reading: how to read the number, or what is missing.
        tone: fine, notable (a finding stands behind it) or unknown.
    """

    topic: Topic
    question: str
    claim: str
    number: str
    reading: str
    tone: Tone

    @classmethod
    def unknown(cls, topic: Topic, question: str, reason: str | None) -> "Answer":
        """What is said while nothing is known.

        Args:
            topic: of the question. question: that has no answer.
            reason: what is missing, untrusted names and all; None before there are any traces.
        """
        return cls(topic, question, "Not known yet.", "", text.printable(reason or "no traces yet"), "unknown")


def answers(document: AnalysisDocument) -> tuple[Answer, Answer, Answer]:
    """Depth, tail and co-deployment, in this order. Missing evidence is said, never read as healthy."""
    return depth_answer(document), tail_answer(document), codeployment_answer(document)


def topic_of(rule: str) -> Topic | None:
    """The page on which a finding of this rule is explained."""
    return _TOPICS.get(rule)


def depth_answer(document: AnalysisDocument) -> Answer:
    """The entry operation whose requests surely wait for most hops."""
    question = "How deep are synchronous chains?"
    known = [entry for entry in document["entry_operations"] if entry["depth"]["p95"]["value"] is not None]
    if not known:
        reason = _first_reason([entry["reason"] for entry in document["entry_operations"]], document)
        return Answer.unknown("chains", question, reason)
    worst = max(known, key=lambda entry: (_low(entry), entry["traces"], entry["service"], entry["operation"]))
    p95 = worst["depth"]["p95"]
    hops = text.UNITS["hops"](p95["value"])
    claim = f"19 of 20 {text.printable(worst['operation'], 80)} requests wait for at most {hops} in a row."
    if not p95["value"]:
        claim = "No request waits for another service."
    reading = (
        f"Typical are 0 to 2; this is {text.plain(worst['depth']['band'])}. The deepest of {len(known)} measured entry "
        f"operations; {text.count(worst['traces'])} requests behind it."
    )
    tone: Tone = "notable" if _accused(document["findings"], "chains") else "fine"
    return Answer("chains", question, claim, text.estimate(p95, "hops"), reading, tone)


def tail_answer(document: AnalysisDocument) -> Answer:
    """The hop that adds most to slow requests: of an accused entry operation if there is one, else of the busiest."""
    question = "Which hop makes slow requests slow?"
    known = tail_by_entry(row for row in document["tail"] if row["share"] is not None)
    if not known:
        reason = _first_reason([row["reason"] for row in document["tail"]], document)
        return Answer.unknown("tail", question, reason)
    accused = {(finding["subjects"] or [""])[0] for finding in _accused(document["findings"], "tail")}
    first = min(known, key=lambda entry: (" ".join(entry) not in accused, -known[entry][0]["traces"], entry))
    top = known[first][0]
    operation = text.printable(top["operation"], 80)
    if top["hop_kind"] == "service" and top["hop"] == top["service"]:
        claim = f"Mostly {text.printable(top['hop'])}'s own work, in {operation}."
    else:
        claim = f"Most of all {text.printable(top['hop'])}, in {operation}."
    reading = (
        f"Its share of what the slowest {text.percent(1 - top['q'])} take longer than a middling request: "
        f"{text.interval(top['excess_ms'], top['excess_ci'], 'ms')} are spent here. "
        f"{text.count(top['tail_traces'])} slow requests behind it."
    )
    number = text.interval(top["share"], top["ci"], "share")
    return Answer("tail", question, claim, number, reading, "notable" if accused else "fine")


def codeployment_answer(document: AnalysisDocument) -> Answer:
    """The largest group that deploys together, else whether the whole system does."""
    question = "Which services deploy together?"
    codeployment = document["codeployment"]
    system = codeployment["system"]
    coupled = [pair for pair in codeployment["pairs"] if pair["label"] in {"pair", "group"}]
    tone: Tone = "notable" if _accused(document["findings"], "deployments") else "fine"
    if coupled:
        names = _names(codeployment["groups"], coupled[0])
        number = f"at least {text.number(coupled[0]['excess_low'], 2)} of 1"
        reading = (
            "Excess of the strongest pair, lower end of its 95 % interval: 0 is what the calendar alone explains, "
            f"1 is always together. {len(coupled)} coupled pairs of {_tested(document)} tested."
        )
        return Answer("deployments", question, f"{names} deploy together.", number, reading, tone)
    tested = _tested(document)
    lockstep = system["lockstep_excess"]
    if not tested and lockstep["value"] is None:
        reason = system["reason"] or "too few deployments are known"
        return Answer.unknown("deployments", question, reason)
    claim = "No pair deploys together more than the calendar explains." if tested else "No pair could be tested yet."
    reading = f"{tested} {'pair was' if tested == 1 else 'pairs were'} tested. "
    if lockstep["value"] is None:
        reading += f"Lockstep of the whole system is not known: {text.printable(lockstep['reason'])}"
        return Answer("deployments", question, claim, "", reading, tone)
    reading += "The number is lockstep of the whole system: 0 is independent, 1 is one release train."
    return Answer("deployments", question, claim, text.estimate(lockstep), reading, tone if tested else "unknown")


def tail_by_entry(rows: Iterable[TailDocument]) -> dict[tuple[str, str], list[TailDocument]]:
    """Tail rows by (service, operation), each largest share first."""
    grouped: dict[tuple[str, str], list[TailDocument]] = defaultdict(list)
    for row in rows:
        grouped[row["service"], row["operation"]].append(row)
    for hops in grouped.values():
        hops.sort(key=lambda row: (row["share"] is None, -(row["share"] or 0.0), row["hop"]))
    return grouped


def _accused(findings: Sequence[FindingDocument], topic: Topic) -> list[FindingDocument]:
    return [finding for finding in findings if topic_of(finding["rule"]) == topic and finding["severity"] != "info"]


def _tested(document: AnalysisDocument) -> int:
    """Pairs with enough deployments to test; the document may list only the strongest of them."""
    codeployment = document["codeployment"]
    counted = codeployment["system"].get("pairs")
    return counted["tested"] if counted else sum(pair["label"] != "untested" for pair in codeployment["pairs"])


def _low(entry: EntryOperationDocument) -> float:
    p95 = entry["depth"]["p95"]
    return p95["ci"][0] if p95["ci"] else p95["value"] or 0.0


def _names(groups: Sequence[dict[str, Any]], strongest: PairDocument) -> str:
    services = max((group["services"] for group in groups), key=len, default=[strongest["a"], strongest["b"]])
    return listed([text.printable(name, 40) for name in services], 6)


def _first_reason(reasons: Sequence[str], document: AnalysisDocument) -> str | None:
    return next((reason for reason in reasons if reason), document["quality"]["reason"])
