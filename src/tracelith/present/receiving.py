"""How receiving goes, in words: what the process knows of itself, as the ingest page shows it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from markupsafe import Markup

from tracelith.ingest.limits import Cardinality
from tracelith.ingest.status import IngestStatus, Latencies, RecentIngest, RefusedSpans
from tracelith.present import svg, text
from tracelith.present.chart import Table
from tracelith.store import StoreSize, WaitingWindows

__all__ = ["GRPC_MEANINGS", "MEANINGS", "Fact", "Receiving", "Retention", "ingest_page"]

RECENTLY_S = 600.0
"""What went wrong within this time is said at the top of the page."""

LEAST_SPANS = 100_000
"""With fewer spans, bytes per span say more about empty blocks of the file than about spans."""

_MINUTES = 60
_DAY_S = 86_400
_MOST_ROWS = 20

MEANINGS = {
    400: "no OTLP, or not what its headers say; not repeated",
    404: "another address than /v1/traces; check the endpoint",
    405: "another method than POST; check what asks here",
    408: "the body did not come in time; most senders do not repeat it: let them make smaller batches",
    413: "larger than one request may be; these spans are lost: let the sender make smaller batches",
    415: "another encoding than OTLP in protobuf or JSON; check the protocol",
    499: "the sender, or a proxy before it, broke off before all of the body had come",
    500: "a defect of ours; the log says more",
    503: "the queue was full, or the commit failed; senders repeat",
}
"""What the statuses of our receiver mean to those who run the senders."""

GRPC_MEANINGS = {
    "CANCELLED": "the request did not come to its end: larger than one may be, or its sender gave up",
    "INTERNAL": MEANINGS[500],
    "INVALID_ARGUMENT": "no OTLP; not repeated",
    "RESOURCE_EXHAUSTED": MEANINGS[413],
    "UNAVAILABLE": MEANINGS[503],
    "UNIMPLEMENTED": "metrics or logs, which are not taken; send traces only",
}
"""The same for gRPC."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What is deleted when, and what was since the process started.

    Attributes:
        span_days, max_bytes: raw spans go when they are older, or the database comes near that size; None: no limit.
        fact_days: facts are kept so long.
        last_at: end of the last look for what is past its time, in seconds since 1970; None before the first.
        too_old, too_large: raw spans deleted for their age and for the size of the database.
        held_back: why the database is larger than it should be; empty if it is not.
    """

    span_days: float
    fact_days: float
    max_bytes: int | None = None
    last_at: float | None = None
    too_old: int = 0
    too_large: int = 0
    held_back: str = ""


@dataclass(frozen=True, slots=True)
class Receiving:
    """What the process knows of its receiving at one moment.

    Attributes:
        at, started_at: seconds since 1970. problem: why no spans can be taken now; empty when they are.
        status: counters since the start. minute, hour: the latest. latencies: of all since the start.
        spans_by_minute: accepted, oldest first. refused: most first.
        http_answers: answers over HTTP by status. grpc_answers: over gRPC, by the name of the status.
        cardinality: different texts known, and what no longer fitted.
        database: None if it cannot be read. waiting: windows not analysed yet.
        retention: what is deleted when, and what was.
    """

    at: float
    started_at: float
    problem: str
    status: IngestStatus
    minute: RecentIngest
    hour: RecentIngest
    latencies: Latencies
    spans_by_minute: tuple[int, ...]
    refused: tuple[RefusedSpans, ...]
    http_answers: Mapping[int, int]
    grpc_answers: Mapping[str, int]
    cardinality: Cardinality
    database: StoreSize | None
    waiting: WaitingWindows
    retention: Retention


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure with its unit, and what belongs to it in small print."""

    title: str
    value: str
    note: str = ""


def ingest_page(receiving: Receiving) -> dict[str, Any]:
    """Everything the page shows; text from messages is printable, and escaped by the template."""
    return {
        "at": _moment(receiving.at),
        "anything": receiving.status.requests > 0,
        "concerns": list(_concerns(receiving)),
        "pace": _pace(receiving),
        "by_minute": _rate_by_minute(receiving),
        "receiver": _receiver_facts(receiving),
        "refusals": _refusal_table(receiving),
        "turned_away": _turned_away(receiving),
        "storage": _storage_facts(receiving),
        "cardinality": _cardinality_facts(receiving.cardinality),
        "folded": _folded_table(receiving.cardinality),
    }


