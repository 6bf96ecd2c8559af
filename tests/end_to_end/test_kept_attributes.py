"""The option to keep all that spans say, on a running server: the same by every way in, shown on one page only."""

import html
import json
import re
import time
from pathlib import Path

import grpc
import httpx
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp import EXPORT, SpanSpec, export_request
from serving import application
from tracelith.app import Application
from tracelith.cli.importing import import_trace_files

HOSTILE = "<script>alert('ü')</script>\n\tat a.b(C.java:3)"


def request(trace: int) -> ExportTraceServiceRequest:
    """One trace of one span, an hour old, that says what no analysis needs."""
    spec = SpanSpec(trace=trace, id=1, attributes={"shop.basket": HOSTILE})
    made = ExportTraceServiceRequest.FromString(export_request([spec]))
    span = made.resource_spans[0].scope_spans[0].spans[0]
    span.start_time_unix_nano = time.time_ns() - 3_600_000_000_000
    span.end_time_unix_nano = span.start_time_unix_nano + 1_000_000
    span.events.add(name="exception").attributes.add(key="exception.type").value.string_value = "OutOfStock"
    return made


def as_json(made: ExportTraceServiceRequest) -> bytes:
    """The request in OTLP/JSON, with hexadecimal ids."""
    document = json_format.MessageToDict(made, use_integers_for_enums=True)
    (span,) = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    came = made.resource_spans[0].scope_spans[0].spans[0]
    span |= {"traceId": came.trace_id.hex(), "spanId": came.span_id.hex()}
    return json.dumps(document).encode()


def send(app: Application, trace: int) -> None:
    with grpc.insecure_channel(app.grpc_address) as channel:
        channel.unary_unary(EXPORT)(request(trace).SerializeToString(), timeout=10)


def page(app: Application, trace: int) -> str:
    app.engine.analyse_stale(0.0)
    answer = httpx.get(f"http://{app.web_address}/traces/{trace:032x}", trust_env=False, timeout=20)
    assert answer.status_code == 200
    return answer.text


def shown(app: Application, trace: int) -> str:
    """What the page of the trace says of its span in full; empty if it says nothing."""
    found = re.search(r'<details class="told">(.*?)</details>', page(app, trace), re.DOTALL)
    return found[1] if found else ""


def test_every_way_in_shows_the_same_and_escapes_it(tmp_path: Path) -> None:
    file = tmp_path / "trace.pb"
    with application(tmp_path, keep_attributes=True) as app:
        send(app, 1)
        httpx.post(
            f"http://{app.http_address}/v1/traces",
            content=as_json(request(2)),
            headers={"content-type": "application/json"},
            trust_env=False,
        ).raise_for_status()
        file.write_bytes(request(3).SerializeToString())
        import_trace_files([file], app.settings.db)

        by_grpc, by_http, by_file = (shown(app, trace) for trace in (1, 2, 3))

    assert by_grpc == by_http == by_file
    assert "<script>" not in by_grpc
    assert HOSTILE.expandtabs(4) in html.unescape(by_grpc)
    assert "1 attribute, 1 event" in by_grpc
    assert "OutOfStock" in by_grpc


def test_an_import_without_a_server_keeps_it_on_request(tmp_path: Path) -> None:
    file, db = tmp_path / "trace.pb", tmp_path / "tracelith.duckdb"
    for trace, keep in ((1, True), (2, False)):
        file.write_bytes(request(trace).SerializeToString())
        import_trace_files([file], db, keep_attributes=keep)

    with application(tmp_path) as app:
        assert "shop.basket" in shown(app, 1)
        assert shown(app, 2) == ""


def test_the_option_can_change_from_start_to_start(tmp_path: Path) -> None:
    for trace, keep in ((1, False), (2, True), (3, False)):
        with application(tmp_path, keep_attributes=keep) as app:
            send(app, trace)

    with application(tmp_path) as app:
        assert [bool(shown(app, trace)) for trace in (1, 2, 3)] == [False, True, False]


def test_the_api_does_not_hand_it_out_and_the_log_does_not_hold_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"), application(tmp_path, keep_attributes=True) as app:
        send(app, 1)
        assert "shop.basket" in page(app, 1)

        answer = httpx.get(f"http://{app.web_address}/api/v1/traces/{1:032x}", trust_env=False).text

    assert json.loads(answer)["spans"] == 1
    assert "shop.basket" not in answer
    assert "shop.basket" not in caplog.text
    assert "OutOfStock" not in caplog.text


def test_retention_deletes_it_with_the_raw_spans(tmp_path: Path) -> None:
    with application(tmp_path, keep_attributes=True) as app:
        send(app, 1)
        page(app, 1)

        app.store.retain(1.0, 400.0, time.time_ns() + 2 * 86_400_000_000_000)

        assert app.store.read_details(0, 1).height == 0
        assert app.store.size().spans == 0
