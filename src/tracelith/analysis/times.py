"""Lengths of time in nanoseconds and in words, and times as the analysis document writes them: ISO 8601 in UTC."""

from datetime import UTC, datetime, timedelta

__all__ = ["DAY_NS", "HOUR_NS", "MINUTE_NS", "iso_time", "lasting"]

MINUTE_NS = 60_000_000_000
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso_time(at_ns: int) -> str:
    """The instant to the millisecond, without a fraction when it is a whole second."""
    at = _EPOCH + timedelta(milliseconds=at_ns // 1_000_000)
    precision = "milliseconds" if at.microsecond else "seconds"
    return at.isoformat(timespec=precision).replace("+00:00", "Z")


def lasting(seconds: float) -> str:
    """A length of time in words, with one unit: 40 seconds, 12 minutes, 5.9 hours."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            number = seconds / length
            return f"{number:.0f} {unit}" if number >= 10 else f"{number:.1f} {unit}".replace(".0 ", " ")
    return f"{seconds:.0f} seconds"