def _concerns(receiving: Receiving) -> Iterator[str]:
    """What is wrong, or was a moment ago, each with what it means for senders; nothing when all is well."""
    status = receiving.status
    if receiving.problem:
        yield f"No spans are taken: {text.printable(receiving.problem)}"
    if _is_recent(status.last_overload_at, receiving):
        yield (
            f"The queue was full, the last time at {_moment(status.last_overload_at)}. Senders were told to come back; "
            "what they sent was not taken, and they drop it once their own queues are full. If this lasts, more "
            "arrives than this machine can write: sample at the source, or use a faster disk or more cores."
        )
    if _is_recent(status.last_failure_at, receiving):
        yield (
            f"A commit failed at {_moment(status.last_failure_at)}: {text.printable(_sentence(status.last_failure))} "
            "What was in it was not acknowledged, so its senders repeat it."
        )
    if receiving.retention.held_back:
        yield f"The database is larger than it should be: {text.printable(receiving.retention.held_back)}."
    if folded := receiving.cardinality.by_group():
        yield (
            f"More different {' and '.join(folded)} arrive than are kept apart; the rest is counted as (other). "
            "The table below names the services; names with ids in them are the usual cause."
        )


def _sentence(why: str) -> str:
    return f"{(why or 'the log says why').rstrip('.')}."


def _is_recent(moment: float | None, receiving: Receiving) -> bool:
    return moment is not None and receiving.at - moment < RECENTLY_S


def _pace(receiving: Receiving) -> Table:
    """How much, and how fast it was acknowledged: in the last minute, in the last hour, since the start."""
    elapsed = RecentIngest(receiving.at - receiving.started_at, receiving.status.accepted_spans, receiving.latencies)
    stretches = (receiving.minute, receiving.hour, elapsed)
    rows = [
        ("Spans accepted per second", [_rate(one.spans_per_s) for one in stretches]),
        ("Requests acknowledged", [text.count(one.latencies.requests) for one in stretches]),
        ("Half of them within", [_within(one.latencies, 0.5) for one in stretches]),
        ("99 % of them within", [_within(one.latencies, 0.99) for one in stretches]),
    ]
    return Table.of(
        ("Figure", "#Last minute", "#Last hour", "#Since the start"), [(title, *values) for title, values in rows]
    )


def _rate(spans_per_s: float | None) -> str:
    return text.count(spans_per_s) if spans_per_s is not None and spans_per_s >= 100 else text.number(spans_per_s, 2)


def _within(latencies: Latencies, share: float) -> str:
    seconds = latencies.quantile_s(share)
    return "over a minute" if seconds == float("inf") else text.milliseconds(_ms(seconds))


def _ms(seconds: float | None) -> float | None:
    # Two digits: a quantile read from buckets is not known better.
    return None if seconds is None else float(f"{seconds * 1e3:.2g}")


def _rate_by_minute(receiving: Receiving) -> tuple[Markup, str, Table]:
    """The last hour as a drawing, in a sentence, and as a table, newest first; spans per second in each minute."""
    rates = [spans / 60 for spans in receiving.spans_by_minute]
    if not rates:
        return svg.columns(rates, _MINUTES), "The first minute is not over yet.", Table.of((), ())
    sentence = f"Highest {_rate(max(rates))}, lowest {_rate(min(rates))} spans per second"
    if len(rates) < _MINUTES:
        sentence += f"; {len(rates)} of 60 minutes, for the process is no older"
    rows = [(f"{ago}", _rate(rate)) for ago, rate in enumerate(reversed(rates), 1)]
    return svg.columns(rates, _MINUTES), f"{sentence}.", Table.of(("#Minutes ago", "#Spans per second"), rows)


def _receiver_facts(receiving: Receiving) -> list[Fact]:
    """Queue, commits, and everything that was not taken, since the process started."""
    status = receiving.status
    since = f"since {_moment(receiving.started_at)}"
    queue = f"{text.size(status.queued_bytes)} of {text.size(status.max_queued_bytes)}"
    spans = f"{text.count(status.last_commit_spans)} span{'s' * (status.last_commit_spans != 1)}"
    commit = f"{spans} in {text.milliseconds(status.commit_ms)}"
    return [
        Fact("Spans accepted", text.count(status.accepted_spans), since),
        Fact("Queue", queue, "received and not yet acknowledged, of its bound"),
        Fact("Last commit", _moment(status.last_commit_at), commit if status.commits else "none yet"),
        Fact("Spans per commit", _mean(status.accepted_spans, status.commits), _commits(status)),
        Fact("Spans refused", text.count(status.rejected_spans), "each with a reason, told to its sender"),
        Fact("Requests that are no OTLP", text.count(status.invalid_requests), "senders do not repeat these"),
        Fact(
            "Requests sent away",
            text.count(status.overloaded_requests),
            "the queue was full; last at " + _moment(status.last_overload_at)
            if status.last_overload_at
            else "the queue was never full",
        ),
        Fact("Requests not stored", text.count(status.failed_requests), _failures(status)),
    ]


