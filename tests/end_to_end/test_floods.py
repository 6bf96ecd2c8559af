"""A sender that invents names: tables and memory stay bounded, everything is taken, and others keep their names.

Sends twenty thousand spans, enough to reach every limit per service. Two hundred thousand, which reach the limits of
the tables, too:

    FLOOD_SPANS=200000 pytest tests/end_to_end/test_floods.py -s
"""

import os
import re
import time
from pathlib import Path

import grpc
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from otlp import EXPORT
from serving import server_process
from tracelith.ingest.kept_times import TOO_EARLY, TOO_LATE
from tracelith.ingest.limits import GROUPS, MAX_SERVICES, MAX_TABLE_ROWS
from tracelith.model.schema import OTHER
from tracelith.store import Store

SPANS = int(os.environ.get("FLOOD_SPANS", "20000"))
BATCH = 2_000
GROWTH_BYTES = 700 << 20
"""Four requests of a flood decoded at once, and full tables: what floods may add to a server at rest."""


def _flood(first: int, count: int) -> bytes:
    """Spans whose every text is new, in words that no rule takes for ids."""
    request = ExportTraceServiceRequest()
    now_ns = time.time_ns()
    for number in range(first, first + count):
        word = "".join(chr(ord("g") + int(digit)) for digit in f"{number:07}")
        group = request.resource_spans.add()
        service = f"tenant-{word}" if number % 2 else "shop"
        for key, text in (
            ("service.name", service),
            ("service.instance.id", f"pod {word}"),
            ("service.version", f"build {word}"),
            ("host.name", f"host {word}"),
            ("deployment.environment.name", f"preview {word}" if number % 10 == 0 else "prod"),
        ):
            group.resource.attributes.add(key=key).value.string_value = text
        span = group.scope_spans.add().spans.add(
            trace_id=number.to_bytes(16, "big"),
            span_id=(number + 1).to_bytes(8, "big"),
            name=f"do {word}",
            kind=3,
            start_time_unix_nano=now_ns,
            end_time_unix_nano=now_ns + 1_000,
        )
        for key in ("server.address", "messaging.destination.name", "messaging.consumer.group.name", "peer.service"):
            span.attributes.add(key=key).value.string_value = f"{key} {word}"
    return request.SerializeToString()


def _own_service(name: str) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "late"
    span = group.scope_spans.add().spans.add(trace_id=b"l" * 16, span_id=b"l" * 8, name=name, kind=2)
    span.start_time_unix_nano = span.end_time_unix_nano = time.time_ns()
    return request.SerializeToString()


def _resident_bytes(pid: int) -> int:
    (kib,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(kib) << 10


def test_two_floods_of_everything_leave_tables_and_memory_bounded(tmp_path: Path) -> None:
    db = tmp_path / "spans.duckdb"
    with server_process(db) as server, grpc.insecure_channel(server.grpc) as channel:
        export = channel.unary_unary(EXPORT, response_deserializer=ExportTraceServiceResponse.FromString)
        before = _resident_bytes(server.process.pid)
        refused = 0
        for first in range(1, SPANS + 1, BATCH):
            refused += export(_flood(first, BATCH), timeout=60).partial_success.rejected_spans
        for _ in range(2):
            export(_own_service("place order"), timeout=60)
        grown = _resident_bytes(server.process.pid) - before
        metrics = httpx.get(f"http://{server.web}/metrics").text
        server.process.terminate()
        server.process.wait(60)

    with Store.open(db, read_only=True) as store:
        resources, operations, spans = store.resources(), store.operations(), store.size().spans
    print(f"{SPANS} spans: {resources.height} resources, {operations.height} operations, {grown >> 20} MiB more")
    assert refused == 0
    assert spans == SPANS + 2
    assert resources.height <= MAX_TABLE_ROWS + 2 * MAX_SERVICES
    assert operations.height <= MAX_TABLE_ROWS
    assert resources.select("service", "environment").n_unique() <= MAX_SERVICES + 201
    assert OTHER in operations["name"]
    assert "place order" in operations["name"]
    assert "late" in resources["service"]
    assert grown < GROWTH_BYTES
    assert all(group in metrics for group in GROUPS)


def test_spans_spread_over_centuries_open_no_windows_and_their_senders_are_told(tmp_path: Path) -> None:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    day_ns, now_ns = 86_400_000_000_000, time.time_ns()
    starts = [1, *range(now_ns + 2 * day_ns, now_ns + 10**18, 10**15), now_ns]
    for number, start_ns in enumerate(starts, 1):
        spans.add(
            trace_id=number.to_bytes(16, "big"),
            span_id=number.to_bytes(8, "big"),
            name="x",
            start_time_unix_nano=start_ns,
            end_time_unix_nano=start_ns + 6 * 3_600 * 10**9,
        )
    db = tmp_path / "spans.duckdb"

    with server_process(db, span_days=7, fact_days=400) as server, grpc.insecure_channel(server.grpc) as channel:
        export = channel.unary_unary(EXPORT, response_deserializer=ExportTraceServiceResponse.FromString)
        answer = export(request.SerializeToString(), timeout=60).partial_success
        server.process.terminate()
        server.process.wait(60)

    with Store.open(db, read_only=True) as store:
        kept, told = store.size().spans, store.refusals()
    assert kept == 1
    assert answer.rejected_spans == len(starts) - 1
    assert "(1)" in answer.error_message
    assert told == {TOO_LATE: len(starts) - 2, TOO_EARLY: 1}
