"""What is kept: raw spans for days, facts for a year, old facts by the hour.

Deleting raw spans makes the facts of their windows final ("frozen"). What is not analysed yet is never deleted, so an
import of last month's traces is analysed first, whatever the retention. Traces that findings give as examples are kept
for as long as the finding stands: an incident is to be looked at while it is told of.
"""

from dataclasses import dataclass
from functools import partial

from tracelith.model.facts import FactTable
from tracelith.model.schema import WINDOW_NS
from tracelith.store import fact_sql
from tracelith.store.connection import Cursor, Database, insert_frame, number_list
from tracelith.store.details import drop_details
from tracelith.store.findings import example_traces
from tracelith.store.ledger import WindowLedger
from tracelith.store.windows import HORIZON_NS, save_progress

__all__ = ["FINE_DAYS", "Retained", "drop_spans", "retain"]

DAY_NS = 86_400_000_000_000
HOUR_NS = 3_600_000_000_000
FINE_DAYS = 14
"""Facts stay in five-minute windows this long; then they are summed into hours."""

HOURS_AT_ONCE = 168
"""Hours summed up in one transaction. An import may bring half a year of them, and each transaction costs a sync; a
week is done in a second, so that stopping does not wait long either."""

LATE = "arrived after the raw spans of their time were deleted"

MARK_FROZEN = """
    UPDATE analysed_window SET frozen = true
    WHERE NOT frozen AND window_ns < $before AND window_ns NOT IN (SELECT unnest($pending::BIGINT[]))
"""

# commit_no: what is committed while this runs is not in the list of pending windows, and waits for the next time.
DROP_SPANS = """
    DELETE FROM span WHERE start_ns < $before AND commit_no <= $upto
        AND window_of(start_ns) NOT IN (SELECT unnest($pending::BIGINT[]))
        AND trace_lo NOT IN (SELECT unnest($examples::UBIGINT[]))
"""

DROP_LINKS = """
    DELETE FROM link WHERE start_ns < $before AND window_of(start_ns) IN (SELECT window_ns FROM analysed_window)
        AND window_of(start_ns) NOT IN (SELECT unnest($pending::BIGINT[]))
"""

COUNT_LATE = """
    INSERT INTO refusal SELECT $now, $reason, count(*) FROM span
    JOIN analysed_window ON analysed_window.window_ns = window_of(span.start_ns)
    WHERE frozen AND commit_no > analysed_window.upto AND commit_no <= $upto AND start_ns < $before
    HAVING count(*) > 0
"""

# Hours all of whose windows are final.
HOURS = """
    SELECT DISTINCT hour_of(window_ns) FROM window_summary
    WHERE end_ns - window_ns < $hour AND window_ns < $before
      AND hour_of(window_ns) NOT IN (SELECT hour_of(window_ns) FROM analysed_window WHERE NOT frozen)
    ORDER BY 1
"""

SUMMARY_BY_HOUR = """
    INSERT INTO window_summary
    SELECT hour_of(window_ns) AS start_ns, start_ns + $hour, environment, sum(spans)::BIGINT FROM window_summary
    WHERE hour_of(window_ns) IN (SELECT unnest($hours::BIGINT[])) AND end_ns - window_ns < $hour GROUP BY ALL
"""

DROP_SUMMARY = """
    DELETE FROM window_summary
    WHERE hour_of(window_ns) IN (SELECT unnest($hours::BIGINT[])) AND end_ns - window_ns < $hour
"""

MARK_FINAL = """
    INSERT INTO analysed_window SELECT window_ns, 0, true FROM (SELECT unnest($windows::BIGINT[]) AS window_ns)
    WHERE window_ns NOT IN (SELECT window_ns FROM analysed_window)
"""


@dataclass(frozen=True, slots=True)
class Retained:
    """What one pass of retention did."""

    deleted_spans: int
    compacted_hours: int


