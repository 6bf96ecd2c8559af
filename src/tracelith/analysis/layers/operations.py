"""How much each operation of a service adds to what it calls, from merged facts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.layers.facts import HANDED_ON, OWN_SHARES, SMALL_SHARE
from tracelith.analysis.statistics.intervals import proportion_interval
from tracelith.model.findings import Estimate, State
from tracelith.model.schema import is_folded

__all__ = ["LEAST_PURITY", "LEAST_SINGLE_CALLS", "NEEDED_REQUESTS", "judged_operations", "operation_document"]

LEAST_SINGLE_CALLS = 0.8
"""Lower bound of the share of requests that make one call and nothing else (metrics.md §11)."""

LEAST_PURITY = 0.9
"""Share of these calls that go to the usual operation (metrics.md §11)."""

LEAST_LIGHTER = 0.25
"""Lower bound of the share of requests whose own time is less than what their call loses on the way (own): what the
service does is then of the order of what it costs to have it. A service without data that computes for a while before
it asks a slow one has a small share of own time, too; in random systems a third of those that were found without this
had been given work, and had shares up to .08 here, those that were planted .42 and more."""

NEEDED_REQUESTS = 20
"""Of an operation (own): as many as a median needs anywhere else. A service needs more, see services."""

Float64 = NDArray[np.float64]

_OPERATION = ["service", "operation"]
_SUMS = tuple(HANDED_ON.sums)


def judged_operations(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per operation that requests were handled under.

    Args:
        rows: merged facts of HANDED_ON.

    Returns:
        service, operation, the sums of HANDED_ON, single (requests with one call), single_share, single_low,
        single_high, lighter_low (lower bound of lighter / timed), own_time_share (median of single requests, null
        without), callee, callee_operation (the usual ones, null
        without), purity, and passes: whether the operation hands on what it is asked, by all measures.
    """
    single = rows.filter(pl.col("callee") != "")
    totals = rows.group_by(_OPERATION).agg(pl.col(_SUMS).sum())
    judged = (
        totals.join(_usual_calls(single), on=_OPERATION, how="left")
        .join(_own_time(single), on=_OPERATION, how="left")
        .with_columns(pl.col("single").fill_null(0))
        .sort(_OPERATION)
    )
    low, high = proportion_interval(judged["single"].to_numpy(), judged["requests"].to_numpy())
    lighter, _ = proportion_interval(judged["lighter"].to_numpy(), judged["timed"].to_numpy())
    folded = [is_folded(name) for name in judged["operation"]]
    return judged.with_columns(
        single_share=pl.col("single") / pl.col("requests"),
        single_low=low,
        single_high=high,
        lighter_low=lighter,
        folded=pl.Series(folded, dtype=pl.Boolean),
    ).with_columns(
        passes=~pl.col("folded")
        & (pl.col("requests") >= NEEDED_REQUESTS)
        & (pl.col("single_low") > LEAST_SINGLE_CALLS)
        & (pl.col("own_time_share") < SMALL_SHARE).fill_null(False)
        & ((pl.col("lighter_low") > LEAST_LIGHTER) | (pl.col("timed") == 0))
        & (pl.col("purity") > LEAST_PURITY).fill_null(False)
    )


def operation_document(row: Mapping[str, Any]) -> dict[str, Any]:
    """The document of one row of judged_operations.

    Its index is single calls x others' time x purity (metrics.md §11), with the interval of the single calls.
    """
    requests = row["requests"]
    state, reason = _state(row)
    known = state is State.OK
    own, purity = row["own_time_share"], row["purity"]
    return {
        "operation": row["operation"],
        "requests": requests,
        "single_call_share": _estimate(row, 1.0, state, reason).document(),
        "own_time_share": own if known else None,
        "callee": row["callee"],
        "callee_operation": row["callee_operation"],
        "purity": purity if known else None,
        "index": _estimate(row, (1 - (own or 0.0)) * (purity or 0.0), state, reason).document(),
        "passes_through": row["passes"],
        "status": str(state),
        "reason": reason,
    }


def _estimate(row: Mapping[str, Any], factor: float, state: State, reason: str) -> Estimate:
    requests = row["requests"]
    if state is not State.OK:
        return Estimate(None, n=requests, n_eff=float(requests), state=state, reason=reason)
    share, low, high = (factor * row[name] for name in ("single_share", "single_low", "single_high"))
    return Estimate(share, low, high, requests, float(requests))


def _state(row: Mapping[str, Any]) -> tuple[State, str]:
    if row["folded"]:
        return State.NOT_IDENTIFIABLE, "many operations are counted together under this name"
    if row["requests"] < NEEDED_REQUESTS:
        return State.INSUFFICIENT_DATA, f"{NEEDED_REQUESTS} requests are needed, {row['requests']} came"
    return State.OK, ""


def _usual_calls(single: pl.DataFrame) -> pl.DataFrame:
    """Per operation: requests with a single call, what they usually call, and how many of them call it."""
    called = single.group_by(*_OPERATION, "callee", "callee_operation").agg(pl.col("requests").sum().alias("count"))
    return (
        called.sort("count", "callee", "callee_operation", descending=[True, False, False])
        .group_by(_OPERATION, maintain_order=True)
        .agg(
            pl.col("callee", "callee_operation").first(),
            purity=pl.col("count").first() / pl.col("count").sum(),
            single=pl.col("count").sum(),
        )
    )


def _own_time(single: pl.DataFrame) -> pl.DataFrame:
    """Per operation: the median share of own time of the requests with a single call, interpolated in its bucket."""
    counted = (
        single.group_by(*_OPERATION, "own_share")
        .agg(pl.col("requests").sum().alias("count"))
        .sort(*_OPERATION, "own_share")
        .with_columns(upto=pl.col("count").cum_sum().over(_OPERATION), half=pl.col("count").sum().over(_OPERATION) / 2)
        .filter(pl.col("upto") >= pl.col("half"))
        .unique(_OPERATION, keep="first", maintain_order=True)
    )
    borders = np.array(OWN_SHARES)
    bucket = counted["own_share"].to_numpy()
    before = (counted["upto"] - counted["count"]).to_numpy()
    within: Float64 = (counted["half"].to_numpy() - before) / np.maximum(counted["count"].to_numpy(), 1)
    median = borders[bucket] + within * (borders[np.minimum(bucket + 1, len(borders) - 1)] - borders[bucket])
    return counted.select(_OPERATION).with_columns(own_time_share=pl.Series(median, dtype=pl.Float64))
