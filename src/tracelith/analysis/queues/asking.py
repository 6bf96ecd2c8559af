"""Facts about requests that send messages: what was left of the request then, and how long the answer took."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.exemplars import SLOT_KEY, slowest_rows
from tracelith.analysis.operation_names import request_names
from tracelith.analysis.queues.messages import Messages, messages_of
from tracelith.analysis.queues.traffic import PLACE_KEYS, UNKNOWN, place_texts, placed
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.histograms import bucket_of, coarse
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.trace_strata import trace_strata
from tracelith.forest.view import Bool, ForestView, Int32, Int64
from tracelith.model.facts import FactTable

__all__ = ["QUEUE_WAITS", "QUEUE_WAIT_EXEMPLARS", "WAIT_FACTOR", "observe_asking"]

WAIT_FACTOR = 8
"""Buckets of waits are eight fine ones wide (17 %), in both directions; slopes come from exact sums."""

_SLACK_NS = 1_000_000
"""An answer handled so shortly after the end of a request still counts as inside it (metrics.md §1.3)."""

_PLACED = ("stratum", "service", "operation", "place")

_ASKED: Mapping[str, type[pl.DataType]] = {"service": pl.String, "operation": pl.String, **PLACE_KEYS}

QUEUE_WAITS = FactTable(
    "queue_waits",
    keys={
        **_ASKED,
        "answered_by": pl.String,
        "reply": pl.String,
        "rest_bucket": pl.Int32,
        "answer_bucket": pl.Int32,
    },
    sums={
        "messages": pl.Int64,
        "requests": pl.Int64,
        "proven": pl.Int64,
        "claimed": pl.Int64,
        "contained": pl.Int64,
        "answer_ms": pl.Float64,
        "rest_ms": pl.Float64,
        "answer_square": pl.Float64,
        "product": pl.Float64,
        "rest_square": pl.Float64,
        "idle_ms": pl.Float64,
        "request_ms": pl.Float64,
    },
)
"""Messages sent within requests. requests: counted with the first message that each sends to the destination. rest:
from the message to the end of the request; answer: from then until the answer was there, or else until the message had
been handled (bucket UNKNOWN and no sums where nobody is known to have). proven: one trace shows that the request waited
for the answer. claimed: it received a message from answered_by after it had sent this one, whose handling lies in
another trace. contained: the answer was there before the request was over. idle_ms of request_ms: time of proven and
claimed waits in which the request called nobody else."""

QUEUE_WAIT_EXEMPLARS = FactTable(
    "queue_wait_exemplars",
    keys={**_ASKED, SLOT_KEY: pl.Int8},
    sums={},
    maxima={"rank": pl.String},
)
"""Traces in which an answer that lies within its request took longest, see exemplars."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Messages sent within a request, one entry per message and who handled it.

    Attributes:
        client, request: the sending span and the entry span of its request. place, answerer: destination, and the
            service that handled it (-1: nobody known). reply: place of the answer, -1.
        sent_ns, answered_ns: when it was sent, and answered or handled (-1: unknown).
        proven, claimed: see QUEUE_WAITS.
    """

    client: Int32
    request: Int32
    place: Int32
    answerer: Int32
    reply: Int32
    sent_ns: Int64
    answered_ns: Int64
    proven: Bool
    claimed: Bool


def observe_asking(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of both tables, by table name."""
    messages = view.once(messages_of)
    asked = _with_claims(view, messages, _asked(view, messages))
    columns = _columns(view, asked)
    return {
        QUEUE_WAITS.name: _waits(view, messages, columns),
        QUEUE_WAIT_EXEMPLARS.name: _exemplars(view, messages, columns),
    }


def _asked(view: ForestView, messages: Messages) -> _Asked:
    forest, calls, places = view.forest, view.calls, messages.places
    rows = messages.rows[(calls.request[messages.rows] >= 0) & (calls.client[messages.rows] >= 0)]
    client = calls.client[rows]
    rows = rows[(calls.request[rows] != client) & places.publishes[forest.operation[client]]]
    client, server, receipt = calls.client[rows], calls.server[rows], calls.reply[rows]
    handled_ns = np.where(server >= 0, _ends_ns(view, server), np.int64(-1))
    return _Asked(
        client=client,
        request=calls.request[rows],
        place=places.place[forest.operation[client]],
        answerer=np.where(server >= 0, calls.callee[rows], np.int32(-1)),
        reply=_reply_places(view, messages, rows),
        sent_ns=calls.sent_ns[rows],
        answered_ns=np.where(receipt >= 0, _ends_ns(view, receipt), handled_ns),
        proven=receipt >= 0,
        claimed=np.zeros(rows.size, np.bool_),
    )


