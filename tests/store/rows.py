"""Interned batches and clocks for tests of the store."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from tracelith.model.facts import FactTable
from tracelith.model.schema import LINK, OPERATION, OPERATION_TEXT, RESOURCE, SPAN, WINDOW_NS, InternedBatch

T0 = 1_767_603_600_000_000_000
"""2026-01-05 09:00 UTC, the start of a window and of an hour."""

SECOND = 1_000_000_000
DAY = 86_400 * SECOND

COUNTS = FactTable(
    "counts",
    keys={"service": pl.String, "bucket": pl.Int32},
    sums={"calls": pl.Int64, "weight": pl.Float64},
    minima={"first_ns": pl.Int64},
    maxima={"last_ns": pl.Int64},
)


@dataclass(slots=True)
class Clock:
    """Wall time that tests set."""

    now_ns: int = T0

    def __call__(self) -> int:
        return self.now_ns

    def pass_seconds(self, seconds: float) -> None:
        self.now_ns += int(seconds * SECOND)


def window(number: int) -> int:
    """Start of the n-th window from T0."""
    return T0 + number * WINDOW_NS


def span(
    trace: int, span_id: int, start_ns: int, *, parent: int = 0, duration_ns: int = 1000, resource: int = 0
) -> dict:
    """One SPAN row of trace (0, trace)."""
    return {
        "trace_hi": 0, "trace_lo": trace, "span_id": span_id, "parent_id": parent, "start_ns": start_ns,
        "duration_ns": duration_ns, "resource": resource, "operation": 0, "status": 0, "outcome": 0, "attempt": 0,
        "defects": 0, "weight": None,
    }  # fmt: skip


def link(trace: int, span_id: int, start_ns: int, to_trace: int, to_span: int) -> dict:
    """One LINK row from (0, trace) to (0, to_trace)."""
    return {
        "trace_hi": 0, "trace_lo": trace, "span_id": span_id, "linked_trace_hi": 0, "linked_trace_lo": to_trace,
        "linked_span_id": to_span, "start_ns": start_ns,
    }  # fmt: skip


def resources(*environments: str, first: int = 0) -> pl.DataFrame:
    """One RESOURCE row per environment, coded from ``first``."""
    rows = [[first + i, f"svc{first + i}", name, "1", "i", "h", "go"] for i, name in enumerate(environments)]
    return pl.DataFrame(rows, RESOURCE, orient="row")


def operations() -> pl.DataFrame:
    """Operation 0."""
    row = ["GET /"] + [2 if dtype == pl.UInt8 else "" for dtype in list(OPERATION_TEXT.dtypes())[1:]]
    return pl.DataFrame([[0, *row]], OPERATION, orient="row")


def batch(spans: Iterable[dict] = (), links: Iterable[dict] = ()) -> InternedBatch:
    """Rows without new dimension rows."""
    return InternedBatch(
        pl.DataFrame(list(spans), SPAN), pl.DataFrame(list(links), LINK), RESOURCE.to_frame(), OPERATION.to_frame()
    )


def dimensions(*environments: str) -> InternedBatch:
    """Resource 0, 1, ... in these environments, and operation 0."""
    return InternedBatch(SPAN.to_frame(), LINK.to_frame(), resources(*(environments or ("prod",))), operations())


def counts(*rows: tuple[int, str, str, int, int, float, int, int]) -> pl.DataFrame:
    """Rows of COUNTS: window_ns, environment, service, bucket, calls, weight, first_ns, last_ns."""
    return pl.DataFrame(list(rows), COUNTS.schema, orient="row")
