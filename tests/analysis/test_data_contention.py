"""Services that wait for one table: told with the cause, and told apart from everything else that is slow."""

from typing import Any

import pytest

from analysis.data_worlds import DAYS, asks, data_document, rules_of, system

USUAL = system(
    asks("user", "SELECT users"),
    asks("user", "UPDATE users"),
    asks("auth", "UPDATE users"),
    asks("auth", "SELECT sessions"),
)
"""What happens every day; seven hours of it."""

MIGRATION = """
user INTERNAL migrate 0..80s
  user CLIENT alter 0..80s db=postgresql namespace=shop.public statement=ALTER+TABLE+users peer=shop-db:5432
"""


def late(service: str, statement: str, start_s: float, end_s: float, more: str = "") -> str:
    database = f"db=postgresql namespace=shop.public statement={statement.replace(' ', '+')} peer=shop-db:5432 {more}"
    return f"{service} SERVER GET /{service} {start_s}..{end_s}s\n  {service} CLIENT q {start_s}..{end_s}s {database}\n"


def waiting(*services: str, statement: str = "SELECT users", until_s: float = 80, more: str = "") -> str:
    """A call of each service every five seconds, all answered when the lock is gone."""
    return system(
        *(
            late(service, statement, start_s + number / 10, until_s + number / 10, more)
            for start_s in range(2, 60, 5)
            for number, service in enumerate(services)
        )
    )


def contention_of(document: dict[str, Any]) -> dict[str, Any]:
    (found,) = document["datastores"]["contentions"]
    return dict(found)


@pytest.fixture(scope="module")
def locked() -> dict[str, Any]:
    """A migration, and two services that wait for it."""
    return data_document((USUAL, DAYS), (MIGRATION, [30]), (waiting("user", "auth"), [30]), copies=1)


def test_a_table_that_services_wait_for_is_told_with_the_migration_that_locked_it(locked: dict[str, Any]) -> None:
    found = contention_of(locked)

    assert (found["namespace"], found["table"], found["services"]) == ("shop.public", "users", ["auth", "user"])
    assert (found["cause"], found["cause_service"]) == ("migration", "user")
    assert found["cause_detail"] == "ALTER TABLE users"
    assert (found["calls"], found["failures"]) == (24, 0)
    assert found["seconds"] == pytest.approx(78.1)
    assert found["usual_ms"] == pytest.approx(4, rel=0.01)
    assert found["slow_ms"] > 20_000


def test_the_finding_names_the_table_first_and_then_who_waited(locked: dict[str, Any]) -> None:
    told = next(one for one in locked["findings"] if one["rule"] == "lock-contention")

    assert told["subjects"] == ["shop-db:5432 shop.public.users", "auth", "user"]
    assert told["severity"] == "warning"
    assert "while user ran ALTER TABLE users" in told["title"]
    assert len(told["evidence"]["trace_ids"]) == 2


def test_calls_that_give_up_waiting_are_waits() -> None:
    gave_up = system(
        *(
            late(name, "SELECT users", second, second + 0.5, "!")
            for second in range(1, 60, 8)
            for name in ("user", "auth")
        )
    )
    document = data_document((USUAL, DAYS), (MIGRATION, [30]), (gave_up, [30]), copies=1)

    assert contention_of(document)["failures"] == contention_of(document)["calls"] == 16


def test_without_a_migration_the_last_deployment_may_be_the_cause() -> None:
    document = data_document((USUAL, DAYS), (waiting("user", "auth"), [30]), deployed=("auth", "1.5", 29.9), copies=1)

    found = contention_of(document)
    assert (found["cause"], found["cause_service"], found["cause_detail"]) == ("deployment", "auth", "1.5")


def test_without_either_the_cause_is_not_known() -> None:
    found = contention_of(data_document((USUAL, DAYS), (waiting("user", "auth"), [30]), copies=1))

    assert (found["cause"], found["cause_service"], found["cause_detail"]) == ("unknown", None, "")


def test_a_statement_that_joins_the_locked_table_waits_for_it_and_not_for_its_other_tables() -> None:
    joined = waiting("billing", statement="SELECT invoices users")
    usual = system(USUAL, asks("billing", "SELECT invoices users"), asks("billing", "UPDATE invoices"))
    document = data_document((usual, DAYS), (system(waiting("user"), joined), [30]), copies=1)

    assert contention_of(document)["table"] == "users"


# --- who is not accused --------------------------------------------------------------------------------------------


def test_one_service_that_is_slow_is_not_accused_of_a_lock() -> None:
    document = data_document((USUAL, DAYS), (waiting("user", "user"), [30]), copies=1)

    assert document["datastores"]["contentions"] == []


def test_a_slow_server_is_not_accused_of_a_lock() -> None:
    everything = system(waiting("user", "auth"), waiting("auth", "user", statement="SELECT sessions"))
    document = data_document((USUAL, DAYS), (everything, [30]), copies=1)

    assert document["datastores"]["contentions"] == []


def test_a_nightly_batch_that_always_takes_long_is_not_accused() -> None:
    night = system(
        *(late(name, "SELECT users", second, second + 20) for second in range(3) for name in ("report", "billing"))
    )
    document = data_document((USUAL, DAYS), (night, range(17, 7 * 24, 24)), copies=2)

    assert document["datastores"]["contentions"] == []


def test_calls_that_are_late_now_and_then_are_not_accused() -> None:
    now_and_then = system(*(late(name, "UPDATE users", n, n + 1) for n, name in enumerate(("user", "auth", "user"))))
    document = data_document((USUAL, DAYS), (now_and_then, range(0, 7 * 24, 4)), copies=1)

    assert document["datastores"]["contentions"] == []


def test_statements_that_fail_at_once_are_not_accused_of_waiting() -> None:
    broken = system(*(late(name, "UPDATE users", n, n + 0.003, "!") for n in range(60) for name in ("user", "auth")))
    document = data_document((USUAL, DAYS), (broken, [30]), copies=1)

    assert document["datastores"]["contentions"] == []


def test_a_service_that_waits_for_its_own_migration_alone_is_worth_knowing_only() -> None:
    own = system(asks("user", "SELECT users"), asks("user", "UPDATE users"))
    document = data_document((own, DAYS), (MIGRATION, [30]), (waiting("user"), [30]), copies=1)

    assert rules_of(document) == ["lock-contention"]
    assert rules_of(document, accusing=True) == []


def test_a_migration_that_nobody_waits_for_is_not_accused() -> None:
    document = data_document((USUAL, DAYS), (MIGRATION, [30]), (USUAL, [30]), copies=1)

    assert document["datastores"]["contentions"] == []
