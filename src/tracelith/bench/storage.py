"""What a span costs at rest: bytes of the closed database file, by table and column.

Every request is committed alone, as under light load: many small commits are what a file could suffer from.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tracelith.bench.payloads import BatchMaker, Traces, build_template
from tracelith.ingest.commit import GroupCommitter
from tracelith.store import Store
from tracelith.store.file_bytes import file_bytes

__all__ = ["BATCHES", "StorageFigures", "bench_storage"]

BATCHES = (512, 8192)
"""What SDKs send unless told otherwise, and what Collectors do."""

COMMIT_TIMEOUT_S = 60.0
LEAST_BYTES_PER_SPAN = 0.05

Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class StorageFigures:
    """One file.

    Attributes:
        traces: whole in one request, or scattered over requests.
        keep_attributes: whether every attribute is kept, not only what analyses and waterfall need.
        bytes_per_span: of the whole file. columns: of each table's columns, largest first, by ``table.column``.
        free_bytes_per_span: of blocks the file has and uses again; what is left are headers and metadata.
        cpu_seconds_per_million: of receiving in this way, with a commit per request.
    """

    batch: int
    traces: Traces
    keep_attributes: bool
    spans: int
    bytes_per_span: float
    columns: dict[str, float]
    free_bytes_per_span: float
    cpu_seconds_per_million: float


def bench_storage(*, spans: int, folder: Path | None, on_progress: Advance) -> list[StorageFigures]:
    """Figures of one file for each size of request, for whole and for scattered traces, and with all attributes.

    Args:
        spans: how many go into each file. folder: where temporary files go.
    """
    cases: list[tuple[int, Traces, bool]] = [
        *((batch, traces, False) for traces in ("whole", "scattered") for batch in BATCHES),
        *((batch, "whole", True) for batch in BATCHES),
    ]
    figures = []
    for done, (batch, traces, keep) in enumerate(cases):

        def advance(stored: int, before: int = done) -> None:
            on_progress(before * spans + min(stored, spans), len(cases) * spans)

        with tempfile.TemporaryDirectory(prefix="tracelith-bench-", dir=folder) as place:
            file = Path(place) / "bench.duckdb"
            figures.append(_fill(file, spans, batch, traces, keep_attributes=keep, advance=advance))
    return figures


def _fill(
    file: Path, spans: int, batch: int, traces: Traces, *, keep_attributes: bool, advance: Callable[[int], None]
) -> StorageFigures:
    # Requests follow one another as in a system that makes eight spans a millisecond.
    maker = BatchMaker(build_template(batch, start_ns=time.time_ns(), traces=traces))
    start_ns = time.time_ns() - round(spans / maker.shape.spans) * maker.spread_ns
    stored, cpu_s = 0, 0.0
    with Store.open(file) as store:
        committer = GroupCommitter(store, keep_attributes=keep_attributes)
        while stored < spans:
            body = maker.make(start_ns).body
            start_ns += maker.spread_ns
            began = time.process_time()
            committer.submit(body, "protobuf").result(COMMIT_TIMEOUT_S)
            cpu_s += time.process_time() - began
            stored += maker.shape.spans
            advance(stored)
        committer.stop()
    measured = file_bytes(file)
    per_column = {f"{table}.{column}": size / stored for table, column, size in measured.columns.rows()}
    return StorageFigures(
        batch=maker.shape.spans,
        traces=traces,
        keep_attributes=keep_attributes,
        spans=stored,
        bytes_per_span=round(file.stat().st_size / stored, 1),
        columns={name: round(size, 2) for name, size in per_column.items() if size >= LEAST_BYTES_PER_SPAN},
        free_bytes_per_span=round(measured.free / stored, 2),
        cpu_seconds_per_million=round(cpu_s / stored * 1e6, 2),
    )
