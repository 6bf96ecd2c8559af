"""Credentials and statements that attributes carry in place of a name are not kept; names are."""

import polars as pl
import pytest

from ingest.otlp_requests import make_request, make_span
from tracelith.ingest import confidential
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import describe
from tracelith.model.schema import Kind


def _told(function: str, text: str) -> str:
    keep = getattr(confidential, function)
    return str(pl.DataFrame({"text": [text]}).select(keep(pl.col("text"))).item())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://shop:s3cret@db.internal:5432/orders?sslmode=require", "db.internal:5432/orders"),
        ("mongodb+srv://app:p%40ss@cluster0.example/shop", "cluster0.example/shop"),
        ("amqp://guest:a@b@broker:5672/", "broker:5672/"),
        ("jdbc:postgresql://db:5432/orders?user=shop&password=s3cret", "db:5432/orders"),
        ("jdbc:sqlserver://db:1433;databaseName=shop;user=sa;password=s3cret", "db:1433"),
        ("jdbc:oracle:thin:scott/tiger@//db:1521/shop", "db:1521/shop"),
        ("jdbc:oracle:thin:@db:1521:shop", "db:1521:shop"),
        ("Server=db;Database=shop;User Id=sa;Password=s3 cret;", "Server=db;Database=shop"),
        ("host=db password='s3 cret' dbname=shop", "host=db dbname=shop"),
        ("shop:s3cret@db.internal:5432", "db.internal:5432"),
    ],
)
def test_of_a_connection_string_the_name_stays(text: str, expected: str) -> None:
    assert _told("without_credentials", text) == expected


@pytest.mark.parametrize(
    "text", ["", "orders", "shop@eu", "db.internal:5432", "[::1]:5432", "orders.v1/created", "a b"]
)
@pytest.mark.parametrize("function", ["without_credentials", "host_only"])
def test_names_and_addresses_stay_as_they_are(function: str, text: str) -> None:
    assert _told(function, text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://shop:s3cret@db.internal:5432/orders", "db.internal:5432"),
        ("redis://:s3cret@cache:6379/0", "cache:6379"),
        ("https://api.example/v1/pay?token=abc", "api.example"),
        ("shop:s3cret@db.internal:5432", "db.internal:5432"),
    ],
)
def test_of_an_address_given_as_a_connection_string_host_and_port_stay(text: str, expected: str) -> None:
    assert _told("host_only", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT", "SELECT"),
        ("findAndModify", "findAndModify"),
        ("CREATE TABLE orders", "CREATE TABLE orders"),
        ("", ""),
        ("SELECT * FROM users WHERE mail = 'bob@example.com'", "SELECT"),
        ("select name from users where id = 5", "SELECT"),
        ("{find: 'users', filter: {mail: 'bob'}}", ""),
    ],
)
def test_of_a_statement_given_as_the_operation_its_first_word_stays(text: str, expected: str) -> None:
    assert _told("operation_word", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shop.orders", "shop.orders"),
        ('"order items"', '"order items"'),
        ("[dbo].[orders]", "[dbo].[orders]"),
        ("orders, users", "orders, users"),
        ("users WHERE mail = 'bob@example.com'", ""),
        ("(SELECT 1)", ""),
    ],
)
def test_what_cannot_be_the_name_of_a_table_is_left_out(text: str, expected: str) -> None:
    assert _told("table_name", text) == expected


def test_a_receiver_keeps_no_password_and_no_value_of_a_statement() -> None:
    attributes = {
        "db.system.name": "postgresql",
        "server.address": "postgres://shop:s3cret@db.internal:5432/orders",
        "db.namespace": "postgres://shop:s3cret@db.internal:5432/orders?password=s3cret",
        "db.operation.name": "SELECT * FROM users WHERE mail = 'bob@example.com'",
        "db.collection.name": "users WHERE mail = 'bob@example.com'",
    }
    request = make_request(make_span(attributes, kind=Kind.CLIENT))

    rows = describe(decode_requests([request]).raw).operations

    assert not any(text in str(rows) for text in ("s3cret", "bob"))
    assert "db.internal:5432" in str(rows)
