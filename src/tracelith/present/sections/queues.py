"""Who waits behind a queue, which consumer groups stood still, and how long messages wait."""

from collections.abc import Sequence

from tracelith.model.document import (
    AnalysisDocument,
    ConsumerGroupDocument,
    DestinationDocument,
    QueuesDocument,
    QueueWaitDocument,
    StallDocument,
)
from tracelith.present import text
from tracelith.present.answers import Answer
from tracelith.present.chart import Table
from tracelith.present.queue_figures import stall_timeline
from tracelith.present.section import Part, Section, SectionKind

__all__ = ["SECTION"]

_QUESTION = "Does anybody wait behind a queue?"
_MOST_ROWS = 50
_HEADLINE_ROWS = 8
_CAUSES = {
    "deployment": "a deployment",
    "slow_handler": "a message that took too long",
    "instances": "instances came or went",
    "unknown": "not known",
}
_LABELS = {"waits": "waits", "hands_over": "hands over", "undecided": "not known"}


def describe(document: AnalysisDocument, period: str) -> Section:
    """The section of a document."""
    queues = document["queues"]
    waiting = [row for row in queues["waits"] if row["label"] == "waits"]
    others = [row for row in queues["waits"] if row["label"] != "waits"]
    parts = [
        _waits(waiting),
        _stalls(queues["stalls"]),
        Part("When groups stood still", chart=stall_timeline(queues["stalls"], document["window"], period))
        if queues["stalls"]
        else None,
        _shared([row for row in queues["groups"] if row["shared"]]),
        _lags(queues["destinations"]),
        _groups(queues["groups"]),
        _handed_over(others),
    ]
    lead = (
        "A queue decouples who sends from who takes, as long as nobody waits for what becomes of a message. A request "
        "that waits for the answer is a call that no diagram shows, and a group of consumers that stands still makes "
        "data old without any request failing."
    )
    return Section(_answer(queues, waiting), lead, tuple(part for part in parts if part is not None))


def _answer(queues: QueuesDocument, waiting: Sequence[QueueWaitDocument]) -> Answer:
    if queues["status"] != "ok":
        return Answer.unknown("queues", _QUESTION, queues["reason"])
    still = queues["stalls"]
    if waiting:
        worst = waiting[0]
        claim = (
            f"{_operation(worst)} waits until {_names(worst['answered_by'])} answers over a queue."
            if worst["answered_by"]
            else f"{_operation(worst)} waits for what becomes of its message."
        )
        more = f" {len(waiting) - 1} more operations do so." if len(waiting) > 1 else ""
        stood = f" {_stood_still(still)}" if still else ""
        share = worst["idle_share"]
        idle = f"For {text.percent(share)} of its time it does nothing else. " if share else ""
        reading = f"{idle}{text.count(worst['requests'])} messages behind it.{more}{stood}"
        number = text.milliseconds(worst["wait_ms"].get("p50"))
        return Answer("queues", _QUESTION, claim, f"{number} of waiting in the median", reading.strip(), "notable")
    if still:
        longest = still[0]
        claim = f"No request does, but {_group(longest)} stood still."
        reading = f"{_stood_still(still)} Its messages had to wait, and what they change was out of date."
        number = text.milliseconds(longest["seconds"] * 1000)
        return Answer("queues", _QUESTION, claim, number, reading, "notable")
    unclear = sum(row["label"] == "undecided" for row in queues["waits"])
    reading = "No group of consumers stood still while messages waited, as far as their number can tell."
    if unclear:
        reading += f" Of {unclear} operations that send messages it is not known yet."
    accused = any(row["shared"] for row in queues["groups"])
    claim = "No request is known to." if unclear else "No request does."
    return Answer("queues", _QUESTION, claim, "", reading, "notable" if accused else "fine")


def _stood_still(stalls: Sequence[StallDocument]) -> str:
    longest = stalls[0]
    times = "once" if len(stalls) == 1 else f"{len(stalls)} times"
    length = text.milliseconds(longest["seconds"] * 1000)
    return f"Consumer groups stood still {times}, at most for {length} ({_group(longest)})."


def _waits(rows: Sequence[QueueWaitDocument]) -> Part | None:
    if not rows:
        return None
    reading = (
        "Doing nothing else: share of the request between message and answer in which it called nobody. "
        "Slope: 1 means that the request takes exactly so much longer as the answer does."
    )
    table = Table.of(
        (
            "Operation",
            "Asks over",
            "Answered by",
            "Over",
            "#Messages",
            "#Wait p50",
            "#Wait p95",
            "#Doing nothing else",
            "#Slope",
        ),
        (
            (
                _operation(row),
                _destination(row["system"], row["destination"]),
                _names(row["answered_by"]) or text.MISSING,
                text.printable(row["reply"], 60) if row["reply"] else text.MISSING,
                text.count(row["requests"]),
                text.milliseconds(row["wait_ms"].get("p50")),
                text.milliseconds(row["wait_ms"].get("p95")),
                text.percent(row["idle_share"]),
                text.estimate(row["slope"]),
            )
            for row in rows[:_MOST_ROWS]
        ),
        (row["trace_ids"] for row in rows[:_MOST_ROWS]),
    )
    return Part("Requests that wait for an answer over a queue", table=table, reading=reading, headline=True)


