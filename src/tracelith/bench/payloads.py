"""OTLP request bodies for load: realistic in shape, distinct in ids, of the present time, cheap to make.

One template batch is built span by span. Every further batch is the same bytes with its trace and span ids
exclusive-ored with random masks, which keeps parents and children together, and with its times moved. That costs a
tenth of a microsecond a span, and nothing has to be kept: no id comes twice, however long the load lasts.
"""

import secrets
import struct
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from tracelith.model.schema import WINDOW_NS

__all__ = [
    "SPANS_PER_TRACE",
    "Batch",
    "BatchMaker",
    "PayloadShape",
    "Template",
    "Traces",
    "build_template",
    "template_of",
]

SPANS_PER_TRACE = 8
SERVICES = ("gateway", "auth", "user", "billing")
TRACE_SPACING_NS = 1_000_000
TRACE_LOG_NS = (17.5, 0.6)
"""Parameters of the lognormal duration of a trace: median 40 ms."""

STATUS_CODES, STATUS_SHARES = (200, 404, 503), (0.98, 0.015, 0.005)
USER_AGENTS = ("okhttp/4.12.0", "Mozilla/5.0", "curl/8.5.0", "kube-probe/1.31")
SEED = 20
WORD_BYTES = 8

Traces = Literal["whole", "scattered"]


@dataclass(frozen=True, slots=True)
class PayloadShape:
    """What a batch looks like, for the record beside every figure."""

    spans: int
    bytes_per_span: float
    attributes_per_span: float


@dataclass(frozen=True, slots=True)
class Template:
    """A serialised batch and where in it ids and times are, as positions of little-endian words of eight bytes.

    Attributes:
        trace_ids, span_ids, times: int64 positions; a trace id is two words, span_ids has parents, too, and times has
            starts and ends.
        starts_ns: int64[spans], sorted; when the spans start in the template itself.
    """

    body: bytes
    trace_ids: NDArray[np.int64]
    span_ids: NDArray[np.int64]
    times: NDArray[np.int64]
    starts_ns: NDArray[np.int64]
    shape: PayloadShape


@dataclass(frozen=True, slots=True)
class Batch:
    """A request body, and how many of its spans start in each window of analysis (by the start of the window)."""

    body: bytes
    spans_by_window: tuple[tuple[int, int], ...]


class BatchMaker:
    """Makes distinct batches of a template's shape, one after the other. Not thread safe.

    Attributes:
        spread_ns: from the start of a batch's first span to the start of its last.
    """

    def __init__(self, template: Template) -> None:
        self.shape = template.shape
        self.spread_ns = int(template.starts_ns[-1] - template.starts_ns[0])
        self._starts_ns = template.starts_ns
        self._at = (template.trace_ids[:, 0], template.trace_ids[:, 1], template.span_ids, template.times)
        self._body = np.frombuffer(template.body, np.uint8).copy()
        # Every position begins a word: the words of ids and times lie at odd positions of the body.
        self._words = np.ndarray((self._body.size - WORD_BYTES + 1,), "<u8", self._body, strides=(1,))
        self._originals = tuple(self._words[at] for at in self._at)

    def make(self, start_ns: int) -> Batch:
        """A batch whose first span starts at that time."""
        masks = np.frombuffer(secrets.token_bytes(3 * WORD_BYTES), "<u8")
        for at, original, mask in zip(self._at, self._originals, masks, strict=False):
            self._words[at] = original ^ mask
        moved_ns = start_ns - int(self._starts_ns[0])
        self._words[self._at[-1]] = self._originals[-1] + np.int64(moved_ns).astype(np.uint64)  # wraps as it must
        return Batch(self._body.tobytes(), self._windows(moved_ns))

    def _windows(self, moved_ns: int) -> tuple[tuple[int, int], ...]:
        first = (int(self._starts_ns[0]) + moved_ns) // WINDOW_NS * WINDOW_NS
        last = (int(self._starts_ns[-1]) + moved_ns) // WINDOW_NS * WINDOW_NS
        windows = range(first, last + 1, WINDOW_NS)
        ends = [window + WINDOW_NS - moved_ns for window in windows]
        counts = np.diff(np.searchsorted(self._starts_ns, ends), prepend=0)
        return tuple(zip(windows, counts.tolist(), strict=True))


