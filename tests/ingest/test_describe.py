"""What attributes of every generation say about a span."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest.otlp_requests import START_NS, Scalar, make_request, make_span
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import CLAMPED, describe
from tracelith.ingest.fields import MAX_TEXT_CHARS
from tracelith.ingest.raw_columns import empty_raw_spans
from tracelith.model.schema import LINK, OPERATION_TEXT, RESOURCE_TEXT, Kind, Outcome, Status

Attributes = Mapping[str, Scalar]


def _describe(*spans: Span, resource: Attributes | None = None) -> list[dict[str, Any]]:
    """Spans with their resource and operation, one dictionary each."""
    described = describe(decode_requests([make_request(*spans, resource=resource)]).raw)
    rows = []
    for span in described.spans.rows(named=True):
        resource_row = dict(zip(RESOURCE_TEXT, described.resources[span["resource_row"]], strict=True))
        operation_row = dict(zip(OPERATION_TEXT, described.operations[span["operation_row"]], strict=True))
        rows.append(span | resource_row | operation_row)
    return rows


def _one(attributes: Attributes, **fields: Any) -> dict[str, Any]:
    (row,) = _describe(make_span(attributes, **fields))
    return row


def _pick(row: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


# --- resources -----------------------------------------------------------------------------------------------------


def test_a_resource_is_read_from_current_keys() -> None:
    resource: dict[str, Scalar] = {
        "service.name": "cart",
        "service.namespace": "shop",
        "deployment.environment.name": "prod",
        "service.version": "1.2",
        "service.instance.id": "i-1",
        "k8s.node.name": "n1",
        "telemetry.sdk.language": "java",
    }

    (row,) = _describe(make_span(), resource=resource)

    assert _pick(row, *RESOURCE_TEXT) == ("shop/cart", "prod", "1.2", "i-1", "n1", "java")


@pytest.mark.parametrize(
    ("resource", "service"),
    [
        ({"service.name": "cart"}, "cart"),
        ({"service.name": "cart", "service.namespace": ""}, "cart"),
        ({"service.name": "", "service.namespace": "shop"}, "shop/unknown_service"),
        ({"telemetry.sdk.language": "go"}, "unknown_service"),
        ({"service.name": 7}, "7"),
    ],
)
def test_a_service_is_named_by_namespace_and_name(resource: Attributes, service: str) -> None:
    (row,) = _describe(make_span(), resource=resource)

    assert row["service"] == service


def test_older_keys_stand_in_for_missing_newer_ones_only() -> None:
    both: dict[str, Scalar] = {"deployment.environment": "old", "deployment.environment.name": "new", "host.id": "h"}

    (row,) = _describe(make_span(), resource=both)

    assert _pick(row, "environment", "instance", "host") == ("new", "h", "h")


# --- operations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "attributes",
    [
        {"http.request.method": "GET", "http.route": "/a", "server.address": "cart", "server.port": 80},
        {"http.method": "get", "http.route": "/a", "net.peer.name": "cart", "net.peer.port": "80"},
        {"http.request.method": "GET", "url.template": "/a", "url.full": "http://user:pw@cart:80/a?b=c"},
        {"http.method": "GET", "http.route": "/a", "http.url": "http://cart:80"},
        {"http.method": "GET", "http.route": "/a", "http.host": "cart:80", "http.target": "/a?b=c"},
    ],
)
def test_an_http_call_reads_the_same_in_every_generation(attributes: Attributes) -> None:
    row = _one(attributes, kind=Kind.CLIENT)

    assert _pick(row, "protocol", "http_method", "http_route", "peer_address") == ("http", "GET", "/a", "cart:80")


@pytest.mark.parametrize(
    "attributes",
    [
        {
            "db.system.name": "microsoft.sql_server",
            "db.namespace": "shop",
            "db.collection.name": "orders",
            "db.operation.name": "SELECT",
        },
        {"db.system": "mssql", "db.name": "shop", "db.sql.table": "orders", "db.operation": "SELECT"},
        {"db.system": "MSSQL", "db.instance": "shop", "db.query.summary": "SELECT orders"},
        {"db.system": "sqlserver", "db.name": "shop", "db.statement": "SELECT TOP 5 * FROM [orders] WITH (NOLOCK)"},
        {"db.type": "mssql", "db.instance": "shop", "db.statement": "select * from orders where id = @p0"},
        {
            "db.system.name": "microsoft.sql_server",
            "db.namespace": "shop",
            "db.operation.name": "SELECT",
            "db.query.text": "SELECT * FROM orders WHERE id = @p0",
        },
    ],
)
def test_a_query_reads_the_same_in_every_generation(attributes: Attributes) -> None:
    row = _one({**attributes, "server.address": "db", "server.port": 1433}, kind=Kind.CLIENT)

    columns = ("protocol", "peer_system", "peer_namespace", "peer_object", "peer_action", "peer_address")
    assert _pick(row, *columns, "peer_statement") == (
        "db",
        "microsoft.sql_server",
        "shop",
        "orders",
        "SELECT",
        "db:1433",
        "SELECT orders",
    )


@pytest.mark.parametrize(
    ("attributes", "statement"),
    [
        ({"db.collection.name": "orders", "db.operation.name": "SELECT"}, "SELECT orders"),
        ({"db.sql.table": "orders", "db.operation": "SELECT"}, "SELECT orders"),
        ({"db.collection.name": "orders", "db.query.summary": "SELECT orders users"}, "SELECT orders users"),
        (
            {"db.sql.table": "orders", "db.statement": "SELECT 1 FROM orders JOIN users USING (id)"},
            "SELECT orders users",
        ),
        ({"db.sql.table": "orders", "db.operation": "SELECT", "db.statement": "no SQL ("}, "SELECT orders"),
        ({"db.collection.name": "orders", "db.operation.name": "ALTER TABLE"}, "ALTER TABLE orders"),
        ({"db.collection.name": "orders", "db.query.summary": "CREATE INDEX orders_by_day"}, "CREATE INDEX orders"),
        ({"db.operation": "COMMIT"}, "COMMIT"),
        ({}, ""),
    ],
)
def test_a_statement_is_told_by_the_source_that_knows_most(attributes: Attributes, statement: str) -> None:
    row = _one({"db.system": "postgresql", **attributes}, kind=Kind.CLIENT)

    assert row["peer_statement"] == statement


@pytest.mark.parametrize(
    ("attributes", "statement"),
    [
        ({"db.system.name": "mongodb", "db.collection.name": "orders", "db.operation.name": "find"}, "find orders"),
        ({"db.system": "mongodb", "db.mongodb.collection": "orders", "db.operation": "find"}, "find orders"),
        ({"db.system": "mongodb", "db.statement": '{"find": "orders"}'}, ""),
        ({"db.system.name": "redis", "db.operation.name": "GET", "db.query.text": "GET user:8231"}, "GET"),
        ({"db.system": "redis", "db.statement": "GET user:8231"}, ""),
        ({"db.system": "cassandra", "db.cassandra.table": "orders", "db.operation": "SELECT"}, "SELECT orders"),
        (
            {"db.system": "elasticsearch", "db.operation": "search", "db.elasticsearch.path_parts.index": "orders"},
            "search orders",
        ),
        (
            {"db.system": "cosmosdb", "db.cosmosdb.container": "orders", "db.operation": "query_items"},
            "query_items orders",
        ),
    ],
)
def test_datastores_that_speak_no_sql_tell_operation_and_collection(attributes: Attributes, statement: str) -> None:
    row = _one(attributes, kind=Kind.CLIENT)

    assert row["peer_statement"] == statement


def test_a_message_has_no_statement() -> None:
    row = _one({"messaging.system": "kafka", "messaging.destination.name": "orders"}, kind=Kind.PRODUCER)

    assert _pick(row, "peer_object", "peer_statement") == ("orders", "")


@pytest.mark.parametrize(
    ("attributes", "system", "destination"),
    [
        ({"messaging.system": "aws_sqs", "messaging.destination.name": "orders"}, "aws_sqs", "orders"),
        ({"messaging.system": "aws.sqs", "messaging.destination": "orders"}, "aws_sqs", "orders"),
        (
            {"messaging.system": "AmazonSQS", "aws.sqs.queue.url": "https://sqs.eu-1.amazonaws.com/12345/orders"},
            "aws_sqs",
            "orders",
        ),
        (
            {"messaging.system": "aws_sqs", "messaging.destination.name": "arn:aws:sqs:eu-1:12345:orders"},
            "aws_sqs",
            "orders",
        ),
        ({"messaging.system": "aws.sns", "aws.sns.topic.arn": "arn:aws:sns:eu-1:12345:orders"}, "aws.sns", "orders"),
        ({"messaging.system": "gcp_pubsub", "messaging.destination.name": "orders"}, "gcp_pubsub", "orders"),
        (
            {"messaging.system": "pubsub", "messaging.destination": "projects/shop/topics/orders"},
            "gcp_pubsub",
            "orders",
        ),
        ({"messaging.system": "az.servicebus", "message_bus.destination": "orders"}, "servicebus", "orders"),
        ({"messaging.system": "servicebus", "messaging.destination.name": "orders"}, "servicebus", "orders"),
        ({"messaging.system": "rocketmq", "messaging.destination.name": "orders"}, "rocketmq", "orders"),
        ({"messaging.system": "rabbitmq", "messaging.destination.name": "shop:orders"}, "rabbitmq", "shop:orders"),
    ],
)
def test_a_queue_has_one_name_whatever_library_sends_to_it(
    attributes: Attributes, system: str, destination: str
) -> None:
    row = _one(attributes, kind=Kind.PRODUCER)

    assert _pick(row, "protocol", "peer_system", "peer_object") == ("messaging", system, destination)


@pytest.mark.parametrize(
    "attributes",
    [
        {"messaging.consumer.group.name": "billing"},
        {"messaging.kafka.consumer.group": "billing"},
        {"messaging.rocketmq.client_group": "billing"},
        {"messaging.eventhubs.consumer.group": "billing"},
        {"messaging.destination.subscription.name": "billing"},
        {"messaging.servicebus.destination.subscription_name": "billing"},
    ],
)
def test_consumers_that_share_a_topic_are_a_group_in_every_generation(attributes: Attributes) -> None:
    assert _one({"messaging.system": "x", **attributes}, kind=Kind.CONSUMER)["consumer_group"] == "billing"


@pytest.mark.parametrize(
    "resource",
    [
        {"faas.name": "cart", "faas.version": "7", "faas.instance": "i-1"},
        {"k8s.deployment.name": "cart", "container.image.tag": "7", "k8s.pod.name": "i-1"},
        {"k8s.statefulset.name": "cart", "service.version": "7", "container.id": "i-1"},
        {"aws.ecs.task.family": "cart", "service.version": "7", "aws.ecs.task.arn": "i-1"},
    ],
)
def test_a_platform_names_the_service_that_does_not_name_itself(resource: Attributes) -> None:
    (row,) = _describe(make_span(), resource=resource)

    assert _pick(row, "service", "version", "instance") == ("cart", "7", "i-1")


def test_an_invoked_function_is_the_service_of_its_name() -> None:
    assert _one({"faas.invoked_name": "cart"}, kind=Kind.CLIENT)["peer_service"] == "cart"


@pytest.mark.parametrize(
    "attributes",
    [
        {
            "messaging.system": "kafka",
            "messaging.destination.name": "orders",
            "messaging.operation.type": "process",
            "messaging.consumer.group.name": "billing",
        },
        {
            "messaging.system": "kafka",
            "messaging.destination": "orders",
            "messaging.operation": "process",
            "messaging.kafka.consumer_group": "billing",
        },
        {
            "messaging.system": "Kafka",
            "messaging.destination.name": "orders-4711",
            "messaging.destination.template": "orders",
            "messaging.operation.type": "deliver",
            "messaging.kafka.consumer.group": "billing",
        },
    ],
)
def test_a_message_reads_the_same_in_every_generation(attributes: Attributes) -> None:
    row = _one(attributes, kind=Kind.CONSUMER)

    assert _pick(row, "protocol", "peer_system", "peer_object", "peer_action", "consumer_group") == (
        "messaging",
        "kafka",
        "orders",
        "process",
        "billing",
    )


@pytest.mark.parametrize(
    ("attributes", "protocol"),
    [
        ({}, ""),
        ({"rpc.system.name": "grpc"}, "rpc"),
        ({"rpc.system": "grpc", "http.request.method": "POST"}, "rpc"),
        ({"rpc.system": "aws-api", "messaging.system": "aws_sqs"}, "messaging"),
        ({"db.system": "elasticsearch", "http.request.method": "POST"}, "db"),
        ({"http.response.status_code": 200}, "http"),
    ],
)
def test_the_most_specific_protocol_counts(attributes: Attributes, protocol: str) -> None:
    assert _one(attributes)["protocol"] == protocol


def test_a_datastore_without_a_name_is_unknown_and_not_external() -> None:
    row = _one({"db.operation.name": "SELECT"}, kind=Kind.CLIENT)

    assert _pick(row, "protocol", "peer_system") == ("db", "unknown")


def test_publishing_has_one_name() -> None:
    spans = [make_span({"messaging.system": "x", "messaging.operation.type": kind}) for kind in ("send", "publish")]

    assert {row["peer_action"] for row in _describe(*spans)} == {"publish"}


def test_a_server_span_has_no_peer_so_that_callers_ports_make_no_operations() -> None:
    spans = [
        make_span(
            {"http.method": "GET", "net.peer.ip": "10.0.0.1", "net.peer.port": port, "peer.service": "web"},
            kind=Kind.SERVER,
        )
        for port in (50001, 50002)
    ]

    first, second = _describe(*spans)

    assert _pick(first, "peer_address", "peer_service") == ("", "")
    assert first["operation_row"] == second["operation_row"]


@pytest.mark.parametrize("kind", [Kind.UNSPECIFIED, Kind.INTERNAL])
def test_a_span_without_a_direction_has_a_peer_only_when_it_evidently_calls_one(kind: Kind) -> None:
    web = _one({"http.method": "GET", "server.address": "me", "server.port": 80}, kind=kind)
    query = _one({"db.system": "redis", "server.address": "cache"}, kind=kind)
    named = _one({"peer.service": "cart", "net.peer.name": "10.0.0.9"}, kind=kind)

    assert [row["peer_address"] for row in (web, query, named)] == ["", "cache", "10.0.0.9"]


@pytest.mark.parametrize(
    ("attributes", "address"),
    [
        ({"server.address": "cart"}, "cart"),
        ({"server.address": "::1", "server.port": 80}, "[::1]:80"),
        ({"server.address": "[::1]", "server.port": 80}, "[::1]:80"),
        ({"server.address": "fe80::1"}, "[fe80::1]"),
        ({"peer.address": "10.0.0.1:99", "peer.port": 99}, "10.0.0.1:99"),
        ({"server.port": 80}, ""),
        ({"url.full": "https://[::1]:8443/x"}, "[::1]:8443"),
        ({"url.full": "/relative", "http.method": "GET"}, ""),
    ],
)
def test_addresses_have_one_spelling(attributes: Attributes, address: str) -> None:
    row = _one(attributes, kind=Kind.CLIENT)

    assert row["peer_address"].removeprefix(":") == address


def test_a_peer_service_is_named_like_a_service() -> None:
    row = _one({"service.peer.name": "cart", "service.peer.namespace": "shop"}, kind=Kind.CLIENT)

    assert row["peer_service"] == "shop/cart"


def test_names_are_normalised_and_equal_operations_share_a_row() -> None:
    first, second, other = _describe(make_span(name="GET /u/1"), make_span(name="GET /u/2"), make_span(name="GET /v/2"))

    assert first["name"] == "GET /u/{id}"
    assert first["operation_row"] == second["operation_row"] != other["operation_row"]


def test_overlong_text_is_cut() -> None:
    row = _one({"http.route": "/" + "é" * 5_000}, name="n" * 5_000)

    assert len(row["http_route"]) == len(row["name"]) == MAX_TEXT_CHARS


# --- outcomes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "status", "outcome"),
    [
        ({}, Status.UNSET, Outcome.FINE),
        ({}, Status.OK, Outcome.FINE),
        ({}, Status.ERROR, Outcome.FAILED),
        ({"http.response.status_code": 200}, Status.UNSET, Outcome.FINE),
        ({"http.response.status_code": 200}, Status.ERROR, Outcome.FAILED),
        ({"http.response.status_code": 503}, Status.UNSET, Outcome.FAILED),
        ({"http.status_code": "500"}, Status.UNSET, Outcome.FAILED),
        ({"http.response.status_code": 404}, Status.UNSET, Outcome.REFUSED),
        ({"http.response.status_code": 404}, Status.ERROR, Outcome.REFUSED),
        ({"http.response.status_code": 499}, Status.ERROR, Outcome.CANCELLED),
        ({"http.request.method": "GET", "error.type": "404"}, Status.ERROR, Outcome.REFUSED),
        ({"http.request.method": "GET", "error.type": "timeout"}, Status.ERROR, Outcome.FAILED),
        ({"db.system": "mysql", "error.type": "404"}, Status.ERROR, Outcome.FAILED),
        ({"rpc.grpc.status_code": 0}, Status.UNSET, Outcome.FINE),
        ({"rpc.grpc.status_code": 5}, Status.ERROR, Outcome.REFUSED),
        ({"rpc.grpc.status_code": 1}, Status.ERROR, Outcome.CANCELLED),
        ({"rpc.response.status_code": "CANCELLED"}, Status.ERROR, Outcome.CANCELLED),
        ({"rpc.response.status_code": "NOT_FOUND"}, Status.UNSET, Outcome.REFUSED),
        ({"rpc.connect_rpc.error_code": "unavailable"}, Status.UNSET, Outcome.FAILED),
        ({"rpc.system.name": "grpc", "error.type": "UNAVAILABLE"}, Status.UNSET, Outcome.FAILED),
        ({"rpc.response.status_code": "-32601"}, Status.ERROR, Outcome.FAILED),
        ({"rpc.grpc.status_code": 99}, Status.UNSET, Outcome.FINE),
        ({"http.status_code": 200, "rpc.grpc.status_code": 14}, Status.UNSET, Outcome.FAILED),
        ({"error": True}, Status.UNSET, Outcome.FAILED),
        ({"error": "True"}, Status.UNSET, Outcome.FAILED),
        ({"error": False}, Status.UNSET, Outcome.FINE),
        ({"error": True}, Status.OK, Outcome.FINE),
        ({"error": True, "http.status_code": 404}, Status.UNSET, Outcome.REFUSED),
    ],
)
def test_9_1_outcomes_follow_the_code_first_and_the_status_second(
    attributes: Attributes, status: Status, outcome: Outcome
) -> None:
    assert _one(attributes, status=status)["outcome"] == outcome


@pytest.mark.parametrize("code", range(17))
def test_9_1_grpc_codes_that_mean_the_server_failed(code: int) -> None:
    outcome = _one({"rpc.grpc.status_code": code})["outcome"]

    expected = Outcome.FAILED if code in (2, 4, 8, 10, 13, 14, 15) else Outcome.REFUSED
    assert outcome == {0: Outcome.FINE, 1: Outcome.CANCELLED}.get(code, expected)


def test_the_error_tag_of_older_tracers_is_a_status() -> None:
    assert _one({"error": True})["status"] == Status.ERROR


# --- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "attempt"), [(0, 0), (3, 3), (255, 255), (100_000, 255), (-1, 0), ("two", 0), ("9" * 30, 0), ("²", 0)]
)
def test_attempts_are_counted_up_to_255(count: Scalar, attempt: int) -> None:
    assert _one({"http.request.resend_count": count})["attempt"] == attempt


def test_a_negative_duration_is_clamped_and_flagged() -> None:
    wrong, right = _describe(make_span(end_time_unix_nano=START_NS - 5), make_span(end_time_unix_nano=START_NS))

    assert _pick(wrong, "start_ns", "duration_ns", "defects") == (START_NS, 0, CLAMPED)
    assert _pick(right, "duration_ns", "defects") == (0, 0)


def test_the_weight_comes_from_the_trace_state() -> None:
    known, unknown = _describe(make_span(trace_state="ot=th:c"), make_span())

    assert _pick(known, "weight") + _pick(unknown, "weight") == (4.0, None)


def test_links_carry_the_linking_span_and_its_start() -> None:
    span = make_span(name="linking", span_id=b"\0" * 7 + b"\2")
    span.links.add(trace_id=bytes(7) + b"\5" + bytes(7) + b"\6", span_id=bytes(7) + b"\7")

    links = describe(decode_requests([make_request(make_span(), span)]).raw).links

    assert links.schema == LINK
    assert links.select("span_id", "linked_trace_hi", "linked_trace_lo", "linked_span_id", "start_ns").rows() == [
        (2, 5, 6, 7, START_NS)
    ]


def test_a_batch_without_spans_is_described_as_such() -> None:
    described = describe(empty_raw_spans())

    assert [described.spans.height, len(described.resources), len(described.operations)] == [0, 0, 0]


# --- laws ----------------------------------------------------------------------------------------------------------

_span_attributes = st.dictionaries(
    st.sampled_from(["http.route", "db.system", "server.address", "server.port", "peer.service", "error", "url.full"]),
    st.sampled_from(["", "a", "b", "true", "404", "http://h:1/x"]),
)
_spans = st.builds(
    lambda attributes, kind, name: make_span(attributes, kind=kind, name=name),
    _span_attributes,
    st.integers(0, 5),
    st.sampled_from(["", "a", "GET /x/1", "GET /x/2"]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_spans, min_size=1, max_size=12))
def test_a_span_is_described_the_same_whatever_its_neighbours(spans: list[Span]) -> None:
    rows_of_batch = ("resource_row", "operation_row")

    together = _describe(*spans)
    alone = [row for span in spans for row in _describe(span)]

    def kept(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{name: value for name, value in row.items() if name not in rows_of_batch} for row in rows]

    assert kept(together) == kept(alone)


def test_readers_may_leave_optional_text_null() -> None:
    raw = decode_requests([make_request(make_span())]).raw
    blank = raw.spans.with_columns(
        pl.lit(None, pl.String).alias(name) for name in ("name", "trace_state", "scope")
    ).select(raw.spans.columns)
    object.__setattr__(raw, "spans", blank)

    described = describe(raw)

    (operation,) = (dict(zip(OPERATION_TEXT, row, strict=True)) for row in described.operations)
    assert (operation["name"], operation["scope"]) == ("", "")
    assert described.spans["weight"].to_list() == [None]
