"""The composed server looks at itself: what real exporters do shows in its metrics and on its ingest page."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from otlp import EXPORT, export_request, span
from serving import application
from tracelith.app import Application
from tracelith.model.errors import StoreError
from tracelith.store import Store

PATIENCE_S = 30.0


def metric(app: Application, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(httpx.get(f"http://{app.web_address}/metrics", trust_env=False).text)
    values = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }
    return values[name, tuple(sorted(labels.items()))]


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_counters_rise_with_what_exporters_send_over_every_way(tmp_path: Path) -> None:
    body = export_request([span(trace=1, id=1), span(trace=0, id=2)])
    with (
        application(tmp_path, max_request_bytes=1 << 16) as app,
        grpc.insecure_channel(app.grpc_address) as channel,
    ):
        before = metric(app, "tracelith_ingest_spans_total", result="accepted")

        channel.unary_unary(EXPORT)(body, timeout=10)
        for content in (body, b"\xff\xff garbage", bytes(1 << 20)):
            httpx.post(
                f"http://{app.http_address}/v1/traces",
                content=content,
                headers={"Content-Type": "application/x-protobuf"},
                trust_env=False,
            )

        assert before == 0
        assert metric(app, "tracelith_ingest_spans_total", result="accepted") == 2
        assert metric(app, "tracelith_ingest_spans_total", result="refused") == 2
        reason = "trace_id must be 16 bytes and not all zero"
        assert metric(app, "tracelith_ingest_refused_spans_total", reason=reason) == 2
        assert metric(app, "tracelith_ingest_requests_total", result="acknowledged") == 2
        assert metric(app, "tracelith_ingest_requests_total", result="invalid") == 1
        assert metric(app, "tracelith_ingest_acknowledgement_seconds_count") == 2
        assert metric(app, "tracelith_ingest_http_answers_total", status="413") == 1
        assert metric(app, "tracelith_ingest_queue_bytes") == 0
        assert metric(app, "tracelith_database_spans") == 2
        assert metric(app, "tracelith_database_bytes") > 0


def test_windows_wait_until_they_are_analysed(tmp_path: Path) -> None:
    body = export_request([span(trace=1, id=1)])
    with (
        application(tmp_path, quiet_s=0.0, analyse_every_s=0.5) as app,
        grpc.insecure_channel(app.grpc_address) as channel,
    ):
        channel.unary_unary(EXPORT)(body, timeout=10)

        eventually(lambda: metric(app, "tracelith_windows_waiting") == 0)

        assert app.store.period() is not None


def test_the_ingest_page_says_where_to_send_and_then_what_came(tmp_path: Path) -> None:
    with application(tmp_path) as app, grpc.insecure_channel(app.grpc_address) as channel:
        address = f"http://{app.web_address}/ingest"
        empty = httpx.get(address, trust_env=False).text

        channel.unary_unary(EXPORT)(export_request([span(trace=1, id=1)]), timeout=10)
        page = httpx.get(address, trust_env=False).text

    assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{app.grpc_address}" in empty
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in page
    assert "1 span in" in page


def test_metrics_and_page_answer_also_when_the_database_serves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Store) -> None:
        raise StoreError("the disk is full")

    with application(tmp_path) as app:
        monkeypatch.setattr(Store, "failed", property(lambda _: StoreError("the disk is full")))
        monkeypatch.setattr(Store, "size", broken)
        monkeypatch.setattr(Store, "period", broken)

        page = httpx.get(f"http://{app.web_address}/ingest", trust_env=False)
        ready = metric(app, "tracelith_ready")

        monkeypatch.undo()
    assert page.status_code == 200
    assert "No spans are taken: the disk is full" in page.text
    assert ready == 0


def test_while_commits_fail_the_probe_says_so_and_the_page_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise StoreError("db: the disk is full; free some space.")

    def send() -> int:
        content = export_request([span(trace=1, id=1)])
        headers = {"Content-Type": "application/x-protobuf"}
        url = f"http://{app.http_address}/v1/traces"
        return httpx.post(url, content=content, headers=headers, trust_env=False).status_code

    with application(tmp_path) as app:
        web = f"http://{app.web_address}"
        with monkeypatch.context() as patched:
            patched.setattr(Store, "append", full)
            refused = send()
        failing, ready = httpx.get(f"{web}/readyz", trust_env=False), metric(app, "tracelith_ready")
        page = httpx.get(f"{web}/ingest", trust_env=False).text
        taken = send()
        healed = httpx.get(f"{web}/readyz", trust_env=False)

    assert (refused, failing.status_code, ready) == (503, 503, 0)
    assert "No spans are taken: db: the disk is full" in page
    assert (taken, healed.status_code) == (200, 200)


def test_what_grpc_refuses_and_senders_who_break_off_are_seen(tmp_path: Path) -> None:
    def refused(method: str, body: bytes, **options: grpc.Compression) -> str:
        with pytest.raises(grpc.RpcError) as refusal:
            channel.unary_unary(method)(body, timeout=10, **options)
        return str(refusal.value.code().name)

    with (
        application(tmp_path, max_request_bytes=1 << 16) as app,
        grpc.insecure_channel(app.grpc_address) as channel,
    ):
        codes = [
            refused(EXPORT, bytes(1 << 17)),
            refused(EXPORT, bytes(1 << 20), compression=grpc.Compression.Gzip),
            refused(EXPORT, b"\xff\xff garbage"),
            refused(EXPORT.replace("trace", "metrics").replace("Trace", "Metrics"), b""),
        ]
        channel.unary_unary(EXPORT)(export_request([span(trace=1, id=1)]), timeout=10)
        host, _, port = app.http_address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as half:
            half.sendall(
                b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                b"Content-Length: 100\r\n\r\nhalf of it"
            )

        def counted(code: str) -> float:
            return metric(app, "tracelith_ingest_grpc_answers_total", code=code)

        eventually(lambda: metric(app, "tracelith_ingest_http_answers_total", status="499") == 1)
        eventually(lambda: counted("RESOURCE_EXHAUSTED") + counted("CANCELLED") == 2)
        page = httpx.get(f"http://{app.web_address}/ingest", trust_env=False).text
        assert codes == ["RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "UNIMPLEMENTED"]
        assert [counted(code) for code in ("INVALID_ARGUMENT", "UNIMPLEMENTED", "OK")] == [1, 1, 1]
        assert metric(app, "tracelith_ingest_http_answers_total", status="400") == 0
    assert "UNIMPLEMENTED" in page
    assert "larger than one" in page


def test_a_page_of_a_server_that_only_turned_senders_away_does_not_say_that_nothing_arrived(tmp_path: Path) -> None:
    with application(tmp_path) as app:
        httpx.post(f"http://{app.http_address}/v1/traces", content=b"x", trust_env=False)

        page = httpx.get(f"http://{app.web_address}/ingest", trust_env=False).text

    assert "Nothing has arrived" not in page
    assert "Senders were turned away" in page
    assert "HTTP 415" in page
