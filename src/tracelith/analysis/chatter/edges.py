"""What is known of each repeated call, from merged facts: how often, in a row or at once, and what it costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.base import Evidence
from tracelith.analysis.chatter.facts import CHATTY_EXEMPLARS, LOOP_CALLS, REPEATED_CALLS
from tracelith.analysis.exemplars import newest, slowest_ids
from tracelith.analysis.statistics.bootstrap import block_length_ns
from tracelith.analysis.statistics.intervals import proportion_in_time
from tracelith.analysis.statistics.quantiles import WeightedValues, block_weights, in_time, quantile
from tracelith.analysis.statistics.weights import SAMPLING_KEY, effective_size, speaking_rows
from tracelith.model.findings import Estimate, State
from tracelith.model.schema import is_folded

__all__ = ["MANY_CALLS", "MOST_EDGES", "NEEDED_REQUESTS", "NOTED_SHARE", "ChattyEdge", "chatty_edges"]

MANY_CALLS = 10
"""More of the same call in one request, in one of twenty, are chatter (metrics.md §13.2)."""

NOTED_SHARE = 0.05
"""Share of requests with a loop from which on the call is called a loop: what happens more seldom, p95 does not see."""

NEEDED_REQUESTS = 30
"""As many as say whether a loop is the rule or the exception; p95 needs 200."""

MOST_EDGES = 100
"""Calls in the document: loops and batches first, then those made most often in a request."""

EDGE = ["caller", "operation", "asked", "callee", "callee_kind", "callee_operation"]
_SUMS = tuple(REPEATED_CALLS.sums)

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChattyEdge:
    """One call's document, with the estimates that findings are judged by.

    Attributes:
        calls, in_a_row: 95th percentiles. loops: share of the requests with a loop.
    """

    document: dict[str, Any]
    calls: Estimate
    in_a_row: Estimate
    loops: Estimate


def chatty_edges(evidence: Evidence, merged: pl.DataFrame) -> list[ChattyEdge]:
    """The calls that matter most, loops first.

    Args:
        evidence: of one environment and period. merged: its facts of REPEATED_CALLS.
    """
    chosen = _most_repeated(_speaking(merged))
    if chosen.is_empty():
        return []
    length = block_length_ns(evidence.start_ns, evidence.end_ns)
    blocks = evidence.facts.by_window(REPEATED_CALLS, length).join(chosen, on=[*EDGE, SAMPLING_KEY], how="semi")
    named = [name for name in EDGE if name != "asked"]
    ranks = newest(evidence.facts, CHATTY_EXEMPLARS).partition_by(named, as_dict=True)
    edges = []
    for key, rows in blocks.sort(EDGE).partition_by(EDGE, as_dict=True, maintain_order=True).items():
        row = dict(zip(EDGE, key, strict=True))
        examples = ranks.get(tuple(row[name] for name in named))
        edges.append(_edge(row, rows, [] if examples is None else slowest_ids(examples["rank"])))
    return sorted(edges, key=_worst_first)


def _speaking(merged: pl.DataFrame) -> pl.DataFrame:
    """Rows of the more numerous kind of sampling of each call; what stands for many calls is none of them."""
    rows = merged.filter(~pl.col("callee_operation").map_batches(_folded, return_dtype=pl.Boolean))
    counted = rows.with_columns(traces=pl.when(pl.col("measure") == "calls").then("requests").otherwise(0))
    return speaking_rows(counted, EDGE).drop("traces")


def _folded(names: pl.Series) -> pl.Series:
    distinct = {name: is_folded(name) for name in names.unique()}
    return names.replace_strict(distinct, return_dtype=pl.Boolean)


def _most_repeated(rows: pl.DataFrame) -> pl.DataFrame:
    """Keys of the calls to look at closely."""
    whole = pl.col("measure") == "calls"
    looping = (pl.col("measure") == "in_a_row") & (pl.col("times") >= LOOP_CALLS)
    weight = pl.col("weight").filter(whole).sum()
    return (
        rows.group_by(*EDGE, SAMPLING_KEY)
        .agg(
            loops=pl.col("weight").filter(looping).sum() / weight,
            many=pl.col("weight").filter(whole & (pl.col("times") > MANY_CALLS)).sum() / weight,
            mean=pl.col("weighted_calls").filter(whole).sum() / weight,
        )
        .filter(pl.col("mean") > 1)
        .sort(pl.max_horizontal("loops", "many") >= NOTED_SHARE, "mean", *EDGE, descending=[True, True, *[False] * 6])
        .head(MOST_EDGES)
        .select(*EDGE, SAMPLING_KEY)
    )


def _edge(key: Mapping[str, Any], rows: pl.DataFrame, trace_ids: list[str]) -> ChattyEdge:
    whole = rows.filter(measure="calls")
    requests, weight = int(whole["requests"].sum()), float(whole["weight"].sum())
    calls = _p95(whole)
    in_a_row, at_once = (_p95(_with_single(whole, rows.filter(measure=name))) for name in ("in_a_row", "at_once"))
    loops = _loops(whole, rows.filter((pl.col("measure") == "in_a_row") & (pl.col("times") >= LOOP_CALLS)))
    label = _label(calls, loops)
    document = {
        **key,
        "requests": requests,
        "mean_calls": float(whole["weighted_calls"].sum()) / weight,
        "p95_calls": calls.document(),
        "in_a_row_p95": in_a_row.value,
        "at_once_p95": at_once.value,
        "loop_share": loops.document(),
        "total_ms": float(whole["weighted_ns"].sum()) / weight / 1e6,
        "saved_ms": _saved_ns(rows) / weight / 1e6,
        "label": label,
        "trace_ids": trace_ids if label in ("loop", "batch") else [],
        "status": str(loops.state),
        "reason": loops.reason,
    }
    return ChattyEdge(document, calls, in_a_row, loops)


def _saved_ns(rows: pl.DataFrame) -> float:
    return float(rows.filter(measure="calls")["weighted_saved_ns"].sum())


def _with_single(whole: pl.DataFrame, several: pl.DataFrame) -> pl.DataFrame:
    """The rows of a measure together with the requests for which it is 1, which were not written down."""
    sums = list(_SUMS)
    rest = (
        pl.concat([whole.select("window_ns", *sums), several.select("window_ns", *(-pl.col(name) for name in sums))])
        .group_by("window_ns")
        .agg(pl.col(sums).sum())
        .with_columns(times=pl.lit(1, dtype=pl.Int32))
        .filter(pl.col("requests") > 0)
    )
    return pl.concat([rest.select("window_ns", "times", *sums), several.select("window_ns", "times", *sums)])


def _p95(rows: pl.DataFrame) -> Estimate:
    times, weight = rows["times"].to_numpy().astype(np.float64), rows["weight"].to_numpy()
    sample = WeightedValues.of(
        times, weight, n=int(rows["requests"].sum()), weight_squares=rows["weight_squares"].to_numpy()
    )
    by_block, _ = block_weights(sample, times, weight, rows["window_ns"].to_numpy())
    return in_time(quantile(sample, 0.95, "requests"), sample, 0.95, by_block)


def _loops(whole: pl.DataFrame, looping: pl.DataFrame) -> Estimate:
    """Share of the requests with at least LOOP_CALLS calls in a row."""
    by_block = whole.group_by("window_ns").agg(pl.col("weight").sum()).sort("window_ns")
    part = looping.group_by("window_ns").agg(looped=pl.col("weight").sum())
    joined = by_block.join(part, on="window_ns", how="left", maintain_order="left").fill_null(0.0)
    requests = int(whole["requests"].sum())
    return proportion_in_time(
        joined["looped"].to_numpy(),
        joined["weight"].to_numpy(),
        effective_size(whole["weight"].to_numpy(), whole["weight_squares"].to_numpy()),
        n=requests,
        minimum=NEEDED_REQUESTS,
        reason=f"{NEEDED_REQUESTS} requests that make this call are needed, {requests} came",
    )


def _label(calls: Estimate, loops: Estimate) -> str:
    if loops.state is not State.OK:
        return "unknown"
    if loops.low is not None and loops.low >= NOTED_SHARE:
        return "loop"
    return "batch" if calls.low is not None and calls.low > MANY_CALLS else "few"


def _worst_first(edge: ChattyEdge) -> tuple[int, float, list[str]]:
    document = edge.document
    rank = ("loop", "batch", "few", "unknown").index(document["label"])
    return rank, -document["mean_calls"], [document[name] for name in EDGE]
