"""The dashboard over hand-made documents, and a server for it on a port of its own."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import uvicorn
from fastapi import FastAPI

from document_parts import TRACE_IDS
from tracelith.forest.view import Calls, Chains, CriticalPath, ForestView, TraceForest
from tracelith.model.document import AnalysisDocument
from tracelith.model.schema import DEPLOYMENT, OPERATION, RESOURCE, Kind, Outcome
from tracelith.web import IngestStatus, WebSettings, create_app

__all__ = ["Site", "login_trace", "serve"]

PERIOD = (1_765_152_000_000_000_000, 1_772_409_600_000_000_000)  # 2025-12-08 to 2026-03-02
START_NS = 1_772_000_000_000_000_000
MS = 1_000_000


@dataclass
class Site:
    """Everything create_app asks for, from memory."""

    answer: AnalysisDocument
    known: tuple[int, int] | None = PERIOD
    views: dict[int, ForestView] = field(default_factory=dict, repr=False)
    told: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DEPLOYMENT))
    ready: bool = True
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

    def add_deployments(self, deployments: pl.DataFrame) -> int:
        before = self.told.height
        self.told = pl.concat([self.told, deployments]).unique(maintain_order=True)
        return self.told.height - before

    def deployments(self, environment: str, start_ns: int, end_ns: int) -> pl.DataFrame:
        here = pl.col("environment").is_in(["", environment]) & pl.col("at_ns").is_between(
            start_ns, end_ns, closed="left"
        )
        return self.told.filter(here).sort("at_ns", "service")

    def ingest_status(self) -> IngestStatus:
        return {"ready": self.ready, "counters": {"Spans received": 63_311, "Last commit": "2026-03-01 23:59 UTC"}}

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


SPANS: list[tuple[int, str, str, Kind, float, float, Outcome]] = [
    # parent, service, name, kind, start ms, end ms, outcome
    (-1, "gateway", "POST /login", Kind.SERVER, 0, 620, Outcome.FINE),
    (0, "gateway", "POST auth", Kind.CLIENT, 4, 610, Outcome.FINE),
    (1, "auth", "POST /sessions", Kind.SERVER, 6, 606, Outcome.FINE),
    (2, "auth", "GET user", Kind.CLIENT, 12, 580, Outcome.FINE),
    (3, "user", "GET /users/{id}", Kind.SERVER, 14, 577, Outcome.FINE),
    (4, "user", "SELECT users", Kind.CLIENT, 16, 22, Outcome.FINE),
    (4, "user", "GET billing", Kind.CLIENT, 24, 560, Outcome.FINE),
    (6, "billing", "GET /plan", Kind.SERVER, 26, 557, Outcome.FINE),
    (7, "billing", "GET permissions", Kind.CLIENT, 30, 120, Outcome.FAILED),
    (7, "billing", "GET permissions", Kind.CLIENT, 131, 550, Outcome.FINE),
    (9, "permissions", "GET /permissions", Kind.SERVER, 133, 547, Outcome.FINE),
    (2, "auth", "publish logins", Kind.PRODUCER, 590, 600, Outcome.FINE),
]
CRITICAL: list[tuple[int, float, float]] = [
    (0, 0, 4), (1, 4, 6), (2, 6, 12), (3, 12, 14), (4, 14, 16), (5, 16, 22), (4, 22, 24), (6, 24, 26), (7, 26, 30),
    (8, 30, 120), (7, 120, 131), (9, 131, 133), (10, 133, 547), (9, 547, 550), (7, 550, 557), (6, 557, 560),
    (4, 560, 577), (3, 577, 580), (2, 580, 606), (1, 606, 610), (0, 610, 620),
]  # fmt: skip


def login_trace(rename: dict[str, str] | None = None) -> ForestView:
    """A slow login: gateway, auth, user, billing (with a retry), permissions."""
    named = [(rename or {}).get(name, name) for _, _, name, *_ in SPANS]
    services = tuple(dict.fromkeys(service for _, service, *_ in SPANS))
    n = len(SPANS)
    blank = {name: "" for name, kind in OPERATION.items() if kind == pl.String}
    operations = pl.DataFrame(
        [{**blank, "operation": i, "name": name, "kind": int(SPANS[i][3])} for i, name in enumerate(named)],
        schema=OPERATION,
    )
    depth = [0] * n
    for i, (parent, *_) in enumerate(SPANS):
        depth[i] = 0 if parent < 0 else depth[parent] + 1
    forest = TraceForest(
        trace=np.zeros(n, np.int32),
        span_id=np.arange(1, n + 1, dtype=np.uint64),
        parent=np.array([row[0] for row in SPANS], np.int32),
        depth_in_tree=np.array(depth, np.int32),
        start_ns=np.array([START_NS + row[4] * MS for row in SPANS], np.int64),
        duration_ns=np.array([(row[5] - row[4]) * MS for row in SPANS], np.int64),
        service=np.array([services.index(row[1]) for row in SPANS], np.int32),
        operation=np.arange(n, dtype=np.int32),
        resource=np.zeros(n, np.int32),
        kind=np.array([row[3] for row in SPANS], np.uint8),
        outcome=np.array([row[6] for row in SPANS], np.uint8),
        attempt=np.zeros(n, np.uint8),
        orphan=np.zeros(n, np.bool_),
        services=tuple((rename or {}).get(name, name) for name in services),
        operations=operations,
        resources=pl.DataFrame(schema=RESOURCE),
        environments=("production",),
        trace_hi=np.array([int(TRACE_IDS[0][:16], 16)], np.uint64),
        trace_lo=np.array([int(TRACE_IDS[0][16:], 16)], np.uint64),
        trace_first=np.array([0, n], np.int32),
        trace_root=np.zeros(1, np.int32),
        trace_complete=np.ones(1, np.bool_),
        trace_weight=np.ones(1),
        trace_window=np.zeros(1, np.int64),
        trace_environment=np.zeros(1, np.int32),
        counts={},
    )
    path = CriticalPath(
        chain=np.zeros(len(CRITICAL), np.int32),
        span=np.array([row[0] for row in CRITICAL], np.int32),
        start_ns=np.array([START_NS + row[1] * MS for row in CRITICAL], np.int64),
        end_ns=np.array([START_NS + row[2] * MS for row in CRITICAL], np.int64),
        hop=np.zeros(len(CRITICAL), np.int32),
        hop_labels=("",),
        hop_kinds=("service",),
        hop_callers=("",),
        hop_callees=("",),
    )
    # A waterfall reads neither calls nor chains.
    return ForestView(forest, Calls.__new__(Calls), Chains.__new__(Chains), path)
