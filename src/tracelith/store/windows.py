"""The queries behind the window ledger: what is new in the file, and which other windows a new span concerns."""

import numpy as np
import polars as pl

from tracelith.model.schema import WINDOW_NS
from tracelith.store.connection import Cursor, Database
from tracelith.store.ledger import Change, WindowLedger

__all__ = ["HORIZON_NS", "horizon_of", "load_ledger", "save_progress", "spread_changes", "window_starts"]

HORIZON_NS = 12 * WINDOW_NS
"""How far apart, to either side, spans of one trace are looked for. An hour: long requests and batch jobs fit, and a
window costs the scan of two hours of trace ids. What lies further apart is analysed as separate traces."""

CHANGES = """
    SELECT window_of(start_ns) AS window_ns, min(commit_no), max(commit_no)
    FROM span WHERE commit_no > $low_water GROUP BY 1
"""

# A span concerns its own window, every window that its trace touches, and every window of a trace that links to it
# (the name of a message's producer comes from there). Windows are compared as DOUBLE: exact enough for a distance of
# an hour, and no pair of garbage times can overflow it. Trace and window are made distinct before they are paired, so
# that a trace id used for weeks costs windows squared, not spans squared. Only windows in [from, to) are asked for.
SPREAD = """
    WITH fresh AS (
        SELECT trace_hi, trace_lo, span_id, start_ns, commit_no
        FROM span WHERE commit_no > $after AND commit_no <= $upto
    ), concerned AS (
        SELECT trace_hi, trace_lo, window_of(start_ns) AS window_ns, max(commit_no) AS commit_no
        FROM fresh GROUP BY ALL
        UNION ALL
        SELECT link.trace_hi, link.trace_lo, window_of(link.start_ns), max(fresh.commit_no)
        FROM link JOIN fresh
          ON link.linked_trace_hi = fresh.trace_hi AND link.linked_trace_lo = fresh.trace_lo
         AND link.linked_span_id = fresh.span_id
        WHERE abs(link.start_ns::DOUBLE - fresh.start_ns::DOUBLE) <= $horizon
        GROUP BY ALL
    ), touched AS (
        SELECT DISTINCT trace_hi, trace_lo, window_of(start_ns) AS window_ns
        FROM span SEMI JOIN concerned USING (trace_hi, trace_lo)
        WHERE start_ns >= $from AND start_ns < $to
    )
    SELECT touched.window_ns AS window_ns, max(concerned.commit_no) AS commit_no
    FROM touched JOIN concerned USING (trace_hi, trace_lo)
    WHERE abs(touched.window_ns::DOUBLE - concerned.window_ns::DOUBLE) <= $horizon
    GROUP BY 1
"""


def window_starts(start_ns: pl.Series) -> list[int]:
    """The distinct windows of these (non-negative) times."""
    # NumPy: on a batch of 512 spans it takes a tenth of what a Polars expression costs to set up.
    starts: list[int] = (np.unique(start_ns.to_numpy() // WINDOW_NS) * WINDOW_NS).tolist()
    return starts


def horizon_of(first_ns: int, last_ns: int) -> tuple[int, int]:
    """The half-open time range that reaches the horizon before the first and after the last window."""
    return first_ns - HORIZON_NS, last_ns + WINDOW_NS + HORIZON_NS


def load_ledger(database: Database, ledger: WindowLedger, now_ns: int) -> None:
    """Fills the ledger from the file. Windows count as changed now: senders may still be repeating what was cut off."""
    with database.snapshot() as cursor:
        marks = cursor.execute("SELECT window_ns, upto, frozen FROM analysed_window").fetchall()
        state = _state(cursor)
        low_water = state.get("low_water", 0)
        rows = cursor.execute(CHANGES, {"low_water": low_water}).fetchall()
    changes = {window: Change(first, last, last, now_ns) for window, first, last in rows}
    last_commit = max(
        state.get("last_commit", 0),
        low_water,
        max((upto for _, upto, _ in marks), default=0),
        max((change.last_commit for change in changes.values()), default=0),
    )
    ledger.load(
        {window: upto for window, upto, _ in marks},
        (window for window, _, frozen in marks if frozen),
        changes,
        last_commit=last_commit,
        spread_upto=low_water,
        at_ns=now_ns,
    )


def spread_changes(database: Database, ledger: WindowLedger, commits: tuple[int, int]) -> None:
    """Tells the ledger which windows the commits in the range (after, upto] concern.

    Only windows that are settled need looking for. Those that are pending are analysed in any case: they count as
    concerned, which costs no query, and nothing unless what they hold was read before. After an import, or on the
    first start, no window is settled, and nothing is read at all.
    """
    after, upto = commits
    # Two horizons: one to a link's trace, one to that trace's other windows.
    pending, settled = ledger.within_reach(after, 2 * HORIZON_NS)
    concerned = dict.fromkeys(pending, upto)
    if settled:
        reach = {"from": min(settled), "to": max(settled) + WINDOW_NS, "horizon": HORIZON_NS}
        with database.snapshot() as cursor:
            rows = cursor.execute(SPREAD, {"after": after, "upto": upto} | reach).fetchall()
        concerned = dict(rows) | concerned
    ledger.spread(concerned, upto)


def save_progress(cursor: Cursor, ledger: WindowLedger) -> None:
    """Writes how far the analysis has come, so that opening the file again looks only at later commits."""
    state = {"low_water": ledger.low_water(), "last_commit": ledger.last_commit}
    cursor.execute("DELETE FROM store_state WHERE name IN ('low_water', 'last_commit')")
    cursor.executemany("INSERT INTO store_state VALUES (?, ?)", [[name, value] for name, value in state.items()])


def _state(cursor: Cursor) -> dict[str, int]:
    return {str(name): int(value) for name, value in cursor.execute("SELECT name, value FROM store_state").fetchall()}
