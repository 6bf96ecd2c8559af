"""Span names lose the ids in their paths and nothing else."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelith.ingest.naming import normalise_names


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