def _stalls(rows: Sequence[StallDocument]) -> Part | None:
    if not rows:
        return None
    reading = (
        "Stretches in which no instance of the group took anything although messages had been sent to it. "
        "Interrupted: how often it started and stopped again."
    )
    table = Table.of(
        ("Group", "Service", "From", "#For", "#Messages waiting", "#Interrupted", "What happened then"),
        (
            (
                _group(row),
                text.printable(row["service"], 60),
                text.time(row["start"], seconds=True),
                text.milliseconds(row["seconds"] * 1000),
                text.count(row["waiting"]),
                text.count(row["interruptions"] - 1),
                _cause(row),
            )
            for row in rows[:_MOST_ROWS]
        ),
        (row["trace_ids"] for row in rows[:_MOST_ROWS]),
    )
    return Part("Consumer groups that stood still", table=table, reading=reading, headline=True)


def _cause(row: StallDocument) -> str:
    if row["cause"] == "unknown":
        return _CAUSES["unknown"]
    return f"{_CAUSES[row['cause']]}: {text.printable(row['cause_detail'], 200)}"


def _shared(rows: Sequence[ConsumerGroupDocument]) -> Part | None:
    if not rows:
        return None
    table = Table.of(
        ("Group", "Services", "#Messages"),
        ((_group(row), _names(row["services"]), text.count(row["messages"])) for row in rows[:_MOST_ROWS]),
        (row["trace_ids"] for row in rows[:_MOST_ROWS]),
    )
    told = "Each message reaches only one of the services that share a group; which one is left to the broker."
    return Part("Groups that several services share", text=told, table=table, headline=True)


def _lags(destinations: Sequence[DestinationDocument]) -> Part | None:
    rows = [(place, consumer) for place in destinations for consumer in place["consumers"]][:_MOST_ROWS]
    if not rows:
        return None
    reading = "From the moment a message has been sent until its handling begins."
    table = Table.of(
        ("Queue or topic", "Sent by", "Taken by", "Group", "#Messages", "#Wait p50", "#Wait p95", "#Wait p99"),
        (
            (
                _destination(place["system"], place["destination"]),
                _names(place["producers"]) or text.MISSING,
                text.printable(consumer["service"], 60),
                text.printable(consumer["group"], 60) or text.MISSING,
                text.count(consumer["messages"]),
                *(text.estimate(consumer["lag_ms"][name], "ms") for name in ("p50", "p95", "p99")),
            )
            for place, consumer in rows
        ),
        (place["trace_ids"] for place, _ in rows),
    )
    return Part("How long messages wait to be taken", table=table, reading=reading)


def _groups(rows: Sequence[ConsumerGroupDocument]) -> Part | None:
    if not rows:
        return None
    reading = (
        "Would show: how long a group must stand still, at its usual rate of messages, until so many wait that it "
        "cannot be chance. Shorter stalls go unnoticed here."
    )
    table = Table.of(
        (
            "Group",
            "Services",
            "#Instances seen",
            "#Messages",
            "#Times it stood still",
            "#Share of the time",
            "#Would show from",
        ),
        (
            (
                _group(row),
                _names(row["services"]),
                text.count(row["instances"]),
                text.count(row["messages"]),
                text.count(row["stalls"]),
                text.estimate(row["stall_share"], "share"),
                text.milliseconds(None if row["noticeable_s"] is None else row["noticeable_s"] * 1000),
            )
            for row in rows[:_MOST_ROWS]
        ),
        (row["trace_ids"] for row in rows[:_MOST_ROWS]),
    )
    return Part("Consumer groups", table=table, reading=reading)


def _handed_over(rows: Sequence[QueueWaitDocument]) -> Part | None:
    if not rows:
        return None
    reading = (
        "Handled before the end: share of the messages whose handling is over before the request is. Fast handling "
        "alone is no wait; by chance: what unrelated requests and messages would show."
    )
    table = Table.of(
        ("Operation", "Sends to", "Handled by", "How", "#Messages", "#Handled before the end", "#By chance", "#Slope"),
        (
            (
                _operation(row),
                _destination(row["system"], row["destination"]),
                _names(row["answered_by"]) or text.MISSING,
                _LABELS[row["label"]],
                text.count(row["requests"]),
                text.estimate(row["contained"], "share"),
                text.percent(row["contained_by_chance"]),
                text.estimate(row["slope"]),
            )
            for row in rows[:_MOST_ROWS]
        ),
        (row["trace_ids"] for row in rows[:_MOST_ROWS]),
    )
    return Part("Requests that send messages and go on", table=table, reading=reading)


def _operation(row: QueueWaitDocument) -> str:
    return text.operation_name(row["service"], row["operation"])


def _destination(system: str, destination: str) -> str:
    return text.printable(f"{system} {destination}".strip(), 80)


def _group(row: StallDocument | ConsumerGroupDocument) -> str:
    label = f"{row['system']} {row['destination']} {row['group']}"
    return text.printable(label.strip(), 100)


def _names(names: Sequence[str]) -> str:
    shown = [text.printable(name, 40) for name in names[:6]]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(shown) + more


SECTION = SectionKind("queues", "Queues", "queues", describe)
