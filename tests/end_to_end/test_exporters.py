"""Stock OpenTelemetry exporters need nothing but the endpoint."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as JsonExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as ProtobufExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind

from serving import application
from tracelith.app import Application

EXPORTERS = {
    "grpc": lambda app: GrpcExporter(endpoint=f"http://{app.grpc_address}", insecure=True),
    "http/protobuf": lambda app: ProtobufExporter(endpoint=f"http://{app.http_address}/v1/traces"),
    "http/protobuf gzip": lambda app: ProtobufExporter(
        endpoint=f"http://{app.http_address}/v1/traces", compression=Compression.Gzip
    ),
    "http/json": lambda app: JsonExporter(endpoint=f"http://{app.http_address}/v1/traces"),
}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Application]:
    with application(tmp_path, quiet_s=3600.0) as running:
        yield running


def record_requests(exporter: SpanExporter, requests: int) -> bool:
    """A gateway calling a shop, through the real SDK; whether everything was handed over."""
    tracers = {}
    providers = []
    for service in ("gateway", "shop"):
        provider = TracerProvider(resource=Resource.create({"service.name": service, "service.version": "1"}))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        tracers[service] = provider.get_tracer("test")
        providers.append(provider)
    for _ in range(requests):
        with (
            tracers["gateway"].start_as_current_span("GET /buy", kind=SpanKind.SERVER),
            tracers["gateway"].start_as_current_span("GET /items", kind=SpanKind.CLIENT),
            tracers["shop"].start_as_current_span("GET /items", kind=SpanKind.SERVER),
        ):
            pass
    flushed = all(provider.force_flush() for provider in providers)
    for provider in providers:
        provider.shutdown()
    return flushed


@pytest.mark.parametrize("protocol", EXPORTERS)
def test_a_stock_exporter_delivers_every_span(app: Application, protocol: str) -> None:
    exporter = EXPORTERS[protocol](app)

    flushed = record_requests(exporter, requests=50)
    app.engine.analyse_stale(0.0)
    start_ns, end_ns = app.store.period() or (0, 0)
    document = app.engine.conclude(None, start_ns, end_ns)

    assert flushed
    assert document["quality"]["spans"] == 150
    assert document["quality"]["traces"] == document["quality"]["complete_traces"] == 50
    assert [(edge["caller"], edge["callee"], edge["mode"]) for edge in document["edges"]] == [
        ("gateway", "shop", "sync")
    ]
