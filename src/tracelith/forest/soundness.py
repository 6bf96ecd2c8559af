"""What is known of whole traces: their root, their weight, and clocks that cannot be right."""

import numpy as np
from numpy.typing import NDArray

from tracelith.compiled import compiled
from tracelith.forest.view import Bool, Float64, Int32, Int64

__all__ = ["find_roots", "implausible_spans", "least_inclusion"]

_EARLIEST_PLAUSIBLE_NS = 631_152_000_000_000_000
"""1990-01-01: no span is older than the machines that write them; clocks that lost their battery say 1970."""

_DAY_NS = 86_400_000_000_000
"""A span that starts a day after the middle of its trace, or lasts longer, tells of a clock rather than of work."""


@compiled
def find_roots(trace_first: Int32, true_root: Bool, handed_over: Bool) -> tuple[Int32, Int32]:
    """The earliest root of each trace (-1: none), and how many roots compete to be it.

    Args:
        trace_first: where each trace begins, one more at the end.
        true_root: spans without a parent that miss none.
        handed_over: spans that receive a message: one of them is the root only if nothing else is.
    """
    traces = trace_first.size - 1
    root, competing = np.full(traces, -1, np.int32), np.zeros(traces, np.int32)
    for trace in range(traces):
        received = -1
        for span in range(trace_first[trace + 1] - 1, trace_first[trace] - 1, -1):
            if true_root[span] and handed_over[span]:
                received = span
            elif true_root[span]:
                root[trace] = span
                competing[trace] += 1
        if root[trace] < 0:
            root[trace] = received
    return root, competing


@compiled
def least_inclusion(trace_first: Int32, weight: NDArray[np.float32]) -> Float64:
    """Adjusted count of each trace: that of its least likely span; NaN as soon as one is unknown (metrics.md §2.2).

    A count below 1 is none, so it reads as unknown.
    """
    counts = np.zeros(trace_first.size - 1, np.float64)
    for trace in range(trace_first.size - 1):
        for span in range(trace_first[trace], trace_first[trace + 1]):
            counts[trace] = max(counts[trace], weight[span])
            if not 0.999 <= weight[span] < np.inf:
                counts[trace] = np.nan
                break
    return counts


@compiled
def implausible_spans(trace_first: Int32, start_ns: Int64, duration_ns: Int64) -> Int32:
    """How many spans of each trace have times that no clock shows which goes right."""
    counts = np.zeros(trace_first.size - 1, np.int32)
    for trace in range(trace_first.size - 1):
        middle = float(start_ns[(trace_first[trace] + trace_first[trace + 1]) // 2])  # differences may overflow
        for span in range(trace_first[trace], trace_first[trace + 1]):
            late = start_ns[span] - middle > _DAY_NS
            if late or start_ns[span] < _EARLIEST_PLAUSIBLE_NS or duration_ns[span] > _DAY_NS:
                counts[trace] += 1
    return counts
