"""What is no lock any more, and what is one still: each limit of the search from both sides, and the size of facts."""

from typing import Any

import pytest

from analysis.data_worlds import DAYS, asks, data_document, system
from analysis.test_data_contention import USUAL, late, waiting
from tracelith.analysis.data_ownership import ANALYSIS
from tracelith.forest import observe_view
from traces import window_of


def rows_of(text: str) -> int:
    """Rows about late calls."""
    assert ANALYSIS.observe is not None
    return len(ANALYSIS.observe(observe_view(window_of(text)))["datastore_stalls"])


def locked_tables(*traces: str, usual: str = USUAL) -> list[str]:
    """Tables that services waited for, where this happens beside seven hours of the usual."""
    document: dict[str, Any] = data_document((usual, DAYS), (system(*traces), [30]), copies=1)
    return [one["table"] for one in document["datastores"]["contentions"]]


def prompt(every_s: float, *services: str, until_s: float = 60) -> str:
    """Calls that are answered as ever."""
    times = [second * every_s for second in range(int(until_s / every_s))]
    return system(*(late(name, "SELECT users", at, at + 0.004) for at in times for name in services))


@pytest.mark.parametrize("calls", [3, 19, 40])
def test_a_statement_that_is_slow_by_nature_needs_a_row_per_window(calls: int) -> None:
    report = system(*(late("report", "SELECT users", n * 280 / calls, n * 280 / calls + 15) for n in range(calls)))

    assert rows_of(report) == 1


def test_a_busy_statement_of_which_a_few_calls_are_slow_needs_no_rows() -> None:
    def slow_ones(count: int) -> str:
        slow = (late("user", "SELECT users", at + n / 10, at + n / 10 + 0.5) for at in (0, 60) for n in range(count))
        return system(prompt(0.5, "user", until_s=120), *slow)

    assert rows_of(slow_ones(3)) == 0
    assert rows_of(slow_ones(12)) == 2


def test_reports_that_take_long_for_longer_than_a_lock_are_not_accused() -> None:
    def reports(minutes: int) -> str:
        return system(
            *(late(name, "SELECT users", at, at + 20) for at in range(0, minutes * 60, 20) for name in ("a", "b"))
        )

    assert locked_tables(reports(30)) == []
    assert locked_tables(reports(10)) == ["users"]


def test_a_table_where_most_calls_are_answered_as_ever_is_not_accused() -> None:
    waits = waiting("user", "auth", until_s=70)

    assert locked_tables(waits, prompt(3, "user", "auth")) == []
    assert locked_tables(waits, prompt(10, "user", "auth")) == ["users"]


def test_a_migration_that_runs_for_hours_is_not_accused_of_what_is_late_at_its_end() -> None:
    alter, often = late("user", "ALTER TABLE users", 0, 7_200), system(*[USUAL] * 4)

    def late_at(start_s: float) -> str:
        return system(*(late(name, "SELECT users", start_s, start_s + 20) for name in ("user", "auth") * 2))

    assert locked_tables(alter, late_at(6_000), usual=often) == []
    assert locked_tables(alter, late_at(600), usual=often) == ["users"]


def test_calls_that_join_two_tables_make_one_contention_not_two() -> None:
    joined = waiting("user", "auth", statement="SELECT invoices users")
    usual = system(USUAL, asks("billing", "UPDATE invoices"), *(asks(name, "SELECT invoices users") for name in "ab"))

    assert len(locked_tables(joined, usual=usual)) == 1
