"""All that spans say, packed: the details of a commit's spans, window by window, compressed together.

Attributes repeat from span to span, so together they shrink to a tenth, which DuckDB's own compression of a column does
not come near (ingest/details.py has the figures). A row holds what one commit brought for one window, so it goes with
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

MOST_ROWS_READ = 256
"""A trace that was received in more commits and windows than this shows the details of its earliest spans only."""

SPANS = """
    SELECT commit_no, window_of(start_ns) AS window_ns, trace_lo, span_id, operation, kind
    FROM span JOIN operation USING (operation) WHERE trace_hi = $hi AND trace_lo = $lo
"""

BODIES = """
    SELECT body FROM span_detail SEMI JOIN spans USING (commit_no, window_ns)
    ORDER BY window_ns, commit_no LIMIT $most
"""

DROP = """
    DELETE FROM span_detail WHERE window_ns < $before AND commit_no <= $upto
        AND window_ns NOT IN (SELECT unnest($pending::BIGINT[]))
"""

UInt64 = NDArray[np.uint64]


def pack_details(spans: pl.DataFrame, details: pl.DataFrame) -> pl.DataFrame:
    """Rows of the table but for their commit number: window_ns and body.

    Args:
        spans: SPAN rows. details: DETAIL rows of the same spans, in the same order; nulls where nothing is kept.
    """
    keyed = details.with_columns(
        pl.Series("key", _keys(spans)), pl.Series("window_ns", spans["start_ns"] - spans["start_ns"] % WINDOW_NS)
    )
    told = keyed.filter((pl.col("span") != b"") | (pl.col("resource") != b"") | (pl.col("left_out") > 0))  # nulls go
    parts = told.partition_by("window_ns", as_dict=True, include_key=False, maintain_order=True)
    return pl.DataFrame(
        {"window_ns": [window for (window,) in parts], "body": [_packed(part) for part in parts.values()]},
        schema={"window_ns": pl.Int64, "body": pl.Binary},
    )


def insert_details(cursor: Cursor, packed: pl.DataFrame, commit_no: int) -> None:
    """Inserts packed rows as part of a commit."""
    insert_frame(cursor, "INSERT INTO span_detail SELECT ?, window_ns, body FROM batch", packed, [commit_no])


def read_details(database: Database, trace_hi: int, trace_lo: int) -> pl.DataFrame:
    """SPAN_DETAIL rows of one trace, one for each span that has any."""
    with database.snapshot() as cursor:
        spans = cursor.execute(SPANS, {"hi": trace_hi, "lo": trace_lo}).pl()
        bodies = _bodies(cursor, spans) if spans.height else []
    wanted = spans.select("span_id", "kind", pl.Series("key", _keys(spans))).unique("key")
    found = [_unpacked(body).join(wanted, on="key") for body in bodies]
    rows = pl.concat(found) if found else wanted.clear().with_columns(DETAIL.to_frame())
    return rows.unique(["span_id", "kind"], keep="first", maintain_order=True).select(SPAN_DETAIL.names())


def drop_details(cursor: Cursor, *, before: int, upto: int, pending: list[int]) -> None:
    """Deletes the details of raw spans that are deleted: of windows before this one, up to this commit, if analysed."""
    cursor.execute(DROP, {"before": before, "upto": upto, "pending": pending})


def _bodies(
    cursor: Cursor,
    spans: pl.DataFrame,  # noqa: ARG001 - the query reads it: DuckDB finds frames by the name of a local variable
) -> list[bytes]:
    return [body for (body,) in cursor.execute(BODIES, {"most": MOST_ROWS_READ}).fetchall()]


def _keys(spans: pl.DataFrame) -> UInt64:
    """A number for each span that no other span of its commit has: ids mixed with the operation.

    The operation tells the halves of a call apart, the trace keeps a sender that knows the id of another's span from
    being taken for it by chance. Multipliers: the odd 64-bit golden ratio, and one of splitmix64.
    """
    span_id, trace_lo = spans["span_id"].to_numpy(), spans["trace_lo"].to_numpy()
    operation = spans["operation"].to_numpy().astype(np.uint64)
    keys: UInt64 = span_id ^ (trace_lo * np.uint64(0x9E3779B97F4A7C15)) ^ (operation * np.uint64(0xBF58476D1CE4E5B9))
    return keys


def _packed(rows: pl.DataFrame) -> bytes:
    packed = BytesIO()
    rows.write_ipc_stream(packed, compression="zstd")
    return packed.getvalue()


def _unpacked(body: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(BytesIO(body))
