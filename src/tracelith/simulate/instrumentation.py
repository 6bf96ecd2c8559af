"""What the SDKs of a service write about a step: span names, kinds, scopes and attributes.

Follows the stable HTTP and database conventions and the current RPC and messaging conventions of OpenTelemetry. A
SpanShape is everything about a span that many spans share; what differs from span to span is in execution.SpanBlock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tracelith.simulate.flow import GRPC, Cached, Consumer, External, Job, Operation, Publish, Query, Task
from tracelith.simulate.incidents import TableLock
from tracelith.simulate.topology import Database, Service, Topic

__all__ = [
    "NUMBER",
    "PARTITION",
    "REFUSED",
    "TIMED_OUT",
    "SpanShape",
    "cache_shape",
    "client_shape",
    "consumer_shape",
    "external_shape",
    "job_shape",
    "migration_shape",
    "producer_shape",
    "query_shape",
    "receive_shape",
    "reply_shape",
    "server_shape",
    "task_shape",
]

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5  # opentelemetry.proto.trace.v1.Span.SpanKind

NUMBER = "~~~~~~"
"""Stands in an attribute for the six-digit number of the request."""
PARTITION = "^"
"""Stands in an attribute for the one-digit partition of a message."""

TIMED_OUT, REFUSED = 1504, 1503
"""In place of a status, for calls that were not answered: the caller gave up, or nobody listened."""

_LOCK_TIMEOUT = "55P03"  # PostgreSQL's lock_not_available
_CANCELED = "57014"  # PostgreSQL's query_canceled: the statement ran into its timeout

_RPC_CODES = {
    200: "OK",
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    422: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    REFUSED: "UNAVAILABLE",
    TIMED_OUT: "DEADLINE_EXCEEDED",
}
"""gRPC's code for what would be an HTTP status, as gRPC's own mapping and the gateways have it."""

_SCOPES = {
    "go": {
        "server": "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
        "client": "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
        "database": "github.com/exaring/otelpgx",
        "messaging": "github.com/dnwe/otelsarama",
        "rpc": "go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc",
        "cache": "github.com/redis/go-redis/extra/redisotel",
    },
    "java": {
        "server": "io.opentelemetry.tomcat-10.0",
        "client": "io.opentelemetry.java-http-client",
        "database": "io.opentelemetry.jdbc",
        "messaging": "io.opentelemetry.kafka-clients-2.6",
        "rpc": "io.opentelemetry.grpc-1.6",
        "cache": "io.opentelemetry.lettuce-5.1",
    },
    "nodejs": {
        "server": "@opentelemetry/instrumentation-http",
        "client": "@opentelemetry/instrumentation-undici",
        "database": "@opentelemetry/instrumentation-pg",
        "messaging": "@opentelemetry/instrumentation-kafkajs",
        "rpc": "@opentelemetry/instrumentation-grpc",
        "cache": "@opentelemetry/instrumentation-redis",
    },
    "python": {
        "server": "opentelemetry.instrumentation.fastapi",
        "client": "opentelemetry.instrumentation.httpx",
        "database": "opentelemetry.instrumentation.psycopg",
        "messaging": "opentelemetry.instrumentation.confluent_kafka",
        "rpc": "opentelemetry.instrumentation.grpc",
        "cache": "opentelemetry.instrumentation.redis",
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
    """The receiving side of a request. Only 5xx, or what gRPC has instead, is an error of the server."""
    if operation.method == GRPC:
        return _rpc(operation.service, operation, SERVER, status, failed=status >= 500, root=root)
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


def client_shape(caller: Service, operation: Operation, status: int, *, resend: int = 0) -> SpanShape:
    """The calling side of one attempt of a request. The conventions make 4xx an error of the client's span.

    Args:
        status: may be TIMED_OUT or REFUSED. resend: how many attempts there were before.
    """
    if operation.method == GRPC:
        return _rpc(caller, operation, CLIENT, status, failed=status >= 400)
    callee = operation.service
    path = operation.route.replace("{id}", NUMBER)
    return _http_client(
        caller,
        operation.method,
        f"http://{callee.name}:{callee.port}{path}",
        address=callee.name,
        port=callee.port,
        status=status,
        resend=resend,
    )


def external_shape(caller: Service, step: External, status: int) -> SpanShape:
    """The calling side of an HTTP request to somebody who sends no traces."""
    return _http_client(
        caller, step.method, f"https://{step.address}{step.path}", address=step.address, port=443, status=status
    )


def query_shape(caller: Service, step: Query, status: int) -> SpanShape:
    """A database statement; one that joins tables says so in its text, as one collection's name could not."""
    summary = " ".join((step.action, step.collection, *step.joins))
    if step.joins:
        attributes: tuple[tuple[str, str | int], ...] = (("db.query.text", _joined(step)),)
    else:
        attributes = (("db.collection.name", step.collection), ("db.operation.name", step.action))
    return _statement(caller, step.database, summary, attributes, status)


