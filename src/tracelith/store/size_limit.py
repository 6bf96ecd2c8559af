"""Keeping the database below a size: the oldest raw spans go first, window by window, and their facts stay.

A DuckDB file does not shrink; what a checkpoint frees is used again. So the measure is the blocks in use, and work
starts early enough that the file, too, stays below the limit. Two things are never deleted for space: what is not
analysed yet, and what is so young that its traces may still be arriving.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

from tracelith.model.schema import WINDOW_NS
from tracelith.store.connection import Cursor, Database
from tracelith.store.ledger import WindowLedger
from tracelith.store.retention import drop_spans

__all__ = ["Shrunk", "shrink", "used_bytes"]

START_SHARE = 0.9
"""Of the limit: above this, spans are deleted. The rest is room for what comes in before the next look."""

TARGET_SHARE = 0.8
"""Of the limit: deleting ends below this, so that not every look has to delete."""

YOUNG_NS = 2 * WINDOW_NS
"""Windows that ended less than this ago are left alone: services report long requests minutes after they began."""

MAX_STEPS = 10
"""The bytes of a span are an estimate from above (facts are counted in), so the target is approached from there."""

READERS = "readers kept deleted spans from being freed"
NOTHING_LEFT = "what is left is facts, or not analysed yet, or so young that its traces may still be arriving"

WINDOW_COUNTS = """
    SELECT window_of(start_ns) AS window_ns, count(*) FROM span WHERE start_ns < $before
    GROUP BY 1 HAVING window_ns NOT IN (SELECT unnest($pending::BIGINT[])) ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What one look at the size led to.

    Attributes:
        deleted_spans: raw spans deleted. upto_ns: all of them began before this; 0 without any.
        used_bytes: what the database takes now, free blocks of its file not counted.
        held_back: why it is still larger than it should be; empty if it is not.
    """

    deleted_spans: int
    upto_ns: int
    used_bytes: int
    held_back: str


def shrink(
    database: Database,
    ledger: WindowLedger,
    reclaim: Callable[[], bool],
    *,
    max_bytes: int,
    now_ns: int,
) -> Shrunk:
    """Deletes the oldest analysed raw spans until the database is well below max_bytes, if it comes near it.

    Args:
        database: the file. ledger: says which windows are not analysed.
        reclaim: frees deleted rows; False if it could not.
        max_bytes: the limit. now_ns: wall time.
    """
    deleted, upto, bound = 0, 0, START_SHARE * max_bytes
    for _ in range(MAX_STEPS):
        # What was deleted counts as used until a checkpoint has freed it: measuring before would delete too much. And
        # without one every now and then, many half-filled row groups are rewritten at once, which doubles the file.
        if not reclaim():
            used = used_bytes(database)
            return Shrunk(deleted, upto, used, READERS if used > bound else "")
        used = used_bytes(database)
        if used <= bound:
            return Shrunk(deleted, upto, used, "")
        bound = TARGET_SHARE * max_bytes
        before = _oldest(database, ledger, (used - bound) / used, now_ns - YOUNG_NS)
        if before is None:
            break
        some, frozen = database.write(
            partial(drop_spans, ledger=ledger, before=before, now_ns=now_ns, final_before=now_ns - YOUNG_NS)
        )
        ledger.freeze(frozen)
        deleted, upto = deleted + some, before
    used = used_bytes(database)
    return Shrunk(deleted, upto, used, NOTHING_LEFT if used > START_SHARE * max_bytes else "")


def used_bytes(database: Database) -> int:
    """Bytes of the blocks in use and of the write-ahead log; 0 in memory."""
    if database.path is None:
        return 0
    with database.cursor() as cursor:
        row = cursor.execute("SELECT used_blocks * block_size FROM pragma_database_size()").fetchone()
    log = database.path.with_name(database.path.name + ".wal")
    return (int(row[0]) if row else 0) + (log.stat().st_size if log.exists() else 0)


def _oldest(database: Database, ledger: WindowLedger, share: float, settled_ns: int) -> int | None:
    """End of the oldest windows that together hold at least this share of all spans; None if none may go."""
    settled_ns -= settled_ns % WINDOW_NS
    pending = sorted(ledger.pending())
    with database.cursor() as cursor:
        counts = cursor.execute(WINDOW_COUNTS, {"before": settled_ns, "pending": pending}).fetchall()
        wanted = share * _all_spans(cursor)
    return _end_of_enough(counts, wanted)


def _all_spans(cursor: Cursor) -> int:
    row = cursor.execute("SELECT count(*) FROM span").fetchone()
    return int(row[0]) if row else 0


def _end_of_enough(counts: Sequence[tuple[int, int]], wanted: float) -> int | None:
    if not counts:
        return None
    totals = accumulate(spans for _, spans in counts)
    enough = (window for (window, _), total in zip(counts, totals, strict=True) if total >= wanted)
    return int(next(enough, counts[-1][0])) + WINDOW_NS
