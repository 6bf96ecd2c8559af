"""What the SDKs of a service write about a step: span names, kinds, scopes and attributes.

Follows the stable HTTP and database conventions and the current messaging conventions of OpenTelemetry. A SpanShape is
everything about a span that many spans share; what differs from span to span is in execution.SpanBlock.
"""

from dataclasses import dataclass

from tracelith.simulate.flow import Consumer, External, Job, Operation, Publish, Query, Task
from tracelith.simulate.topology import Service, Topic

__all__ = [
    "NUMBER",
    "PARTITION",
    "SpanShape",
    "client_shape",
    "consumer_shape",
    "external_shape",
    "job_shape",
    "producer_shape",
    "query_shape",
    "server_shape",
    "task_shape",
]

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5  # opentelemetry.proto.trace.v1.Span.SpanKind

NUMBER = "~~~~~~"
"""Stands in an attribute for the six-digit number of the request."""
PARTITION = "^"
"""Stands in an attribute for the one-digit partition of a message."""

_SCOPES = {
    "go": {
        "server": "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
        "client": "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
        "database": "github.com/exaring/otelpgx",
        "messaging": "github.com/dnwe/otelsarama",
    },
    "java": {
        "server": "io.opentelemetry.tomcat-10.0",
        "client": "io.opentelemetry.java-http-client",
        "database": "io.opentelemetry.jdbc",
        "messaging": "io.opentelemetry.kafka-clients-2.6",
    },
    "nodejs": {
        "server": "@opentelemetry/instrumentation-http",
        "client": "@opentelemetry/instrumentation-undici",
        "database": "@opentelemetry/instrumentation-pg",
        "messaging": "@opentelemetry/instrumentation-kafkajs",
    },
    "python": {
        "server": "opentelemetry.instrumentation.fastapi",
        "client": "opentelemetry.instrumentation.httpx",
        "database": "opentelemetry.instrumentation.psycopg",
        "messaging": "opentelemetry.instrumentation.confluent_kafka",
    },
}


@dataclass(frozen=True, slots=True)
class SpanShape:
    """The part of a span that is the same for many spans.

    Attributes:
        name, kind, scope: as in OTLP. attributes: key and value, NUMBER and PARTITION not yet filled in.
        failed: status ERROR. root: has no parent. linked: carries one span link.
        trace_state: as in OTLP.
    """

    name: str
    kind: int
    scope: str
    attributes: tuple[tuple[str, str | int], ...]
    failed: bool = False
    root: bool = False
    linked: bool = False
    trace_state: str = ""


def server_shape(operation: Operation, status: int, *, root: bool) -> SpanShape:
    """The receiving side of an HTTP request. Only 5xx is an error of the server."""
    attributes: list[tuple[str, str | int]] = [
        ("http.request.method", operation.method),
        ("http.route", operation.route),
        ("url.path", operation.route.replace("{id}", NUMBER)),
        ("url.scheme", "http"),
        ("http.response.status_code", status),
        ("server.address", operation.service.name),
        ("server.port", operation.service.port),
        ("network.protocol.version", "1.1"),
    ]
    if status >= 500:
        attributes.append(("error.type", str(status)))
    scope = _scope(operation.service, "server")
    return SpanShape(operation.name, SERVER, scope, tuple(attributes), failed=status >= 500, root=root)


def client_shape(caller: Service, operation: Operation, status: int) -> SpanShape:
    """The calling side of an HTTP request. The conventions make 4xx an error of the client's span."""
    callee = operation.service
    path = operation.route.replace("{id}", NUMBER)
    return _http_client(
        caller,
        operation.method,
        f"http://{callee.name}:{callee.port}{path}",
        address=callee.name,
        port=callee.port,
        status=status,
    )


def external_shape(caller: Service, step: External, status: int) -> SpanShape:
    """The calling side of an HTTP request to somebody who sends no traces."""
    return _http_client(
        caller, step.method, f"https://{step.address}{step.path}", address=step.address, port=443, status=status
    )


def query_shape(caller: Service, step: Query, status: int) -> SpanShape:
    """A database statement."""
    database = step.database
    summary = f"{step.action} {step.collection}"
    attributes: list[tuple[str, str | int]] = [
        ("db.system.name", database.system),
        ("db.namespace", database.namespace),
        ("db.collection.name", step.collection),
        ("db.operation.name", step.action),
        ("db.query.summary", summary),
        ("server.address", database.address),
        ("server.port", database.port),
    ]
    failed = status >= 500
    if failed:
        # PostgreSQL's query_canceled: the statement ran into its timeout
        attributes += [("db.response.status_code", "57014"), ("error.type", "57014")]
    return SpanShape(summary, CLIENT, _scope(caller, "database"), tuple(attributes), failed=failed)


def producer_shape(sender: Service, step: Publish, _status: int) -> SpanShape:
    """A message handed to the broker; its context is the message's creation context."""
    attributes = (*_topic(step.topic), ("messaging.operation.name", "send"), ("messaging.operation.type", "send"))
    return SpanShape(f"send {step.topic.destination}", PRODUCER, _scope(sender, "messaging"), attributes)


def consumer_shape(consumer: Consumer, status: int) -> SpanShape:
    """A message being processed."""
    attributes: tuple[tuple[str, str | int], ...] = (
        *_topic(consumer.topic),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.consumer.group.name", consumer.group),
    )
    failed = status >= 500
    if failed:
        attributes = (*attributes, ("error.type", "500"))
    name, scope = f"process {consumer.topic.destination}", _scope(consumer.service, "messaging")
    own = consumer.own_trace
    return SpanShape(name, CONSUMER, scope, attributes, failed=failed, root=own, linked=own)


def task_shape(owner: Service, step: Task, status: int) -> SpanShape:
    """A stretch of a service's own code with a span of its own."""
    attributes = (("code.function.name", step.name),)
    return SpanShape(step.name, INTERNAL, f"{owner.name}.tracing", attributes, failed=status >= 500)


def job_shape(job: Job, status: int) -> SpanShape:
    """A run of a job: a root span without a caller."""
    attributes = (("code.function.name", job.name),)
    return SpanShape(job.name, INTERNAL, f"{job.service.name}.jobs", attributes, failed=status >= 500, root=True)


def _http_client(caller: Service, method: str, url: str, *, address: str, port: int, status: int) -> SpanShape:
    attributes: list[tuple[str, str | int]] = [
        ("http.request.method", method),
        ("url.full", url),
        ("server.address", address),
        ("server.port", port),
        ("http.response.status_code", status),
        ("network.protocol.version", "1.1"),
    ]
    if status >= 400:
        attributes.append(("error.type", str(status)))
    return SpanShape(method, CLIENT, _scope(caller, "client"), tuple(attributes), failed=status >= 400)


def _topic(topic: Topic) -> tuple[tuple[str, str | int], ...]:
    return (
        ("messaging.system", topic.system),
        ("messaging.destination.name", topic.destination),
        ("messaging.destination.partition.id", PARTITION),
        ("server.address", topic.address),
        ("server.port", topic.port),
    )


def _scope(service: Service, side: str) -> str:
    return _SCOPES[service.language][side]
