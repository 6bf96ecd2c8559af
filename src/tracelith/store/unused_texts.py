"""Resources and operations that no stored span uses any more leave their tables.

Pods come and go: within a year a service has more instances than any table of texts should hold, though only a few
hundred at a time. Spans leave by retention, and what only they used can go, too. Finding it means reading two columns
of all spans, seconds for a full week of them, so whoever appends must not do it. But only who appends knows the codes
it has handed out. So it takes two steps: any thread looks for unused rows; the appending one deletes, after looking
whether the commits since then use one of them again, and forgets the codes in the same moment.
"""

from collections.abc import Iterable

from tracelith.model.schema import UnusedTexts
from tracelith.store.connection import Cursor, Database

__all__ = ["drop_unused", "find_unused"]

RESOURCES = "SELECT resource FROM resource WHERE resource NOT IN (SELECT DISTINCT resource FROM span)"
OPERATIONS = "SELECT operation FROM operation WHERE operation NOT IN (SELECT DISTINCT operation FROM span)"
USED_SINCE = "SELECT DISTINCT resource, operation FROM span WHERE commit_no > ?"
DROP_RESOURCES = "DELETE FROM resource WHERE resource IN (SELECT unnest($codes::UINTEGER[]))"
DROP_OPERATIONS = "DELETE FROM operation WHERE operation IN (SELECT unnest($codes::UINTEGER[]))"


def find_unused(database: Database, upto: int) -> UnusedTexts:
    """Rows without spans.

    Args:
        upto: newest commit that is surely visible.
    """
    with database.snapshot() as cursor:
        return UnusedTexts(_codes(cursor, RESOURCES), _codes(cursor, OPERATIONS), upto)


def drop_unused(database: Database, unused: UnusedTexts) -> UnusedTexts:
    """Deletes those still unused and returns them; no append may run meanwhile."""

    def work(cursor: Cursor) -> UnusedTexts:
        used = cursor.execute(USED_SINCE, [unused.upto]).fetchall()
        dropped = UnusedTexts(
            unused.resources.difference(resource for resource, _ in used),
            unused.operations.difference(operation for _, operation in used),
            unused.upto,
        )
        cursor.execute(DROP_RESOURCES, {"codes": _listed(dropped.resources)})
        cursor.execute(DROP_OPERATIONS, {"codes": _listed(dropped.operations)})
        return dropped

    # Not behind a long retention: nobody else deletes these rows, so there is nothing to conflict with.
    return database.insert(work)


def _codes(cursor: Cursor, query: str) -> frozenset[int]:
    return frozenset(int(code) for (code,) in cursor.execute(query).fetchall())


def _listed(codes: Iterable[int]) -> list[int]:
    return sorted(codes)