def cache_shape(caller: Service, step: Cached, _status: int) -> SpanShape:
    """A look into a cache."""
    return _statement(caller, step.cache, "GET", (("db.operation.name", "GET"),), 200, side="cache")


def migration_shape(owner: Service, lock: TableLock, _status: int) -> SpanShape:
    """The statement that holds a table lock."""
    action = " ".join(lock.statement.split()[:2])
    attributes = (
        ("db.collection.name", lock.collection),
        ("db.operation.name", action),
        ("db.query.text", lock.statement),
    )
    return _statement(owner, lock.database, f"{action} {lock.collection}", attributes, 200)


def producer_shape(sender: Service, step: Publish, _status: int) -> SpanShape:
    """A message handed to the broker; its context is the message's creation context."""
    return _send(sender, step.topic)


def reply_shape(sender: Service, reply: Topic, _status: int) -> SpanShape:
    """The answer to a message, handed to the broker by whoever processed the message."""
    return _send(sender, reply)


def receive_shape(asker: Service, reply: Topic, status: int) -> SpanShape:
    """Waiting for the answer to a message; linked to the answer unless the asker gave up."""
    attributes: tuple[tuple[str, str | int], ...] = (
        *_topic(reply),
        ("messaging.operation.name", "receive"),
        ("messaging.operation.type", "receive"),
    )
    late = status == TIMED_OUT
    if late:
        attributes = (*attributes, ("error.type", "timeout"))
    scope = _scope(asker, "messaging")
    return SpanShape(f"receive {reply.destination}", CLIENT, scope, attributes, failed=late, linked=not late)


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


def _http_client(
    caller: Service, method: str, url: str, *, address: str, port: int, status: int, resend: int = 0
) -> SpanShape:
    answered = status not in (TIMED_OUT, REFUSED)
    attributes: list[tuple[str, str | int]] = [
        ("http.request.method", method),
        ("url.full", url),
        ("server.address", address),
        ("server.port", port),
    ]
    if answered:
        attributes += [("http.response.status_code", status), ("network.protocol.version", "1.1")]
    if resend:
        attributes.append(("http.request.resend_count", resend))
    if status >= 400:
        reasons = {TIMED_OUT: "timeout", REFUSED: "connection_refused"}
        attributes.append(("error.type", reasons.get(status, str(status))))
    return SpanShape(method, CLIENT, _scope(caller, "client"), tuple(attributes), failed=status >= 400)


def _rpc(
    owner: Service, operation: Operation, kind: int, status: int, *, failed: bool, root: bool = False
) -> SpanShape:
    code = _RPC_CODES.get(status, "UNKNOWN")
    attributes: list[tuple[str, str | int]] = [
        ("rpc.system.name", "grpc"),
        ("rpc.method", operation.route),
        ("rpc.response.status_code", code),
        ("server.address", operation.service.name),
        ("server.port", operation.service.port),
    ]
    if failed:
        attributes.append(("error.type", code))
    return SpanShape(operation.name, kind, _scope(owner, "rpc"), tuple(attributes), failed=failed, root=root)


def _statement(
    caller: Service,
    database: Database,
    summary: str,
    described: tuple[tuple[str, str | int], ...],
    status: int,
    *,
    side: str = "database",
) -> SpanShape:
    attributes: tuple[tuple[str, str | int], ...] = (
        ("db.system.name", database.system),
        ("db.namespace", database.namespace),
        *described,
        ("db.query.summary", summary),
        ("server.address", database.address),
        ("server.port", database.port),
    )
    if status >= 500:
        code = _LOCK_TIMEOUT if status == TIMED_OUT else _CANCELED
        attributes = (*attributes, ("db.response.status_code", code), ("error.type", code))
    return SpanShape(summary, CLIENT, _scope(caller, side), attributes, failed=status >= 500)


def _joined(step: Query) -> str:
    """SQL that does what the step says; the columns are made up, the tables are not."""
    table = step.collection
    if step.action == "INSERT":
        first, *others = step.joins
        return " ".join(("INSERT INTO", table, "(id) SELECT", f"{first}.id FROM", _from(first, others)))
    chosen = " ".join(("SELECT", f"{table}.id FROM", _from(table, step.joins)))
    if step.action == "SELECT":
        return f"{chosen} WHERE {table}.id = ?"
    change = ("DELETE FROM", table) if step.action == "DELETE" else ("UPDATE", table, "SET changed_at = ?")
    return " ".join((*change, f"WHERE {table}.id IN ({chosen})"))


def _from(table: str, others: Sequence[str]) -> str:
    joins = ((other, other.rpartition(".")[2]) for other in others)  # SQL names columns by the table, not its schema
    return " ".join((table, *(f"JOIN {other} ON {name}.id = {table}.{name}_id" for other, name in joins)))


def _send(sender: Service, topic: Topic) -> SpanShape:
    attributes = (*_topic(topic), ("messaging.operation.name", "send"), ("messaging.operation.type", "send"))
    return SpanShape(f"send {topic.destination}", PRODUCER, _scope(sender, "messaging"), attributes)


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
