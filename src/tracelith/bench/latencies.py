"""Latencies of any number of requests in bounded memory: counts per bucket of two percent."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Latencies", "LatencyFigures"]

SMALLEST_MS = 0.01
GROWTH = 1.02
BUCKETS = 1 + math.ceil(math.log(1e9) / math.log(GROWTH))
"""From ten microseconds to two and a half hours."""


@dataclass(frozen=True, slots=True)
class LatencyFigures:
    """Quantiles and the slowest, in milliseconds and within two percent; None of no request at all."""

    p50: float | None
    p99: float | None
    max: float | None


class Latencies:
    """A histogram to add to. Not thread safe."""

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros(BUCKETS, np.int64)

    def add(self, latency_ms: float) -> None:
        """Counts one request."""
        bucket = math.ceil(math.log(max(latency_ms, SMALLEST_MS) / SMALLEST_MS) / math.log(GROWTH))
        self.counts[min(bucket, BUCKETS - 1)] += 1

    def figures(self, since: NDArray[np.int64] | None = None) -> LatencyFigures:
        """Figures of all requests, or of those counted since a copy of the counts was taken."""
        counts = self.counts if since is None else self.counts - since
        total = int(counts.sum())
        if not total:
            return LatencyFigures(None, None, None)
        reached = np.cumsum(counts)
        p50, p99, largest = (
            SMALLEST_MS * GROWTH ** int(np.searchsorted(reached, max(1, math.ceil(share * total))))
            for share in (0.5, 0.99, 1.0)
        )
        return LatencyFigures(round(p50, 2), round(p99, 2), round(largest, 2))
