"""Adjusted counts: how many spans one sampled span stands for, as its trace state tells.

Absent means unknown, never 1 (metrics.md §2.1). Source: OpenTelemetry specification, "TraceState: Probability
Sampling" and its experimental predecessor with ``p`` and ``r`` values.
"""

import polars as pl

__all__ = ["adjusted_counts"]

_VENDOR_ENTRY = r"(?:^|,)\s*ot=([^,]*)"
_THRESHOLD = r"(?:^|;)th:([0-9a-f]{1,14})(?:;|\s*$)"
_POWER = r"(?:^|;)p:([0-9]{1,2})(?:;|\s*$)"
_SPACE = 1 << 56
_HIGHEST_POWER = 62  # 63 means probability zero: kept for another reason, stands for no known number


def adjusted_counts(trace_states: pl.Series) -> pl.Series:
    """Float32, one per W3C tracestate; null where the sampling probability is unknown.

    ``ot=th:T`` rejects a share T / 2^56 after padding T with zeros to 14 hexadecimal digits, so one kept span stands
    for 2^56 / (2^56 - T). The older ``ot=p:N`` means probability 2^-N.
    """
    if not trace_states.max():  # most senders leave it empty
        return pl.Series([None], dtype=pl.Float32).new_from_index(0, len(trace_states))
    entry = pl.col("state").str.extract(_VENDOR_ENTRY)
    rejected = entry.str.extract(_THRESHOLD).str.pad_end(14, "0").str.to_integer(base=16, dtype=pl.Int64)
    by_threshold = _SPACE / (_SPACE - rejected).cast(pl.Float64)
    power = entry.str.extract(_POWER).str.to_integer(dtype=pl.Int64)
    by_power = pl.when(power <= _HIGHEST_POWER).then(pl.lit(2.0).pow(power))
    states = pl.DataFrame({"state": trace_states.cast(pl.String)})
    return states.select(weight=pl.coalesce(by_threshold, by_power).cast(pl.Float32)).to_series()
