"""What is known of each entry operation, from merged facts: depth and latency distributions and the chains taken."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.base import Evidence
from tracelith.analysis.chains.entry_latency import ENTRY_LATENCY, time_block_ns
from tracelith.analysis.chains.facts import CHAIN_DEPTH, CHAIN_EXEMPLARS, CHAIN_PATHS, path_of
from tracelith.analysis.exemplars import newest, slowest_ids
from tracelith.analysis.quality.trace_quality import (
    LARGEST_LOSS,
    LARGEST_ORPHAN_SHARE,
    ONLY_SHORT_ONES,
    orphan_shares,
)
from tracelith.analysis.shares import percent
from tracelith.analysis.statistics.histograms import ACCURACY, ZERO_BUCKET, coarse, representative, upper_edge
from tracelith.analysis.statistics.quantiles import WeightedValues, block_weights, in_time, quantile
from tracelith.analysis.statistics.weights import speaking_rows
from tracelith.model.findings import Estimate, State
from tracelith.model.schema import is_folded

__all__ = ["EntryOperation", "entry_operations"]

Float64 = NDArray[np.float64]

ENTRY = ["service", "operation", "restarted"]
NEEDED_TRACES = 200
MANY_OPERATIONS = (
    "operations beyond the limit of their service are counted together here; see which names it sends in data quality"
)

MOST_CHAINS = 20
"""Chains listed per entry operation; the rest is one request in many."""

HISTOGRAM_FACTOR = 8
"""Latency buckets shown are eight fine ones wide: 17 %, about fifteen to a decade."""


@dataclass(frozen=True, slots=True)
class EntryOperation:
    """One entry operation's document, with the estimate that findings are judged by."""

    document: dict[str, Any]
    p95: Estimate


def entry_operations(evidence: Evidence) -> list[EntryOperation]:
    """All entry operations, most traffic first; those that stand for many come last."""
    length = time_block_ns(evidence)
    depths = _by_entry(evidence.facts.by_window(CHAIN_DEPTH, length))
    latencies = _by_entry(evidence.facts.by_window(ENTRY_LATENCY, length))
    paths = _by_entry(evidence.facts.merged(CHAIN_PATHS))
    exemplars = _by_entry(newest(evidence.facts, CHAIN_EXEMPLARS), speaking=False)
    orphans = orphan_shares(evidence.facts)
    operations = [
        _operation(
            key,
            depths[key],
            latencies[key],
            _chains(paths[key], exemplars[key]),
            orphans.get(key[0], 0.0),
        )
        for key in latencies
    ]
    return sorted(operations, key=_most_traffic_first)


def _most_traffic_first(operation: EntryOperation) -> tuple[bool, int, str, str, bool]:
    document = operation.document
    return (
        is_folded(document["operation"]),
        -document["traces"],
        document["service"],
        document["operation"],
        document["restarted"],
    )


def _by_entry(rows: pl.DataFrame, *, speaking: bool = True) -> dict[tuple[str, str, bool], pl.DataFrame]:
    chosen = speaking_rows(rows, ENTRY) if speaking else rows
    parts = chosen.partition_by(ENTRY, as_dict=True, maintain_order=True)
    return {
        (str(service), str(operation), bool(restarted)): part for (service, operation, restarted), part in parts.items()
    }


def _operation(
    key: tuple[str, str, bool],
    depths: pl.DataFrame,
    latencies: pl.DataFrame,
    chains: list[dict[str, Any]],
    orphan_share: float,
) -> EntryOperation:
    traces = int(latencies["traces"].sum())
    state, reason = _judge(key[1], traces, orphan_share)
    depth, p95 = _depth(depths, state, reason)
    document = {
        "service": key[0],
        "operation": key[1],
        "traces": traces,
        "restarted": key[2],
        "depth": depth,
        "latency_ms": _latency(latencies, state, orphan_share),
        "latency_histogram": _histogram(latencies),
        "chains": chains,
        "status": str(state),
        "reason": reason,
    }
    return EntryOperation(document, p95)


def _judge(operation: str, traces: int, orphan_share: float) -> tuple[State, str]:
    if is_folded(operation):
        return State.NOT_IDENTIFIABLE, MANY_OPERATIONS
    if traces < NEEDED_TRACES:
        seen = f"{NEEDED_TRACES} complete traces are needed, {traces} came; analyse a longer period"
        return State.INSUFFICIENT_DATA, seen
    if orphan_share >= LARGEST_ORPHAN_SHARE:
        seen = (
            f"{percent(orphan_share)} of the spans around it lack their parent, so chains would look too short; "
            f"below {percent(LARGEST_ORPHAN_SHARE)} is needed"
        )
        return State.INSUFFICIENT_DATA, seen
    return State.OK, ""


def _sample(rows: pl.DataFrame, values: Float64) -> WeightedValues:
    squares = rows["weight_squares"].to_numpy()
    return WeightedValues.of(values, rows["weight"].to_numpy(), n=int(rows["traces"].sum()), weight_squares=squares)


