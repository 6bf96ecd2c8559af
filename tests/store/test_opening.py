"""Opening a database file: migrations, and every way a file can be unusable."""

import resource
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from store.rows import T0, batch, dimensions, link, span
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.model.errors import StoreCorrupt, StoreError, StoreLocked, StoreTooNew
from tracelith.model.schema import LINK, OPERATION, RESOURCE, SPAN, WINDOW_NS
from tracelith.store import Store
from tracelith.store.migrate import migrations


def filled(path: Path, commits: int = 3) -> bytes:
    """A closed database with some spans; returns its bytes."""
    with Store.open(path) as store:
        store.append([dimensions()])
        for number in range(commits):
            store.append([batch(span(t, number, T0 + t) for t in range(5_000))])
    return path.read_bytes()


def test_a_missing_file_is_created_with_every_migration_applied_once(tmp_path: Path) -> None:
    path = tmp_path / "new.duckdb"

    Store.open(path).close()
    Store.open(path).close()

    with duckdb.connect(str(path)) as connection:
        versions = connection.execute("SELECT version FROM schema_version ORDER BY 1").fetchall()
    assert [version for (version,) in versions] == [number for number, _ in migrations()]
    assert [number for number, _ in migrations()] == list(range(1, len(migrations()) + 1))


@pytest.mark.parametrize(
    ("table", "schema", "more"),
    [
        ("span", SPAN, ["commit_no"]),
        ("link", LINK, []),
        ("resource", RESOURCE, []),
        ("operation", OPERATION, []),
    ],
)
def test_tables_have_the_columns_of_their_schema(
    tmp_path: Path, table: str, schema: pl.Schema, more: list[str]
) -> None:
    path = tmp_path / "x.duckdb"
    Store.open(path).close()

    with duckdb.connect(str(path)) as connection:
        stored = connection.table(table).pl().schema

    assert sorted(stored.names()) == sorted([*schema.names(), *more])
    assert [stored[name] for name in schema.names()] == schema.dtypes()


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [("span", "outcome", "UTINYINT"), ("link", "span_id", "UBIGINT"), ("resource", "service", "VARCHAR")],
)
def test_columns_that_a_migration_put_at_the_end_are_written_and_read_by_name(
    tmp_path: Path, table: str, column: str, kind: str
) -> None:
    path = tmp_path / "x.duckdb"
    Store.open(path).close()
    with duckdb.connect(str(path)) as connection:  # where ALTER TABLE puts every column that comes later
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
    spans = batch([{**span(1, 2, T0), "outcome": 3}], [link(1, 2, T0, 9, 8)])

    with Store.open(path) as store:
        store.append([dimensions("prod")])
        store.append([spans])
        read = store.read_windows([T0])
        known = store.resources()

    assert_frame_equal(read.spans, spans.spans)
    assert_frame_equal(read.links, spans.links)
    assert_frame_equal(read.resources, known)
    assert_frame_equal(known, dimensions("prod").resources)


def test_windows_in_sql_are_those_of_the_model(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    Store.open(path).close()

    with duckdb.connect(str(path)) as connection:
        row = connection.execute("SELECT window_of($t - 1), window_of($t), window_of($t + 1)", {"t": T0}).fetchone()

    assert row == (T0 - WINDOW_NS, T0, T0)


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "garbage.duckdb"
    path.write_bytes(bytes(range(256)) * 200)
    before = path.read_bytes()

    with pytest.raises(StoreCorrupt, match=r"garbage\.duckdb.*left untouched"):
        Store.open(path)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kept", [0, 100, 5_000, 100_000, -1])
def test_a_file_that_was_cut_short_is_refused_and_left_as_it_is(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "torn.duckdb"
    whole = filled(path)
    path.write_bytes(whole[:kept])

    with pytest.raises(StoreCorrupt, match=r"torn\.duckdb"):
        Store.open(path)

    assert path.read_bytes() == whole[:kept]


def test_a_file_from_whose_end_the_database_gave_space_back_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "restarted.duckdb"
    sizes = []

    for _ in range(8):  # each start declares the fact tables and stops again, as a server whose port is taken does
        with Store.open(path) as store:
            Engine(store, registered_analyses())
        sizes.append(path.stat().st_size)

    assert min(sizes[1:]) < max(sizes[:-1]), "nothing was given back, so this proves nothing"


def test_a_database_that_could_not_be_begun_leaves_no_file_that_looks_damaged(tmp_path: Path) -> None:
    path = tmp_path / "new.duckdb"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # as a full disk
    try:
        with pytest.raises(StoreError):
            Store.open(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    Store.open(path).close()


def test_a_file_with_a_damaged_header_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "torn.duckdb"
    whole = filled(path)
    damaged = whole[:4_200] + bytes(4_000) + whole[8_200:]
    path.write_bytes(damaged)

    with pytest.raises(StoreCorrupt):
        Store.open(path)

    assert path.read_bytes() == damaged


def test_a_database_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE customers (name VARCHAR)")
    before = path.read_bytes()

    with pytest.raises(StoreCorrupt, match="not one of Tracelith's"):
        Store.open(path)

    assert path.read_bytes() == before


def test_a_file_of_a_later_tracelith_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "later.duckdb"
    Store.open(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("INSERT INTO schema_version VALUES (9999, 0)")

    with pytest.raises(StoreTooNew, match="9999"):
        Store.open(path)


def test_a_file_that_another_process_has_open_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "shared.duckdb"
    program = f"""
import sys
from pathlib import Path
from tracelith.store import Store
with Store.open(Path({str(path)!r})):
    print("open", flush=True)
    sys.stdin.read()
"""
    owner = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"

        with pytest.raises(StoreLocked, match=r"shared\.duckdb: another process.*--db"):
            Store.open(path)
    finally:
        owner.communicate(timeout=20)

    Store.open(path).close()


def test_one_process_opens_a_file_once_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "twice.duckdb"

    with Store.open(path), pytest.raises(StoreLocked, match="this process"):
        Store.open(path)

    Store.open(path).close()


def test_a_read_only_store_shows_but_does_not_write(tmp_path: Path) -> None:
    path = tmp_path / "kept.duckdb"
    before = filled(path)

    with Store.open(path, read_only=True) as store:
        assert store.size().spans == 15_000
        with pytest.raises(StoreError):
            store.append([batch([span(1, 1, T0)])])

    assert path.read_bytes() == before


def test_a_read_only_store_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database here"):
        Store.open(tmp_path / "absent.duckdb", read_only=True)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="absent"):
        Store.open(tmp_path / "absent" / "x.duckdb")


def test_a_store_without_a_file_lives_in_memory() -> None:
    with Store.open(None) as store:
        store.append([dimensions(), batch([span(1, 1, T0)])])

        assert store.stale_windows(0) == [T0]
        assert store.size().bytes == 0


def test_closing_twice_is_closing_once_and_using_a_closed_store_says_so(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "x.duckdb")
    store.close()
    store.close()

    with pytest.raises(StoreError):
        store.size()
