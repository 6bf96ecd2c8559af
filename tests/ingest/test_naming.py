"""Names lose the ids in them and nothing else."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelith.ingest.naming import normalise_names, normalise_operations
from tracelith.model.schema import OPERATION_TEXT


def _normalise(name: str) -> str:
    text: str = normalise_names(pl.Series([name])).item()
    return text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GET /users/8231", "GET /users/{id}"),
        ("GET /users/8231/orders/9", "GET /users/{id}/orders/{id}"),
        ("GET /1/2/3", "GET /{id}/{id}/{id}"),
        ("/users/550e8400-e29b-41d4-a716-446655440000/x", "/users/{id}/x"),
        ("HTTP GET: /dispatch/123", "HTTP GET: /dispatch/{id}"),
        ("http://host:8080/users/7", "http://host:8080/users/{id}"),
        ("GET /blobs/9f86d081884c7d65", "GET /blobs/{id}"),
        ("GET /blobs/deadbeefdeadbeef", "GET /blobs/{id}"),
        ("GET /u/bob@example.com/inbox", "GET /u/{id}/inbox"),
        ("GET /orders/ORD-123456", "GET /orders/{id}"),
        ("GET /x/01ARZ3NDEKTSV4RRFFQ69G5FAV", "GET /x/{id}"),
        ("GET /users/7:activate", "GET /users/{id}:activate"),
        ("GET /files/12.json", "GET /files/{id}.json"),
        ("GET /report/2026-11-16/", "GET /report/{id}/"),
        ("GET /users?page=5", "GET /users"),
        (
            "SELECT * FROM users WHERE email = 'ann@example.org' AND id = 42",
            "SELECT * FROM users WHERE email = ? AND id = ?",
        ),
        ('select * from t where a = "bob@example.org"', "select * from t where a = ?"),
        ("insert into t values (1, 'it''s', \"secret\")", "insert into t values (?)"),
        ("SELECT 'a\\'b secret' FROM t", "SELECT ? FROM t"),
        ("UPDATE users SET pw='cut off he", "UPDATE users SET pw=?"),
        ("SELECT orders users", "SELECT orders users"),
    ],
)
def test_ids_in_paths_become_placeholders(name: str, expected: str) -> None:
    assert _normalise(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "users-v2",
        "process order 66",
        "SELECT 1/2",
        "a/1",
        "shop.v1.Cart/AddItem2",
        "/shop.v1.Cart/AddItem2",
        "GET /v1/users",
        "GET /oauth2/token",
        "GET /users/{id}",
        "GET /users/:id",
        "GET /feedback/facade",
        "GET /category/handmade-accessories-and-more",
        "GET",
        "/",
        "",
    ],
)
def test_names_without_ids_in_a_path_stay(name: str) -> None:
    assert _normalise(name) == name


_parts = st.sampled_from(
    ["users", "v2", "8231", "{id}", "a@b.de", "deadbeef01", "", ".", ":x", "?q=1", "#", "Ünï", "12.json"]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(_parts, max_size=5), st.sampled_from(["", "GET ", "HTTP GET: ", "https://shop:80"]))
def test_normalising_twice_changes_nothing_more(parts: list[str], prefix: str) -> None:
    once = _normalise(prefix + "/" + "/".join(parts))

    assert _normalise(once) == once


def test_names_keep_their_order_among_others() -> None:
    names = pl.Series(["GET /a/1", "job", "GET /a/2", "GET /b"])

    assert normalise_names(names).to_list() == ["GET /a/{id}", "job", "GET /a/{id}", "GET /b"]


# --- everywhere but in paths ------------------------------------------------------------------------------------------


def _operation(**texts: object) -> tuple[object, ...]:
    return tuple((dict.fromkeys(OPERATION_TEXT.names(), "") | {"kind": 3} | texts).values())


def _stored(column: str, text: str) -> object:
    row = normalise_operations([_operation(**{column: text})])[0]
    return row[OPERATION_TEXT.names().index(column)]


@pytest.mark.parametrize("column", ["name", "http_route", "peer_object", "peer_namespace", "consumer_group"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("process order 663311", "process order {id}"),
        ("orders_20261116", "orders_{id}"),
        ("events-2026.11.16", "events-{id}"),
        ("events_2026_11", "events_{id}"),
        ("reply.550e8400-e29b-41d4-a716-446655440000", "reply.{id}"),
        ("550e8400-e29b-41d4-a716-446655440000 550e8400-e29b-41d4-a716-446655440001", "{id} {id}"),
        ("tmp_8f3a2b1c", "tmp_{id}"),
        ("abcdefa1 a1bcdefa abcdefabc1", "{id} {id} {id}"),
        ("10001 10002 10003 10004", "{id} {id} {id} {id}"),
        ("mail to bob@example.com", "mail to {id}"),
        ("Handler@1a2b3c4d", "Handler@{id}"),
        ("amq.gen-JzTY20BRgKO-HjmUJj0wLg", "amq.gen-{id}"),
        ("session 01ARZ3NDEKTSV4RRFFQ69G5FAV", "session {id}"),
    ],
)
def test_what_nobody_would_choose_as_a_name_becomes_a_placeholder(column: str, text: str, expected: str) -> None:
    assert _stored(column, text) == expected
    assert _stored(column, expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "v1",
        "users-v2",
        "s3",
        "oauth2",
        "oauth2 token",
        "step2",
        "process order 66",
        "HTTP 404",
        "sha256",
        "utf8mb4_general",
        "ListObjectsV2",
        "convertUtf8ToUtf16",
        "x509",
        "facade",
        "deadbeef",
        "db-0",
        "orders_p7",
        "shop.v1.Cart/AddItem2",
        "GET /users/{id}",
        "",
    ],
)
@pytest.mark.parametrize("column", ["name", "peer_object", "peer_address"])
def test_names_that_people_choose_stay(column: str, text: str) -> None:
    assert _stored(column, text) == text


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("orders-7d9f8b6c5d-x2x4z.shop.svc:8080", "orders-{id}.shop.svc:8080"),
        ("10.0.0.7:5432", "10.0.0.7:5432"),
        ("db-12345.example:54321", "db-12345.example:54321"),
        ("orders-service-first", "orders-service-first"),
    ],
)
def test_of_addresses_only_the_random_ends_of_pods_go(address: str, expected: str) -> None:
    assert _stored("peer_address", address) == expected
