"""Writes last week's report when a crontab line says so, and makes up for moments that were missed.

APScheduler keeps time. Beside the crontab job runs an hourly check: if the latest report that should exist by now is
missing (the server was down, the disk was full), it is written then.
"""

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from tracelith.model.errors import ConfigurationError
from tracelith.report.week import IsoWeek

__all__ = ["ReportSchedule", "crontab_trigger"]

log = logging.getLogger(__name__)

CATCH_UP_EVERY = timedelta(hours=1)
MOST_WEEKS_BACK = 8
"""So far back the check looks for the latest moment when a report was due."""

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Crontab's numbers, where both 0 and 7 are Sunday. APScheduler's begin with Monday."""


class ReportSchedule:
    """Runs in a thread of its own from construction until stop; use it as a context manager."""

    def __init__(
        self,
        trigger: BaseTrigger,
        write: Callable[[IsoWeek], object],
        wanted: Callable[[IsoWeek], bool],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Starts the clock; the check for a missed report runs at once, in the background.

        Args:
            trigger: when to write, see crontab_trigger.
            write: builds and delivers the report of a week. What it raises is logged, and the check tries again.
            wanted: whether a missed report should be written: it is missing, and there is data for it.
            now: the clock that tells which week is the last full one.
        """
        self._trigger, self._write, self._wanted, self._now = trigger, write, wanted, now
        # One worker: two reports never write at the same time. A moment missed while the machine slept still counts,
        # however late (no misfire limit), and several of them count once.
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )
        self._scheduler.add_job(self.write_due, trigger, id="weekly-report")
        self._scheduler.add_job(
            self.catch_up, "interval", seconds=CATCH_UP_EVERY.total_seconds(), id="catch-up", next_run_time=now()
        )
        # Its diary at INFO is about its own workings; what was written, or why not, is logged by those who write.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._scheduler.start()

    def __enter__(self) -> "ReportSchedule":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the clock; a report that is being written is finished first."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def write_due(self) -> None:
        """Writes the report of the last full week, again if it exists: spans may have come late."""
        self._write_logged(IsoWeek.last_full(self._now()))

    def catch_up(self) -> None:
        """Writes the latest report that was due, if it is wanted."""
        week = self.latest_due()
        if week is not None and self._wanted(week):
            self._write_logged(week)

    def latest_due(self) -> IsoWeek | None:
        """The week reported on at the latest scheduled moment before now; None if the schedule is rarer than that."""
        now = self._now()
        week = IsoWeek.last_full(now)
        for _ in range(MOST_WEEKS_BACK):
            due = self._trigger.get_next_fire_time(None, week.end)
            if due is not None and due <= now:
                return week
            week = week.previous
        return None

    def _write_logged(self, week: IsoWeek) -> None:
        try:
            self._write(week)
        except Exception:
            log.exception("report of week %s failed; trying again within the hour", week)


def crontab_trigger(line: str) -> CronTrigger:
    """The moments a crontab line names, in UTC: minute, hour, day of month, month, day of week.

    Days of the week are names (mon) or crontab's numbers (0 and 7 are Sunday). Unlike cron, a line that names both a
    day of the month and a day of the week means moments that are both.

    Raises:
        ConfigurationError: the line cannot be understood.
    """
    fields = line.split()
    try:
        if len(fields) != 5:
            raise ValueError(f"{len(fields)} fields")
        minute, hour, day, month, day_of_week = fields
        return CronTrigger(
            minute=minute, hour=hour, day=day, month=month, day_of_week=_named_days(day_of_week), timezone=UTC
        )
    except ValueError as error:
        raise ConfigurationError(
            f"report_schedule: '{line}' is no crontab line such as '0 6 * * mon' (minute, hour, day of month, month, "
            f"day of week): {error}"
        ) from error


def _named_days(field: str) -> str:
    """The day-of-week field with names instead of numbers, ranges of numbers spelled out."""
    parts = []
    for part in field.split(","):
        numbers = re.fullmatch(r"(?:([0-7])(?:-([0-7]))?|\*)(?:/([1-7]))?", part)
        if numbers is None or part == "*":
            parts.append(part)
            continue
        first = int(numbers[1] or 0)
        # "2/3" is every third day from Tuesday on; "*/2" begins on Sunday.
        last = int(numbers[2]) if numbers[2] else (6 if numbers[3] else first)
        if last < first:
            raise ValueError(f"days {part} run backwards")
        parts += [DAYS[number] for number in range(first, last + 1, int(numbers[3] or 1))]
    return ",".join(dict.fromkeys(parts))
