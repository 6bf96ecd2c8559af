"""The contract between cases, methods and scores: what is looked at, what is claimed about it, and what is true.

A method (our own pipeline, or a baseline) is a function from Evidence to Claims. Claims are put beside Truths of the
same detector and subject; see detectors.py for what each detector asks and how its subjects are written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

__all__ = [
    "DEPLOYMENTS",
    "SEPARATOR",
    "SPANS",
    "Case",
    "Claim",
    "Evidence",
    "Method",
    "Truth",
    "chatty_subject",
    "cycle_subject",
    "edge_subject",
    "entry_subject",
    "group_subject",
    "hop_subject",
    "layers_subject",
    "message_subject",
    "pair_subject",
]

SPANS = pl.Schema(
    {
        "trace_id": pl.String,  # 32 hex digits
        "span_id": pl.UInt64,
        "parent_id": pl.UInt64,  # 0: a root
        "service": pl.String,
        "name": pl.String,
        "kind": pl.UInt8,  # model.schema.Kind
        "start_ns": pl.Int64,
        "duration_ns": pl.Int64,
        "failed": pl.Boolean,
        "peer": pl.String,  # of a call of which the other side may write no span: "postgresql shop.public",
        # "kafka orders", "api.bank.example:443"; null: none, or another service
        "peer_kind": pl.String,  # datastore | destination | external; null with peer
        "weight": pl.Float64,  # requests that this span stands for; null: sampled, nobody knows how
    }
)
"""What was received, as plain rows sorted by trace and start."""

DEPLOYMENTS = pl.Schema({"service": pl.String, "at_ns": pl.Int64})
"""Deployments told from outside, sorted by time."""


SEPARATOR = " ⟂ "
"""Between an entry operation and one of its places."""


@dataclass(frozen=True, slots=True)
class Case:
    """One system, run and observed under one condition.

    Attributes:
        system: a story, or ``random-`` and the name of a plan; seed draws both a random system and the run.
        weeks, traces: length of the run and requests in it.
        sampling: share of traces kept, 1 keeps all. lost: share of spans that never arrive. skew_ms: error of clocks.
        train_share: of deployments that wait for a release train, where the plan has one; None where it has none.
        flaw: what else becomes of the spans, one of flaws.FLAWS; empty for nothing.
        healthy: nothing was planted, so every accusation is a false alarm.
        detectors: which detectors the case is there for; the others are not judged.
        varies: the one condition (a field of this class) by which it differs from other cases of the same system and
            seed; empty for cases under ordinary conditions, which the headline figures are of.
    """

    system: str
    seed: int
    weeks: int
    traces: int
    sampling: float = 1.0
    lost: float = 0.0
    skew_ms: float = 0.0
    train_share: float | None = None
    flaw: str = ""
    healthy: bool = False
    detectors: tuple[str, ...] = ()
    varies: str = ""

    @property
    def name(self) -> str:
        """Everything that distinguishes the case, for people and as the key of recorded results."""
        train = "" if self.train_share is None else f" train={self.train_share:g}"
        defects = f" sampling={self.sampling:g} lost={self.lost:g} skew={self.skew_ms:g}ms"
        flaw = f" with {self.flaw}" if self.flaw else ""
        return f"{self.system} seed={self.seed} weeks={self.weeks} traces={self.traces}{train}{defects}{flaw}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What any method sees of a case: what a tool beside the system would have been sent.

    Attributes:
        spans: rows of SPANS. deployments: rows of DEPLOYMENTS.
        start_ns, end_ns: the half-open period observed.
        document: the analysis document that our own pipeline concludes from the same spans and deployments.
    """

    spans: pl.DataFrame
    deployments: pl.DataFrame
    start_ns: int
    end_ns: int
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a method says of one subject.

    Attributes:
        claimed: True accuses, False acquits, None abstains (not enough evidence to say either). A subject of which a
            method says nothing counts as acquitted.
        estimate: the number, None without one. low, high: its 95 % interval, None where the method gives none.
    """

    detector: str
    subject: str
    claimed: bool | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of one subject.

    Attributes:
        positive: whether it should be claimed; None where that is a matter of taste (too close to a threshold), then
            only the number is judged.
        value: the true number, None where there is none.
    """

    detector: str
    subject: str
    positive: bool | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """A way of coming to claims.

    Attributes:
        name: identifier. title: one line for tables. explanation: why its numbers differ from others', in one sentence.
        detectors: what it answers; it is judged on nothing else.
        judge: its claims on some evidence. Claims of other detectors are ignored.
        needs_spans: it reads Evidence.spans, which are empty where no method that is asked needs them.
    """

    name: str
    title: str
    explanation: str
    detectors: tuple[str, ...]
    judge: Callable[[Evidence], list[Claim]]
    needs_spans: bool = False


def entry_subject(service: str, operation: str) -> str:
    """How detectors about entry operations write their subjects."""
    return f"{service} {operation}"


def hop_subject(service: str, operation: str, hop: str) -> str:
    """How detectors about a place where requests of an entry operation spend time write their subjects.

    Args:
        hop: a service; ``caller → callee`` for the network between two services; ``caller → peer`` for the wait of a
            service for a datastore, topic or external host, the peer named as in SPANS.
    """
    return f"{service} {operation}{SEPARATOR}{hop}"


def edge_subject(caller: str, callee: str) -> str:
    """How detectors about calls between services write their subjects."""
    return f"{caller} → {callee}"


def pair_subject(a: str, b: str) -> str:
    """How detectors about two services, in no order, write their subjects."""
    return " + ".join(sorted((a, b)))


def message_subject(service: str, operation: str, destination: str) -> str:
    """How detectors about messages of an operation write their subjects; the destination as in SPANS."""
    return f"{entry_subject(service, operation)} → {destination}"


def group_subject(destination: str, group: str) -> str:
    """How detectors about consumer groups write their subjects; the destination as in SPANS."""
    return f"{destination} {group}"


def chatty_subject(service: str, operation: str, callee: str) -> str:
    """How detectors about repeated calls write their subjects; the callee a service, or a peer as in SPANS."""
    return f"{entry_subject(service, operation)} → {callee}"


def cycle_subject(services: Sequence[str]) -> str:
    """How detectors about circles of services write their subjects."""
    return " + ".join(sorted(services))


def layers_subject(services: Sequence[str]) -> str:
    """How detectors about layers write their subjects, the outermost first."""
    return " → ".join(services)
