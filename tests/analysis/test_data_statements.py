"""What statements in canonical form do to which tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.analysis.datastores.statements import parse_statement


def roles(text: str) -> dict[str, str]:
    letters = (("reads", "r"), ("writes", "w"), ("defines", "d"), ("joined", "j"))
    return {
        access.table: "".join(letter for name, letter in letters if getattr(access, name))
        for access in parse_statement(text).tables
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("GET", {}),
        ("SELECT orders", {"orders": "r"}),
        ("SELECT orders users", {"orders": "rj", "users": "rj"}),
        ("SELECT company.orders orders", {"company.orders": "rj", "orders": "rj"}),
        ("UPDATE users", {"users": "w"}),
        ("INSERT invoices SELECT orders", {"invoices": "wj", "orders": "rj"}),
        ("UPDATE stock orders", {"stock": "wj", "orders": "rj"}),
        ("SELECT orders UPDATE orders", {"orders": "rw"}),
        ("INSERT INTO invoices", {"invoices": "w"}),
        ("DELETE FROM sessions", {"sessions": "w"}),
        ("ALTER TABLE users", {"users": "d"}),
        ("CREATE INDEX users", {"users": "d"}),
        ("TRUNCATE sessions", {"sessions": "w"}),
        ("find orders", {"orders": "r"}),
        ("findAndModify orders", {"orders": "w"}),
        ("PutItem orders", {"orders": "w"}),
        ("? orders", {"orders": "r"}),
        ("CALL archive", {"archive": "r"}),
    ],
)
def test_tables_of_a_statement(text: str, expected: dict[str, str]) -> None:
    assert roles(text) == expected


def test_a_definition_is_named_with_what_it_defines() -> None:
    assert parse_statement("ALTER TABLE users").definition == "ALTER TABLE"
    assert parse_statement("SELECT users").definition == ""


@given(st.text(max_size=200))
def test_any_text_is_a_statement_of_distinct_tables(text: str) -> None:
    tables = [access.table for access in parse_statement(text).tables]

    assert len(tables) == len(set(tables))
    assert all(access.reads or access.writes or access.defines for access in parse_statement(text).tables)
