"""Which windows have changed since they were analysed, kept in memory and rebuilt from the spans themselves.

Every span row carries the number of the commit that wrote it, so what is stale follows from the spans and from the
analysed marks alone; a separate table of changes would cost each commit a second insert and could only disagree with
them. This module is the arithmetic; windows.py runs the queries behind it.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["Change", "WaitingWindows", "WindowLedger"]

NS_PER_S = 1_000_000_000


@dataclass(slots=True)
class Change:
    """Commits to one window that may not be analysed yet.

    Attributes:
        first_commit: no unanalysed commit to this window is older. last_commit: the newest one.
        last_direct: newest commit that wrote a span into the window itself, not only into a trace that touches it.
        at_ns: wall time of the newest direct commit.
    """

    first_commit: int
    last_commit: int
    last_direct: int = 0
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class WaitingWindows:
    """Windows whose facts lack some of their spans: how many, and the start of the oldest, None without any."""

    windows: int
    oldest_ns: int | None


@dataclass(slots=True)
class WindowLedger:
    """Changed windows, analysed marks and commit numbers of an open store. Safe to share between threads.

    Attributes:
        last_commit: newest commit number; every span up to it is visible to a transaction that starts now.
        spread_upto: changes up to this commit have been spread to the other windows of their traces.
    """

    last_commit: int = 0
    spread_upto: int = 0
    _changes: dict[int, Change] = field(default_factory=dict)
    _analysed: dict[int, int] = field(default_factory=dict)
    _frozen: set[int] = field(default_factory=set)
    _commit_times: list[tuple[int, int]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def load(
        self,
        analysed: Mapping[int, int],
        frozen: Iterable[int],
        changes: Mapping[int, Change],
        *,
        last_commit: int,
        spread_upto: int,
        at_ns: int,
    ) -> None:
        """Replaces everything by what the database says at wall time at_ns."""
        with self._lock:
            self._analysed, self._frozen, self._changes = dict(analysed), set(frozen), dict(changes)
            self.last_commit, self.spread_upto = last_commit, spread_upto
            self._commit_times = [(last_commit, at_ns)]

    def committed(self, commit_no: int, windows: Iterable[int], at_ns: int) -> None:
        """Spans were committed to these windows."""
        with self._lock:
            self.last_commit = commit_no
            for window_ns in windows:
                change = self._changes.setdefault(window_ns, Change(commit_no, commit_no))
                change.last_commit = change.last_direct = commit_no
                change.at_ns = at_ns
            self._note_time(commit_no, at_ns)

    def _note_time(self, commit_no: int, at_ns: int) -> None:
        # One entry per second is enough to find what is quiet; the later time of those merged makes it wait longer.
        if self._commit_times and self._commit_times[-1][1] // NS_PER_S == at_ns // NS_PER_S:
            self._commit_times.pop()
        self._commit_times.append((commit_no, at_ns))

    def spread(self, windows: Mapping[int, int], upto: int) -> None:
        """Commits up to ``upto`` also concern these other windows (window to newest such commit)."""
        with self._lock:
            for window_ns, commit_no in windows.items():
                if commit_no <= self._analysed.get(window_ns, 0):
                    continue
                change = self._changes.setdefault(window_ns, Change(commit_no, commit_no))
                change.first_commit = min(change.first_commit, commit_no)
                change.last_commit = max(change.last_commit, commit_no)
            self.spread_upto = max(self.spread_upto, upto)
            self._commit_times = [entry for entry in self._commit_times if entry[0] > self.spread_upto]
            self._forget_settled()

    def analysed(self, windows: Iterable[int], upto: int) -> None:
        """The facts of these windows now contain every commit up to this one."""
        with self._lock:
            for window_ns in windows:
                self._analysed[window_ns] = upto
                change = self._changes.get(window_ns)
                if change is not None:
                    change.first_commit = max(change.first_commit, upto + 1)
            self._forget_settled()

    def analysed_among(self, windows: Iterable[int]) -> list[int]:
        """Those of the windows that have facts, if only empty ones."""
        with self._lock:
            return [window for window in windows if window in self._analysed]

    def frozen_among(self, windows: Iterable[int]) -> set[int]:
        """Those of the windows whose facts are final."""
        with self._lock:
            return self._frozen.intersection(windows)

    def freeze(self, windows: Iterable[int]) -> None:
        """The facts of these windows are final."""
        with self._lock:
            self._frozen.update(windows)
            self._forget_settled()

    def forget(self, before_ns: int) -> None:
        """Analysed marks of windows before this time are gone with their facts."""
        with self._lock:
            self._analysed = {window: upto for window, upto in self._analysed.items() if window >= before_ns}
            self._frozen = {window for window in self._frozen if window >= before_ns}

    def pending(self) -> set[int]:
        """Windows with commits that their facts do not contain, quiet or not."""
        with self._lock:
            return {window for window, change in self._changes.items() if self._is_stale(window, change)}

    def stale(self, now_ns: int, quiet_ns: int) -> list[int]:
        """The pending windows that are quiet, oldest first."""
        with self._lock:
            return sorted(
                window
                for window, change in self._changes.items()
                if self._is_stale(window, change) and _is_quiet(change.at_ns, now_ns, quiet_ns)
            )

    def to_spread(self, now_ns: int, quiet_ns: int) -> tuple[int, int] | None:
        """The range (after, upto] of commits to spread now, None if that would change nothing yet."""
        with self._lock:
            waiting = any(
                change.last_direct > self.spread_upto and _is_quiet(change.at_ns, now_ns, quiet_ns)
                for change in self._changes.values()
            )
            quiet = [commit for commit, at_ns in self._commit_times if _is_quiet(at_ns, now_ns, quiet_ns)]
            upto = self.last_commit if len(quiet) == len(self._commit_times) else max(quiet, default=0)
            return (self.spread_upto, upto) if waiting and upto > self.spread_upto else None

    def within_reach(self, after: int, reach_ns: int) -> tuple[set[int], list[int]]:
        """All pending windows, and the settled ones within reach of a window with a commit newer than ``after``.

        Told at one moment, so that no window is missed that becomes settled meanwhile.
        """
        with self._lock:
            pending = self.pending()
            written = [window for window, change in self._changes.items() if change.last_direct > after]
            first, last = min(written, default=0) - reach_ns, max(written, default=0) + reach_ns
            settled = self._analysed.keys() - pending - self._frozen
            return pending, [window for window in settled if first <= window <= last]

    def low_water(self) -> int:
        """Every commit up to this number is analysed and spread."""
        with self._lock:
            pending = (
                change.first_commit - 1 for window, change in self._changes.items() if self._is_stale(window, change)
            )
            return min(self.spread_upto, min(pending, default=self.last_commit))

    def _is_stale(self, window_ns: int, change: Change) -> bool:
        return window_ns not in self._frozen and change.last_commit > self._analysed.get(window_ns, 0)

    def _forget_settled(self) -> None:
        self._changes = {
            window: change
            for window, change in self._changes.items()
            if self._is_stale(window, change) or change.last_direct > self.spread_upto
        }


def _is_quiet(at_ns: int, now_ns: int, quiet_ns: int) -> bool:
    # A time in the future means the clock was set back; waiting for it could take for ever.
    return at_ns <= now_ns - quiet_ns or at_ns > now_ns
