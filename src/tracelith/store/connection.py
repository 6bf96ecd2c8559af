"""The DuckDB file: opened safely, one cursor per call, errors in our own words.

DuckDB lets one process own a file, and one connection serve one thread. So a process opens a file once, every call
takes its own cursor of that connection, and results are read fully before the cursor is given back.
"""

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import duckdb
import polars as pl

from tracelith.model.errors import StoreCorrupt, StoreError, StoreFull, StoreLocked, StoreTooNew

__all__ = ["Cursor", "Database", "insert_frame", "number_list", "open_database"]

Cursor = duckdb.DuckDBPyConnection
T = TypeVar("T")

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # Nothing is fetched from the network, whatever a query names.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # From this format on, a write-ahead log says which file it belongs to, so that none is applied to another one.
    # It costs no time; spans take as many bytes as in the formats before.
    "storage_compatibility_version": "v1.4.0",
}

FILE_CONFIG = CONFIG | {
    # The other half is for decoding. DuckDB's threads do not sleep while they wait for each other: on two cores, two of
    # them cost an eighth of the rate at which spans are received.
    "threads": max(1, (os.cpu_count() or 1) // 2),
    # Without a limit DuckDB keeps every block it ever read, up to most of the machine's memory: the resident set of a
    # server grew as its file did. The operating system caches the file anyway; large queries spill beside it.
    "memory_limit": "512MB",
}

HEADER_BYTES = 3 * 4096
"""DuckDB storage format: a main header and two database headers come before the blocks."""

MAGIC = slice(8, 12), b"DUCK"
"""Where every DuckDB file says that it is one, after the checksum of its header."""

LOG_START = re.compile(rb"d\0be\0[\1-\x20](f\0|\xff\xff)")
"""How a write-ahead log begins: its entry for the version, and the identity of the database or the end of the entry."""
LOG_START_BYTES = 8

_open_paths: set[Path] = set()
_open_paths_guard = threading.Lock()


@dataclass(slots=True)
class Database:
    """An open DuckDB database.

    Attributes:
        path: the file; None in memory.
        read_only: whether writing is refused. closed: whether close was called.
        failed: the error after which DuckDB serves nothing any more, such as a full disk; only opening the file again
            helps, and everything committed is then there.
    """

    path: Path | None
    read_only: bool
    _root: Cursor
    closed: bool = False
    failed: StoreError | None = None
    _cursors: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        """A cursor for the calling thread; DuckDB's errors leave as StoreError."""
        try:
            with self._guard:
                cursor = self._root.cursor()
                self._cursors += 1
            try:
                yield cursor
            finally:
                cursor.close()
                with self._guard:
                    self._cursors -= 1
        except duckdb.Error as error:
            raise self._as_store_error(error) from error

    def _as_store_error(self, error: duckdb.Error) -> StoreError:
        if isinstance(error, duckdb.FatalException):
            self.failed = self.failed or store_error(error, self.path)
            return type(self.failed)(*self.failed.args)
        if "checksum" in str(error):
            return StoreCorrupt(f"{self.path}: {DAMAGED_INSIDE} ({_first_line(str(error))})")
        return store_error(error, self.path)

    @contextmanager
    def snapshot(self) -> Iterator[Cursor]:
        """A cursor whose queries all see the same state."""
        with self.cursor() as cursor:
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            try:
                yield cursor
            finally:
                cursor.execute("ROLLBACK")

    def write(self, work: Callable[[Cursor], T]) -> T:
        """Runs work in a transaction and commits it; DuckDB has synced it to disk when this returns.

        One at a time: two transactions that delete the same rows would conflict, and one of them would fail.
        """
        with self._writing:
            return self.insert(work)

    def insert(self, work: Callable[[Cursor], T]) -> T:
        """As write, beside other transactions: for work that only inserts, which conflicts with nothing."""
        with self.cursor() as cursor:
            return in_transaction(cursor, work)

    def checkpoint(self) -> bool:
        """Moves the write-ahead log into the file and frees deleted space; False if another transaction is open."""
        with self.cursor() as cursor:
            try:
                cursor.execute("CHECKPOINT")
            except duckdb.TransactionException:
                return False
        return True

    def checkpoint_alone(self, work: Callable[[Cursor], None]) -> bool:
        """Runs work and a checkpoint that frees all deleted rows; False, and nothing is done, if anybody has a cursor.

        DuckDB keeps deleted rows while any transaction is open, also one that began after the delete, and a checkpoint
        frees nothing if there is nothing to write. So nobody gets a cursor meanwhile, and work must write something.
        """
        with self._guard:
            if self._cursors:
                return False
            try:
                with self._root.cursor() as cursor:
                    in_transaction(cursor, work)
                    cursor.execute("CHECKPOINT")
            except duckdb.Error as error:
                raise self._as_store_error(error) from error
        return True

    def close(self) -> None:
        """Closes the file and lets other processes have it."""
        with self._guard:
            self._root.close()
            self.closed = True
        if self.path is not None:
            with _open_paths_guard:
                _open_paths.discard(self.path)


def in_transaction(cursor: Cursor, work: Callable[[Cursor], T]) -> T:
    """What work returns, once what it did is committed; on any error nothing of it stays."""
    cursor.execute("BEGIN TRANSACTION")
    try:
        result = work(cursor)
        cursor.execute("COMMIT")
    except BaseException:
        roll_back(cursor)
        raise
    return result


def roll_back(cursor: Cursor) -> None:
    """Ends a failed transaction. A COMMIT that failed has rolled back already, which is as good."""
    try:
        cursor.execute("ROLLBACK")
    except duckdb.Error:
        return


def insert_frame(
    cursor: Cursor, statement: str, frame: pl.DataFrame, parameters: Sequence[int] | Mapping[str, int] | None = None
) -> None:
    """Runs ``INSERT ... SELECT ... FROM batch``; to register the frame would be a catalogue change per commit.

    A statement may name ``batch`` once: it is a stream, and empty the second time.
    """
    batch = frame.to_arrow().to_reader()  # noqa: F841 - the statement reads it: DuckDB finds it by its name
    cursor.execute(statement, parameters)


def number_list(numbers: Iterable[int]) -> str:
    """Numbers as the text of a list, to be bound where a statement says ``$name::BIGINT[]``.

    DuckDB looks for pandas, six times, for every element of a Python list it binds: where pandas is not installed that
    was 0.4 s for 5,000 numbers.
    """
    return str(list(numbers))


def open_database(path: Path | None, *, read_only: bool) -> Database:
    """An open database; a missing file is created unless read_only.

    Raises:
        StoreLocked: another process, or this one, has it open.
        StoreCorrupt: the file is no DuckDB database, or a damaged one. It is left as it is.
        StoreTooNew: a later DuckDB wrote it.
        StoreError: the file cannot be read or created.
    """
    if path is None:
        return Database(None, read_only, duckdb.connect(":memory:", config=CONFIG))
    path = path.expanduser().resolve()
    with _open_paths_guard:
        if path in _open_paths:
            raise StoreLocked(f"{path}: this process has the database open already")
        _open_paths.add(path)
    existed = True
    try:
        existed = path.exists()
        if existed:
            _examine(path)
        else:
            _refuse_to_begin(path, read_only=read_only)
        return Database(path, read_only, duckdb.connect(str(path), read_only=read_only, config=FILE_CONFIG))
    except BaseException as error:
        with _open_paths_guard:
            _open_paths.discard(path)
        if not existed and path.exists() and path.stat().st_size == 0:
            path.unlink()  # what a full disk left of our attempt; it would be refused as damaged next time
        if isinstance(error, duckdb.Error):
            raise store_error(error, path) from error
        if isinstance(error, OSError):
            raise StoreError(f"{path}: the database cannot be opened: {error.strerror}") from error
        raise


def _refuse_to_begin(path: Path, *, read_only: bool) -> None:
    """Raises if a new database must not be made here."""
    if read_only:
        raise StoreError(f"{path}: there is no database here; `tracelith import` or `tracelith serve` makes one")
    log = path.with_name(path.name + ".wal")
    if log.exists():  # DuckDB would throw it away
        raise StoreCorrupt(
            f"{path}: missing, but its write-ahead log {log.name} is there and may hold spans. "
            "Put the database file back beside it, or move the log away to begin with a new file."
        )


def _examine(path: Path) -> None:
    """Opens the file read-only first: a damaged one is then refused before DuckDB could write to it.

    DuckDB notices damaged headers, tables of contents and logs by itself, but not that the end of the file is missing.
    Damage among the data is noticed, by checksum, when that is read.
    """
    _refuse_other_formats(path)
    actual = path.stat().st_size
    with duckdb.connect(str(path), read_only=True, config=FILE_CONFIG) as probe:
        row = probe.execute("SELECT total_blocks * block_size FROM pragma_database_size()").fetchone()
        if row is not None and actual >= HEADER_BYTES + int(row[0]):
            return  # what follows reads a third of the file
        try:
            expected = _least_size(probe)
        except duckdb.IOException as error:
            if "checksum" not in str(error):
                raise
            return  # damage among the data: all else can be used, and whoever reads there is told
    if actual < expected:
        raise StoreCorrupt(f"{path}: the file is cut short ({actual:,} of {expected:,} bytes). {RESTORE}")


def _refuse_other_formats(path: Path) -> None:
    """DuckDB would say of files of other programs that an extension is missing, and would throw a damaged log away."""
    at, magic = MAGIC
    with path.open("rb") as file:
        if file.read(at.stop)[at] != magic:
            raise StoreCorrupt(f"{path}: not a DuckDB database. {RESTORE}")
    log = path.with_name(path.name + ".wal")
    if not log.exists():
        return
    with log.open("rb") as file:
        start = file.read(LOG_START_BYTES)
    if len(start) == LOG_START_BYTES and not LOG_START.match(start):
        raise StoreCorrupt(f"{path}: its write-ahead log {log.name} does not begin as one. {RESTORE}")


def _least_size(probe: Cursor) -> int:
    """Bytes up to the last block that holds anything.

    The number of blocks that DuckDB tells counts free ones at the end, too, and those it may have cut off a sound file.
    """
    size = probe.execute("SELECT block_size FROM pragma_database_size()").fetchone()
    tables = probe.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary AND NOT internal").fetchall()
    used = [
        probe.execute(METADATA_BLOCK).fetchone(),
        *(probe.execute(DATA_BLOCK, table).fetchone() for table in tables),
    ]
    last = max((int(row[0]) for row in used if row is not None), default=-1)
    return HEADER_BYTES + (last + 1) * int(size[0]) if size is not None and last >= 0 else 0


METADATA_BLOCK = "SELECT coalesce(max(block_id), -1) FROM pragma_metadata_info()"
DATA_BLOCK = """
    SELECT coalesce(max(greatest(block_id, coalesce(list_max(additional_block_ids), -1))), -1)
    FROM pragma_storage_info(?) WHERE persistent
"""

DAMAGED_INSIDE = (
    "a part of the database cannot be read back as it was written, so disk or memory of this machine may be failing. "
    "What is received is still kept. To end this, stop Tracelith, and put a backup in place of the file (and of the "
    ".wal file beside it), or move it away and start with a new one."
)

RESTORE = (
    "It was left untouched: restore it (and the .wal file beside it) from a backup, "
    "or move it away and start with a new file."
)


def store_error(error: duckdb.Error, path: Path | None) -> StoreError:
    """The StoreError that says what DuckDB's error means for this file and what to do."""
    text = str(error)
    where = "in-memory database" if path is None else str(path)
    if "Could not set lock" in text:
        return StoreLocked(
            f"{where}: another process owns this database, probably a running `tracelith serve`. "
            "Ask that server over its API, stop it, or name another file with --db."
        )
    if "newer version" in text or "version number" in text:
        return StoreTooNew(f"{where}: a later version of DuckDB wrote this file; upgrade Tracelith to open it")
    if any(sign in text for sign in ("not a valid DuckDB", "Corrupt", "enough bytes", "checksum", "WAL file")):
        return StoreCorrupt(f"{where}: not a sound DuckDB database. {RESTORE} ({_first_line(text)})")
    if "No space left" in text or "File too large" in text:
        return StoreFull(f"{where}: the disk is full; free some space. What was acknowledged is kept.")
    return StoreError(f"{where}: {_first_line(text)}")


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]