def retain(
    database: Database,
    ledger: WindowLedger,
    tables: list[FactTable],
    *,
    span_days: float,
    fact_days: float,
    now_ns: int,
) -> Retained:
    """Deletes raw spans and facts past their time and sums old facts into hours."""
    before = now_ns - int(span_days * DAY_NS)
    deleted, frozen = database.write(
        partial(drop_spans, ledger=ledger, before=before - before % WINDOW_NS, now_ns=now_ns)
    )
    ledger.freeze(frozen)
    fine = now_ns - FINE_DAYS * DAY_NS
    hours = _hours_to_compact(database, fine - fine % HOUR_NS)
    for first in range(0, len(hours), HOURS_AT_ONCE):
        some = hours[first : first + HOURS_AT_ONCE]
        ledger.freeze(database.write(partial(_compact, hours=some, tables=tables)))
    oldest = now_ns - int(fact_days * DAY_NS)
    oldest -= oldest % HOUR_NS
    database.write(partial(_drop_facts, tables=tables, oldest=oldest, ledger=ledger))
    ledger.forget(oldest)
    return Retained(deleted, len(hours))


def drop_spans(
    cursor: Cursor, ledger: WindowLedger, before: int, now_ns: int, final_before: int | None = None
) -> tuple[int, list[int]]:
    """Deletes analysed raw spans that start before this window and makes the facts of their windows final.

    Spans of example traces stay until no open finding names their trace.

    Args:
        cursor: in a transaction. ledger: knows what is not analysed yet, which stays.
        before: start of the oldest window that is kept. now_ns: wall time.
        final_before: no younger window becomes final; without it, all windows within reach of a deleted one do.

    Returns:
        The number of deleted spans, and all windows that are final.
    """
    upto = ledger.last_commit
    pending = sorted(ledger.pending())
    # A trace that crosses the limit would look like one that begins after it: windows a horizon later are final too.
    final = before + HORIZON_NS if final_before is None else max(before, min(before + HORIZON_NS, final_before))
    cursor.execute(MARK_FROZEN, {"before": final, "pending": pending})
    cursor.execute(COUNT_LATE, {"before": before, "upto": upto, "now": now_ns, "reason": LATE})
    examples = number_list(example_traces(cursor))
    row = cursor.execute(
        DROP_SPANS, {"before": before, "upto": upto, "pending": pending, "examples": examples}
    ).fetchone()
    cursor.execute(DROP_LINKS, {"before": before, "pending": pending})
    drop_details(cursor, before=before, upto=upto, pending=pending)
    frozen = cursor.execute("SELECT window_ns FROM analysed_window WHERE frozen").fetchall()
    return int(row[0]) if row else 0, [int(window) for (window,) in frozen]


def _hours_to_compact(database: Database, before: int) -> list[int]:
    with database.cursor() as cursor:
        rows = cursor.execute(HOURS, {"hour": HOUR_NS, "before": before}).fetchall()
    return [int(hour) for (hour,) in rows]


def _compact(cursor: Cursor, hours: list[int], tables: list[FactTable]) -> list[int]:
    """Sums the windows of each hour into one and returns all windows of the hours, which are final now."""
    period = {"start": hours[0], "end": hours[-1] + HOUR_NS, "hours": hours}
    for table in tables:
        rows = cursor.execute(fact_sql.merge_to_hours(table), period).pl().cast(table.schema)
        cursor.execute(fact_sql.delete_hours(table), period)
        if rows.height:
            insert_frame(cursor, fact_sql.insert(table), rows)
    cursor.execute(SUMMARY_BY_HOUR, {"hours": hours, "hour": HOUR_NS})
    cursor.execute(DROP_SUMMARY, {"hours": hours, "hour": HOUR_NS})
    windows = [window for hour in hours for window in range(hour, hour + HOUR_NS, WINDOW_NS)]
    cursor.execute(MARK_FINAL, {"windows": number_list(windows)})
    return windows


def _drop_facts(cursor: Cursor, tables: list[FactTable], oldest: int, ledger: WindowLedger) -> None:
    for table in tables:
        cursor.execute(fact_sql.delete_period(table), {"start": 0, "end": oldest})
    for statement in (
        "DELETE FROM window_summary WHERE window_ns < ?",
        "DELETE FROM analysed_window WHERE window_ns < ?",
        "DELETE FROM refusal WHERE at_ns < ?",
        "DELETE FROM deployment WHERE at_ns < ?",
        "DELETE FROM finding WHERE state = 'resolved' AND last_seen_ns < ?",
    ):
        cursor.execute(statement, [oldest])
    save_progress(cursor, ledger)
