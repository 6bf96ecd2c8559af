"""What the document says of destinations: who sends, who takes, and how long messages wait."""

import re
from collections import defaultdict
from dataclasses import replace
from typing import Any

import polars as pl

from tracelith.analysis.base import Evidence
from tracelith.analysis.exemplars import newest, slowest_ids
from tracelith.analysis.queues.traffic import (
    BACKWARDS,
    LAG_FACTOR,
    QUEUE_EXEMPLARS,
    QUEUE_SENT,
    QUEUE_TAKEN,
)
from tracelith.analysis.queues.waits import middle
from tracelith.analysis.statistics.bootstrap import block_length_ns
from tracelith.analysis.statistics.histograms import GAMMA
from tracelith.analysis.statistics.quantiles import WeightedValues, block_weights, in_time, quantile
from tracelith.model.document import ConsumerDocument, DestinationDocument
from tracelith.model.findings import Estimate, State

__all__ = ["destinations"]

_QUANTILES = (0.5, 0.95, 0.99)

_MOST_BACKWARDS = 0.05
"""With a larger share of messages taken before they were sent, clocks are too far apart to say how long they wait."""

_HALF_BUCKET = GAMMA ** (LAG_FACTOR / 2) - 1
"""What a bucket is wider than its middle, as a share of that."""

_TEMPORARY = re.compile(r"\(temporary\)|^amq\.(gen|rabbitmq\.reply-to)|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}|\{(uu)?id\}")
"""Names that brokers and clients give to queues of their own for answers."""

_PLACE = ["system", "destination"]
_CONSUMER = ["group", "service"]


def destinations(evidence: Evidence) -> list[DestinationDocument]:
    """Every destination, most messages first."""
    sent = evidence.facts.merged(QUEUE_SENT).partition_by(_PLACE, as_dict=True)
    taken = evidence.facts.merged(QUEUE_TAKEN).partition_by(_PLACE, as_dict=True)
    blocks: dict[tuple[Any, ...], pl.DataFrame] = {}
    if taken:
        by_block = evidence.facts.by_window(QUEUE_TAKEN, block_length_ns(evidence.start_ns, evidence.end_ns))
        blocks = by_block.partition_by([*_PLACE, *_CONSUMER], as_dict=True)
    traces = defaultdict(list)
    for key, rows in newest(evidence.facts, QUEUE_EXEMPLARS).partition_by(_PLACE, as_dict=True).items():
        traces[key] = slowest_ids(rows["rank"])[:3]
    found = [_destination(key, sent.get(key), taken.get(key), blocks, traces[key]) for key in sorted({*sent, *taken})]
    return sorted(found, key=lambda row: (-_busy(row), row["system"], row["destination"]))


def _busy(row: DestinationDocument) -> int:
    return max(row["sent"], *(consumer["messages"] for consumer in row["consumers"]), 0)


def _destination(
    key: tuple[Any, ...],
    sent: pl.DataFrame | None,
    taken: pl.DataFrame | None,
    blocks: dict[tuple[Any, ...], pl.DataFrame],
    trace_ids: list[str],
) -> DestinationDocument:
    consumers = [] if taken is None else taken.partition_by(_CONSUMER, as_dict=True, maintain_order=True)
    reason = "" if taken is not None else "no span says who takes these messages"
    return DestinationDocument(
        system=key[0],
        destination=key[1],
        producers=[] if sent is None else sorted(sent["service"].to_list()),
        sent=0 if sent is None else int(sent["messages"].sum()),
        consumers=[
            _consumer(consumer, rows, blocks[*key, *consumer])
            for consumer, rows in (consumers.items() if isinstance(consumers, dict) else ())
        ],
        temporary=_TEMPORARY.search(key[1]) is not None,
        trace_ids=trace_ids,
        status="ok" if taken is not None else "insufficient_data",
        reason=reason,
    )


def _consumer(consumer: tuple[Any, ...], rows: pl.DataFrame, blocks: pl.DataFrame) -> ConsumerDocument:
    return ConsumerDocument(
        service=consumer[1],
        group=consumer[0],
        messages=int(rows["messages"].sum()),
        lag_ms={
            f"p{q * 100:g}": _lag(q, rows, blocks).document()  # type: ignore[misc]  # the JSON form has these keys
            for q in _QUANTILES
        },
    )


def _lag(q: float, rows: pl.DataFrame, blocks: pl.DataFrame) -> Estimate:
    known = rows.filter(pl.col("lag_bucket") > BACKWARDS)
    backwards = int(rows.filter(pl.col("lag_bucket") == BACKWARDS)["messages"].sum())
    count = int(known["messages"].sum())
    if backwards > _MOST_BACKWARDS * (count + backwards):
        reason = f"{backwards:,} messages seem to be taken before they were sent: the clocks of the hosts disagree"
        return Estimate(None, n=count, n_eff=count, state=State.NOT_IDENTIFIABLE, reason=reason)
    if not count:
        reason = "no span says when these messages were sent" if len(rows) else "no messages"
        return Estimate(None, state=State.INSUFFICIENT_DATA, reason=reason)
    told = blocks.filter(pl.col("lag_bucket") > BACKWARDS).sort("window_ns", "lag_bucket")
    values = middle(told["lag_bucket"].cast(pl.Float64).to_numpy(), LAG_FACTOR)
    weight = told["messages"].cast(pl.Float64).to_numpy()
    sample = WeightedValues.of(values, weight)
    by_block, _ = block_weights(sample, values, weight, told["window_ns"].to_numpy())
    estimate = in_time(quantile(sample, q, "messages"), sample, q, by_block)
    if estimate.low is None or estimate.high is None:
        return estimate
    # A bound can be anywhere in its bucket.
    return replace(estimate, low=estimate.low * (1 - _HALF_BUCKET), high=estimate.high * (1 + _HALF_BUCKET))
