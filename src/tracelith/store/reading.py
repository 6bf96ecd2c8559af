"""Reading raw spans back: all traces of some windows, one trace, or how many spans there are.

Frames have the columns of model.schema in that order, whatever order migrations have left them in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelith.model.ports import WindowSpans
from tracelith.model.schema import LINK, OPERATION, RESOURCE, SPAN, WINDOW_NS
from tracelith.store.connection import Cursor, Database, number_list
from tracelith.store.windows import HORIZON_NS, horizon_of

__all__ = ["read_buckets", "read_trace", "window_span_counts"]

SPANS = "SELECT * EXCLUDE (commit_no) "
TRACES = "SELECT DISTINCT trace_lo "
PLACES = "SELECT trace_lo, start_ns "

# What is asked for, and what else there is of the traces found: nearly nothing, but it must be looked for in two hours
# of spans. In one query, with each trace's horizon joined to all its spans, reading took three times as long.
# A condition that holds for every row is left out: each is a tenth of the reading.
NEAR = "FROM span WHERE start_ns >= $first AND start_ns < $end{asked}"

# Before and after are told apart because DuckDB evaluates ranges while it scans, but "not in between" row by row.
FAR = """
    FROM (
        FROM span WHERE start_ns >= $from AND start_ns < $first
        UNION ALL FROM span WHERE start_ns >= $end AND start_ns < $to
        {between}
    ) SEMI JOIN traces USING (trace_lo)
"""

ASKED = " AND window_of(start_ns) IN (SELECT unnest($windows::BIGINT[]))"
BETWEEN = """
    UNION ALL FROM span WHERE start_ns >= $first AND start_ns < $end
        AND window_of(start_ns) NOT IN (SELECT unnest($windows::BIGINT[]))
"""
BUCKET = " AND bucket_of(trace_lo, $buckets) = $bucket"

TRACE = "SELECT * EXCLUDE (commit_no) FROM span WHERE trace_hi = $hi AND trace_lo = $lo ORDER BY start_ns, span_id"

LINKS = "SELECT * FROM link WHERE start_ns >= $from AND start_ns <= $to"

LINKED_SPANS = """
    SELECT * EXCLUDE (commit_no) FROM span
    SEMI JOIN targets ON span.trace_hi = targets.linked_trace_hi
        AND span.trace_lo = targets.linked_trace_lo AND span.span_id = targets.linked_span_id
    WHERE start_ns >= $from AND start_ns < $to
    ORDER BY trace_hi, trace_lo, start_ns, span_id
