"""Declarations from their file: what counts, what is said about each mistake, and what a server does after a change."""

import logging
import os
from pathlib import Path

import pytest

from tracelith.declared import DeclaredIn, load_declarations
from tracelith.model.declarations import Declarations
from tracelith.model.errors import ConfigurationError

WHOLE = r"""
gateways = ["api-gateway"]

[datastore_aliases]
"orders-ro.internal:5432" = "orders"
"*.orders.internal" = "orders"

[datastore_rewrites]
'^db-(\d+)\.' = 'db.'

[table_owners]
"shop.orders" = "order-service"

[service_owners]
order-service = "checkout"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "declarations.toml"


def _problems(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(ConfigurationError) as error:
        load_declarations(file)
    first, *problems = str(error.value).splitlines()
    assert str(file) in first
    return problems


def test_everything_a_file_says_is_declared(file: Path) -> None:
    file.write_text(WHOLE)

    declared = load_declarations(file)

    assert list(declared.datastore_aliases.items()) == [
        ("orders-ro.internal:5432", "orders"),
        ("*.orders.internal", "orders"),
    ]
    assert declared == Declarations(
        datastore_aliases=declared.datastore_aliases,
        datastore_rewrites={r"^db-(\d+)\.": "db."},
        table_owners={"shop.orders": "order-service"},
        service_owners={"order-service": "checkout"},
        gateways=frozenset({"api-gateway"}),
    )


def test_an_empty_file_declares_nothing(file: Path) -> None:
    file.write_text("")

    assert load_declarations(file) == Declarations()


def test_every_mistake_is_named_with_its_key_and_what_was_expected(file: Path) -> None:
    text = """
gateways = "api-gateway"
[table_owner]
orders = "order-service"
[table_owners]
orders = 5
users = ""
[datastore_rewrites]
"db-(" = "db"
"""

    problems = _problems(file, text)

    assert [problem.split(":")[0] for problem in problems] == [
        "datastore_rewrites.db-(",
        "table_owners.orders",
        "table_owners.users",
        "gateways",
        "table_owner",
    ]
    assert "is no regular expression" in problems[0]
    assert 'expected a table of tables to services, for example "shop.orders" = "order-service"' in problems[1]
    assert "no such table; known are datastore_aliases, datastore_rewrites, table_owners" in problems[4]


def test_a_replacement_that_names_a_missing_group_is_a_mistake(file: Path) -> None:
    (problem,) = _problems(file, "[datastore_rewrites]\n'^db-(\\d+)' = 'db-\\2'\n")

    assert "'^db-(\\d+)'" in problem
    assert "invalid group reference" in problem


@pytest.mark.parametrize("text", ["gateways = ", "\x00"])
def test_a_file_that_is_no_toml_is_named(file: Path, text: str) -> None:
    file.write_text(text)

    with pytest.raises(ConfigurationError, match=r"declarations\.toml cannot be read as TOML"):
        load_declarations(file)


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"declarations\.toml cannot be read"):
        load_declarations(file)


def _change(file: Path, text: str, version: int) -> None:
    file.write_text(text)
    os.utime(file, ns=(version, version))  # however coarse the clock of the file system is


def test_a_server_reads_a_changed_file_again(file: Path) -> None:
    _change(file, 'gateways = ["a"]', 1)
    declared = DeclaredIn(file)
    before = declared()

    _change(file, 'gateways = ["b"]', 2)

    assert (before.gateways, declared().gateways) == ({"a"}, {"b"})
    assert declared() is declared()


def test_a_change_that_cannot_be_used_is_told_once_and_changes_nothing(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _change(file, 'gateways = ["a"]', 1)
    declared = DeclaredIn(file)

    _change(file, "gateways = 5", 2)
    with caplog.at_level(logging.ERROR):
        held = [declared(), declared()]
    file.unlink()
    gone = declared()

    assert [each.gateways for each in (*held, gone)] == [{"a"}] * 3
    assert caplog.text.count("gateways: Input should be a valid list") == 1
    assert "the declarations read before hold on" in caplog.text
