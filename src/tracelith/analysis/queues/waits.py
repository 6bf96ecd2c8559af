"""Concludes which requests wait for the answer to a message they send."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.base import Evidence
from tracelith.analysis.exemplars import newest, slowest_ids
from tracelith.analysis.queues.asking import QUEUE_WAIT_EXEMPLARS, QUEUE_WAITS, WAIT_FACTOR
from tracelith.analysis.queues.slopes import (
    LEAST_INSTANCES,
    Slope,
    chance_of_containment,
    fit,
    spread_out,
    theil_sen,
)
from tracelith.analysis.queues.traffic import LAG_FACTOR, QUEUE_SENT, QUEUE_TAKEN, UNKNOWN
from tracelith.analysis.statistics.bootstrap import block_length_ns, generator
from tracelith.analysis.statistics.histograms import representative
from tracelith.analysis.statistics.intervals import proportion, proportion_in_time
from tracelith.analysis.statistics.quantiles import WeightedValues, quantile
from tracelith.model.document import QueueWaitDocument
from tracelith.model.findings import Estimate, State

__all__ = ["Wait", "middle", "queue_waits"]

Float64 = NDArray[np.float64]

WAITING_SLOPE, FREE_SLOPE = 0.7, 0.3
"""Surely above the first, requests wait (metrics.md §10.1); surely below the other, they do not."""

EXPLAINED = 0.8
"""Least share of the spread that the time until the answer explains (metrics.md §10.1)."""

ROBUST_SLOPE = 0.5
"""Least slope of the middling pairs (own): with less, a few requests in which all stood still made the other one."""

INSIDE = 0.9
"""A request that waits ends after its answer; fewer answers within their requests are none (own; clocks differ)."""

PROVEN = 0.5
"""Surely most messages must be proven to be waited for: sometimes waiting is another finding than always (own)."""

_KEYS = ["service", "operation", "system", "destination"]
_CLAIM = {*_KEYS, "answered_by", "reply"}
_COUNTS = {"messages", "requests"}
_SUMS = ["messages", "answer_ms", "rest_ms", "answer_square", "product", "rest_square"]


@dataclass(frozen=True, slots=True)
class Wait:
    """What is known of one operation and destination.

    Attributes:
        document: its row of the document. proven: share of the messages whose request is proven to have waited.
    """

    document: QueueWaitDocument
    proven: Estimate


@dataclass(frozen=True, slots=True)
class _Answerer:
    """One service that handles the messages of an operation."""

    name: str
    messages: int
    slope: Slope
    contained: Estimate
    by_chance: float | None
    proven: Estimate
    label: str


def queue_waits(evidence: Evidence) -> list[Wait]:
    """Every operation that sends messages, those that wait first, then by number of messages."""
    merged = _supported(evidence, evidence.facts.merged(QUEUE_WAITS))
    if merged.is_empty():
        return []
    blocks = evidence.facts.by_window(QUEUE_WAITS, block_length_ns(evidence.start_ns, evidence.end_ns))
    blocks = _supported(evidence, blocks)
    by_block = blocks.partition_by(_KEYS, as_dict=True)
    ranks = newest(evidence.facts, QUEUE_WAIT_EXEMPLARS)
    traces = {
        key: slowest_ids(rows["rank"])
        for key, rows in ranks.partition_by(_KEYS, as_dict=True, maintain_order=True).items()
    }
    lags = _lags(evidence)
    waits = [
        _wait(key, rows, by_block[key], traces.get(key, []), lags.get(key[2:]))
        for key, rows in merged.partition_by(_KEYS, as_dict=True, maintain_order=True).items()
    ]
    waits.sort(key=lambda wait: (wait.document["label"] != "waits", -wait.document["requests"], *_name(wait)))
    return waits


def _name(wait: Wait) -> tuple[str, ...]:
    row = wait.document
    return row["service"], row["operation"], row["system"], row["destination"]


def middle(bucket: Float64, factor: int) -> Float64:
    """The duration in milliseconds in the middle of coarse buckets."""
    fine = np.where(bucket < 0, bucket, bucket * factor + (factor - 1) / 2)
    return representative(fine) / 1e6


def _supported(evidence: Evidence, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in which claims that the other traces do not bear out are messages that nobody is known to have handled.

    That a request received something after it had sent something proves an answer only if who sent it takes the
    messages in question and sends to the destination of the answer.
    """
    if not rows["claimed"].sum():
        return rows
    place = ["system", "destination"]
    taking = evidence.facts.merged(QUEUE_TAKEN).select(*place, answered_by="service").unique()
    sending = evidence.facts.merged(QUEUE_SENT).select(reply="destination", answered_by="service").unique()
    claims = rows.filter(pl.col("claimed") > 0)
    borne_out = claims.join(taking, on=[*place, "answered_by"], how="semi").join(
        sending, on=["reply", "answered_by"], how="semi"
    )
    idle = claims.join(borne_out, on=[name for name in rows.columns if name in _CLAIM], how="anti").with_columns(
        pl.lit("").alias("answered_by"),
        pl.lit("").alias("reply"),
        pl.lit(UNKNOWN, pl.Int32).alias("answer_bucket"),
        *(pl.lit(0).cast(kind).alias(name) for name, kind in QUEUE_WAITS.sums.items() if name not in _COUNTS),
    )
    return pl.concat([rows.filter(pl.col("claimed") == 0), borne_out, idle.select(rows.columns)])