def _ends_ns(view: ForestView, span: Int32) -> Int64:
    """When each of these spans was over; anything for -1."""
    ends: Int64 = view.forest.start_ns[span] + view.forest.duration_ns[span]
    return ends


def _reply_places(view: ForestView, messages: Messages, rows: Int64) -> Int32:
    """Over which destination each of these messages was answered; -1 if it was not."""
    calls = view.calls
    answers = np.flatnonzero(calls.answers >= 0)
    place = np.full(calls.client.size, -1, np.int32)
    place[calls.answers[answers]] = messages.places.place[view.forest.operation[calls.client[answers]]]
    return place[rows]


def _with_claims(view: ForestView, messages: Messages, asked: _Asked) -> _Asked:
    """Messages whose handling lies elsewhere, with the next message that their request received from elsewhere."""
    calls, forest = view.calls, view.forest
    far = messages.rows[(calls.client[messages.rows] < 0) & (calls.server[messages.rows] >= 0)]
    receipt = calls.server[far]
    inside = (calls.span_request[receipt] != receipt) & messages.places.receives[forest.operation[receipt]]
    far, receipt = far[inside], receipt[inside]
    open_ended = np.flatnonzero(asked.answered_ns < 0)
    if not far.size or not open_ended.size:
        return asked
    ends_ns = _ends_ns(view, receipt)
    received = pl.DataFrame(
        {
            "request": calls.span_request[receipt],
            "at": ends_ns,
            "answered_ns": ends_ns,
            "answerer": calls.caller[far],
            "reply": messages.places.place[forest.operation[receipt]],
        }
    ).sort("at", "answerer", "reply")
    sent = pl.DataFrame(
        {"request": asked.request[open_ended], "at": asked.sent_ns[open_ended], "row": open_ended}
    ).sort("at", "row")
    found = sent.join_asof(received, on="at", by="request", strategy="forward", check_sortedness=False)
    found = found.filter(pl.col("answered_ns").is_not_null())
    row = found["row"].to_numpy()
    claimed, answerer, reply = asked.claimed.copy(), asked.answerer.copy(), asked.reply.copy()
    answered_ns = asked.answered_ns.copy()
    claimed[row], answerer[row], reply[row] = True, found["answerer"].to_numpy(), found["reply"].to_numpy()
    answered_ns[row] = found["answered_ns"].to_numpy()
    return _Asked(
        asked.client, asked.request, asked.place, answerer, reply, asked.sent_ns, answered_ns, asked.proven, claimed
    )


def _columns(view: ForestView, asked: _Asked) -> dict[str, NDArray[Any]]:
    """Codes and measures of each entry of asked."""
    forest = view.forest
    rest_ns = np.maximum(_ends_ns(view, asked.request) - asked.sent_ns, 0)
    answer_ns = asked.answered_ns - asked.sent_ns
    # Handled before it was sent: two clocks disagree, and the wait is not known.
    known = (asked.answered_ns >= 0) & (answer_ns >= 0)
    rest_ms, answer_ms = rest_ns / 1e6, np.where(known, answer_ns, 0) / 1e6
    waiting = (asked.proven | asked.claimed) & known
    trace, (_, operation) = forest.trace[asked.client], view.once(request_names)
    return {
        "stratum": view.once(trace_strata).stratum[trace],
        "trace": trace,
        "service": view.calls.span_service[asked.client],
        "operation": operation[forest.operation[asked.request]],
        "place": asked.place,
        "answered_by": np.where(known, asked.answerer, -1),
        "reply": np.where(known, asked.reply, -1),
        "rest_bucket": coarse(bucket_of(rest_ns), WAIT_FACTOR),
        "answer_bucket": np.where(known, coarse(bucket_of(np.maximum(answer_ns, 0)), WAIT_FACTOR), UNKNOWN),
        "requests": _first_to_place(asked),
        "proven": (asked.proven & known).astype(np.int64),
        "claimed": (asked.claimed & known).astype(np.int64),
        "contained": (known & (answer_ns <= rest_ns + _SLACK_NS)).astype(np.int64),
        "answer_ms": answer_ms,
        "rest_ms": np.where(known, rest_ms, 0.0),
        "answer_square": answer_ms**2,
        "product": answer_ms * rest_ms,
        "rest_square": np.where(known, rest_ms, 0.0) ** 2,
        "idle_ms": _idle_ms(view, asked, waiting),
        "request_ms": np.where(waiting, forest.duration_ns[asked.request], 0) / 1e6,
        "duration_ns": np.maximum(answer_ns, 0),
    }


