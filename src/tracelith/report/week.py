"""ISO weeks: what a report is about, from Monday to Monday in UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tracelith.model.errors import InputError

__all__ = ["IsoWeek"]

_NAME = re.compile(r"(\d{4})-W(\d{2})")
_EPOCH = date(1970, 1, 1)
_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True, order=True)
class IsoWeek:
    """A week of ISO 8601: ``2026-W47``. Weeks compare and sort by time.

    Attributes:
        year: the ISO year, which can differ from the calendar's around New Year.
        number: 1 to 52 or 53.
    """

    year: int
    number: int

    @classmethod
    def parse(cls, name: str) -> "IsoWeek":
        """The week of this name.

        Raises:
            InputError: it is no week's name, or that year has no such week.
        """
        match = _NAME.fullmatch(name)
        try:
            if match is None:
                raise ValueError(name)
            return cls.of(date.fromisocalendar(int(match[1]), int(match[2]), 1))
        except (ValueError, OverflowError) as error:
            raise InputError(f"'{name}' is not an ISO week; expected a year and a week such as 2026-W47") from error

    @classmethod
    def of(cls, day: date) -> "IsoWeek":
        """The week a day lies in; of a datetime its own day counts, whatever its zone."""
        year, number, _ = day.isocalendar()
        return cls(year, number)

    @classmethod
    def last_full(cls, now: datetime) -> "IsoWeek":
        """The latest week that is over."""
        return cls.of(now.astimezone(UTC)).previous

    def __str__(self) -> str:
        return f"{self.year:04d}-W{self.number:02d}"

    @property
    def monday(self) -> date:
        """Its first day."""
        return date.fromisocalendar(self.year, self.number, 1)

    @property
    def previous(self) -> "IsoWeek":
        """The week before."""
        return self.back(1)

    def back(self, weeks: int) -> "IsoWeek":
        """The week so many weeks before; negative counts forwards."""
        return IsoWeek.of(self.monday - timedelta(weeks=weeks))

    @property
    def end(self) -> datetime:
        """The Monday after it, midnight in UTC: the first moment that does not belong to it."""
        return datetime.combine(self.monday + timedelta(weeks=1), datetime.min.time(), UTC)

    @property
    def start_ns(self) -> int:
        """Its first nanosecond since 1970."""
        return (self.monday - _EPOCH).days * _DAY_NS

    @property
    def end_ns(self) -> int:
        """The first nanosecond after it."""
        return self.start_ns + 7 * _DAY_NS

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)
