"""Answers over queues: requests that publish a message and wait until somebody has answered it over another queue."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.compiled import compiled
from tracelith.forest.awaiting import tolerance_ns
from tracelith.forest.placement import Placement
from tracelith.forest.sides import Sides
from tracelith.forest.view import Bool, Int32, Int64, TraceForest

__all__ = ["Replies", "find_replies"]

_MOST_STEPS = 256
"""An answer is followed so many spans up towards its question; spans that link in circles have no end."""


@dataclass(frozen=True, slots=True)
class Replies:
    """Questions over queues whose answer was waited for, one entry each, sorted by question; each question once.

    Attributes:
        question, answer: int64[k], rows of the calls: the message asked, and the message that answers it.
        receipt: int32[k], the span with which the asker received the answer.
        waited_in: bool[k], the receipt is part of the asking request, which waited in it; otherwise a listener of the
            same process took the answer and woke the request.
        answering, under: int32[w], spans that received a message on the way from question to answer, ascending, and
            the span in which the request waited for them: the receipt, or the question's client.
    """

    question: Int64
    answer: Int64
    receipt: Int32
    waited_in: Bool
    answering: Int32
    under: Int32


@dataclass(frozen=True, slots=True)
class _Answers:
    """Messages that may be answers. tag: what the question's client must have in common with the receipt."""

    row: Int64
    sent: Int32
    receipt: Int32
    tag: Int32


@dataclass(frozen=True, slots=True)
class _Found:
    """Per answer found: its row, the row of its question, and the receivers passed on the way (index and span)."""

    answer: Int64
    question: Int64
    receipt: Int32
    passed: Int64
    receiver: Int32


def find_replies(forest: TraceForest, placement: Placement, sides: Sides, message: Bool) -> Replies:
    """Structural proof, request by request, that a caller waited for an answer over a queue.

    A request of A publishes a message P; its receiver C, or what C does, publishes Q; and A receives Q. Two shapes
    prove that A waited:

    - a span inside the request received Q (a blocking receive, linked to the answer or its child) and ended with it;
    - a listener in the same process (the same resource: only there can it wake the request) took Q, while the request
      did nothing from the end of P until then, and went on as soon as it had.

    All of it within one trace: C is joined to P and the receipt to Q by parent or link. Nothing is concluded from mere
    containment, which fast consumers have by chance (metrics.md §10.1), nor across hosts' clocks.

    Source: metrics.md §10.1; tracing answers back: own.
    """
    rows = np.flatnonzero(message & (sides.client >= 0) & (sides.server >= 0))
    if rows.size < 2:
        return _none()
    entry = placement.within[sides.server[rows]] < 0
    inner = _trace_back(forest, sides, rows, _answers(sides, rows[~entry], placement.request), placement.request)
    outer = _trace_back(forest, sides, rows, _answers(sides, rows[entry], forest.resource), forest.resource)
    kept_inner = _received_inside(forest, placement, sides, inner)
    kept_outer = _woken(forest, placement, sides, outer)
    if not (kept_inner.any() or kept_outer.any()):
        return _none()
    return _joined(sides, (inner, kept_inner), (outer, kept_outer))


def _none() -> Replies:
    rows, spans = np.empty(0, np.int64), np.empty(0, np.int32)
    return Replies(rows, rows, spans, np.empty(0, np.bool_), spans, spans)


def _answers(sides: Sides, rows: Int64, tags: Int32) -> _Answers:
    receipt = sides.server[rows]
    return _Answers(rows, sides.client[rows], receipt, tags[receipt])


def _trace_back(forest: TraceForest, sides: Sides, rows: Int64, answers: _Answers, tags: Int32) -> _Found:
    """Follows each answer up to the nearest message that a span with the receipt's tag published."""
    if not answers.row.size:
        return _Found(answers.row, answers.row, answers.receipt, answers.row, answers.receipt)
    received, published = sides.server[rows], sides.client[rows]
    publisher = np.full(forest.parent.size, -1, np.int32)
    publisher[received[::-1]] = published[::-1]  # of several messages the first
    key = (received.astype(np.int64) << 32) | tags[published]
    order = np.argsort(key, kind="stable")
    place, receivers = _climb(forest.parent, publisher, answers.sent, answers.tag, key[order])
    found = np.flatnonzero(place >= 0)
    question = rows[order[place[found]]]
    return _Found(
        answer=answers.row[found],
        question=question,
        receipt=answers.receipt[found],
        passed=np.repeat(np.arange(found.size), receivers[found]),
        receiver=_receivers(forest.parent, publisher, answers.sent[found], receivers[found]),
    )


@compiled
def _climb(parent: Int32, publisher: Int32, sent: Int32, tag: Int32, key: Int64) -> tuple[Int64, Int64]:
    """Where in ``key``, sorted, the first receiver above each span with its tag is, and how many receivers lead there.

    Args:
        parent: of each span, or -1. publisher: the span that published what each span received, or -1.
        sent, tag: span to start from, and tag to look for. key: receiver and tag of all messages, as one integer.
    """
    place, receivers = np.full(sent.size, -1, np.int64), np.zeros(sent.size, np.int64)
    for answer in range(sent.size):
        at = sent[answer]
        for _ in range(_MOST_STEPS):
            if at < 0 or place[answer] >= 0:
                break
            if publisher[at] < 0:
                at = parent[at]
                continue
            receivers[answer] += 1
            wanted = (np.int64(at) << 32) | tag[answer]
            found = np.searchsorted(key, wanted)
            if found < key.size and key[found] == wanted:
                place[answer] = found
            at = publisher[at]
    return place, receivers