def _first_to_place(asked: _Asked) -> Int64:
    """1 for one entry of each request and destination, 0 for the others."""
    pairs = asked.request.astype(np.int64) << 32 | asked.place
    first = np.zeros(pairs.size, np.int64)
    first[np.unique(pairs, return_index=True)[1]] = 1
    return first


def _idle_ms(view: ForestView, asked: _Asked, waiting: Bool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Time of each wait minus that of other work that the request had done meanwhile; 0 where it did not wait."""
    idle = np.zeros(asked.client.size, np.float64)
    rows = np.flatnonzero(waiting)
    if not rows.size:
        return idle
    begin, end = asked.sent_ns[rows], asked.answered_ns[rows]
    waits = pl.LazyFrame({"row": rows, "request": asked.request[rows], "begin": begin, "end": end})
    overlap = pl.min_horizontal("end", "leaf_end") - pl.max_horizontal("begin", "leaf_begin")
    other = (
        waits.join(_other_work(view, asked.request[rows]), on="request")
        .select("row", overlap_ns=overlap.clip(0))
        .group_by("row")
        .agg(pl.col("overlap_ns").sum())
        .collect()
    )
    idle[rows] = end - begin
    idle[other["row"].to_numpy()] -= other["overlap_ns"].to_numpy()
    return np.maximum(idle, 0.0) / 1e6


def _other_work(view: ForestView, requests: Int32) -> pl.LazyFrame:
    """Innermost spans within these requests that are no messaging."""
    forest, request = view.forest, view.calls.span_request
    wanted = np.zeros(request.size, np.bool_)
    wanted[requests] = True
    inner = np.flatnonzero(wanted[request] & (request != np.arange(request.size)))
    holds = np.zeros(request.size, np.bool_)
    holds[forest.parent[inner]] = True
    messaging = (forest.operations["protocol"] == "messaging").to_numpy()
    leaf = inner[~holds[inner] & ~messaging[forest.operation[inner]]]
    begin = forest.start_ns[leaf]
    return pl.LazyFrame({"request": request[leaf], "leaf_begin": begin, "leaf_end": begin + forest.duration_ns[leaf]})


def _waits(view: ForestView, messages: Messages, columns: Mapping[str, NDArray[Any]]) -> pl.DataFrame:
    keys = (*_PLACED, "answered_by", "reply", "rest_bucket", "answer_bucket")
    waits = groups_of({name: columns[name] for name in keys})
    rows = waits.frame("messages", **{name: columns[name] for name in QUEUE_WAITS.sums if name != "messages"})
    # The last name is the empty one: a code of -1 reads from the end.
    return fact_rows(
        QUEUE_WAITS,
        placed(view, rows),
        view,
        **_texts(view, messages),
        answered_by=(*view.calls.node_names, ""),
        reply=(*messages.places.destinations, ""),
    )


def _exemplars(view: ForestView, messages: Messages, columns: Mapping[str, NDArray[Any]]) -> pl.DataFrame:
    inside = np.flatnonzero(columns["contained"])
    rows = pl.DataFrame({name: columns[name][inside] for name in (*_PLACED, "trace", "duration_ns")})
    slowest = placed(view, slowest_rows(view, rows, list(_PLACED)))
    return fact_rows(QUEUE_WAIT_EXEMPLARS, slowest, view, **_texts(view, messages))


def _texts(view: ForestView, messages: Messages) -> dict[str, tuple[str, ...]]:
    names, _ = view.once(request_names)
    return {**place_texts(messages), "service": view.forest.services, "operation": names}
