"""The schedule: on time, once, and again after what went wrong."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from tracelith.model.errors import ConfigurationError
from tracelith.report.schedule import ReportSchedule, crontab_trigger
from tracelith.report.week import IsoWeek
from weeks import WEEK

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
MONDAYS_AT_SIX = "0 6 * * mon"
NEVER = DateTrigger(datetime(2199, 1, 1, tzinfo=UTC), UTC)
PATIENCE_S = 10.0


class Desk:
    """Writes down what the schedule asks for."""

    def __init__(self, *, wanted: bool = True, failures: int = 0) -> None:
        self.written: list[IsoWeek] = []
        self.asked: list[IsoWeek] = []
        self._is_wanted, self._failures = wanted, failures

    def write(self, week: IsoWeek) -> None:
        if self._failures:
            self._failures -= 1
            raise OSError("disk full")
        self.written.append(week)

    def wanted(self, week: IsoWeek) -> bool:
        self.asked.append(week)
        return self._is_wanted and week not in self.written


def schedule(desk: Desk, now: datetime, trigger: BaseTrigger | str = MONDAYS_AT_SIX) -> ReportSchedule:
    moments = crontab_trigger(trigger) if isinstance(trigger, str) else trigger
    return ReportSchedule(moments, desk.write, desk.wanted, now=lambda: now)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


# --- catching up -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "due"),
    [
        pytest.param(MONDAY + timedelta(hours=6), WEEK, id="on the minute"),
        pytest.param(MONDAY + timedelta(days=5), WEEK, id="later in the week"),
        pytest.param(MONDAY + timedelta(hours=5, minutes=59), WEEK.previous, id="a minute early"),
        pytest.param(MONDAY - timedelta(seconds=1), WEEK.previous, id="on Sunday"),
    ],
)
def test_a_report_is_due_from_the_scheduled_moment_after_its_week(now: datetime, due: IsoWeek) -> None:
    with schedule(Desk(wanted=False), now) as running:
        assert running.latest_due() == due


def test_a_missed_report_is_written_at_start() -> None:
    desk = Desk()

    with schedule(desk, MONDAY + timedelta(days=2)):
        eventually(lambda: desk.written == [WEEK])


def test_a_report_that_is_there_or_has_no_data_is_not_written_at_start() -> None:
    desk = Desk(wanted=False)

    with schedule(desk, MONDAY + timedelta(days=2)):
        eventually(lambda: desk.asked == [WEEK])

    assert desk.written == []


def test_a_schedule_rarer_than_two_months_makes_nothing_due_by_itself() -> None:
    with schedule(Desk(), MONDAY, NEVER) as running:
        assert running.latest_due() is None


def test_after_a_failure_the_next_check_tries_again(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(failures=1)

    with schedule(desk, MONDAY + timedelta(days=1)) as running:
        eventually(lambda: "report of week 2026-W09 failed" in caplog.text)
        running.catch_up()

    assert desk.written == [WEEK]


# --- keeping time ------------------------------------------------------------------------------------------------


def test_at_each_moment_the_last_full_week_is_written_even_if_it_was_before() -> None:
    desk = Desk()

    with schedule(desk, MONDAY + timedelta(hours=6), IntervalTrigger(seconds=0.05, timezone=UTC)):
        eventually(lambda: len(desk.written) >= 3)

    assert set(desk.written) == {WEEK}


def test_a_failing_report_does_not_stop_the_clock() -> None:
    desk = Desk(wanted=False, failures=2)

    with schedule(desk, MONDAY, IntervalTrigger(seconds=0.05, timezone=UTC)):
        eventually(lambda: len(desk.written) >= 1)


def test_stopping_waits_for_the_report_being_written_and_starts_no_other() -> None:
    begun, finish, finished = threading.Event(), threading.Event(), threading.Event()

    def write(_: IsoWeek) -> None:
        begun.set()
        finish.wait(PATIENCE_S)
        finished.set()

    running = ReportSchedule(crontab_trigger(MONDAYS_AT_SIX), write, lambda _: True, now=lambda: MONDAY)
    assert begun.wait(PATIENCE_S)
    threading.Timer(0.1, finish.set).start()

    running.stop()

    assert finished.is_set()
    running.stop()  # twice does no harm


# --- crontab -----------------------------------------------------------------------------------------------------


def fires_on(line: str, days: int = 7) -> list[str]:
    """Weekdays on which the line fires within so many days from a Monday."""
    trigger = crontab_trigger(line)
    at, fired = MONDAY, []
    while (moment := trigger.get_next_fire_time(None, at)) is not None and moment < MONDAY + timedelta(days=days):
        fired.append(f"{moment:%a %H:%M}")
        at = moment + timedelta(seconds=1)
    return fired


@pytest.mark.parametrize(
    ("line", "moments"),
    [
        ("0 6 * * mon", ["Mon 06:00"]),
        ("0 6 * * 1", ["Mon 06:00"]),
        ("30 7 * * 0", ["Sun 07:30"]),
        ("30 7 * * 7", ["Sun 07:30"]),
        ("0 6 * * 1,3-4", ["Mon 06:00", "Wed 06:00", "Thu 06:00"]),
        ("0 6 * * 5-7", ["Fri 06:00", "Sat 06:00", "Sun 06:00"]),
        ("0 6 * * */3", ["Wed 06:00", "Sat 06:00", "Sun 06:00"]),
        ("0 6 * * mon-tue", ["Mon 06:00", "Tue 06:00"]),
        ("0 6 3 * *", ["Tue 06:00"]),
    ],
)
def test_days_mean_what_they_mean_to_cron(line: str, moments: list[str]) -> None:
    assert fires_on(line) == moments


@pytest.mark.parametrize("line", ["", "0 6 * *", "0 6 * * mon extra", "61 6 * * mon", "0 6 * * 8", "0 6 * * 4-2", "x"])
def test_a_line_that_cannot_be_understood_names_the_setting(line: str) -> None:
    with pytest.raises(ConfigurationError, match="report_schedule: "):
        crontab_trigger(line)