def _mean(total: float, parts: int) -> str:
    return text.number(total / parts) if parts else text.MISSING


def _commits(status: IngestStatus) -> str:
    if not status.commits:
        return "no commits yet"
    return f"{text.count(status.commits)} commits, {text.milliseconds(status.commits_s * 1e3 / status.commits)} each"


def _failures(status: IngestStatus) -> str:
    if status.last_failure_at is None:
        return "no commit failed"
    return f"{text.count(status.failed_commits)} failed commits, the last at {_moment(status.last_failure_at)}"


def _storage_facts(receiving: Receiving) -> list[Fact]:
    """The database, how fast it grows, and what waits for analysis."""
    size, waiting = receiving.database, receiving.waiting
    oldest = f"the oldest begins {_moment(waiting.oldest_ns / 1e9)}" if waiting.oldest_ns is not None else "all done"
    return [
        Fact("Database", text.size(size.bytes if size else None), "file and write-ahead log"),
        Fact("Raw spans kept", text.count(size.spans if size else None), _kept(receiving.retention)),
        *_growth(receiving, size),
        Fact("Windows to analyse", text.count(waiting.windows), oldest),
        _deleted(receiving.retention),
    ]


def _kept(retention: Retention) -> str:
    limit = f", and below {text.size(retention.max_bytes)} in all" if retention.max_bytes is not None else ""
    return f"for {text.number(retention.span_days)} days{limit}; facts for {text.number(retention.fact_days)} days"


def _deleted(retention: Retention) -> Fact:
    total = text.count(retention.too_old + retention.too_large)
    parts = [f"{text.count(retention.too_old)} for their age"]
    if retention.max_bytes is not None:
        parts.append(f"{text.count(retention.too_large)} for space")
    looked = f"last look {_moment(retention.last_at)}" if retention.last_at is not None else "no look yet"
    return Fact("Raw spans deleted", total, f"{', '.join(parts)}; {looked}")


def _growth(receiving: Receiving, size: StoreSize | None) -> list[Fact]:
    if size is None or size.spans < LEAST_SPANS:
        why = f"needs {text.count(LEAST_SPANS)} spans"
        return [Fact("Size per span", text.MISSING, why), Fact("Growth", text.MISSING, why)]
    per_span = size.used_bytes / size.spans
    per_s = receiving.hour.spans_per_s
    growth = None if per_s is None else per_span * per_s * _DAY_S
    return [
        Fact("Size per span", f"{text.number(per_span)} bytes", "everything in the file, divided by its spans"),
        Fact("Growth", f"{text.size(growth)} a day", "at the rate of the last hour, before anything is deleted"),
    ]


def _refusal_table(receiving: Receiving) -> Table:
    """Refused spans by reason, most first; since when, and the last time."""
    return Table.of(
        ("Why", "#Spans", "First", "Last"),
        [
            (text.printable(one.reason, 200), text.count(one.spans), _moment(one.first_at), _moment(one.last_at))
            for one in receiving.refused
        ],
    )


def _turned_away(receiving: Receiving) -> Table:
    """Answers other than success, by status."""
    over_http = [
        (f"HTTP {status}", text.count(answers), MEANINGS.get(status) or HTTPStatus(status).phrase.lower())
        for status, answers in receiving.http_answers.items()
        if status >= HTTPStatus.BAD_REQUEST
    ]
    over_grpc = [
        (f"gRPC {code}", text.count(answers), GRPC_MEANINGS.get(code, "unexpected; the log may say more"))
        for code, answers in receiving.grpc_answers.items()
        if code != "OK"
    ]
    return Table.of(("Status", "#Answers", "Meaning"), over_grpc + over_http)


def _cardinality_facts(cardinality: Cardinality) -> list[Fact]:
    bound = "of {}; near that, new ones are folded".format
    return [
        Fact("Operations known", text.count(cardinality.operations), bound(text.count(cardinality.most_operations))),
        Fact("Instances known", text.count(cardinality.resources), bound(text.count(cardinality.most_resources))),
    ]


def _folded_table(cardinality: Cardinality) -> Table:
    """Spans of which some text is counted as (other), by service, most first."""
    rows = sorted(cardinality.folded_spans.items(), key=lambda row: (-row[1], row[0]))
    return Table.of(
        ("Service", "Folded", "#Spans"),
        [(text.printable(service, 60), group, text.count(spans)) for (service, group), spans in rows[:_MOST_ROWS]],
    )


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return text.MISSING
    return text.time(datetime.fromtimestamp(seconds, UTC).isoformat(), seconds=True)
