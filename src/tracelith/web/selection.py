"""Which environment and period a request asks about: query parameters in, nanoseconds out."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from tracelith.model.errors import InputError
from tracelith.model.schema import WINDOW_NS

__all__ = ["PERIODS", "BadSelection", "Selection", "parse_time", "select"]

_EVERYTHING = "all"

PERIODS = {"24h": "24 hours", "7d": "7 days", "4w": "4 weeks", "26w": "26 weeks", _EVERYTHING: "all"}
"""What the period selector offers."""

_DEFAULT_LENGTH = "26w"  # what the pair test of deployments was calibrated on (metrics.md §7)
_LENGTH = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_SECONDS = {"h": 3600, "d": 86_400, "w": 604_800}
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class BadSelection(InputError):
    """Query parameters that name no period."""


@dataclass(frozen=True, slots=True)
class Selection:
    """One environment and half-open period.

    Attributes:
        environment: None picks the one with most spans.
        start_ns, end_ns: multiples of the window length.
        since, until: as asked for; since may be a length such as 7d or ``all``, until may be empty.
    """

    environment: str | None
    start_ns: int
    end_ns: int
    since: str
    until: str

    @property
    def query(self) -> dict[str, str]:
        """The parameters that repeat this selection in a link; defaults are left out."""
        since = "" if self.since == _DEFAULT_LENGTH else self.since
        named = {"environment": self.environment, "since": since, "until": self.until}
        return {name: value for name, value in named.items() if value or (name == "environment" and value is not None)}

    def link(self, path: str, **more: str) -> str:
        """A link within the dashboard that keeps the selection."""
        query = urlencode({**more, **self.query})
        return f"{path}?{query}" if query else path


def select(parameters: Mapping[str, str], known: tuple[int, int] | None) -> Selection:
    """The selection a request asks for; by default the 26 weeks before the end of the data.

    Args:
        parameters: environment, since (ISO 8601, a length such as 24h, 7d, 4w counted back from until, or all
            for the start of the data) and until (ISO 8601; by default the end of the data).
        known: the period that has data, None before the first trace.

    Raises:
        BadSelection: a time cannot be read, or the period is empty.
    """
    since, until = parameters.get("since", "").strip(), parameters.get("until", "").strip()
    end_ns = parse_time("until", until) if until else (known[1] if known else time.time_ns())
    since = since or _DEFAULT_LENGTH
    start_ns = _start_ns(since, end_ns, known)
    start_ns, end_ns = max(0, start_ns // WINDOW_NS * WINDOW_NS), -(-end_ns // WINDOW_NS) * WINDOW_NS
    if start_ns >= end_ns:
        raise BadSelection("since must lie before until; the period they name is empty")
    return Selection(parameters.get("environment"), start_ns, end_ns, since, until)


def _start_ns(since: str, end_ns: int, known: tuple[int, int] | None) -> int:
    if since == _EVERYTHING and known:
        return known[0]
    # All of nothing is as long as what is shown by default.
    length = _LENGTH.fullmatch(_DEFAULT_LENGTH if since == _EVERYTHING else since)
    return end_ns - int(length[1]) * _SECONDS[length[2]] * 10**9 if length else parse_time("since", since)


def parse_time(name: str, value: str) -> int:
    """Nanoseconds of an ISO 8601 time; without a zone it is UTC.

    Raises:
        BadSelection: it is no such time, or outside the years 2000 to 2199.
    """
    try:
        at = datetime.fromisoformat(value)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        hint = ", a length such as 24h, 7d or 4w, or all" if name == "since" else ""
        raise BadSelection(f"{name} must be an ISO 8601 time such as 2026-03-02T06:00:00Z{hint}") from error
    if not _EARLIEST <= at < _LATEST:
        raise BadSelection(f"{name} must lie between the years 2000 and 2199")
    return int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**9
