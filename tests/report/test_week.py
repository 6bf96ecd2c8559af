"""ISO weeks, with the traps around New Year."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.model.errors import InputError
from tracelith.report.week import IsoWeek

days = st.dates(date(1971, 1, 1), date(2199, 12, 31))


def test_a_week_runs_from_monday_to_monday_in_utc() -> None:
    week = IsoWeek.parse("2026-W47")

    assert week.monday == date(2026, 11, 16)
    assert week.end == datetime(2026, 11, 23, tzinfo=UTC)
    assert week.start_ns == int(datetime(2026, 11, 16, tzinfo=UTC).timestamp()) * 10**9
    assert week.end_ns == int(week.end.timestamp()) * 10**9


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2026, 12, 31), "2026-W53"),
        (date(2027, 1, 1), "2026-W53"),
        (date(2027, 1, 4), "2027-W01"),
        (date(2024, 12, 30), "2025-W01"),
    ],
)
def test_around_new_year_the_iso_year_counts(day: date, name: str) -> None:
    assert str(IsoWeek.of(day)) == name


@pytest.mark.parametrize(
    "name", ["2025-W53", "2026-W00", "2026-W54", "2026-47", "W47", "2026-W7", "", "0000-W01", "9999-W53", "2026-W47 "]
)
def test_a_name_that_is_no_week_says_what_was_expected(name: str) -> None:
    with pytest.raises(InputError, match="2026-W47"):
        IsoWeek.parse(name)


@pytest.mark.parametrize(
    ("now", "name"),
    [
        (datetime(2026, 11, 23, 0, 0, tzinfo=UTC), "2026-W47"),
        (datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC), "2026-W46"),
        # Monday morning in Tokyo is still Sunday in UTC.
        (datetime(2026, 11, 23, 8, 0, tzinfo=timezone(timedelta(hours=9))), "2026-W46"),
    ],
)
def test_the_last_full_week_is_over_in_utc(now: datetime, name: str) -> None:
    assert str(IsoWeek.last_full(now)) == name


@given(days)
def test_names_and_weeks_are_one_to_one(day: date) -> None:
    week = IsoWeek.of(day)

    assert IsoWeek.parse(str(week)) == week
    assert week.monday <= day < week.end.date()


@given(days, st.integers(0, 500))
def test_weeks_follow_each_other_without_gap_and_sort_by_time(day: date, weeks: int) -> None:
    week = IsoWeek.of(day)
    later = week.back(-weeks)

    assert later.start_ns - week.start_ns == weeks * 7 * 86_400 * 10**9
    assert later.back(weeks) == week
    assert week.previous.end_ns == week.start_ns
    assert (week < later) == (weeks > 0)
