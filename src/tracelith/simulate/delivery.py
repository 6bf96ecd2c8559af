"""Which spans arrive, and with which times: clocks, samplers, and what exporters lose or send twice.

In the order of reality: a sampler decides before a span is written, the clock of its host times it, its exporter
sends it with others, and a Collector that samples by the tail sees only what has come.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.defects import Defects, HeadSampling, TailSampling
from tracelith.simulate.random_bits import chance, mix, normal
from tracelith.simulate.recording import process_of
from tracelith.simulate.span_table import SpanTable

__all__ = ["Delivery", "deliver", "threshold"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
UInt64 = NDArray[np.uint64]

_CLOCK, _, _LOST_SPAN, _LOST_BATCH, _TWICE, _KEPT = range(100, 106)  # independent random bits; a clock takes two
_EXPORT_US = 5_000_000  # an SDK's batch processor exports every five seconds
_RESEND_US = 10_000_000  # and takes an export for failed after ten
_SPACE = 1 << 56
_DIGITS = 5
"""Hexadecimal digits of a threshold beyond leading f: the probability is off by less than one part in 100,000."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What arrives: spans, and when each leaves for the last time (leaving_us, int64[n])."""

    spans: SpanTable
    leaving_us: Ints


def deliver(spans: SpanTable, defects: Defects, seed: int) -> Delivery:
    """What arrives of the spans that were written, copies included."""
    if defects.head is not None:
        spans = _head_sampled(spans, defects.head)
    leaving_us = spans.end_us  # by the true time: a wrong clock does not send earlier
    if defects.skew_ms:
        spans = _skewed(spans, defects.skew_ms, seed)
    rows, copies = _exported(spans, leaving_us, defects, seed)
    leaving_us = np.concatenate([leaving_us[rows], leaving_us[copies] + _RESEND_US])
    spans = spans.take(np.concatenate([rows, copies]))
    if defects.tail is not None and spans.size:
        kept = _tail_sampled(spans, defects.tail, seed)
        spans, leaving_us = spans.take(kept), leaving_us[kept]
    return Delivery(spans, leaving_us)


def threshold(probability: float) -> tuple[int, str]:
    """Rejection threshold of a consistent sampler, as a number below 2^56 and as the digits of ``th``.

    A trace is kept if the low 56 bits of its id reach the number. Trailing zeros are not written.

    Source: OpenTelemetry specification, "TraceState: Probability Sampling" (OTEP 235); metrics.md §2.1.
    """
    exact = round((1 - probability) * _SPACE)
    digits = f"{min(exact, _SPACE - 1):014x}"
    kept = len(digits) - len(digits.lstrip("f")) + _DIGITS
    unit = 16 ** max(len(digits) - kept, 0)
    rounded = min((exact + unit // 2) // unit * unit, _SPACE - 1)
    return rounded, f"{rounded:014x}".rstrip("0") or "0"


def _head_sampled(spans: SpanTable, sampling: HeadSampling) -> SpanTable:
    rejected, digits = threshold(sampling.probability)
    kept = spans.take(spans.trace_lo & np.uint64(_SPACE - 1) >= np.uint64(rejected))
    if not sampling.threshold_written:
        return kept
    return replace(kept, shapes=tuple(replace(shape, trace_state=f"ot=th:{digits}") for shape in kept.shapes))


def _skewed(spans: SpanTable, skew_ms: float, seed: int) -> SpanTable:
    """Each process runs on a host of its own, with its sidecar."""
    hosts, host = np.unique(process_of(spans.resource), return_inverse=True)
    offset_us = np.rint(normal(hosts.astype(np.uint64), seed + _CLOCK) * (skew_ms * 1_000)).astype(np.int64)[host]
    return replace(spans, start_us=spans.start_us + offset_us, end_us=spans.end_us + offset_us)


def _exported(spans: SpanTable, leaving_us: Ints, defects: Defects, seed: int) -> tuple[Ints, Ints]:
    """Rows that arrive, and rows that arrive once more."""
    arrives = np.ones(spans.size, np.bool_)
    if defects.lost_spans:
        arrives &= chance(spans.span_id, seed + _LOST_SPAN) >= defects.lost_spans
    if defects.lost_batches or defects.duplicated_batches:
        batch = _batches(spans, leaving_us)
        arrives &= chance(batch, seed + _LOST_BATCH) >= defects.lost_batches
        twice = arrives & (chance(batch, seed + _TWICE) < defects.duplicated_batches)
        return np.flatnonzero(arrives), np.flatnonzero(twice)
    return np.flatnonzero(arrives), np.empty(0, np.int64)


def _batches(spans: SpanTable, leaving_us: Ints) -> UInt64:
    """A number for what one process, or its sidecar, exports at once: all spans that ended since the last export."""
    process = mix(spans.resource.astype(np.uint64), 0)
    phase_us = (process % np.uint64(_EXPORT_US)).astype(np.int64)
    return process + ((leaving_us + phase_us) // _EXPORT_US).astype(np.uint64)


def _tail_sampled(spans: SpanTable, sampling: TailSampling, seed: int) -> Bools:
    """Whole traces with a failed span, or from whose first start to last end it took too long, or by chance.

    That is how the Collector's tail sampling takes status and latency.
    """
    failing = np.array([shape.failed for shape in spans.shapes], np.bool_)
    ids, trace = np.unique(spans.trace_lo, return_inverse=True)
    order = np.argsort(trace, kind="stable")
    first = np.searchsorted(trace[order], np.arange(ids.size))
    took_us = np.maximum.reduceat(spans.end_us[order], first) - np.minimum.reduceat(spans.start_us[order], first)
    failed = np.bincount(trace, weights=failing[spans.shape], minlength=ids.size) > 0
    kept = failed | (took_us > sampling.slower_than_ms * 1_000) | (chance(ids, seed + _KEPT) < sampling.base)
    chosen: Bools = kept[trace]
    return chosen
