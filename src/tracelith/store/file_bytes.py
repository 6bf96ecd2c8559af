"""Where the bytes of a closed database file are: per table and column."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tracelith.store.connection import Cursor, open_database

__all__ = ["FileBytes", "file_bytes"]

TABLES = "SELECT table_name FROM duckdb_tables() WHERE NOT temporary AND NOT internal ORDER BY ALL"
BLOCKS = "SELECT block_size, free_blocks FROM pragma_database_size()"

# Segments of constants and the like need no block.
SEGMENTS = r"""
    SELECT ? AS "table", column_name AS "column", block_id, block_offset, len(additional_block_ids) AS more_blocks,
        count * (8 + coalesce(try_cast(regexp_extract(stats, 'Max String Length: (\d+)', 1) AS BIGINT), 0)) AS most
    FROM pragma_storage_info(?) WHERE persistent AND block_id >= 0
"""

SEGMENT_BYTES = 4096
"""More than a segment takes beside its values."""


@dataclass(frozen=True, slots=True)
class FileBytes:
    """What a file is made of; headers and metadata are the rest.

    Attributes:
        columns: columns table, column, bytes; every column that takes any, largest first.
        free: in blocks that hold nothing now and are used again before the file grows.
    """

    columns: pl.DataFrame
    free: int


def file_bytes(path: Path) -> FileBytes:
    """What the bytes of a closed database are.

    DuckDB tells where a segment of a column begins, not where it ends: it ends where the next one in its block begins.
    The last one of a block ends where the block does, unless it has too few values to fill it.

    Raises:
        StoreError: the file cannot be read, or a process has it open.
    """
    database = open_database(path, read_only=True)
    try:
        with database.cursor() as cursor:
            block_bytes, free_blocks = cursor.execute(BLOCKS).fetchone() or (0, 0)
            segments = _segments(cursor)
    finally:
        database.close()
    following = pl.col("block_offset").shift(-1).over("block_id", order_by="block_offset") - pl.col("block_offset")
    rest = pl.min_horizontal(block_bytes - pl.col("block_offset"), SEGMENT_BYTES + pl.col("most"))
    size = following.fill_null(rest) + pl.col("more_blocks") * block_bytes
    columns = segments.with_columns(bytes=size).group_by("table", "column").agg(pl.col("bytes").sum())
    return FileBytes(
        columns.sort("bytes", "table", "column", descending=[True, False, False]), free_blocks * block_bytes
    )


def _segments(cursor: Cursor) -> pl.DataFrame:
    tables = [name for (name,) in cursor.execute(TABLES).fetchall()]
    frames = [cursor.execute(SEGMENTS, [table, table]).pl() for table in tables]
    return pl.concat(frames).with_columns(pl.col("block_id", "block_offset", "more_blocks", "most").cast(pl.Int64))
