"""Brings a database file to the current shape by numbered SQL files, each applied once, in a transaction.

A new column of model.schema is a file with ``ALTER TABLE ... ADD COLUMN ... DEFAULT ...`` and then ``SET NOT NULL``. It
comes to lie at the end of its table, whatever its place in the schema: rows are written and read by name.
"""

import re
import time
from functools import partial
from importlib.resources import files

from tracelith.model.errors import StoreCorrupt, StoreError, StoreTooNew
from tracelith.store.connection import RESTORE, Cursor, Database

__all__ = ["migrate", "migrations"]


def migrations() -> list[tuple[int, str]]:
    """Number and SQL of every migration, in order."""
    scripts = []
    for entry in files("tracelith.store").joinpath("migrations").iterdir():
        numbered = re.fullmatch(r"(\d{4})_\w+\.sql", entry.name)
        if numbered:
            scripts.append((int(numbered[1]), entry.read_text(encoding="utf-8")))
    return sorted(scripts)


def migrate(database: Database) -> int:
    """Applies the missing migrations and returns how many.

    Raises:
        StoreTooNew: the file has migrations this version does not know.
        StoreCorrupt: it is a DuckDB file of something else.
        StoreError: it needs a migration but is open read-only.
    """
    where = database.path or "in-memory database"
    with database.cursor() as cursor:
        applied = _applied(cursor, str(where))
    known = migrations()
    newest = known[-1][0]
    if applied > newest:
        raise StoreTooNew(f"{where}: has schema version {applied}, this Tracelith knows {newest}; upgrade Tracelith")
    missing = [(number, sql) for number, sql in known if number > applied]
    if not missing:
        return 0
    if database.read_only:
        raise StoreError(
            f"{where}: has schema version {applied}, expected {newest}; open it once for writing to upgrade"
        )
    for number, sql in missing:
        database.write(partial(_apply, number=number, sql=sql))
    database.checkpoint()
    return len(missing)


def _applied(cursor: Cursor, where: str) -> int:
    tables = {str(name) for (name,) in cursor.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if "schema_version" in tables:
        row = cursor.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
        return int(row[0]) if row else 0
    if tables:
        raise StoreCorrupt(f"{where}: a DuckDB database, but not one of Tracelith's. {RESTORE}")
    return 0


def _apply(cursor: Cursor, number: int, sql: str) -> None:
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL, applied_at_ns BIGINT NOT NULL)"
    )
    cursor.execute(sql)
    cursor.execute("INSERT INTO schema_version VALUES (?, ?)", [number, time.time_ns()])