def _estimates(rows: pl.DataFrame, values: Float64, qs: dict[str, float]) -> dict[str, Estimate]:
    sample = _sample(rows, values)
    by_block, _ = block_weights(sample, values, rows["weight"].to_numpy(), rows["window_ns"].to_numpy())
    return {name: in_time(quantile(sample, q, "complete traces"), sample, q, by_block) for name, q in qs.items()}


def _depth(rows: pl.DataFrame, state: State, reason: str) -> tuple[dict[str, Any], Estimate]:
    critical = rows.filter(measure="critical")
    hops = critical["hops"].to_numpy().astype(np.float64)
    estimates = _estimates(critical, hops, {"p50": 0.5, "p95": 0.95})
    if state is not State.OK:
        estimates = {name: _unread(estimate, state, reason) for name, estimate in estimates.items()}
    p95 = estimates["p95"]
    document = {
        "p50": estimates["p50"].document(),
        "p95": p95.document(),
        "max": int(hops.max()),
        "histogram": _hop_histogram(critical),
        "any_path_p95": _plain_p95(rows.filter(measure="any"), p95),
        "with_peers_p95": _plain_p95(rows.filter(measure="with_peers"), p95),
        "band": "unknown" if p95.value is None else _band(p95.value),
    }
    return document, p95


def _unread(estimate: Estimate, state: State, reason: str) -> Estimate:
    return Estimate(None, n=estimate.n, n_eff=estimate.n_eff, state=state, reason=reason)


def _band(hops: float) -> str:
    return next(name for name, least in (("extreme", 7), ("high", 5), ("elevated", 3), ("typical", 0)) if hops >= least)


def _plain_p95(rows: pl.DataFrame, headline: Estimate) -> float | None:
    if headline.value is None or rows.is_empty():
        return None
    return float(_sample(rows, rows["hops"].to_numpy().astype(np.float64)).at(0.95))


def _hop_histogram(rows: pl.DataFrame) -> list[dict[str, Any]]:
    total = rows["weight"].sum()
    merged = rows.group_by("hops").agg(pl.col("traces").sum(), share=pl.col("weight").sum() / total).sort("hops")
    return merged.select("hops", "traces", "share").to_dicts()


def _latency(rows: pl.DataFrame, state: State, orphan_share: float) -> dict[str, Any]:
    values = representative(rows["bucket"].to_numpy()) / 1e6
    estimates = _estimates(rows, values, {"p50": 0.5, "p95": 0.95, "p99": 0.99})
    if state is State.NOT_IDENTIFIABLE:
        estimates = {name: _unread(estimate, state, MANY_OPERATIONS) for name, estimate in estimates.items()}
    elif orphan_share >= LARGEST_LOSS:
        lacking = State.INSUFFICIENT_DATA
        estimates = {name: _unread(estimate, lacking, ONLY_SHORT_ONES) for name, estimate in estimates.items()}
    return {name: _within_buckets(estimate).document() for name, estimate in estimates.items()}


def _within_buckets(estimate: Estimate) -> Estimate:
    """The estimate with its interval wide enough for what buckets do not tell: no bound is known better than 1 %."""
    if estimate.low is None or estimate.high is None:
        return estimate
    return replace(estimate, low=estimate.low / (1 + ACCURACY), high=estimate.high / (1 - ACCURACY))


def _histogram(rows: pl.DataFrame) -> list[dict[str, Any]]:
    bucket = coarse(rows["bucket"].to_numpy(), HISTOGRAM_FACTOR)
    merged = (
        rows.select("traces", bucket=pl.Series(bucket)).group_by("bucket").agg(pl.col("traces").sum()).sort("bucket")
    )
    coarse_bucket = merged["bucket"].to_numpy().astype(np.int64)
    first = np.where(coarse_bucket == ZERO_BUCKET, ZERO_BUCKET, coarse_bucket * HISTOGRAM_FACTOR)
    last = np.where(coarse_bucket == ZERO_BUCKET, ZERO_BUCKET, first + HISTOGRAM_FACTOR - 1)
    edges = pl.DataFrame({"from_ms": upper_edge(first - 1) / 1e6, "to_ms": upper_edge(last) / 1e6})
    return edges.with_columns(merged["traces"]).to_dicts()


def _chains(paths: pl.DataFrame, exemplars: pl.DataFrame) -> list[dict[str, Any]]:
    total = paths["weight"].sum()
    ids = {
        str(path): slowest_ids(part["rank"]) for (path,), part in exemplars.partition_by("path", as_dict=True).items()
    }
    top = paths.sort("weight", "path", descending=[True, False]).head(MOST_CHAINS)
    return [
        {
            "services": path_of(row["path"]),
            "hops": len(path_of(row["path"])) - 1,
            "traces": row["traces"],
            "share": row["weight"] / total,
            "mean_ms": row["weighted_ns"] / row["weight"] / 1e6,
            "trace_ids": ids.get(row["path"], []),
        }
        for row in top.to_dicts()
    ]
