"""Where the bytes of a closed database file are: per table and column."""

from pathlib import Path

import polars as pl

from tracelith.store.connection import Cursor, open_database

__all__ = ["column_bytes"]

TABLES = "SELECT table_name FROM duckdb_tables() WHERE NOT temporary AND NOT internal ORDER BY ALL"
BLOCK_SIZE = "SELECT block_size FROM pragma_database_size()"

# Segments of constants and the like need no block.
SEGMENTS = """
    SELECT ? AS "table", column_name AS "column", block_id, block_offset, len(additional_block_ids) AS more_blocks,
        count * CASE WHEN segment_type IN ('VARCHAR', 'BLOB') THEN 64 ELSE 8 END AS most
    FROM pragma_storage_info(?) WHERE persistent AND block_id >= 0
"""

SEGMENT_BYTES = 4096
"""More than a segment takes beside its values."""


def column_bytes(path: Path) -> pl.DataFrame:
    """Bytes of every column of every table that takes any, largest first.

    DuckDB tells where a segment of a column begins, not where it ends: it ends where the next one in its block begins.
    The last one of a block ends where the block does, unless it has too few values to fill it.

    Returns:
        Columns table, column, bytes. Their sum is less than the file by headers, metadata and free blocks.

    Raises:
        StoreError: the file cannot be read, or a process has it open.
    """
    database = open_database(path, read_only=True)
    try:
        with database.cursor() as cursor:
            block_bytes = int((cursor.execute(BLOCK_SIZE).fetchone() or (0,))[0])
            segments = _segments(cursor)
    finally:
        database.close()
    following = pl.col("block_offset").shift(-1).over("block_id", order_by="block_offset") - pl.col("block_offset")
    rest = pl.min_horizontal(block_bytes - pl.col("block_offset"), SEGMENT_BYTES + pl.col("most"))
    size = following.fill_null(rest) + pl.col("more_blocks") * block_bytes
    return (
        segments.with_columns(bytes=size)
        .group_by("table", "column")
        .agg(pl.col("bytes").sum())
        .sort("bytes", "table", "column", descending=[True, False, False])
    )


def _segments(cursor: Cursor) -> pl.DataFrame:
    tables = [name for (name,) in cursor.execute(TABLES).fetchall()]
    frames = [cursor.execute(SEGMENTS, [table, table]).pl() for table in tables]
    return pl.concat(frames).with_columns(pl.col("block_id", "block_offset", "more_blocks", "most").cast(pl.Int64))
