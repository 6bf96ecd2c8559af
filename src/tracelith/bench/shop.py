"""Traces of a small shop with everything that analyses look at: databases, a topic, failures, retries, two versions.

Requests of two kinds, so that there are several entry operations; 1 % of the calls to billing fail, most of them are
tried again. Each service runs as two instances, one of them a version ahead.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from tracelith.bench.payloads import Template, template_of

__all__ = ["shop_template"]

SERVICES = ("gateway", "auth", "orders", "billing", "users", "notifications")
TABLES = {"auth": "sessions", "orders": "orders", "billing": "invoices", "users": "users", "notifications": "mails"}
VERSIONS = ("1.4.2", "1.5.0")
TRACE_LOG_NS = (17.5, 0.6)
"""Parameters of the lognormal duration of a trace: median 40 ms."""

LOOKING = 0.5
"""Share of requests that only look at what is there."""
FAILING = 0.01
TRIED_AGAIN = 0.8
SEED = 20

SERVER, CLIENT = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT
PRODUCER, CONSUMER = Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER


@dataclass(frozen=True, slots=True)
class _Step:
    """One span: who writes it, under which step, and when it begins and ends as shares of the time of that step."""

    service: str
    kind: Span.SpanKind.ValueType
    name: str
    under: int
    begins: float
    ends: float
    attributes: Mapping[str, str | int]


def _get(service: str, under: int, begins: float, ends: float, callee: str) -> _Step:
    address: dict[str, str | int] = {"server.address": f"{callee}.svc.cluster.local", "server.port": 8080}
    return _Step(service, CLIENT, "GET", under, begins, ends, {"http.request.method": "GET", **address})


def _serve(service: str, under: int, route: str) -> _Step:
    attributes: dict[str, str | int] = {"http.request.method": "GET", "http.route": route}
    return _Step(service, SERVER, f"GET {route}", under, 0.05, 0.95, attributes)


def _query(service: str, under: int, begins: float, ends: float, statement: str) -> _Step:
    verb, table = statement.split(" ", 1)[0], TABLES[service]
    attributes: dict[str, str | int] = {
        "db.system.name": "postgresql",
        "db.namespace": f"{service}.public",
        "db.operation.name": verb,
        "db.collection.name": table,
        "db.query.text": statement,
        "server.address": "postgres.internal",
    }
    return _Step(service, CLIENT, f"{verb} {table}", under, begins, ends, attributes)


def _message(service: str, kind: Span.SpanKind.ValueType, under: int, begins: float, ends: float) -> _Step:
    action = "publish" if kind == PRODUCER else "process"
    attributes: dict[str, str | int] = {
        "messaging.system": "kafka",
        "messaging.destination.name": "orders",
        "messaging.operation.type": action,
    }
    if kind == CONSUMER:
        attributes["messaging.consumer.group.name"] = service
    return _Step(service, kind, f"{action} orders", under, begins, ends, attributes)


def _cache(service: str, under: int, begins: float, ends: float) -> _Step:
    attributes: dict[str, str | int] = {
        "db.system.name": "redis",
        "db.operation.name": "GET",
        "server.address": "redis.internal",
    }
    return _Step(service, CLIENT, "GET", under, begins, ends, attributes)


LOOK = (
    _serve("gateway", -1, "/v1/orders"),
    _get("gateway", 0, 0.05, 0.3, "auth"),
    _serve("auth", 1, "/v1/token"),
    _query("auth", 2, 0.1, 0.8, "SELECT * FROM sessions WHERE id = $1"),
    _get("gateway", 0, 0.35, 0.95, "users"),
    _serve("users", 4, "/v1/users/{id}"),
    _cache("users", 5, 0.1, 0.3),
    _query("users", 5, 0.4, 0.9, "SELECT * FROM users WHERE id = $1"),
)
BUY = (
    _serve("gateway", -1, "/v1/orders/{id}"),
    _get("gateway", 0, 0.05, 0.2, "auth"),
    _serve("auth", 1, "/v1/token"),
    _query("auth", 2, 0.1, 0.8, "SELECT * FROM sessions WHERE id = $1"),
    _get("gateway", 0, 0.25, 0.95, "orders"),
    _serve("orders", 4, "/v1/orders/{id}"),
    _query("orders", 5, 0.05, 0.2, "INSERT INTO orders VALUES ($1, $2)"),
    _get("orders", 5, 0.55, 0.7, "users"),
    _serve("users", 7, "/v1/users/{id}"),
    _query("users", 8, 0.1, 0.9, "SELECT * FROM users WHERE id = $1"),
    _message("orders", PRODUCER, 5, 0.75, 0.8),
    _message("notifications", CONSUMER, 10, 1.5, 9.0),
    _query("notifications", 11, 0.2, 0.8, "INSERT INTO mails VALUES ($1)"),
)
ORDERS_REQUEST = 5
"""Which step of BUY asks billing, within these shares of its time; a second attempt follows the first."""
ATTEMPTS = ((0.22, 0.36), (0.38, 0.52))


def shop_template(spans: int, *, start_ns: int, trace_spacing_ns: int) -> Template:
    """A batch of about that many spans, in whole traces, the first of which begins at start_ns."""
    request = ExportTraceServiceRequest()
    groups = {
        (service, version): _group(request, service, version, instance)
        for service in SERVICES
        for instance, version in enumerate(VERSIONS)
    }
    random = np.random.default_rng(SEED)
    written = trace = 0
    while written < spans:
        steps, failed = (LOOK, set[int]()) if random.random() < LOOKING else _buy(random)
        start = start_ns + trace * trace_spacing_ns
        _write(groups, steps, failed, (start, start + int(random.lognormal(*TRACE_LOG_NS))), random)
        written, trace = written + len(steps), trace + 1
    return template_of(request.SerializeToString(), [span for group in groups.values() for span in group.spans])


def _buy(random: np.random.Generator) -> tuple[Sequence[_Step], set[int]]:
    """Steps of a purchase, and which of them fail."""
    steps, failed = list(BUY), set[int]()
    for begins, ends in ATTEMPTS:
        at, fails = len(steps), random.random() < (FAILING if not failed else 1 - TRIED_AGAIN)
        again: dict[str, str | int] = {"http.request.resend_count": 1} if failed else {}
        call = _get("orders", ORDERS_REQUEST, begins, ends, "billing")
        steps.append(_Step(call.service, call.kind, call.name, call.under, begins, ends, {**call.attributes, **again}))
        steps.append(_serve("billing", at, "/v1/invoices"))
        steps.append(_query("billing", at + 1, 0.2, 0.9, "UPDATE invoices SET paid = true WHERE id = $1"))
        if not fails:
            break
        failed |= {at, at + 1}
    else:
        failed |= {0, 4, ORDERS_REQUEST}
    return steps, failed


def _write(
    groups: Mapping[tuple[str, str], ScopeSpans],
    steps: Sequence[_Step],
    failed: set[int],
    time: tuple[int, int],
    random: np.random.Generator,
) -> None:
    trace_id = secrets.token_bytes(16)
    version = {service: VERSIONS[random.integers(len(VERSIONS))] for service in SERVICES}
    made: list[Span] = []
    for number, step in enumerate(steps):
        span = groups[step.service, version[step.service]].spans.add()
        span.trace_id, span.span_id, span.kind, span.name = trace_id, secrets.token_bytes(8), step.kind, step.name
        begun, ended = time
        if step.under >= 0:
            above = made[step.under]
            span.parent_span_id = above.span_id
            length = above.end_time_unix_nano - above.start_time_unix_nano
            jitter = random.uniform(0.9, 1.0)
            begun = above.start_time_unix_nano + int(step.begins * length)
            ended = above.start_time_unix_nano + int(max(step.begins, step.ends * jitter) * length)
        span.start_time_unix_nano, span.end_time_unix_nano = begun, ended
        if "http.request.method" in step.attributes:
            _said(span, "http.response.status_code", 503 if number in failed else 200)
        if number in failed:
            span.status.code = Status.STATUS_CODE_ERROR
        for key, value in step.attributes.items():
            _said(span, key, value)
        made.append(span)


def _said(span: Span, key: str, value: str | int) -> None:
    attribute: KeyValue = span.attributes.add(key=key)
    if isinstance(value, str):
        attribute.value.string_value = value
    else:
        attribute.value.int_value = value


def _group(request: ExportTraceServiceRequest, service: str, version: str, instance: int) -> ScopeSpans:
    resource_spans = request.resource_spans.add()
    for key, value in (
        ("service.name", service),
        ("service.version", version),
        ("service.instance.id", f"{service}-7d9f4b6c5-{instance}"),
        ("deployment.environment.name", "bench"),
    ):
        resource_spans.resource.attributes.add(key=key).value.string_value = value
    scope_spans: ScopeSpans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "io.opentelemetry.http"
    return scope_spans
