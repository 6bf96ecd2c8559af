"""Logarithmic duration buckets that merge exactly by adding counts (metrics.md §3).

The mapping is DDSketch's (Masson, Rim and Lee, VLDB 2019, §2.1) with relative accuracy 1 %: bucket i holds
(γ^(i-1), γ^i] with γ = 1.01/0.99, and 2γ^i/(γ+1) stands for all of it. Durations are whole nanoseconds; a duration
of zero has a bucket of its own. Several neighbouring buckets form a coarser one by integer division, so a
coarse histogram is a sum of fine ones.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ACCURACY", "GAMMA", "ZERO_BUCKET", "bucket_of", "coarse", "representative", "upper_edge"]

Int32 = NDArray[np.int32]
Float64 = NDArray[np.float64]

ACCURACY = 0.01
GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = float(np.log(GAMMA))

ZERO_BUCKET = -1
"""Bucket of a zero duration, below the bucket 0 of one nanosecond."""


def bucket_of(duration_ns: ArrayLike) -> Int32:
    """Bucket of each duration: ⌈log_γ x⌉, ZERO_BUCKET for zero."""
    durations = np.asarray(duration_ns, dtype=np.float64)
    # The tiny slack keeps an exact power of gamma in its own bucket when the logarithm rounds up.
    index = np.ceil(np.log(np.maximum(durations, 1.0)) / _LOG_GAMMA - 1e-9).astype(np.int32)
    index[durations < 1] = ZERO_BUCKET
    return index


def representative(bucket: ArrayLike) -> Float64:
    """The duration in nanoseconds that stands for a bucket, within 1 % of all it holds; 0 for ZERO_BUCKET."""
    index = np.asarray(bucket, dtype=np.float64)
    return np.where(index < 0, 0.0, 2 * GAMMA**index / (GAMMA + 1))


def upper_edge(bucket: ArrayLike) -> Float64:
    """The largest duration in nanoseconds a bucket holds."""
    index = np.asarray(bucket, dtype=np.float64)
    return np.where(index < 0, 0.0, GAMMA**index)


def coarse(bucket: Int32, factor: int) -> Int32:
    """Coarse bucket of each fine one: ``factor`` neighbours become one; ZERO_BUCKET stays alone."""
    return bucket // np.int32(factor)  # rounds down, so that ZERO_BUCKET stays what it is
