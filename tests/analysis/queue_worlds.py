"""Messages written down as traces: requests that ask over queues, and groups that take what was sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from analysis.pipelines import PERIOD, batches
from tracelith.analysis import codeployment, hidden_queues
from tracelith.analysis.running.engine import Engine
from tracelith.model.schema import DEPLOYMENT
from tracelith.store import Store
from traces import START_NS, window_of

__all__ = ["Taken", "asking", "findings", "listening", "queues_of", "stalls_after_compaction", "steady", "taken_text"]


DAY_NS = 86_400_000_000_000


def queues_of(text: str, *, deployed: Sequence[tuple[str, float]] = ()) -> dict[str, Any]:
    """The document after these traces; deployments are services and seconds."""
    rows = [(service, "", "2.0", START_NS + int(at * 1e9), START_NS + int(at * 1e9), "csv") for service, at in deployed]
    with Store.open(None) as store:
        engine = Engine(store, [hidden_queues.ANALYSIS, codeployment.ANALYSIS])
        store.append(batches(window_of(text)))
        store.add_deployments(pl.DataFrame(rows, schema=DEPLOYMENT, orient="row"))
        engine.analyse_stale()
        return dict(engine.conclude(None, *PERIOD))


def stalls_after_compaction(text: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The stalls that facts of these traces tell as they are, and after they were summed into hours."""
    with Store.open(None) as store:
        engine = Engine(store, [hidden_queues.ANALYSIS])
        store.append(batches(window_of(text)))
        engine.analyse_stale()
        fine = engine.conclude(None, *PERIOD)["queues"]["stalls"]
        retained = store.retain(span_days=15, fact_days=365, now_ns=PERIOD[1] + 16 * DAY_NS)
        assert retained.compacted_hours
        return list(fine), list(engine.conclude(None, *PERIOD)["queues"]["stalls"])


def findings(document: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Rule and subjects of every finding about queues."""
    return [(one["rule"], one["subjects"]) for one in document["findings"] if one["rule"] != "system-lockstep"]


def asking(handled_ms: Iterable[float], rest_ms: Iterable[float], *, answers: bool) -> str:
    """Requests of auth that send a message at 10 ms; billing has handled it so long after that, and the request is over
    so long after it. With answers, the request receives one over another queue as soon as billing is done."""
    return "\n---\n".join(
        _request(number, handled, rest, answers)
        for number, (handled, rest) in enumerate(zip(handled_ms, rest_ms, strict=True))
    )


def _request(number: int, handled: float, rest: float, answers: bool) -> str:
    sent, label = 1_000.0 * number + 10, f"a{number}"
    done = sent + handled
    lines = [
        f"auth  SERVER login  {sent - 10}..{sent + rest}ms",
        f"  auth  PRODUCER ask  {sent - 1}..{sent}ms mq=kafka object=requests action=send",
        f"    billing  CONSUMER handle  {sent + handled / 2}..{done}ms mq=kafka object=requests action=process group=b",
    ]
    if answers:
        lines += [
            f"      billing  PRODUCER answer  {done - 0.2}..{done - 0.1}ms mq=kafka object=replies id={label}",
            f"  auth  CLIENT receive  {sent}..{done + 0.5}ms mq=kafka object=replies action=receive link={label}",
        ]
    return "\n".join(lines)


@dataclass(frozen=True)
class Taken:
    """A message: when it was sent and taken, in seconds, and by which instance and service of which group."""

    sent: float
    taken: float
    instance: str = ""
    service: str = "profile"
    group: str = "views"
    handled: float = 0.01


def taken_text(messages: Iterable[Taken]) -> str:
    """Every message sent in a trace of its own, and handled in another one that links to it."""
    blocks = []
    for number, message in enumerate(messages):
        instance = message.instance or f"{message.service}-{number % 3}"
        blocks += [
            f"shop  PRODUCER send  {message.sent - 0.001:.6f}..{message.sent:.6f}s "
            f"mq=kafka object=events action=send id=m{number}",
            f"{message.service}  CONSUMER handle  {message.taken:.6f}..{message.taken + message.handled:.6f}s mq=kafka "
            f"object=events action=process group={message.group} instance={instance} link=m{number}",
        ]
    return "\n---\n".join(blocks)


def steady(start: float, end: float, every: float, lag: float = 0.1) -> list[Taken]:
    """A message every so many seconds, taken soon after."""
    return [Taken(start + number * every, start + number * every + lag) for number in range(int((end - start) / every))]


def listening(messages: Iterable[Taken], start: float, end: float, drain: float = 0.05) -> list[Taken]:
    """The messages if nobody listens in between: they are taken in order from the end on."""
    held = 0
    told = []
    for message in messages:
        if start <= message.taken < end:
            told.append(Taken(message.sent, end + held * drain, message.instance, message.service, message.group))
            held += 1
        else:
            told.append(message)
    return told
