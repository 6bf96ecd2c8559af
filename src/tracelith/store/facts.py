"""Fact tables: replaced window by window, read merged over a period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tracelith.model.facts import FactTable
from tracelith.model.schema import WINDOW_NS
from tracelith.store import fact_sql
from tracelith.store.connection import Cursor, Database, insert_frame, number_list

__all__ = ["StoredFacts", "create_fact_tables", "environments", "period", "stored_form", "summary_of", "write_facts"]

MARK_ANALYSED = "INSERT INTO analysed_window SELECT unnest($windows::BIGINT[]), $upto, false"

DELETE_MARKS = (
    "DELETE FROM window_summary WHERE window_ns IN (SELECT unnest($windows::BIGINT[]))",
    "DELETE FROM analysed_window WHERE window_ns IN (SELECT unnest($windows::BIGINT[]))",
)

SUMMARISE = "INSERT INTO window_summary FROM batch"

SUMMARY = pl.Schema({"window_ns": pl.Int64, "end_ns": pl.Int64, "environment": pl.String, "spans": pl.Int64})

DAY_NS = 86_400_000_000_000
EARLIEST_NS = 946_684_800_000_000_000
"""The first moment of the year 2000."""

PERIOD = """
    SELECT min(window_ns) FILTER (plausible), max(end_ns) FILTER (plausible), min(window_ns), max(end_ns)
    FROM (SELECT *, window_ns >= $earliest AND end_ns <= $latest AS plausible FROM window_summary)
