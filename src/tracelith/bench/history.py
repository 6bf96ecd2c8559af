"""A past for a database: windows of about 20,000 spans, stored as the receiver stores them, not analysed yet."""

import time

from tracelith.bench.payloads import BatchMaker
from tracelith.bench.shop import shop_template
from tracelith.ingest.commit import SpanWriter
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import describe
from tracelith.store import Store

__all__ = ["write_history"]

BATCH = 8192
BATCHES_PER_COMMIT = 16
BATCH_SPACING_NS = 130_000_000_000
SPANS_PER_TRACE = 12
"""About as many as the shop writes per request; only how evenly traces lie in time depends on it."""


def write_history(store: Store, spans: int, *, start_ns: int) -> tuple[int, list[int]]:
    """Stores at least that many spans of the shop, evenly in time.

    Returns:
        How many spans, and the windows of analysis they start in.
    """
    writer = SpanWriter(store)
    spacing = BATCH_SPACING_NS * SPANS_PER_TRACE // BATCH
    maker = BatchMaker(shop_template(BATCH, start_ns=time.time_ns(), trace_spacing_ns=spacing))
    first, stored, windows = 0, 0, set[int]()
    while stored < spans:
        made = [maker.make(start_ns + (first + number) * BATCH_SPACING_NS) for number in range(BATCHES_PER_COMMIT)]
        writer.write([describe(decode_requests([one.body for one in made]).raw)])
        first += len(made)
        stored += sum(one_of for one in made for _, one_of in one.spans_by_window)
        windows.update(window for one in made for window, _ in one.spans_by_window)
    return stored, sorted(windows)
