"""The log of the server: a diary that nobody from outside can flood.

What is wrong with one request may be wrong with a million. Of warnings and errors that say the same, a few are written
per minute, and the next one says how many were left out. Information is written as it comes: nobody can cause it.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["RepeatFilter", "configure_logging"]

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
INTERVAL_S = 60.0
WRITTEN_PER_INTERVAL = 3
MAX_KINDS = 1_000
"""Kinds of messages remembered; there are some dozens, unless someone logs texts instead of templates."""


@dataclass(slots=True)
class _Repeated:
    since: float
    written: int = 0
    left_out: int = 0


class RepeatFilter:
    """Lets a few records of each kind pass per minute; a kind is a logger and a template, without its values."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._repeated: dict[tuple[str, str], _Repeated] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the record; one that passes may get a note of those before it that did not."""
        if record.levelno < logging.WARNING:
            return True
        with self._lock:
            left_out = self._count((record.name, str(record.msg)))
        if left_out:
            record.msg, record.args = f"{record.getMessage()} ({left_out:,} more like this were left out)", ()
        return left_out is not None

    def _count(self, kind: tuple[str, str]) -> int | None:
        """How many were left out before this one; None if this one is, too."""
        now = self._clock()
        if len(self._repeated) >= MAX_KINDS:
            self._repeated.clear()
        repeated = self._repeated.setdefault(kind, _Repeated(now))
        left_out = 0
        if now - repeated.since >= INTERVAL_S:
            left_out = repeated.left_out
            repeated = self._repeated[kind] = _Repeated(now)
        if repeated.written < WRITTEN_PER_INTERVAL:
            repeated.written += 1
            return left_out
        repeated.left_out += 1
        return None


def configure_logging() -> None:
    """Makes the log of this process what the module says."""
    logging.basicConfig(level=logging.INFO, format=FORMAT)
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatFilter())
    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # its INFO is about its own workings
