"""All that spans say, packed: the details of a commit's spans, window by window, compressed together.

Attributes repeat from span to span, so together they shrink to a tenth, which DuckDB's own compression of a column does
not come near (ingest/details.py has the figures). A pack holds what one commit brought for one window, so it goes with
the raw spans of that window, and a trace is found by the commits of its spans.
"""

from io import BytesIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.model.schema import DETAIL, WINDOW_NS
from tracelith.store.connection import Cursor, Database, insert_frame

__all__ = ["SPAN_DETAIL", "drop_details", "insert_details", "pack_details", "read_details"]

SPAN_DETAIL = pl.Schema([("span_id", pl.UInt64()), ("kind", pl.UInt8()), *DETAIL.items()])
"""Details of one trace's spans. Kind tells the two halves of a call apart where they share an id."""

MOST_PACKS_READ = 256
"""A trace that was received in more commits and windows than this shows the details of its earliest spans only."""

PIECE_BYTES = 128
"""Packs are stored in rows of this size, because at every checkpoint DuckDB writes the last row group anew, and that is
122,880 rows of whatever size: 16 MB this way. With a row per pack, 180 MB of packs of 60 KB made it write 834 MB and
left a file of 232 MB, a fifth of it free blocks, and more makes it worse; in pieces 415 MB and 188 MB."""

SPANS = """
    SELECT commit_no, window_of(start_ns) AS window_ns, trace_lo, span_id, operation, kind
    FROM span JOIN operation USING (operation) WHERE trace_hi = $hi AND trace_lo = $lo
"""

PIECES = """
    SELECT window_ns, commit_no, body FROM span_detail SEMI JOIN packs USING (commit_no, window_ns)
    ORDER BY window_ns, commit_no, piece
"""

DROP = """
    DELETE FROM span_detail WHERE window_ns < $before AND commit_no <= $upto
        AND window_ns NOT IN (SELECT unnest($pending::BIGINT[]))
"""

UInt64 = NDArray[np.uint64]


def pack_details(spans: pl.DataFrame, details: pl.DataFrame) -> pl.DataFrame:
    """Rows of the table but for their commit number: window_ns, piece and body.

    Args:
        spans: SPAN rows. details: DETAIL rows of the same spans, in the same order; nulls where nothing is kept.
    """
    keyed = details.with_columns(
        pl.Series("key", _keys(spans)), pl.Series("window_ns", spans["start_ns"] - spans["start_ns"] % WINDOW_NS)
    )
    told = keyed.filter((pl.col("span") != b"") | (pl.col("resource") != b"") | (pl.col("left_out") > 0))  # nulls go
    parts = told.partition_by("window_ns", as_dict=True, include_key=False, maintain_order=True)
    rows = [_pieces(window_ns, _packed(part)) for (window_ns,), part in parts.items()]
    return pl.concat(rows) if rows else _pieces(0, b"")


def insert_details(cursor: Cursor, packed: pl.DataFrame, commit_no: int) -> None:
    """Inserts packed rows as part of a commit."""
    insert_frame(cursor, "INSERT INTO span_detail SELECT ?, window_ns, piece, body FROM batch", packed, [commit_no])


def read_details(database: Database, trace_hi: int, trace_lo: int) -> pl.DataFrame:
    """SPAN_DETAIL rows of one trace, one for each span that has any."""
    with database.snapshot() as cursor:
        spans = cursor.execute(SPANS, {"hi": trace_hi, "lo": trace_lo}).pl()
        packs = spans.select("window_ns", "commit_no").unique().sort("window_ns", "commit_no").head(MOST_PACKS_READ)
        pieces = _pieces_of(cursor, packs)
    bodies = pieces.group_by("window_ns", "commit_no", maintain_order=True).agg("body")["body"]
    wanted = spans.select("span_id", "kind", pl.Series("key", _keys(spans))).unique("key")
    found = [_unpacked(b"".join(body)).join(wanted, on="key") for body in bodies]
    rows = pl.concat(found) if found else wanted.clear().with_columns(DETAIL.to_frame())
    return rows.unique(["span_id", "kind"], keep="first", maintain_order=True).select(SPAN_DETAIL.names())


def drop_details(cursor: Cursor, *, before: int, upto: int, pending: list[int]) -> None:
    """Deletes the details of raw spans that are deleted: of windows before this one, up to this commit, if analysed."""
    cursor.execute(DROP, {"before": before, "upto": upto, "pending": pending})


def _pieces_of(
    cursor: Cursor,
    packs: pl.DataFrame,  # noqa: ARG001 - the query reads it: DuckDB finds frames by the name of a local variable
) -> pl.DataFrame:
    return cursor.execute(PIECES).pl()


def _keys(spans: pl.DataFrame) -> UInt64:
    """A number for each span that no other span of its commit has: ids mixed with the operation.

    The operation tells the halves of a call apart, the trace keeps a sender that knows the id of another's span from
    being taken for it by chance. Multipliers: the odd 64-bit golden ratio, and one of splitmix64.
    """
    span_id, trace_lo = spans["span_id"].to_numpy(), spans["trace_lo"].to_numpy()
    operation = spans["operation"].to_numpy().astype(np.uint64)
    keys: UInt64 = span_id ^ (trace_lo * np.uint64(0x9E3779B97F4A7C15)) ^ (operation * np.uint64(0xBF58476D1CE4E5B9))
    return keys


def _pieces(window_ns: int, body: bytes) -> pl.DataFrame:
    pieces = [body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES)]
    return pl.DataFrame({"body": pieces}, {"body": pl.Binary}).select(
        pl.lit(window_ns, pl.Int64).alias("window_ns"), pl.int_range(pl.len(), dtype=pl.UInt32).alias("piece"), "body"
    )


def _packed(rows: pl.DataFrame) -> bytes:
    # Arrow's own format costs 5 bytes a span more: its offsets hardly compress, Parquet writes them as lengths.
    packed = BytesIO()
    rows.write_parquet(packed, compression="zstd", statistics=False)
    return packed.getvalue()


def _unpacked(body: bytes) -> pl.DataFrame:
    return pl.read_parquet(BytesIO(body))