"""


@dataclass(frozen=True, slots=True)
class StoredFacts:
    """Facts of one environment and half-open period, as they are at each call."""

    database: Database
    environment: str
    start_ns: int
    end_ns: int

    def merged(self, table: FactTable) -> pl.DataFrame:
        """One row per key over the whole period, sorted by the keys; no rows if the table was never written."""
        own = (table.keys, table.sums, table.minima, table.maxima)
        return self._read(fact_sql.merge(table), table, [name for part in own for name in part])

    def by_window(self, table: FactTable, block_ns: int | None = None) -> pl.DataFrame:
        """One row per (window_ns, keys), sorted; with block_ns windows are merged into blocks of that length.

        Windows are five minutes long, or an hour after compaction.
        """
        own = (table.keys, table.sums, table.minima, table.maxima)
        columns = ["window_ns", *(name for part in own for name in part)]
        return self._read(fact_sql.merge_by_window(table), table, columns, {"block": block_ns or 1})

    def _read(
        self, query: str, table: FactTable, columns: list[str], parameters: Mapping[str, int] | None = None
    ) -> pl.DataFrame:
        schema = pl.Schema({name: table.schema[name] for name in columns})
        asked = {"environment": self.environment, "start": self.start_ns, "end": self.end_ns, **(parameters or {})}
        with self.database.cursor() as cursor:
            if not is_stored(cursor, table):
                return schema.to_frame()
            return cursor.execute(query, asked).pl().cast(schema)


def is_stored(cursor: Cursor, table: FactTable) -> bool:
    """Whether the file has the table, with exactly the declared columns in their order."""
    query = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index"
    columns = cursor.execute(query, [fact_sql.table_name(table)]).fetchall()
    return columns == list(fact_sql.stored_types(table).items())


def create_fact_tables(database: Database, tables: Sequence[FactTable]) -> bool:
    """Creates or rebuilds the tables that are missing or differ, and then forgets which windows are analysed.

    Returns:
        Whether anything changed. Frozen windows keep their mark: without raw spans nothing could fill the new table.
    """
    with database.cursor() as cursor:
        changed = [table for table in tables if not is_stored(cursor, table)]
    if not changed:
        return False

    def rebuild(cursor: Cursor) -> None:
        for table in changed:
            cursor.execute(f"DROP TABLE IF EXISTS {fact_sql.table_name(table)}")
            cursor.execute(fact_sql.create(table))
        cursor.execute("DELETE FROM store_state WHERE name = 'low_water'")
        cursor.execute("UPDATE analysed_window SET upto = 0 WHERE NOT frozen")

    database.write(rebuild)
    database.checkpoint()
    return True


def write_facts(
    cursor: Cursor,
    windows: Sequence[int],
    facts: Sequence[tuple[FactTable, pl.DataFrame]],
    summary: pl.DataFrame,
    *,
    replaced: Sequence[FactTable],
    analysed_before: Sequence[int],
    upto: int,
) -> None:
    """Writes the facts of the windows and marks them analysed, inside a transaction.

    The rows that windows ``analysed_before`` have in the ``replaced`` tables go first; other windows have none.
    """
    if analysed_before:
        gone = {"windows": number_list(analysed_before)}
        for table in replaced:
            cursor.execute(fact_sql.delete_windows(table), gone)
        for statement in DELETE_MARKS:
            cursor.execute(statement, gone)
    for table, rows in facts:
        if rows.height:
            insert_frame(cursor, fact_sql.insert(table), rows)
    if summary.height:
        insert_frame(cursor, SUMMARISE, summary)
    cursor.execute(MARK_ANALYSED, {"windows": number_list(windows), "upto": upto})


def stored_form(
    tables: Mapping[str, FactTable], facts: Mapping[str, pl.DataFrame], windows: Sequence[int]
) -> list[tuple[FactTable, pl.DataFrame]]:
    """Each frame with its declaration, columns in stored order, rows of these windows only.

    Raises:
        ValueError: a frame's table was not declared by ensure_fact_tables, or lacks a column.
    """
    unknown = sorted(facts.keys() - tables.keys())
    if unknown:
        raise ValueError(f"fact table(s) {', '.join(unknown)} not declared; call ensure_fact_tables first")
    asked, pairs = set(windows), []
    for name, rows in facts.items():
        schema = tables[name].schema
        missing = [column for column in schema.names() if column not in rows.columns]
        if missing:
            raise ValueError(f"facts of {name} lack the column(s) {', '.join(missing)}")
        stored = rows if rows.schema == schema else rows.select(schema.names()).cast(schema)
        if not asked.issuperset(stored["window_ns"].unique()):  # rarely: to copy all rows took longer than to look
            stored = stored.filter(pl.col("window_ns").is_in(list(asked)))
        pairs.append((tables[name], stored))
    return pairs


def summary_of(windows: Sequence[int], span_counts: Mapping[tuple[int, str], int]) -> pl.DataFrame:
    """The rows of window_summary for these windows, from the spans of each window and environment."""
    kept = set(windows)
    rows = [(at, at + WINDOW_NS, name, spans) for (at, name), spans in span_counts.items() if at in kept]
    return pl.DataFrame(rows, SUMMARY, orient="row")


def environments(database: Database, start_ns: int, end_ns: int) -> list[tuple[str, int]]:
    """Environments with facts in the half-open period and their number of spans, most first."""
    query = """
        SELECT environment, sum(spans)::BIGINT AS spans FROM window_summary
        WHERE window_ns >= ? AND window_ns < ? GROUP BY environment ORDER BY spans DESC, environment
    """
    with database.cursor() as cursor:
        return [(str(name), int(spans)) for name, spans in cursor.execute(query, [start_ns, end_ns]).fetchall()]


def period(database: Database, now_ns: int) -> tuple[int, int] | None:
    """First window start and last window end that have facts.

    Windows that only a wrong clock can have made, before 2000 or more than a day ahead, do not count unless there are
    no others: one such host would move the period that is shown by default away from everything else.
    """
    with database.cursor() as cursor:
        rows = cursor.execute(PERIOD, {"earliest": EARLIEST_NS, "latest": now_ns + DAY_NS}).fetchall()
    plausible_first, plausible_last, first, last = rows[0]
    if first is None:
        return None
    return (int(first), int(last)) if plausible_first is None else (int(plausible_first), int(plausible_last))