@compiled
def _receivers(parent: Int32, publisher: Int32, sent: Int32, receivers: Int64) -> Int32:
    """The receivers that lead up from each span, so many of each."""
    passed = np.empty(receivers.sum(), np.int32)
    count = 0
    for answer in range(sent.size):
        at, left = sent[answer], receivers[answer]
        while left > 0:
            if publisher[at] < 0:
                at = parent[at]
                continue
            passed[count] = at
            count, left, at = count + 1, left - 1, publisher[at]
    return passed


def _ends(forest: TraceForest, span: Int32) -> Int64:
    return forest.start_ns[span] + forest.duration_ns[span]


def _received_inside(forest: TraceForest, placement: Placement, sides: Sides, found: _Found) -> Bool:
    """The answer arrived after the question had been sent, and before the request was over; all on one clock."""
    asker, request = sides.client[found.question], placement.request[found.receipt]
    slack = tolerance_ns(forest.duration_ns[request])
    after = _ends(forest, found.receipt) >= forest.start_ns[asker]
    before = _ends(forest, found.receipt) <= _ends(forest, request) + slack
    kept: Bool = after & before
    return kept


def _woken(forest: TraceForest, placement: Placement, sides: Sides, found: _Found) -> Bool:
    """The request was idle from the end of the question until the answer was there, and went on then."""
    if not found.question.size:
        return np.empty(0, np.bool_)
    asker = sides.client[found.question]
    request = placement.request[asker]
    sent_ns = _ends(forest, asker)
    slack = tolerance_ns(forest.duration_ns[request])
    busy_until_ns, next_ns = _activity(forest, placement, request, sent_ns)
    goes_on_ns = np.minimum(next_ns, _ends(forest, request))
    kept: Bool = (
        (busy_until_ns <= sent_ns + slack)
        & (forest.start_ns[found.receipt] >= sent_ns)
        & (goes_on_ns >= forest.start_ns[found.receipt])
        & (goes_on_ns <= _ends(forest, found.receipt) + slack)
    )
    return kept


def _activity(forest: TraceForest, placement: Placement, request: Int32, at_ns: Int64) -> tuple[Int64, Int64]:
    """Until when what each request had begun by then goes on, and when it begins the next thing after it."""
    wanted = np.zeros(forest.parent.size, np.bool_)
    wanted[request] = True
    inner = np.flatnonzero(wanted[placement.request] & (placement.within >= 0))
    holds = np.zeros(forest.parent.size, np.bool_)
    holds[placement.within[inner]] = True
    leaves = inner[~holds[inner]].astype(np.int32)
    spans = pl.DataFrame(
        {
            "request": placement.request[leaves],
            "at": forest.start_ns[leaves],
            "end": _ends(forest, leaves),
        }
    ).sort("request", "at")
    spans = spans.with_columns(busy=pl.col("end").cum_max().over("request"), next=pl.col("at"))
    asked = pl.DataFrame({"request": request, "at": at_ns, "row": np.arange(request.size)}).sort("request", "at")
    told = (
        asked.join_asof(spans.select("request", "at", "busy"), on="at", by="request", check_sortedness=False)
        .join_asof(
            spans.select("request", at=pl.col("at") - 1, next="next"),
            on="at",
            by="request",
            strategy="forward",
            check_sortedness=False,
        )
        .sort("row")
    )
    limits = np.iinfo(np.int64)
    return told["busy"].fill_null(limits.min).to_numpy(), told["next"].fill_null(limits.max).to_numpy()


def _joined(sides: Sides, *parts: tuple[_Found, NDArray[np.bool_]]) -> Replies:
    """Both shapes together: of several receipts of one answer, or answers to one question, the last."""
    frames, passed = [], []
    for number, (found, kept) in enumerate(parts):
        at = np.flatnonzero(kept)
        waited_in = np.full(at.size, number == 0)
        receipt, question = found.receipt[at], found.question[at]
        frames.append(
            pl.DataFrame({"question": question, "answer": found.answer[at], "receipt": receipt, "waited_in": waited_in})
        )
        telling = kept[found.passed]
        under = found.receipt if number == 0 else sides.client[found.question]
        passed.append(
            pl.DataFrame(
                {
                    "answering": found.receiver[telling],
                    "under": under[found.passed[telling]],
                    "waited_in": np.full(int(telling.sum()), number == 0),
                }
            )
        )
    replies = pl.concat(frames).sort("question", "waited_in", "receipt", "answer")
    replies = replies.unique("question", keep="last", maintain_order=True)
    tree = pl.concat(passed).sort("answering", "waited_in", "under")
    tree = tree.unique("answering", keep="last", maintain_order=True)
    return Replies(
        replies["question"].to_numpy(),
        replies["answer"].to_numpy(),
        replies["receipt"].to_numpy(),
        replies["waited_in"].to_numpy(),
        tree["answering"].to_numpy(),
        tree["under"].to_numpy(),
    )
