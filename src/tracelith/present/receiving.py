"""The receiver's counters in plain words, each with the unit its name ends in."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tracelith.present import text

__all__ = ["counters_in_words"]

_BYTES_PER_MIB = 2**20


def counters_in_words(counters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Title and value of each counter, in their order: ``commit_ms`` 7.99 becomes "Commit", "7.99 ms"."""
    for name, value in counters.items():
        stem, _, suffix = name.rpartition("_")
        if isinstance(value, int | float) and suffix in _FORMATS and stem:
            yield _title(stem), _FORMATS[suffix](float(value))
        else:
            yield _title(name), _words(value)


def _title(name: str) -> str:
    words = text.printable(text.plain(name), 60)
    return words[:1].upper() + words[1:]


def _words(value: Any) -> str:
    if value is None:
        return text.MISSING
    return text.number(value, 6) if isinstance(value, int | float) else text.printable(str(value), 60)


def _moment(seconds: float) -> str:
    return text.time(datetime.fromtimestamp(seconds, UTC).isoformat(), seconds=True)


def _mebibytes(size: float) -> str:
    return f"{text.number(size / _BYTES_PER_MIB)} MiB"


_FORMATS: Mapping[str, Callable[[float], str]] = {"ms": text.milliseconds, "at": _moment, "bytes": _mebibytes}