def _lags(evidence: Evidence) -> dict[tuple[Any, ...], tuple[Float64, Float64]]:
    """How long messages of each destination wait until they are taken (ms), and how many do."""
    known = evidence.facts.merged(QUEUE_TAKEN).filter(pl.col("lag_bucket") > UNKNOWN + 1)
    return {
        key: (middle(rows["lag_bucket"].to_numpy().astype(np.float64), LAG_FACTOR), rows["messages"].to_numpy())
        for key, rows in known.group_by("system", "destination", "lag_bucket")
        .agg(pl.col("messages").sum())
        .partition_by("system", "destination", as_dict=True)
        .items()
    }


def _wait(
    key: tuple[Any, ...],
    rows: pl.DataFrame,
    blocks: pl.DataFrame,
    trace_ids: list[str],
    lag: tuple[Float64, Float64] | None,
) -> Wait:
    answerers = list(_answerers(key, rows, blocks))
    chosen = _chosen(answerers)
    unanswered = int(rows.filter(pl.col("answer_bucket") == UNKNOWN)["messages"].sum())
    label = chosen.label if chosen is not None else "undecided"
    names = sorted({one.name for one in answerers if one.label == label})
    told = rows.filter(pl.col("answered_by") == (chosen.name if chosen else ""))
    taken_late = chance_of_containment(*lag, *_histogram(rows, "rest_bucket")) if lag is not None else None
    if chosen is None and taken_late is not None and taken_late < 0.5 and unanswered >= LEAST_INSTANCES:
        # Nobody knows when these were handled, but most requests are over before a message can have been taken.
        label = "hands_over"
    slope, contained = (
        (chosen.slope, chosen.contained) if chosen else (fit(np.zeros((1, 6)), generator("")), proportion(0, 0))
    )
    replies = told.filter(pl.col("reply") != "").sort("messages", descending=True)["reply"]
    idle, whole = float(told["idle_ms"].sum()), float(told["request_ms"].sum())
    status = State.OK if label != "undecided" else contained.state
    return Wait(
        QueueWaitDocument(
            service=key[0],
            operation=key[1],
            system=key[2],
            destination=key[3],
            reply=replies[0] if len(replies) else None,
            answered_by=names,
            requests=int(rows["requests"].sum()),
            slope=slope.estimate.document(),  # type: ignore[typeddict-item]  # the JSON form has these keys
            r_squared=slope.r_squared,
            contained=contained.document(),  # type: ignore[typeddict-item]  # likewise
            contained_by_chance=chosen.by_chance if chosen else taken_late,
            idle_share=idle / whole if whole else None,
            wait_ms=_quantiles(told) if label == "waits" else {},
            label=label,  # type: ignore[typeddict-item]  # one of the three
            trace_ids=trace_ids if label == "waits" else [],
            status=str(status),  # type: ignore[typeddict-item]  # a state's name
            reason=_reason(label, slope, contained, unanswered),
        ),
        chosen.proven if chosen else proportion(0, 0),
    )


def _reason(label: str, slope: Slope, contained: Estimate, unanswered: int) -> str:
    if label != "undecided":
        return ""
    if contained.state is not State.OK and unanswered:
        return f"no trace says when {unanswered:,} messages were handled; span links or a shared trace would tell"
    if contained.state is not State.OK:
        return contained.reason
    return slope.estimate.reason or "the time until the answer explains neither all nor nothing of these requests"


