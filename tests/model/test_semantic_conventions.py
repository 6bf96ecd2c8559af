"""The key table against OpenTelemetry's own registry, and against itself."""

import ast
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from golden import assert_golden
from tracelith.model.semantic_conventions import (
    DB_SYSTEM_RENAMES,
    KNOWN_RESOURCE_KEYS,
    KNOWN_SPAN_KEYS,
    MESSAGING_ACTION_RENAMES,
    MESSAGING_SYSTEM_RENAMES,
    QUERY_TEXT_KEYS,
    RESOURCE_KEYS,
    SPAN_KEYS,
)

OUTSIDE_THE_REGISTRY = {
    "db.instance": "OpenTracing",
    "db.type": "OpenTracing",
    "error": "OpenTracing",
    "message_bus.destination": "OpenTracing",
    "peer.address": "OpenTracing",
    "peer.hostname": "OpenTracing",
    "peer.ipv4": "OpenTracing",
    "peer.ipv6": "OpenTracing",
    "peer.port": "OpenTracing",
    "ip": "Jaeger process tag",
    "hostname": "Jaeger process tag",
    "container.image.tag": "semantic conventions up to 1.21",
    "db.cassandra.keyspace": "semantic conventions up to 1.6",
    "db.hbase.namespace": "semantic conventions up to 1.6",
    "db.elasticsearch.path_parts.index": "a member of the registered db.elasticsearch.path_parts",
    "db.operation.parameter.index": "a member of the registered db.operation.parameter",
    "grpc.status_code": "Envoy",
    "messaging.kafka.consumer_group": "semantic conventions 1.4 to 1.10",
}
"""Keys in use that the registry's Python edition does not list, and who sends them."""


@pytest.fixture(scope="module")
def registry() -> set[str]:
    """Text constants of the registry package: attribute keys of all versions, current and deprecated."""
    spec = find_spec("opentelemetry.semconv")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    files = [file for place in spec.submodule_search_locations for file in Path(place).rglob("*.py")]
    constants = {
        node.value.value
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.AnnAssign | ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    assert "service.name" in constants
    return constants


def test_every_key_is_registered_or_has_a_known_sender(registry: set[str]) -> None:
    unregistered = (KNOWN_SPAN_KEYS | KNOWN_RESOURCE_KEYS) - registry

    assert unregistered - OUTSIDE_THE_REGISTRY.keys() == set()


def test_every_listed_sender_has_a_key_in_the_table() -> None:
    assert OUTSIDE_THE_REGISTRY.keys() <= KNOWN_SPAN_KEYS | KNOWN_RESOURCE_KEYS


def test_database_renames_lead_to_registered_names(registry: set[str]) -> None:
    assert set(DB_SYSTEM_RENAMES.values()) - registry == set()


def test_broker_renames_lead_to_registered_names(registry: set[str]) -> None:
    assert set(MESSAGING_SYSTEM_RENAMES.values()) - registry == set()


def test_renames_end_where_they_lead() -> None:
    for renames in (DB_SYSTEM_RENAMES, MESSAGING_SYSTEM_RENAMES, MESSAGING_ACTION_RENAMES):
        assert not set(renames.values()) & renames.keys()


def test_the_whole_table_is_what_was_agreed() -> None:
    """Every key in its order: one left out or moved makes spans of some generation say less, and no other test see."""
    fields = {**{f"resource {name}": keys for name, keys in RESOURCE_KEYS.items()}, **SPAN_KEYS}
    lines = [f"{name}: {', '.join(keys)}" for name, keys in {**fields, "query texts": QUERY_TEXT_KEYS}.items()]
    for title, renames in (
        ("datastore", DB_SYSTEM_RENAMES),
        ("broker", MESSAGING_SYSTEM_RENAMES),
        ("message", MESSAGING_ACTION_RENAMES),
    ):
        lines += [f"{title} {old} is {new}" for old, new in renames.items()]

    assert_golden(Path(__file__).parent / "golden" / "semantic_conventions.txt", "\n".join([*lines, ""]))


def test_no_key_says_two_things_about_a_span() -> None:
    counts = Counter(key for keys in SPAN_KEYS.values() for key in keys)

    assert [key for key, count in counts.items() if count > 1] == []


@pytest.mark.parametrize(
    ("field", "newest", "oldest"),
    [
        ("http_method", "http.request.method", "http.method"),
        ("http_status", "http.response.status_code", "http.status_code"),
        ("db_system", "db.system.name", "db.type"),
        ("db_namespace", "db.namespace", "db.instance"),
        ("rpc_system", "rpc.system.name", "rpc.system"),
        ("rpc_status", "rpc.response.status_code", "grpc.status_code"),
        ("messaging_action", "messaging.operation.type", "messaging.operation"),
        ("peer_address", "server.address", "peer.address"),
    ],
)
def test_newer_keys_come_first(field: str, newest: str, oldest: str) -> None:
    assert (SPAN_KEYS[field][0], SPAN_KEYS[field][-1]) == (newest, oldest)


def test_the_environment_has_two_generations_of_keys() -> None:
    assert RESOURCE_KEYS["environment"] == ("deployment.environment.name", "deployment.environment")


@pytest.mark.parametrize("personal", ["url.query", "enduser.id", "http.request.header"])
def test_text_that_may_be_personal_is_never_read(personal: str) -> None:
    assert personal not in KNOWN_SPAN_KEYS | KNOWN_RESOURCE_KEYS


def test_query_texts_are_no_field_of_a_span() -> None:
    """They are read for names of tables and dropped; fields are stored."""
    assert not set(QUERY_TEXT_KEYS) & {key for keys in SPAN_KEYS.values() for key in keys}