"""

COUNTS = "SELECT window_of(start_ns), count(*) FROM span WHERE start_ns >= $from AND start_ns < $to GROUP BY 1"

TRACE_KEY = ["trace_hi", "trace_lo"]
KEY = [*TRACE_KEY, "span_id"]
LINKED_KEY = ["linked_trace_hi", "linked_trace_lo", "linked_span_id"]

Parameters = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Horizon:
    """Where spans of the asked traces, and those they link to, are looked for: [start_ns, end_ns)."""

    start_ns: int
    end_ns: int


def read_buckets(database: Database, windows: Sequence[int], buckets: int, upto: int) -> Iterator[WindowSpans]:
    """Spans of every trace that has a span starting in one of the windows, by bucket, in no particular order.

    Where else these traces have spans is looked for once, for all buckets: it takes longer than reading one. So none
    of them tells of a later commit than ``upto``, though it may hold some of that, too.
    """
    asked = tuple(sorted(set(windows)))
    first, last = (asked[0], asked[-1]) if asked else (0, -WINDOW_NS)
    start, end = horizon_of(first, last)
    gaps = (last - first) // WINDOW_NS + 1 > len(asked)
    near_query = NEAR.format(asked=ASKED if gaps else "")
    far_query = FAR.format(between=BETWEEN if gaps else "")
    parameters: Parameters = {
        "windows": number_list(asked), "first": first, "end": last + WINDOW_NS, "from": start, "to": end,
    }  # fmt: skip
    elsewhere: pl.DataFrame | None = None
    for bucket in range(buckets):
        with database.snapshot() as cursor:
            of_bucket = {**parameters, "bucket": bucket, "buckets": buckets}
            near = _selected(cursor, SPANS + near_query + (BUCKET if buckets > 1 else ""), of_bucket)
            near = near.select(SPAN.names())
            if elsewhere is None:
                traces = _traces(near) if buckets == 1 else _selected(cursor, TRACES + near_query, parameters)
                elsewhere = _selected(cursor, PLACES + far_query, parameters, traces)
            far = _far_spans(cursor, far_query, parameters, near, elsewhere)
            spans = pl.concat([near, far]) if far.height else near
            read = _completed(cursor, asked, spans, Horizon(start, end), upto)
        yield read


def _traces(spans: pl.DataFrame) -> pl.DataFrame:
    trace_lo = spans["trace_lo"]
    runs = trace_lo.filter(trace_lo.ne_missing(trace_lo.shift()))  # as stored, spans of a trace mostly lie together
    return runs.unique().to_frame()


def _far_spans(
    cursor: Cursor, query: str, parameters: Parameters, near: pl.DataFrame, elsewhere: pl.DataFrame
) -> pl.DataFrame:
    """What else there is of these traces; where, is known, and mostly it is just beside the windows."""
    places = elsewhere.join(_traces(near), on="trace_lo", how="semi")
    if places.is_empty():
        return near.clear()
    starts = places["start_ns"].to_numpy()
    narrowed = {**parameters, "from": int(starts.min()), "to": int(starts.max()) + 1}
    found = _selected(cursor, SPANS + query, narrowed, places.select("trace_lo").unique())
    return _within_reach(near, found.select(SPAN.names()))


def _selected(
    cursor: Cursor,
    query: str,
    parameters: Parameters,
    traces: pl.DataFrame | None = None,  # noqa: ARG001 - FAR reads it: DuckDB finds frames by the name of a variable
) -> pl.DataFrame:
    named = {name: value for name, value in parameters.items() if f"${name}" in query}
    return cursor.execute(query, named).pl()


def _within_reach(near: pl.DataFrame, far: pl.DataFrame) -> pl.DataFrame:
    """Those of the far spans that are within the horizon of their own trace's near spans.

    Each trace brings its own horizon: reading two distant windows together must not give a trace more spans than
    reading them one by one.
    """
    window_ns = pl.col("start_ns") - pl.col("start_ns") % WINDOW_NS
    reach = (
        near.join(far, on=TRACE_KEY, how="semi")
        .group_by(TRACE_KEY)
        .agg((window_ns.min() - HORIZON_NS).alias("from_ns"), (window_ns.max() + WINDOW_NS + HORIZON_NS).alias("to_ns"))
    )
    within = (pl.col("start_ns") >= pl.col("from_ns")) & (pl.col("start_ns") < pl.col("to_ns"))
    return far.join(reach, on=TRACE_KEY).filter(within).select(far.columns)


def read_trace(database: Database, trace_hi: int, trace_lo: int, upto: int) -> WindowSpans:
    """All spans of one trace, whenever they started."""
    with database.snapshot() as cursor:
        spans = cursor.execute(TRACE, {"hi": trace_hi, "lo": trace_lo}).pl().select(SPAN.names())
        first, last = (int(spans["start_ns"][0]), int(spans["start_ns"][-1])) if spans.height else (0, 0)
        return _completed(cursor, (), spans, Horizon(*horizon_of(first, last)), upto)


def _completed(
    cursor: Cursor, windows: tuple[int, ...], spans: pl.DataFrame, horizon: Horizon, upto: int
) -> WindowSpans:
    """Adds to spans what explains them: links, the spans linked to, and the texts behind the codes."""
    first, last = (spans["start_ns"].min(), spans["start_ns"].max()) if spans.height else (1, 0)
    links = cursor.execute(LINKS, {"from": first, "to": last}).pl().select(LINK.names())
    links = _from(spans, links) if links.height else links
    linked = _linked_spans(cursor, links.select(LINKED_KEY).unique(), horizon) if links.height else spans.clear()
    return WindowSpans(
        windows=windows,
        spans=spans,
        links=links,
        linked_spans=linked,
        resources=_used(cursor, "resource", spans, linked),
        operations=_used(cursor, "operation", spans, linked),
        upto=upto,
    )


def _from(spans: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """The links that these spans hold, sorted."""
    # Hashing the few links and looking all spans up in them takes a quarter of the time that it takes the other way.
    linking = spans.select(KEY).join(links, on="span_id", how="semi")
    return links.join(linking, on=KEY, how="semi").sort(links.columns)


def _linked_spans(
    cursor: Cursor,
    targets: pl.DataFrame,  # noqa: ARG001 - the query reads it: DuckDB finds frames by the name of a local variable
    horizon: Horizon,
) -> pl.DataFrame:
    return cursor.execute(LINKED_SPANS, {"from": horizon.start_ns, "to": horizon.end_ns}).pl().select(SPAN.names())


def _used(cursor: Cursor, dimension: str, *spans: pl.DataFrame) -> pl.DataFrame:
    """Rows of the dimension that the spans use, by code."""
    query, columns = {
        "resource": ("SELECT * FROM resource ORDER BY resource", RESOURCE.names()),
        "operation": ("SELECT * FROM operation ORDER BY operation", OPERATION.names()),
    }[dimension]
    # Counted, not made unique: codes are small numbers.
    uses = np.bincount(np.concatenate([part[dimension].to_numpy() for part in spans]))
    used = pl.Series(np.flatnonzero(uses), dtype=pl.UInt32)
    return cursor.execute(query).pl().select(columns).filter(pl.col(dimension).is_in(used))


def window_span_counts(database: Database, windows: Sequence[int]) -> dict[int, int]:
    """Stored spans that start in each of the windows."""
    if not windows:
        return {}
    with database.cursor() as cursor:
        # Also the windows in between: to leave them out takes as long again as to count them.
        counted = cursor.execute(COUNTS, {"from": min(windows), "to": max(windows) + WINDOW_NS}).fetchall()
    counts = dict(counted)
    return {window: counts.get(window, 0) for window in windows}
