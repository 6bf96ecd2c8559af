"""Spans are taken if their time is one that is kept: not before the oldest facts, and not after tomorrow.

Every span opens a window of analysis at the time it says, and windows are remembered. Senders with broken clocks, or
hostile ones, could open ten million of them by spreading spans over a century. What lies in the future would also
never grow old enough to be deleted. So the receiver refuses both sides, span by span, with a reason that the sender
gets and the data quality page shows:

- The future begins a day from now. A clock in the wrong time zone is up to fourteen hours ahead; such spans are
  taken, and found to be wrong beside others of their trace.
- The past ends where facts are deleted, 400 days ago by default: what is older would be analysed and forgotten in the
  next hour. Last year's files can be imported; for older ones set ``fact_days``, or analyse the files by themselves,
  where no time is refused, as nobody else's windows can suffer.

Clipping the times was the alternative: it would put requests where they never happened. How long a span lasts opens
no windows, so an end in 2200 is no reason to refuse it; implausible durations are counted by the forest.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tracelith.ingest.decode import DecodedRequests, RequestVerdict, refusal_sentence
from tracelith.ingest.flatten import without_spans
from tracelith.model.schema import Rejection

__all__ = ["DAY_NS", "TOO_EARLY", "TOO_LATE", "KeptTimes", "kept_times", "refuse_other_times"]

DAY_NS = 86_400_000_000_000
WRITTEN_NS = 1_793_491_200_000_000_000
"""2026-11-01: a clock that tells an earlier time is wrong, as machines without a battery are until they are told."""

LAST_NS = 2**63 - 1

TOO_EARLY = (
    "start times must lie within the time the server keeps (its setting fact_days); "
    "check the sender's clock and the unit of its times"
)
TOO_LATE = "start times must not lie more than a day ahead; check the sender's clock and the unit of its times"


@dataclass(frozen=True, slots=True)
class KeptTimes:
    """Start times that are taken, both ends included."""

    earliest_ns: int
    latest_ns: int


def kept_times(
    fact_days: float,
    clock_ns: Callable[[], int] = time.time_ns,
    steady_ns: Callable[[], int] = time.monotonic_ns,
) -> Callable[[], KeptTimes]:
    """The times to take, as of each call.

    A wrong clock of this machine must not make it refuse sound spans. If the clock leaps while the server runs, both
    the time it tells and the time it would have told without the leap count; a clock that is behind this software
    knows no future.

    Args:
        fact_days: how long facts are kept. clock_ns: wall time. steady_ns: a clock that never leaps, of any origin.
    """
    offset_ns = clock_ns() - steady_ns()

    def now() -> KeptTimes:
        told_ns, expected_ns = clock_ns(), steady_ns() + offset_ns
        latest_ns = max(told_ns, expected_ns) + DAY_NS if told_ns >= WRITTEN_NS else LAST_NS
        return KeptTimes(min(told_ns, expected_ns) - int(fact_days * DAY_NS), latest_ns)

    return now


def refuse_other_times(decoded: DecodedRequests, times: KeptTimes) -> DecodedRequests:
    """The requests without spans that start at other times, which their verdicts and the rejections count."""
    start = decoded.raw.spans["start_ns"].to_numpy()
    if not start.size or (start.min() >= times.earliest_ns and start.max() <= times.latest_ns):
        return decoded
    early, late = start < times.earliest_ns, start > times.latest_ns
    requests = len(decoded.verdicts)
    request = np.repeat(np.arange(requests), [verdict.accepted for verdict in decoded.verdicts])
    counts = [np.bincount(request[refused], minlength=requests) for refused in (early, late)]
    raw = without_spans(decoded.raw, early | late)
    totals = ((TOO_EARLY, int(early.sum())), (TOO_LATE, int(late.sum())))
    rejections = tuple(Rejection(reason, spans) for reason, spans in totals if spans)
    return DecodedRequests(
        replace(raw, rejections=(*raw.rejections, *rejections)),
        tuple(
            _with_refused(verdict, int(too_early), int(too_late))
            for verdict, too_early, too_late in zip(decoded.verdicts, *counts, strict=True)
        ),
    )


def _with_refused(verdict: RequestVerdict, early: int, late: int) -> RequestVerdict:
    refused = early + late
    if not refused:
        return verdict
    said = refusal_sentence({why: count for why, count in ((TOO_EARLY, early), (TOO_LATE, late)) if count})
    return replace(
        verdict,
        accepted=verdict.accepted - refused,
        rejected=verdict.rejected + refused,
        reason="; ".join(filter(None, (verdict.reason, said))),
    )
