"""Time measured in requests: what only happens during working hours does not coincide for that reason alone."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

__all__ = ["RequestClock"]

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RequestClock:
    """How many requests came in from outside up to a moment, evenly within each window."""

    at_ns: Float64
    requests: Float64

    @classmethod
    def of(cls, entries: pl.DataFrame, end_ns: int) -> "RequestClock":
        """The clock of requests per window (columns window_ns and requests), up to the end of the period."""
        by_window = entries.group_by("window_ns").agg(pl.col("requests").sum()).sort("window_ns")
        at = np.append(by_window["window_ns"].to_numpy(), end_ns).astype(np.float64)
        return cls(at, np.append(0.0, np.cumsum(by_window["requests"].to_numpy())))

    def read(self, at_ns: ArrayLike) -> Float64:
        """Requests up to each moment."""
        return np.asarray(np.interp(np.asarray(at_ns, dtype=np.float64), self.at_ns, self.requests))

    @property
    def total(self) -> float:
        """Requests of the whole period, at least 1."""
        return max(float(self.requests[-1]), 1.0)
