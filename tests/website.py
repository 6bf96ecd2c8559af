"""The dashboard over hand-made documents, and a server for it on a port of its own."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import polars as pl
import uvicorn
from fastapi import FastAPI

from tracelith.forest.view import ForestView
from tracelith.ingest.limits import Cardinality
from tracelith.ingest.status import LATENCY_BOUNDS_S, IngestStatus, Latencies, RecentIngest, RefusedSpans
from tracelith.model.details import SpanDetails
from tracelith.model.document import AnalysisDocument
from tracelith.model.schema import DEPLOYMENT
from tracelith.present.receiving import Receiving, Retention
from tracelith.present.span_details import DetailLookup
from tracelith.store import StoreSize, WaitingWindows
from tracelith.web import ProcessStatus, WebSettings, create_app
from traces import view_of

__all__ = ["Site", "login_trace", "receiving_site", "serve"]

PERIOD = (1_765_152_000_000_000_000, 1_772_409_600_000_000_000)  # 2025-12-08 to 2026-03-02


def receiving_site(**changes: Any) -> Receiving:
    """A server two hours old, under a light load, that refused and turned away a little."""
    counts = tuple(40 if 8 <= bucket < 12 else 0 for bucket in range(len(LATENCY_BOUNDS_S) + 1))
    latencies = Latencies(counts, sum_s=8.9)
    at = 1_772_409_600.0
    usual = Receiving(
        at=at,
        started_at=at - 7_200,
        problem="",
        status=IngestStatus(
            requests=13_000,
            accepted_spans=5_540_000,
            rejected_spans=42,
            invalid_requests=2,
            overloaded_requests=3,
            last_overload_at=at - 5_000,
            commits=12_950,
            commits_s=103.4,
            queued_bytes=3 * 2**20,
            max_queued_bytes=64 * 2**20,
            last_commit_at=at - 0.4,
            last_commit_spans=512,
            commit_ms=7.98609,
            acknowledge_ms=12.5,
        ),
        minute=RecentIngest(60.0, 47_000, latencies),
        hour=RecentIngest(3600.0, 2_770_000, latencies),
        latencies=latencies,
        spans_by_minute=tuple(46_000 + 150 * (minute * 7 % 13) for minute in range(60)),
        refused=(RefusedSpans("span_id must be 8 bytes and not all zero", 42, at - 6_000, at - 61),),
        http_answers={200: 9_000, 413: 4, 503: 3},
        grpc_answers={"OK": 4_000, "RESOURCE_EXHAUSTED": 5},
        cardinality=Cardinality(812, 96, {}),
        database=StoreSize(bytes=210 * 2**20, used_bytes=190 * 2**20, spans=5_540_000),
        waiting=WaitingWindows(2, 1_772_409_000_000_000_000),
        retention=Retention(7.0, 400.0, 20_000_000_000, last_at=at - 600, too_old=81_000, too_large=19_000),
    )
    return replace(usual, **changes)


@dataclass
class Site:
    """Everything create_app asks for, from memory."""

    answer: AnalysisDocument
    known: tuple[int, int] | None = PERIOD
    views: dict[int, ForestView] = field(default_factory=dict, repr=False)
    said: dict[tuple[int, int], SpanDetails] = field(default_factory=dict)
    told: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DEPLOYMENT))
    ready: bool = True
    received: Receiving = field(default_factory=receiving_site, repr=False)
    asked: list[tuple[str | None, int, int]] = field(default_factory=list)

    def document(self, environment: str | None, start_ns: int, end_ns: int) -> AnalysisDocument:
        self.asked.append((environment, start_ns, end_ns))
        return self.answer

    def environments(self) -> list[tuple[str, int]]:
        return [("production", 63_311), ("staging", 1200)] if self.known else []

    def period(self) -> tuple[int, int] | None:
        return self.known

    def trace(self, trace_hi: int, trace_lo: int) -> ForestView | None:
        return self.views.get((trace_hi << 64) | trace_lo)

    def details(self, trace_hi: int, trace_lo: int) -> DetailLookup:
        return lambda span_id, _kind: self.said.get(((trace_hi << 64) | trace_lo, span_id))

    def add_deployments(self, deployments: pl.DataFrame) -> int:
        before = self.told.height
        self.told = pl.concat([self.told, deployments]).unique(maintain_order=True)
        return self.told.height - before

    def deployments(self, environment: str, start_ns: int, end_ns: int) -> pl.DataFrame:
        here = pl.col("environment").is_in(["", environment]) & pl.col("at_ns").is_between(
            start_ns, end_ns, closed="left"
        )
        return self.told.filter(here).sort("at_ns", "service")

    def ingest_status(self) -> ProcessStatus:
        status = IngestStatus(accepted_spans=63_311, last_commit_at=1_772_409_540.0, commit_ms=7.98609)
        return {"ready": self.ready, "counters": asdict(status)}

    def receiving(self) -> Receiving:
        return self.received

    def app(self, settings: WebSettings | None = None) -> FastAPI:
        return create_app(results=self, traces=self, deployments=self, status=self, settings=settings)


@contextmanager
def serve(app: FastAPI) -> Iterator[str]:
    """The address of a real server on loopback, stopped at the end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start within 20 seconds"
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)
            assert not thread.is_alive(), "the server did not stop"


LOGIN = """
gateway SERVER POST /login 0..620ms
  gateway CLIENT POST auth 4..610ms
    auth SERVER POST /sessions 6..606ms
      auth CLIENT GET user 12..580ms
        user SERVER GET /users/{id} 14..577ms
          user CLIENT SELECT users 16..22ms db=postgresql
          user CLIENT GET billing 24..560ms
            billing SERVER GET /plan 26..557ms
              billing CLIENT GET permissions 30..120ms error
              billing CLIENT GET permissions 131..550ms
                permissions SERVER GET /permissions 133..547ms
      auth PRODUCER publish logins 590..600ms mq=kafka
"""


def login_trace(rename: dict[str, str] | None = None) -> ForestView:
    """A slow login: gateway, auth, user, billing (with a retry), permissions; names replaced on demand."""
    view = view_of(LOGIN)
    named = rename or {}
    forest = replace(
        view.forest,
        services=tuple(named.get(name, name) for name in view.forest.services),
        operations=view.forest.operations.with_columns(pl.col("name").replace(named)),
    )
    return replace(view, forest=forest)
