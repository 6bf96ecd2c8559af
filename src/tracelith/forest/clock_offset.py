"""How far the clocks of two hosts are apart, from the calls between them.

A server answers while its client waits. So each awaited call says between which bounds the offset between the two
clocks lies, and several calls together say it far better than one.

The estimate is made within one trace. More calls of the same minute would narrow it further, but which traces are
read together is an accident of batching, and the same trace must have the same critical path in whatever company it
is read. Estimates over all traces of a minute would need a pass of their own over the store before the paths.

Only calls already known to be awaited may be used: whatever moves spans into their parents before that decision turns
late deferred work into waiting.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelith.forest.view import Bool, Int32, Int64

__all__ = ["CLOCK_GRAIN_NS", "ClockOffsets", "HostCalls", "clock_offsets"]

CLOCK_GRAIN_NS = 1_000
"""Jaeger and Zipkin round to microseconds; less is rounding, not skew."""

_MINUTE_NS = 60_000_000_000
"""Clocks drift and are set: an offset holds for about a minute (metrics.md §1.4)."""

_LENGTHENING = 100
"""A server longer than its client by more than a hundredth was not waited for to its end (metrics.md §1.4)."""


@dataclass(frozen=True, slots=True)
class HostCalls:
    """Awaited calls between hosts, one entry each.

    Attributes:
        trace: int32[m], index of the trace. caller_clock, callee_clock: int32[m], equal for spans of one clock.
        since_ns: int64[m], start of the client after the start of its trace.
        client_start_ns, client_ns, server_start_ns, server_ns: int64[m], both sides, each on its own clock.
        answered: bool[m], the client got its answer; one that gave up says nothing about when the server worked.
    """

    trace: Int32
    caller_clock: Int32
    callee_clock: Int32
    since_ns: Int64
    client_start_ns: Int64
    client_ns: Int64
    server_start_ns: Int64
    server_ns: Int64
    answered: Bool


@dataclass(frozen=True, slots=True)
class ClockOffsets:
    """Attributes: offset_ns: int64[m], to add to the callee's clock. confident: bool[m], all evidence agrees."""

    offset_ns: Int64
    confident: Bool


def clock_offsets(calls: HostCalls) -> ClockOffsets:
    """The offset of each call's callee against its caller: one per trace, caller host, callee host and minute.

    A server span fits into its client's if the offset lies in [client start − server start, client end − server end];
    a server longer than its client by up to 1 % is taken to be as long. The offset is the middle of what all calls
    allow; 0 if the clocks agree to a microsecond as they are. If nothing suits all calls, it is the median of their
    middles and not confident; without evidence it is 0 and not confident.

    Source: metrics.md §1.4; limit of 1 % after CRISP.
    """
    keys = ("trace", "caller_clock", "callee_clock", "minute")
    earliest, latest = pl.col("earliest").max().over(keys), pl.col("latest").min().over(keys)
    middle = pl.col("earliest") + (pl.col("latest") - pl.col("earliest")) // 2
    estimated = (
        _bounds(calls)
        .select(earliest.alias("low"), latest.alias("high"), middle.median().over(keys).alias("median"))
        .with_columns(agree=(pl.col("low") <= pl.col("high") + CLOCK_GRAIN_NS).fill_null(False))
        .select(
            "agree",
            offset=pl.when(~pl.col("agree"))
            .then(pl.col("median").cast(pl.Int64, strict=False))
            .when((pl.col("low") <= CLOCK_GRAIN_NS) & (pl.col("high") >= -CLOCK_GRAIN_NS))
            .then(0)
            .otherwise(pl.col("low") + (pl.col("high") - pl.col("low")) // 2)
            .fill_null(0),
        )
    )
    return ClockOffsets(estimated["offset"].to_numpy(), estimated["agree"].to_numpy())


def _bounds(calls: HostCalls) -> pl.DataFrame:
    """What each call allows; null where it is no evidence."""
    earliest = calls.client_start_ns - calls.server_start_ns
    spare = np.maximum(calls.client_ns - calls.server_ns, 0)
    telling = calls.answered & (calls.server_ns <= calls.client_ns + calls.client_ns // _LENGTHENING)
    bounds = pl.DataFrame(
        {
            "trace": calls.trace,
            "caller_clock": calls.caller_clock,
            "callee_clock": calls.callee_clock,
            "minute": calls.since_ns // _MINUTE_NS,
            "earliest": earliest,
            "latest": earliest + spare,
            "telling": telling,
        }
    )
    return bounds.with_columns(pl.when("telling").then(pl.col("earliest", "latest")))
