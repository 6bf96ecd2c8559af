"""The store: one DuckDB file behind the protocols of model.ports. Every method may be called from any thread."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl

from tracelith.model.errors import StoreError
from tracelith.model.facts import FactReader, FactTable
from tracelith.model.ports import WindowSpans
from tracelith.model.schema import InternedBatch, UnusedTexts
from tracelith.store import deployments, details, facts, findings, reading, refusals, retention
from tracelith.store.believed_time import believed_time
from tracelith.store.connection import Cursor, Database, open_database
from tracelith.store.ledger import WaitingWindows, WindowLedger
from tracelith.store.migrate import migrate
from tracelith.store.refusals import RefusalCounter
from tracelith.store.retention import Retained
from tracelith.store.size_limit import Shrunk, shrink, used_bytes
from tracelith.store.spans import SpanAppender, read_dimension
from tracelith.store.unused_texts import drop_unused, find_unused
from tracelith.store.windows import load_ledger, save_progress, spread_changes

__all__ = ["Store", "StoreSize"]

RECLAIM_PATIENCE_S = 20.0
"""How long freeing deleted rows waits for a moment without readers; the longest, of the engine, take a few seconds."""
RECLAIM_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class StoreSize:
    """How much is stored.

    Attributes:
        bytes: on disk, file and write-ahead log; 0 in memory. used_bytes: of these, what is not free for reuse.
        spans: raw spans.
    """

    bytes: int
    used_bytes: int
    spans: int


class Store:
    """An open Tracelith database. Implements AnalysisStore and DeploymentStore of tracelith.model.ports.

    Use ``Store.open``; close it, or use it as a context manager.
    """

    def __init__(self, database: Database, clock_ns: Callable[[], int]) -> None:
        self._database = database
        self._clock_ns = clock_ns
        self._ledger = WindowLedger()
        self._refusals = RefusalCounter(clock_ns)
        self._writer = SpanAppender(database, self._ledger, self._refusals, clock_ns)
        self._tables: dict[str, FactTable] = {}
        self._unused: UnusedTexts | None = None
        self._spreading = threading.Lock()
        self._deleting = threading.Lock()
        self._generation_guard = threading.Lock()
        self._generation = clock_ns()
        load_ledger(database, self._ledger, clock_ns())

    @classmethod
    def open(cls, path: Path | None, *, read_only: bool = False, clock_ns: Callable[[], int] = time.time_ns) -> "Store":
        """The store in this file, created if missing; None keeps everything in memory.

        Args:
            path: the database file. read_only: refuse writing; the file must exist.
            clock_ns: wall time in nanoseconds, replaced in tests.

        Raises:
            StoreLocked, StoreCorrupt, StoreTooNew, StoreError: it cannot be used; the message says what to do.
        """
        database = open_database(path, read_only=read_only)
        try:
            migrate(database)
            return cls(database, clock_ns)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Writes what is pending and releases the file. Calling it again does nothing."""
        if self._database.closed:
            return
        try:
            if not self._database.read_only and self.failed is None:
                with self._writer.lock:
                    self._refusals.flush(self._database)
                    self._database.write(lambda cursor: save_progress(cursor, self._ledger))
        finally:
            self._database.close()

    @property
    def failed(self) -> StoreError | None:
        """The error after which nothing works until the file is opened again, such as a full disk; None without one."""
        return self._database.failed

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- writing -----------------------------------------------------------------------------------------------

    def append(self, batches: Sequence[InternedBatch]) -> int:
        """Writes the batches in one transaction and returns its commit number; they are durable when it returns.

        Raises:
            ValueError: a frame does not have the columns of its schema.
            StoreError: nothing was written; the caller's codes for new dimension rows are void, so rebuild the
                interner from resources() and operations().
        """
        return self._writer.append(batches)

    def resources(self) -> pl.DataFrame:
        """All RESOURCE rows, in code order."""
        return read_dimension(self._database, "resource")

    def operations(self) -> pl.DataFrame:
        """All OPERATION rows, in code order."""
        return read_dimension(self._database, "operation")

    def find_unused_texts(self) -> None:
        """Looks for resources and operations without spans; drop_unused_texts then deletes them."""
        upto = self._ledger.last_commit
        self._unused = find_unused(self._database, upto)

    def drop_unused_texts(self) -> UnusedTexts | None:
        """Deletes what find_unused_texts has found and no commit has used since; None if there is nothing to do.

        For whoever appends, between two appends: the codes returned are void from now on.
        """
        unused, self._unused = self._unused, None
        if not unused:
            return None
        with self._writer.lock:
            return drop_unused(self._database, unused)

    def record_refusals(self, reasons: Mapping[str, int]) -> None:
        """Counts spans that were not taken, by reason; written with the next append, flush or close."""
        self._refusals.add(reasons)

    def refusals(self, since_ns: int = 0) -> dict[str, int]:
        """Refused spans by reason since that time, most first."""
        self._refusals.flush(self._database)
        return refusals.read_refusals(self._database, since_ns)

    # --- windows and facts (AnalysisStore) ---------------------------------------------------------------------

    def stale_windows(self, quiet_for_s: float) -> list[int]:
        """Windows whose facts are missing or out of date and that are quiet, oldest first. See ports.AnalysisStore."""
        now_ns, quiet_ns = self._clock_ns(), int(quiet_for_s * 1e9)
        with self._spreading:
            commits = self._ledger.to_spread(now_ns, quiet_ns)
            if commits is not None:
                spread_changes(self._database, self._ledger, commits)
                if not self._database.read_only:
                    self._database.write(lambda cursor: save_progress(cursor, self._ledger))
        return self._ledger.stale(now_ns, quiet_ns)

    def read_windows(self, windows: Sequence[int]) -> WindowSpans:
        """Spans of these windows' traces."""
        return next(self.read_buckets(windows, 1))

    def read_buckets(self, windows: Sequence[int], buckets: int) -> Iterator[WindowSpans]:
        """Spans of these windows' traces, in so many buckets of whole traces."""
        return reading.read_buckets(self._database, windows, buckets, self._ledger.last_commit)

    def window_span_counts(self, windows: Sequence[int]) -> dict[int, int]:
        """Stored spans that start in each window."""
        return reading.window_span_counts(self._database, windows)

    def read_trace(self, trace_hi: int, trace_lo: int) -> WindowSpans:
        """One trace, whole; no rows if it is unknown or past retention."""
        return reading.read_trace(self._database, trace_hi, trace_lo, self._ledger.last_commit)

    def read_details(self, trace_hi: int, trace_lo: int) -> pl.DataFrame:
        """store.details.SPAN_DETAIL rows of one trace; none unless attributes were kept when it was received."""
        return details.read_details(self._database, trace_hi, trace_lo)

    def ensure_fact_tables(self, tables: Sequence[FactTable]) -> None:
        """Creates missing fact tables and rebuilds those whose columns differ.

        If there was one, every window that still has raw spans becomes stale, so that the new table gets filled.
        Call it before ingest starts.

        Raises:
            ValueError: a name or a column type cannot be stored.
        """
        self._tables = {table.name: table for table in tables}
        if self._database.read_only:
            return
        with self._writer.lock:
            if facts.create_fact_tables(self._database, tables):
                load_ledger(self._database, self._ledger, self._clock_ns())
        self._advance()

    def replace_facts(
        self,
        windows: Sequence[int],
        facts_by_table: Mapping[str, pl.DataFrame],
        upto: int,
        span_counts: Mapping[tuple[int, str], int],
    ) -> None:
        """Replaces all facts of the windows and marks them analysed up to that commit, atomically.

        The facts of a window whose raw spans are past retention are final; they stay as they are. Environments are
        listed by ``span_counts``: how many spans the traces of each window and environment have.

        Raises:
            ValueError: a table was not declared by ensure_fact_tables, or a frame lacks one of its columns.
        """
        frozen = self._ledger.frozen_among(windows)
        written = [window for window in dict.fromkeys(windows) if window not in frozen]
        pairs = facts.stored_form(self._tables, facts_by_table, written)
        summary = facts.summary_of(written, span_counts)
        before = self._ledger.analysed_among(written)
        if not written:
            return

        def write(cursor: Cursor) -> None:
            replaced = list(self._tables.values())
            facts.write_facts(cursor, written, pairs, summary, replaced=replaced, analysed_before=before, upto=upto)

        self._database.write(write)
        self._ledger.analysed(written, upto)
        self._advance()

    def facts(self, environment: str, start_ns: int, end_ns: int) -> FactReader:
        """Facts of one environment and half-open period."""
        return facts.StoredFacts(self._database, environment, start_ns, end_ns)

    def environments(self, start_ns: int, end_ns: int) -> list[tuple[str, int]]:
        """Environments with facts in the period and their number of spans, most first."""
        return facts.environments(self._database, start_ns, end_ns)

    def period(self) -> tuple[int, int] | None:
        """First window start and last window end that have facts, None without any; wrong clocks apart."""
        return facts.period(self._database, self._clock_ns())

    def fact_generation(self) -> int:
        """A number that grows whenever facts or deployments change, also from one run to the next."""
        with self._generation_guard:
            return self._generation

    def _advance(self) -> None:
        with self._generation_guard:
            self._generation += 1

    # --- deployments and findings --------------------------------------------------------------------------------

    def add_deployments(self, deployments_told: pl.DataFrame) -> int:
        """Stores the DEPLOYMENT rows not there yet and returns how many were new."""
        added = deployments.add_deployments(self._database, deployments_told)
        if added:
            self._advance()
        return added

    def deployments(self, environment: str, start_ns: int, end_ns: int) -> pl.DataFrame:
        """DEPLOYMENT rows in the half-open period, sorted; those without an environment count in every one."""
        return deployments.read_deployments(self._database, environment, start_ns, end_ns)

    def sync_findings(self, environment: str, now_ns: int, found: Sequence[Mapping[str, Any]]) -> None:
        """Makes these FindingDocuments the open findings of the environment and resolves the others."""
        findings.sync_findings(self._database, environment, now_ns, found)

    def findings(self, environment: str) -> pl.DataFrame:
        """store.findings.FINDING rows of the environment, open and resolved, oldest first."""
        return findings.read_findings(self._database, environment)

    # --- housekeeping --------------------------------------------------------------------------------------------

    def retain(self, span_days: float, fact_days: float, now_ns: int) -> Retained:
        """Deletes raw spans and facts past their days, sums facts older than two weeks into hours, frees the space.

        Safe beside ingest and analysis; spans that are not analysed yet stay.
        """
        tables = list(self._tables.values())
        with self._deleting:
            retained = retention.retain(
                self._database, self._ledger, tables, span_days=span_days, fact_days=fact_days, now_ns=now_ns
            )
            if not self._reclaim():
                self.checkpoint()
        self._advance()
        return retained

    def believed_time(self, wall_ns: int) -> int:
        """The time to judge age by: this wall time, or an earlier belief if the clock has just leapt by over a day."""
        return believed_time(self._database, wall_ns)

    def shrink(self, max_bytes: int, now_ns: int) -> Shrunk:
        """Deletes the oldest analysed raw spans if the database comes near this size; their facts stay.

        Cheap as long as there is nothing to do. Safe beside ingest and analysis.
        """
        with self._deleting:
            return shrink(self._database, self._ledger, self._reclaim, max_bytes=max_bytes, now_ns=now_ns)

    def _reclaim(self) -> bool:
        """Frees the space of deleted rows as soon as nobody reads; False if that moment did not come."""
        deadline = time.monotonic() + RECLAIM_PATIENCE_S
        while time.monotonic() < deadline:
            with self._writer.lock:
                if self._database.checkpoint_alone(lambda cursor: save_progress(cursor, self._ledger)):
                    return True
            time.sleep(RECLAIM_LOOK_S)
        return False

    def waiting(self) -> WaitingWindows:
        """Windows not analysed yet, quiet or not; from memory, at once."""
        pending = self._ledger.pending()
        return WaitingWindows(len(pending), min(pending, default=None))

    def checkpoint(self) -> bool:
        """Moves the write-ahead log into the file while ingest waits; False if another transaction was in the way."""
        with self._writer.lock:
            return self._database.checkpoint()

    def size(self) -> StoreSize:
        """Bytes on disk and raw spans stored."""
        path = self._database.path
        parts = [] if path is None else [path, path.with_name(path.name + ".wal")]
        with self._database.cursor() as cursor:
            row = cursor.execute("SELECT count(*) FROM span").fetchone()
        on_disk = sum(part.stat().st_size for part in parts if part.exists())
        return StoreSize(on_disk, used_bytes(self._database), int(row[0]) if row else 0)