def build_template(
    spans: int, *, start_ns: int, trace_spacing_ns: int = TRACE_SPACING_NS, traces: Traces = "whole"
) -> Template:
    """A batch of about that many spans (a multiple of eight) starting at start_ns.

    Args:
        trace_spacing_ns: time from the start of one trace to that of the next.
        traces: ``whole`` has all eight spans of a trace in the batch, as behind a Collector that groups them;
            ``scattered`` has one span of each trace, as from the SDK of one of many services.
    """
    request = ExportTraceServiceRequest()
    groups = [_group(request, service) for service in SERVICES]
    random = np.random.default_rng(SEED)
    count = max(1, spans // SPANS_PER_TRACE) * SPANS_PER_TRACE
    for trace in range(count // SPANS_PER_TRACE):
        trace_id, parent = secrets.token_bytes(16), b""
        start = start_ns + trace * trace_spacing_ns
        end = start + int(random.lognormal(*TRACE_LOG_NS))
        for hop in range(SPANS_PER_TRACE):
            span = groups[hop // 2].spans.add()
            span.trace_id, span.span_id, span.parent_span_id = trace_id, secrets.token_bytes(8), parent
            span.start_time_unix_nano, span.end_time_unix_nano = start, end
            _describe(span, hop, random)
            parent = span.span_id
            start, end = _inside(start, end, random)
            if traces == "scattered":
                trace_id, parent = secrets.token_bytes(16), secrets.token_bytes(8)
    return template_of(request.SerializeToString(), [span for group in groups for span in group.spans])


def _group(request: ExportTraceServiceRequest, service: str) -> ScopeSpans:
    resource_spans = request.resource_spans.add()
    for key, value in (
        ("service.name", service),
        ("service.version", "1.4.2"),
        ("service.instance.id", f"{service}-7d9f4b6c5-x2x"),
        ("deployment.environment.name", "bench"),
        ("telemetry.sdk.language", "java"),
    ):
        resource_spans.resource.attributes.add(key=key).value.string_value = value
    scope_spans: ScopeSpans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "io.opentelemetry.http"
    return scope_spans


def _inside(start: int, end: int, random: np.random.Generator) -> tuple[int, int]:
    """A child's time: it begins a little after its parent and ends a little before."""
    before, after = random.uniform(0.01, 0.12, 2) * (end - start)
    return start + int(before), end - int(after)


def _describe(span: Span, hop: int, random: np.random.Generator) -> None:
    """Kind, name and attributes; what differs from request to request in real traffic differs here."""
    client = hop % 2 == 1
    step, item = hop // 2, int(random.integers(10**6))
    status = random.choice(STATUS_CODES, p=STATUS_SHARES)
    span.kind = Span.SPAN_KIND_CLIENT if client else Span.SPAN_KIND_SERVER
    span.name = "GET" if client else f"GET /v1/step{step}/items/{{id}}"
    span.status.code = Status.STATUS_CODE_ERROR if status >= 500 else Status.STATUS_CODE_UNSET
    _text(span.attributes.add(), "http.request.method", "GET")
    _text(span.attributes.add(), "network.protocol.version", "1.1")
    span.attributes.add(key="http.response.status_code").value.int_value = status
    if client:
        _text(span.attributes.add(), "user_agent.original", "okhttp/4.12.0")
        _text(span.attributes.add(), "server.address", f"step{step}.svc.cluster.local")
        span.attributes.add(key="server.port").value.int_value = 8080
        _text(span.attributes.add(), "url.full", f"http://step{step}.svc.cluster.local/v1/step{step}/items/{item}")
    else:
        _text(span.attributes.add(), "user_agent.original", random.choice(USER_AGENTS))
        _text(span.attributes.add(), "http.route", f"/v1/step{step}/items/{{id}}")
        _text(span.attributes.add(), "url.scheme", "http")
        _text(span.attributes.add(), "url.path", f"/v1/step{step}/items/{item}")
        _text(span.attributes.add(), "client.address", f"10.12.{item % 4}.{item % 250}")


def _text(attribute: KeyValue, key: str, value: str) -> None:
    attribute.key = key
    attribute.value.string_value = value


def template_of(body: bytes, spans: list[Span]) -> Template:
    """The template of a serialised request with these spans, in the order in which they are serialised."""
    attributes = sum(len(span.attributes) for span in spans) / len(spans)
    shape = PayloadShape(len(spans), round(len(body) / len(spans), 1), round(attributes, 2))
    starts_ns = np.sort(np.array([span.start_time_unix_nano for span in spans], np.int64))
    return Template(body, *_positions(body, spans), starts_ns, shape)


def _positions(body: bytes, spans: list[Span]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Where trace ids, span ids and times are: searched in the order in which fields are serialised."""
    trace_ids, span_ids, times, at = [], [], [], 0
    for span in spans:
        at = body.index(span.trace_id, at)
        trace_ids.append((at, at + WORD_BYTES))
        at = body.index(span.span_id, at + 2 * WORD_BYTES)
        span_ids.append(at)
        if span.parent_span_id:
            at = body.index(span.parent_span_id, at + WORD_BYTES)
            span_ids.append(at)
        for time_ns in (span.start_time_unix_nano, span.end_time_unix_nano):
            at = body.index(struct.pack("<Q", time_ns), at + WORD_BYTES)
            times.append(at)
    return np.array(trace_ids), np.array(span_ids), np.array(times)
