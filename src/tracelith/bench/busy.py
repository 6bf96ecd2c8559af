"""Everything else a server does while it receives: analysing without a pause, and people looking at the dashboard.

A day-old history is stored before the server starts. While the load lasts, half of its windows get a late trace every
second, so that the engine always has windows to analyse anew, and a client asks for pages and for the API at a steady
pace. The load's own window is never quiet and so never analysed while it fills, as in ordinary operation.
"""

import itertools
import re
import threading
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc

from tracelith.bench.history import write_history
from tracelith.bench.latencies import Latencies, LatencyFigures
from tracelith.bench.load import EXPORT
from tracelith.bench.payloads import SPANS_PER_TRACE, BatchMaker, build_template
from tracelith.bench.server import ServerProcess
from tracelith.model.schema import WINDOW_NS
from tracelith.store import Store

__all__ = ["BUSY_OPTIONS", "Activity", "ActivityFigures", "History", "store_history"]

HISTORY_SPANS = 300_000
HISTORY_AGE_NS = 86_400_000_000_000
LATE_EVERY_S = 1.0

BUSY_OPTIONS = {"quiet_s": "0.5", "analyse_every_s": "0.1"}
"""Half a second after its late trace a window is analysed; usually it would be half a minute."""

PAGES = (
    "/",
    "/chains",
    "/tail",
    "/deployments",
    "/services",
    "/quality",
    "/api/v1/analysis",
    "/api/v1/status",
    "/api/v1/edges",
    "/api/v1/tail",
)
PAGE_EVERY_S = 0.5  # and the time of the answer: one person, or a few, clicking
ANSWER_TIMEOUT_S = 60.0

ANALYSED = re.compile(r"analysed (\d+) windows in ([\d.]+) s")


@dataclass(frozen=True, slots=True)
class History:
    """How many spans of the past are stored, and the windows of analysis they start in, which follow one another."""

    spans: int
    windows: list[int]


@dataclass(frozen=True, slots=True)
class ActivityFigures:
    """What the server did beside receiving.

    Attributes:
        analysed_windows: how many, again and again the same ones. analysing_share: share of the time that this took;
            what was under way in the end is not counted.
        failed_pages: answers other than 200, and none within a minute.
    """

    history_spans: int
    analysed_windows: int
    analysing_share: float
    pages: int
    failed_pages: int
    page_ms: LatencyFigures


def store_history(database: Path) -> History:
    """Stores the past a busy server has."""
    with Store.open(database) as store:
        return History(*write_history(store, HISTORY_SPANS, start_ns=time.time_ns() - HISTORY_AGE_NS))


class Activity:
    """Keeps a server analysing and answering pages for as long as the context lasts."""

    def __init__(self, server: ServerProcess, history: History) -> None:
        self._server = server
        self._history = history
        self._latencies = Latencies()
        self._pages = self._failed_pages = 0
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("bench-late", self._send_late_traces), ("bench-pages", self._look_at_pages))
        ]

    def __enter__(self) -> Self:
        self._logged_bytes = self._server.log.stat().st_size
        self._started_at = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def figures(self) -> ActivityFigures:
        """What was done from the begin of the context until now."""
        seconds = time.monotonic() - self._started_at
        said = self._server.log.read_bytes()[self._logged_bytes :].decode(errors="replace")
        passes = [(int(windows), float(took)) for windows, took in ANALYSED.findall(said)]
        return ActivityFigures(
            history_spans=self._history.spans,
            analysed_windows=sum(windows for windows, _ in passes),
            analysing_share=round(min(1.0, sum(took for _, took in passes) / seconds), 2),
            pages=self._pages,
            failed_pages=self._failed_pages,
            page_ms=self._latencies.figures(),
        )

    def _send_late_traces(self) -> None:
        """A trace into every other window, in turn into the even and into the odd ones."""
        first, pairs = self._history.windows[0], max(1, len(self._history.windows) // 2)
        template = build_template(pairs * SPANS_PER_TRACE, start_ns=time.time_ns(), trace_spacing_ns=2 * WINDOW_NS)
        maker = BatchMaker(template)
        with grpc.insecure_channel(self._server.grpc) as channel:
            export = channel.unary_unary(EXPORT)
            for turn in itertools.count():
                if self._ended.wait(LATE_EVERY_S):
                    return
                late = maker.make(first + turn % 2 * WINDOW_NS + WINDOW_NS // 2)
                with suppress(grpc.RpcError):  # refused like any other request under load; the next one comes soon
                    export(late.body, timeout=ANSWER_TIMEOUT_S)

    def _look_at_pages(self) -> None:
        for page in itertools.cycle(PAGES):
            if self._ended.wait(PAGE_EVERY_S):
                return
            asked = time.perf_counter()
            try:
                with urllib.request.urlopen(f"http://{self._server.web}{page}", timeout=ANSWER_TIMEOUT_S) as answer:
                    answer.read()
            except OSError:  # also an HTTP status that is an error
                self._failed_pages += 1
            self._latencies.add((time.perf_counter() - asked) * 1e3)
            self._pages += 1
