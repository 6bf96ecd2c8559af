"""What receiving costs: the whole server under load, and whether everything acknowledged is in its file afterwards."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tracelith.bench.busy import BUSY_OPTIONS, Activity, ActivityFigures, History, store_history
from tracelith.bench.latencies import LatencyFigures
from tracelith.bench.load import LoadFigures, LoadMeter, LoadPlan, send_load
from tracelith.bench.server import ServerProcess, running_server, server_settings
from tracelith.config import Settings
from tracelith.store import Store

__all__ = ["IngestFigures", "OverTime", "Sample", "Stored", "Watch", "bench_against", "bench_ingest", "compare_stored"]

MIB = 1 << 20
DAY_S = 86_400.0
PROGRESS_EVERY_S = 0.5
LEAST_SAMPLES = 8

Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """The run at one moment; latencies are those since the sample before, everything else is since the begin.

    Attributes:
        database_mib, wal_mib: sizes of the database file and of its write-ahead log.
    """

    at: float
    elapsed_s: float
    sent_spans: int
    acknowledged_spans: int
    refused_requests: int
    acknowledge_ms: LatencyFigures
    memory_mib: float
    cpu_seconds: float
    database_mib: float
    wal_mib: float


@dataclass(frozen=True, slots=True)
class OverTime:
    """How a long run developed: medians of the first and the last quarter of the samples.

    Attributes:
        memory_mib_per_hour: slope of a straight line through the samples after the first quarter.
    """

    first_memory_mib: float
    last_memory_mib: float
    memory_mib_per_hour: float
    largest_database_mib: float
    largest_wal_mib: float
    first_p99_ms: float
    last_p99_ms: float


@dataclass(frozen=True, slots=True)
class Stored:
    """What the file holds after the server ended, compared by window of five minutes with what was acknowledged.

    Attributes:
        missing_spans: acknowledged and not there. deleted_spans: of windows that retention may have deleted.
        unacknowledged_spans: there, but the sender never learned of it (it gave up waiting, say).
        bytes_per_span: size of the closed file per span in it; None if retention deleted some, whose space is kept.
    """

    spans: int
    missing_spans: int
    deleted_spans: int
    unacknowledged_spans: int
    database_mib: float
    bytes_per_span: float | None


@dataclass(frozen=True, slots=True)
class IngestFigures:
    """One run of the load on a server of its own.

    Attributes:
        cpu_seconds_per_million: user and system time of the server, all its processes, per million acknowledged spans.
        peak_memory_mib: the largest resident set of the server, with that of the process that analyses if it runs in
            the end.
        over_time: None of a run with too few samples. activity: what else the server did; None of an idle one.
    """

    load: LoadFigures
    cpu_seconds_per_million: float
    peak_memory_mib: float
    stored: Stored
    over_time: OverTime | None
    activity: ActivityFigures | None


@dataclass(frozen=True, slots=True)
class Watch:
    """How a run is looked at while it lasts.

    Attributes:
        samples: file that gets a Sample per line, as JSON. sample_every_s: how often.
        on_progress: called with done and total.
    """

    samples: Path | None = None
    sample_every_s: float = 10.0
    on_progress: Advance = lambda _done, _total: None


def bench_ingest(
    plan: LoadPlan, *, folder: Path | None, options: Mapping[str, str], watch: Watch, busy: bool = False
) -> IngestFigures:
    """Figures of one run on this machine, sender and server sharing it.

    Args:
        folder: where a temporary folder for the database goes. options: settings of the server.
        busy: the server analyses and shows its dashboard meanwhile (tracelith.bench.busy).

    Raises:
        ConfigurationError: the server cannot have these settings.
        ServerFailed: it did not start, or ended too early or wrongly.
    """
    with _temporary(folder) as place:
        all_options = {**BUSY_OPTIONS, **options} if busy else options
        settings = server_settings(place, all_options)
        history = store_history(settings.db) if busy else None
        with running_server(settings, all_options) as server:
            meter = LoadMeter()
            cpu_seconds = server.cpu_seconds()
            with _watching(meter, plan, server, watch) as samples:
                load, activity = _load(server, plan, meter, history)
            if server.ended():
                raise server.failure("the server ended under the load")
            cpu_seconds = server.cpu_seconds() - cpu_seconds
            peak_memory_mib = server.peak_memory_mib()
            server.stop()
        return IngestFigures(
            load=load,
            cpu_seconds_per_million=round(cpu_seconds / max(1, load.acknowledged_spans) * 1e6, 2),
            peak_memory_mib=peak_memory_mib,
            stored=compare_stored(settings, meter.acknowledged_by_window(), load.seconds),
            over_time=_over_time(samples),
            activity=activity,
        )


def _load(
    server: ServerProcess, plan: LoadPlan, meter: LoadMeter, history: History | None
) -> tuple[LoadFigures, ActivityFigures | None]:
    if history is None:
        return send_load(server.grpc, plan, meter), None
    with Activity(server, history) as activity:
        load = send_load(server.grpc, plan, meter)
        return load, activity.figures()


def bench_against(address: str, plan: LoadPlan, watch: Watch) -> LoadFigures:
    """The same load on any other OTLP/gRPC receiver; only what the sender can see."""
    meter = LoadMeter()
    with _watching(meter, plan, None, watch):
        return send_load(address, plan, meter)


@contextmanager
def _temporary(folder: Path | None) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="tracelith-bench-", dir=folder))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _watching(meter: LoadMeter, plan: LoadPlan, server: ServerProcess | None, watch: Watch) -> Iterator[list[Sample]]:
    """Shows progress, takes samples of the server, and stops the load if the server ends."""
    samples: list[Sample] = []
    ended = threading.Event()

    def look() -> None:
        due = time.monotonic() + watch.sample_every_s
        while not ended.wait(PROGRESS_EVERY_S):
            watch.on_progress(*_done(meter, plan))
            if server is not None and server.ended():
                meter.stop()
                return
            if server is not None and time.monotonic() >= due:
                due += watch.sample_every_s
                with suppress(FileNotFoundError, ProcessLookupError):  # it ended just now
                    samples.append(_sample(meter, server))
                    _write(watch.samples, samples[-1])

    looking = threading.Thread(target=look, name="bench-watch", daemon=True)
    looking.start()
    try:
        yield samples
    finally:
        ended.set()
        looking.join()


def _done(meter: LoadMeter, plan: LoadPlan) -> tuple[int, int]:
    progress = meter.progress()
    if plan.rate is None:
        return min(progress.sent_spans, plan.spans), plan.spans
    return round(min(progress.elapsed_s, plan.duration_s)), round(plan.duration_s)


def _sample(meter: LoadMeter, server: ServerProcess) -> Sample:
    progress = meter.progress()
    database_mib, wal_mib = server.database_mib()
    return Sample(
        at=round(time.time(), 3),
        elapsed_s=round(progress.elapsed_s, 3),
        sent_spans=progress.sent_spans,
        acknowledged_spans=progress.acknowledged_spans,
        refused_requests=progress.refused_requests,
        acknowledge_ms=meter.recent_latencies(),
        memory_mib=server.memory_mib(),
        cpu_seconds=round(server.cpu_seconds(), 2),
        database_mib=database_mib,
        wal_mib=wal_mib,
    )


def _write(file: Path | None, sample: Sample) -> None:
    if file is not None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(sample)) + "\n")


def _over_time(samples: list[Sample]) -> OverTime | None:
    if len(samples) < LEAST_SAMPLES:
        return None
    quarter = len(samples) // 4
    first, last, settled = samples[:quarter], samples[-quarter:], samples[quarter:]
    slope = np.polyfit([one.elapsed_s / 3600 for one in settled], [one.memory_mib for one in settled], 1)[0]
    return OverTime(
        first_memory_mib=_median([one.memory_mib for one in first]),
        last_memory_mib=_median([one.memory_mib for one in last]),
        memory_mib_per_hour=round(float(slope), 2),
        largest_database_mib=max(one.database_mib for one in samples),
        largest_wal_mib=max(one.wal_mib for one in samples),
        first_p99_ms=_median([one.acknowledge_ms.p99 for one in first]),
        last_p99_ms=_median([one.acknowledge_ms.p99 for one in last]),
    )


def _median(values: list[float] | list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return round(float(np.median(known)), 2) if known else float("nan")


def compare_stored(settings: Settings, acknowledged: Mapping[int, int], seconds: float) -> Stored:
    """What was acknowledged against the file of the ended server.

    Retention deletes whole windows, the oldest first; so only windows without a single span, at the beginning, count
    as deleted, and only if these settings let anything be deleted during the run.
    """
    with Store.open(settings.db, read_only=True) as store:
        stored = store.window_span_counts(sorted(acknowledged))
        spans = store.size().spans
    windows = sorted(acknowledged)
    may_delete = settings.span_days * DAY_S < seconds + 600 or settings.max_db_bytes is not None
    kept = next((at for at, window in enumerate(windows) if stored[window] or not may_delete), len(windows))
    deleted = sum(acknowledged[window] for window in windows[:kept])
    size = settings.db.stat().st_size
    return Stored(
        spans=spans,
        missing_spans=sum(max(0, acknowledged[window] - stored[window]) for window in windows[kept:]),
        deleted_spans=deleted,
        unacknowledged_spans=sum(max(0, stored[window] - acknowledged[window]) for window in windows[kept:]),
        database_mib=round(size / MIB, 2),
        bytes_per_span=round(size / spans, 1) if spans and not deleted else None,
    )