def _chosen(answerers: Sequence[_Answerer]) -> _Answerer | None:
    order = {"waits": 0, "undecided": 1, "hands_over": 2}
    return min(answerers, key=lambda one: (order[one.label], -one.messages, one.name), default=None)


def _answerers(key: tuple[Any, ...], rows: pl.DataFrame, blocks: pl.DataFrame) -> Iterator[_Answerer]:
    known = rows.filter(pl.col("answer_bucket") != UNKNOWN)
    for name, mine in sorted(known.partition_by("answered_by", as_dict=True).items()):
        in_time = blocks.filter((pl.col("answered_by") == name[0]) & (pl.col("answer_bucket") != UNKNOWN))
        by_block = (
            in_time.group_by("window_ns").agg(pl.col(*_SUMS, "contained", "proven", "claimed").sum()).sort("window_ns")
        )
        yield _judged(str(name[0]), mine, by_block, generator(*map(str, key), str(name[0])))


def _judged(name: str, rows: pl.DataFrame, by_block: pl.DataFrame, random: np.random.Generator) -> _Answerer:
    messages = int(rows["messages"].sum())
    whole = by_block["messages"].cast(pl.Float64).to_numpy()
    reason = f"{LEAST_INSTANCES} messages with a known answer are needed, seen {messages}"

    def share(part: pl.Series) -> Estimate:
        each = part.cast(pl.Float64).to_numpy()
        return proportion_in_time(each, whole, messages, n=messages, minimum=LEAST_INSTANCES, reason=reason)

    slope = fit(by_block.select(_SUMS).cast(pl.Float64).to_numpy(), random)
    contained = share(by_block["contained"])
    proven = share(by_block["proven"] + by_block["claimed"])
    by_chance = chance_of_containment(*_histogram(rows, "answer_bucket"), *_histogram(rows, "rest_bucket"))
    return _Answerer(
        name, messages, slope, contained, by_chance, proven, _label(rows, slope, contained, by_chance, proven)
    )


def _label(rows: pl.DataFrame, slope: Slope, contained: Estimate, by_chance: float | None, proven: Estimate) -> str:
    """What the numbers surely say; thirty messages are needed for anything.

    Where traces prove it, the slope is not asked: answers that always take equally long, or that other work of the
    request outlasts, are waited for without making a slope.
    """
    if proven.low is not None and proven.low > PROVEN:
        return "waits"
    estimate = slope.estimate
    if contained.low is None or contained.high is None:
        return "undecided"
    if estimate.low is not None and estimate.low > WAITING_SLOPE:
        often = contained.low > max(INSIDE, by_chance or 0.0)
        explained = slope.r_squared is not None and slope.r_squared > EXPLAINED
        return "waits" if often and explained and _robust_slope(rows) > ROBUST_SLOPE else "undecided"
    if contained.high < INSIDE or (estimate.high is not None and estimate.high < FREE_SLOPE):
        return "hands_over"
    return "undecided"


def _robust_slope(rows: pl.DataFrame) -> float:
    ordered = rows.sort("answer_bucket", "rest_bucket")
    answer, rest = (
        middle(ordered[name].cast(pl.Float64).to_numpy(), WAIT_FACTOR) for name in ("answer_bucket", "rest_bucket")
    )
    told = theil_sen(*spread_out(ordered["messages"].to_numpy(), answer, rest))[0]
    return told if np.isfinite(told) else 0.0


def _histogram(rows: pl.DataFrame, column: str) -> tuple[Float64, Float64]:
    counted = rows.group_by(column).agg(pl.col("messages").sum())
    return middle(counted[column].cast(pl.Float64).to_numpy(), WAIT_FACTOR), counted["messages"].cast(
        pl.Float64
    ).to_numpy()


def _quantiles(rows: pl.DataFrame) -> dict[str, float]:
    sample = WeightedValues.of(*_histogram(rows, "answer_bucket"))
    told: Mapping[str, Estimate] = {f"p{q * 100:g}": quantile(sample, q, "messages") for q in (0.5, 0.95, 0.99)}
    return {name: estimate.value for name, estimate in told.items() if estimate.value is not None}
