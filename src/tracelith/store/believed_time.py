"""The time that retention goes by: the wall clock, unless it has leapt.

A clock that is a year ahead for a minute would have everything deleted, and what is deleted stays so. So a leap of more
than a day is believed only after the server has run for a day with it; until then the age of things is that of the last
time believed. The same happens after the server was off for longer than a day, which cannot be told apart and does no
harm: things are kept a day longer. Backward leaps wait, too: a clock that is put right again leaps forward.

To count age from the newest spans was the alternative. It needs no memory, but the clocks of senders are wrong when
that of their machine is, and spans of a system that has gone silent would be kept for ever.
"""

from dataclasses import dataclass

from tracelith.store.connection import Cursor, Database

__all__ = ["believed_time"]

NS_PER_HOUR = 3_600_000_000_000
LEAP_NS = 24 * NS_PER_HOUR
DOUBT_NS = 24 * NS_PER_HOUR

LONGEST_STEP_NS = 2 * NS_PER_HOUR
"""Retention comes by every hour. More than this between two looks is a leap or a pause, and no running time."""


@dataclass(frozen=True, slots=True)
class Belief:
    """The time last believed, the wall time last seen, and for how long the two have been apart."""

    believed_ns: int
    seen_ns: int
    doubted_ns: int

    def after(self, wall_ns: int) -> "Belief":
        """What to believe at this wall time."""
        if abs(wall_ns - self.believed_ns) <= LEAP_NS:
            return Belief(wall_ns, wall_ns, 0)
        passed = wall_ns - self.seen_ns
        doubted = self.doubted_ns + (passed if 0 <= passed <= LONGEST_STEP_NS else 0)
        if doubted >= DOUBT_NS:
            return Belief(wall_ns, wall_ns, 0)
        return Belief(self.believed_ns, wall_ns, doubted)


def believed_time(database: Database, wall_ns: int) -> int:
    """The time to judge age by at this wall time. Remembered in the file, so that a restart does not make it forget."""

    def look(cursor: Cursor) -> Belief:
        rows = cursor.execute("SELECT name, value FROM store_state WHERE name LIKE 'clock_%'").fetchall()
        before = {str(name): int(value) for name, value in rows}
        belief = Belief(wall_ns, wall_ns, 0)
        if before:
            belief = Belief(before["clock_believed"], before["clock_seen"], before["clock_doubted"]).after(wall_ns)
        state = [belief.believed_ns, belief.seen_ns, belief.doubted_ns]
        names = ["clock_believed", "clock_seen", "clock_doubted"]
        cursor.execute("DELETE FROM store_state WHERE name LIKE 'clock_%'")
        cursor.executemany("INSERT INTO store_state VALUES (?, ?)", list(zip(names, state, strict=True)))
        return belief

    return database.write(look).believed_ns
