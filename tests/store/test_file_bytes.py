"""Where the bytes of a database file are."""

from pathlib import Path

import duckdb
import pytest

from tracelith.store.file_bytes import file_bytes

ROWS = 600_000


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "sizes.duckdb"
    with duckdb.connect(file) as connection:
        connection.execute(
            "CREATE TABLE numbers AS SELECT hash(i) AS random, i % 16 AS nibble, 7 AS same FROM range(?) t(i)", [ROWS]
        )
        connection.execute("CREATE TABLE texts AS SELECT repeat('x', 400_000) || i AS long FROM range(5) t(i)")
        connection.execute(
            "CREATE TABLE blobs AS SELECT encode(repeat(md5(i::VARCHAR), 100)) AS blob FROM range(500) t(i)"
        )
    return file


def test_a_column_takes_about_what_its_values_need(database: Path) -> None:
    sizes = {(row["table"], row["column"]): row["bytes"] for row in file_bytes(database).columns.to_dicts()}

    assert sizes["numbers", "random"] / ROWS == pytest.approx(8.0, rel=0.05)
    assert sizes["numbers", "nibble"] / ROWS == pytest.approx(0.5, rel=0.5)
    assert sizes.get(("numbers", "same"), 0) / ROWS < 0.05
    assert sizes["blobs", "blob"] > 50_000


def test_all_columns_together_take_no_more_than_the_file(database: Path) -> None:
    sizes = file_bytes(database).columns

    total = sizes["bytes"].sum()
    assert 0.8 * database.stat().st_size < total <= database.stat().st_size
    assert sizes["bytes"].to_list() == sorted(sizes["bytes"], reverse=True)


def test_what_was_deleted_is_free_and_no_column_s(database: Path) -> None:
    with duckdb.connect(database) as connection:
        connection.execute("DROP TABLE numbers")

    measured = file_bytes(database)

    assert "numbers" not in measured.columns["table"].to_list()
    assert measured.free + measured.columns["bytes"].sum() <= database.stat().st_size
    assert measured.free > 4_000_000
