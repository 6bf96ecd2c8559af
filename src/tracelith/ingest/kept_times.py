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

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tracelith.ingest.decode import DecodedRequests, RequestVerdict
from tracelith.ingest.flatten import without_spans
from tracelith.model.schema import Rejection

__all__ = ["DAY_NS", "TOO_EARLY", "TOO_LATE", "KeptTimes", "kept_times", "refuse_other_times"]

DAY_NS = 86_400_000_000_000

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


def kept_times(fact_days: float, clock_ns: Callable[[], int]) -> Callable[[], KeptTimes]:
    """The times to take, as of each call."""

    def now() -> KeptTimes:
        now_ns = clock_ns()
        return KeptTimes(now_ns - int(fact_days * DAY_NS), now_ns + DAY_NS)

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
    causes = ", ".join(f"{why} ({count})" for why, count in ((TOO_EARLY, early), (TOO_LATE, late)) if count)
    said = f"{refused} {'span' if refused == 1 else 'spans'} refused: {causes}"
    return replace(
        verdict,
        accepted=verdict.accepted - refused,
        rejected=verdict.rejected + refused,
        reason="; ".join(filter(None, (verdict.reason, said))),
    )
