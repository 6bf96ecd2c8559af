"""Composition root of ``tracelith serve``: receiver, engine, dashboard and report schedule.

    OTLP servers ─▶ GroupCommitter ─▶ Store ◀─ engine thread (stale windows, retention) ◀─▶ observing process
                                        ▲
                     dashboard, API ────┴──── weekly report

One process owns the file, because DuckDB lets only one. What the engine reads of it is analysed in another process, of
lower priority, which comes and goes (analysis.running.process). Everything started here is stopped here, in the
opposite order, and what was admitted before a stop is committed before it ends.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

from tracelith import __version__
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.analysis.running.observing import ObserverDied, ObserverStopped
from tracelith.analysis.running.process import ObservingProcess
from tracelith.config import Settings
from tracelith.declared import DeclaredIn
from tracelith.forest import observe_view
from tracelith.forest.view import ForestView
from tracelith.http_server import HttpServer
from tracelith.ingest.commit import GroupCommitter
from tracelith.ingest.detail_messages import read_details
from tracelith.ingest.http_answers import CountedAnswers
from tracelith.ingest.kept_times import kept_times
from tracelith.ingest.otlp_grpc import GrpcReceiver
from tracelith.ingest.otlp_http import create_otlp_app
from tracelith.model.declarations import Declarations
from tracelith.model.document import AnalysisDocument
from tracelith.model.errors import StoreError
from tracelith.present.receiving import Receiving, Retention
from tracelith.present.span_details import DetailLookup
from tracelith.report.delivery import deliver, is_delivered
from tracelith.report.schedule import ReportSchedule, crontab_trigger
from tracelith.report.week import IsoWeek
from tracelith.report.weekly import build_report
from tracelith.store import Store, StoreSize
from tracelith.web.app import create_app
from tracelith.web.sources import ProcessStatus, WebSettings

__all__ = ["Application", "server_note"]

log = logging.getLogger(__name__)

RETENTION_EVERY_S = 3600.0
SIZE_EVERY_S = 30.0
"""How often the size is looked at, if it is limited: what arrives in between must fit into a tenth of the limit."""

FINDINGS_EVERY_S = 300.0
"""How often findings are recorded: once per window is as often as they can change."""
LOOK_EVERY_S = 0.5


class Application:
    """Everything ``tracelith serve`` runs, started by the constructor; use it as a context manager.

    Attributes:
        store, engine: the parts other commands need, too.
        grpc_address, http_address, web_address: where it listens, with the real ports where 0 was asked for.
    """

    def __init__(self, settings: Settings) -> None:
        """Opens the database and starts every part.

        Raises:
            StoreError: the database cannot be used.
            ConfigurationError: an address is taken, the report schedule is no crontab line, or the declarations cannot
                be used.
        """
        schedule = crontab_trigger(settings.report_schedule)
        declarations = DeclaredIn(settings.declarations) if settings.declarations else Declarations
        self.settings = settings
        self._stopping = threading.Event()
        self._recorded_generation = -1
        self._retention = Retention(settings.span_days, settings.fact_days, settings.max_db_bytes)
        self._retention_guard = threading.Lock()
        with ExitStack() as stack:
            self.store = stack.enter_context(Store.open(settings.db))
            observer = ObservingProcess(on_death=log.warning)
            self.engine = Engine(self.store, registered_analyses(), observe=observer, declarations=declarations)
            self._committer = GroupCommitter(
                self.store,
                max_queued_bytes=settings.max_queued_bytes,
                keep_attributes=settings.keep_attributes,
                times=kept_times(settings.fact_days),
            )
            stack.callback(self._committer.stop)
            stack.enter_context(_repeating("engine", settings.analyse_every_s, self._analyse))
            stack.callback(observer.stop)  # the engine waits for it, also if a later part cannot be started
            stack.enter_context(_repeating("findings", FINDINGS_EVERY_S, self._record_findings))
            stack.enter_context(_repeating("retention", RETENTION_EVERY_S, self._retain))
            if settings.max_db_bytes is not None:
                stack.enter_context(
                    _repeating("size limit", SIZE_EVERY_S, partial(self._shrink, settings.max_db_bytes))
                )
            self._listen(stack)
            stack.enter_context(ReportSchedule(schedule, self._write_report, self._lacks_report))
            stack.enter_context(_note_beside(settings.db, web=self.web_address, http=self.http_address))
            stack.callback(observer.stop)  # first of all, as a report may wait for it, too
            stack.callback(self._stopping.set)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self, stop: threading.Event) -> None:
        """Blocks until the event is set.

        Raises:
            StoreError: the database serves nothing any more, such as StoreFull. The way out is to open the file again
                in a new Application, or a new process; senders repeat what was not acknowledged.
        """
        while not stop.wait(LOOK_EVERY_S):
            if self.store.failed is not None:
                raise type(self.store.failed)(*self.store.failed.args)

    def stop(self) -> None:
        """Stops every part; what was admitted is committed first."""
        self._stack.close()

    # --- parts -----------------------------------------------------------------------------------------

    def _listen(self, stack: ExitStack) -> None:
        limit = self.settings.max_request_bytes
        meter = self._committer.meter
        receiver = GrpcReceiver(
            self._committer.submit, self.settings.grpc, max_message_bytes=limit, answered=meter.answered_grpc
        )
        stack.callback(receiver.stop)
        self.grpc_address = receiver.address
        otlp_app = create_otlp_app(self._committer.submit, max_body_bytes=limit)
        counted = CountedAnswers(otlp_app, meter.answered_http)
        otlp = HttpServer(counted, self.settings.http, option="--http")
        stack.callback(otlp.stop)
        self.http_address = otlp.address
        surroundings = WebSettings(
            grpc_endpoint=f"http://{self.grpc_address}",
            http_endpoint=f"http://{self.http_address}",
            allowed_hosts=self.settings.allowed_hosts,
            version=__version__,
        )
        answers = _Answers(self.store, self.engine, self._committer, lambda: self._retention)
        dashboard = create_app(
            results=answers, traces=answers, deployments=self.store, status=answers, settings=surroundings
        )
        web = HttpServer(dashboard, self.settings.web, option="--web")
        stack.callback(web.stop)
        self.web_address = web.address

    def _analyse(self) -> None:
        started = time.monotonic()
        try:
            windows = self.engine.analyse_stale(self.settings.quiet_s, on_progress=self._end_early)
        except (_Stopped, ObserverStopped):  # what is left is analysed after the next start
            return
        except ObserverDied as error:  # before it began: there is nothing wrong with any window
            log.error("%s; trying again in %.0f s", error, self.settings.analyse_every_s)
            return
        if windows:
            log.info("analysed %d windows in %.2f s", windows, time.monotonic() - started)

    def _end_early(self, _done: int, _total: int) -> None:
        if self._stopping.is_set():
            raise _Stopped

    def _record_findings(self) -> None:
        generation = self.store.fact_generation()
        if generation != self._recorded_generation:
            self.engine.record_findings()
            self._recorded_generation = generation

    def _write_report(self, week: IsoWeek) -> None:
        if self.store.period() is None:
            log.info("no report of week %s: no traces yet", week)
            return
        try:
            self.engine.analyse_stale(self.settings.quiet_s)
        except ObserverStopped:  # the next start makes up for it
            return
        deliver(build_report(self.engine.conclude, week), self.settings.reports)
        log.info("wrote the report of week %s to %s", week, self.settings.reports)

    def _lacks_report(self, week: IsoWeek) -> bool:
        period = self.store.period()
        has_data = period is not None and period[0] < week.end_ns and week.start_ns < period[1]
        return has_data and not is_delivered(self.settings.reports, week)

    def _retain(self) -> None:
        wall_ns = time.time_ns()
        now_ns = self.store.believed_time(wall_ns)
        if now_ns != wall_ns:
            leap_hours = (wall_ns - now_ns) / 3.6e12
            log.warning("the clock leapt by %.0f hours; unless it stays, ages count from before the leap", leap_hours)
        retained = self.store.retain(self.settings.span_days, self.settings.fact_days, now_ns)
        self.store.find_unused_texts()
        if retained.deleted_spans or retained.compacted_hours:
            log.info(
                "deleted %d raw spans past their time, summed %d hours of facts",
                retained.deleted_spans,
                retained.compacted_hours,
            )
        with self._retention_guard:
            before = self._retention
            self._retention = replace(before, last_at=time.time(), too_old=before.too_old + retained.deleted_spans)

    def _shrink(self, max_bytes: int) -> None:
        shrunk = self.store.shrink(max_bytes, time.time_ns())
        if shrunk.deleted_spans:
            log.info(
                "deleted the oldest %d raw spans, up to %s, to stay below %d bytes; %d are in use now",
                shrunk.deleted_spans,
                datetime.fromtimestamp(shrunk.upto_ns / 1e9, UTC).isoformat(),
                max_bytes,
                shrunk.used_bytes,
            )
        if shrunk.held_back:
            log.warning("the database takes %d of %d bytes: %s", shrunk.used_bytes, max_bytes, shrunk.held_back)
        with self._retention_guard:
            before = self._retention
            too_large = before.too_large + shrunk.deleted_spans
            self._retention = replace(before, too_large=too_large, held_back=shrunk.held_back)


class _Stopped(Exception):
    """The server is stopping in the middle of an analysis."""


class _Answers:
    """What the dashboard asks, answered from engine, store and committer."""

    def __init__(
        self, store: Store, engine: Engine, committer: GroupCommitter, retention: Callable[[], Retention]
    ) -> None:
        self._store = store
        self._engine = engine
        self._committer = committer
        self._retention = retention

    def document(self, environment: str | None, start_ns: int, end_ns: int) -> AnalysisDocument:
        return self._engine.conclude(environment, start_ns, end_ns)

    def environments(self) -> list[tuple[str, int]]:
        period = self._store.period()
        return self._store.environments(*period) if period else []

    def period(self) -> tuple[int, int] | None:
        return self._store.period()

    def trace(self, trace_hi: int, trace_lo: int) -> ForestView | None:
        spans = self._store.read_trace(trace_hi, trace_lo)
        return observe_view(spans) if spans.spans.height else None

    def details(self, trace_hi: int, trace_lo: int) -> DetailLookup:
        rows = {(row[0], row[1]): row[2:] for row in self._store.read_details(trace_hi, trace_lo).iter_rows()}
        return lambda span_id, kind: read_details(*rows[span_id, kind]) if (span_id, kind) in rows else None

    def ingest_status(self) -> ProcessStatus:
        return ProcessStatus(ready=not self._problem(), counters=asdict(self._committer.status()))

    def receiving(self) -> Receiving:
        meter = self._committer.meter
        return Receiving(
            at=time.time(),
            started_at=meter.started_at,
            problem=self._problem(),
            status=self._committer.status(),
            minute=meter.recent(60),
            hour=meter.recent(3600),
            latencies=meter.latencies(),
            spans_by_minute=meter.spans_by_minute(),
            refused=meter.refused(),
            http_answers=meter.http_answers(),
            grpc_answers=meter.grpc_answers(),
            cardinality=self._committer.cardinality(),
            database=self._database_size(),
            waiting=self._store.waiting(),
            retention=self._retention(),
        )

    def _problem(self) -> str:
        return str(self._store.failed or self._committer.meter.problem())

    def _database_size(self) -> StoreSize | None:
        try:
            return self._store.size()
        except StoreError:  # the page says so, and everything else it knows
            return None


def server_note(db: Path) -> Path:
    """The note a running server leaves beside its database, so that other commands find it."""
    return db.with_name(db.name + ".server")


@contextmanager
def _note_beside(db: Path, **addresses: str) -> Iterator[None]:
    note = server_note(db)
    note.write_text(json.dumps(addresses), encoding="utf-8")
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


@contextmanager
def _repeating(name: str, every_s: float, work: Callable[[], None]) -> Iterator[None]:
    """Runs the work in a thread, once at once and then with pauses; a failure is logged and tried again."""
    stopping = threading.Event()

    def run() -> None:
        while not stopping.is_set():
            try:
                work()
            except StoreError as error:  # says itself what happened and what to do
                log.error("%s failed: %s", name, error)
            except Exception:
                log.exception("%s failed; trying again in %.0f s", name, every_s)
            stopping.wait(every_s)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(timeout=60.0)
