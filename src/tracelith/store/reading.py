"""Reading raw spans back: all traces of some windows, one trace, or how many spans there are.

Frames have the columns of model.schema in that order, whatever order migrations have left them in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from tracelith.model.ports import WindowSpans
from tracelith.model.schema import LINK, OPERATION, RESOURCE, SPAN, WINDOW_NS
from tracelith.store.connection import Cursor, Database, number_list
from tracelith.store.windows import HORIZON_NS, horizon_of

__all__ = ["read_trace", "read_windows", "window_span_counts"]

# What is asked for, and what else there is of the traces found: nearly nothing, but it must be looked for in two hours
# of spans. In one query, with each trace's horizon joined to all its spans, reading took three times as long.
# A condition that holds for every row is left out: each is a tenth of the reading.
NEAR = "SELECT * EXCLUDE (commit_no) FROM span WHERE {asked}{bucket}"

FAR = """
    SELECT * EXCLUDE (commit_no) FROM span SEMI JOIN traces USING (trace_lo)
    WHERE start_ns >= $from AND start_ns < $to AND NOT ({asked}){bucket}
"""

ASKED = "start_ns >= $first AND start_ns < $end"
WITH_GAPS = f"{ASKED} AND window_of(start_ns) IN (SELECT unnest($windows::BIGINT[]))"
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


COUNTS = """
    SELECT window_of(start_ns) AS window_ns, count(*) FROM span
    WHERE start_ns >= $from AND start_ns < $to AND window_of(start_ns) IN (SELECT unnest($windows::BIGINT[])) GROUP BY 1
"""

TRACE_KEY = ["trace_hi", "trace_lo"]
KEY = [*TRACE_KEY, "span_id"]
LINKED_KEY = ["linked_trace_hi", "linked_trace_lo", "linked_span_id"]


@dataclass(frozen=True, slots=True)
class Horizon:
    """Where spans of the asked traces, and those they link to, are looked for: [start_ns, end_ns)."""

    start_ns: int
    end_ns: int


def read_windows(database: Database, windows: Sequence[int], bucket: int, buckets: int, upto: int) -> WindowSpans:
    """Spans of every trace of the bucket that has a span starting in one of the windows, in no particular order."""
    asked = tuple(sorted(set(windows)))
    first, last = (asked[0], asked[-1]) if asked else (0, -WINDOW_NS)
    start, end = horizon_of(first, last)
    parameters: dict[str, int | str] = {
        "windows": number_list(asked), "first": first, "end": last + WINDOW_NS, "bucket": bucket, "buckets": buckets,
        "from": start, "to": end,
    }  # fmt: skip
    fragments = {
        "asked": ASKED if (last - first) // WINDOW_NS + 1 == len(asked) else WITH_GAPS,
        "bucket": BUCKET if buckets > 1 else "",
    }
    with database.snapshot() as cursor:
        near = _near_spans(cursor, NEAR.format(**fragments), parameters)
        far = _around(near, partial(_far_spans, cursor, FAR.format(**fragments), parameters))
        return _completed(cursor, asked, pl.concat([near, far]), Horizon(start, end), upto)


def _near_spans(cursor: Cursor, query: str, parameters: Mapping[str, int | str]) -> pl.DataFrame:
    return cursor.execute(query, _named(parameters, query)).pl().select(SPAN.names())


def _far_spans(
    cursor: Cursor,
    query: str,
    parameters: Mapping[str, int | str],
    traces: pl.DataFrame,  # noqa: ARG001 - the query reads it: DuckDB finds frames by the name of a local variable
) -> pl.DataFrame:
    return cursor.execute(query, _named(parameters, query)).pl().select(SPAN.names())


def _named(parameters: Mapping[str, int | str], query: str) -> dict[str, int | str]:
    return {name: value for name, value in parameters.items() if f"${name}" in query}


def _around(near: pl.DataFrame, far_spans: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    """The other spans of these traces.

    Each trace brings its own horizon: reading two distant windows together must not give a trace more spans than
    reading them one by one.
    """
    found = far_spans(near.select("trace_lo").unique())
    if found.is_empty():
        return found
    window_ns = pl.col("start_ns") - pl.col("start_ns") % WINDOW_NS
    reach = (
        near.join(found, on=TRACE_KEY, how="semi")
        .group_by(TRACE_KEY)
        .agg((window_ns.min() - HORIZON_NS).alias("from_ns"), (window_ns.max() + WINDOW_NS + HORIZON_NS).alias("to_ns"))
    )
    within = (pl.col("start_ns") >= pl.col("from_ns")) & (pl.col("start_ns") < pl.col("to_ns"))
    return found.join(reach, on=TRACE_KEY).filter(within).select(found.columns)


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
    links = links.join(spans.select(KEY), on=KEY, how="semi").sort(links.columns) if links.height else links
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


def _linked_spans(
    cursor: Cursor,
    targets: pl.DataFrame,  # noqa: ARG001 - the query reads it: DuckDB finds frames by the name of a local variable
    horizon: Horizon,
) -> pl.DataFrame:
    return cursor.execute(LINKED_SPANS, {"from": horizon.start_ns, "to": horizon.end_ns}).pl().select(SPAN.names())


def _used(cursor: Cursor, dimension: str, spans: pl.DataFrame, linked: pl.DataFrame) -> pl.DataFrame:
    query, columns = {
        "resource": ("SELECT * FROM resource", RESOURCE.names()),
        "operation": ("SELECT * FROM operation", OPERATION.names()),
    }[dimension]
    codes = pl.concat([spans.select(dimension), linked.select(dimension)]).unique()
    return cursor.execute(query).pl().select(columns).join(codes, on=dimension, how="semi").sort(dimension)


def window_span_counts(database: Database, windows: Sequence[int]) -> dict[int, int]:
    """Stored spans that start in each of the windows."""
    counts = dict.fromkeys(windows, 0)
    if not counts:
        return counts
    parameters = {"windows": number_list(counts), "from": min(counts), "to": max(counts) + WINDOW_NS}
    with database.cursor() as cursor:
        counts.update(cursor.execute(COUNTS, parameters).fetchall())
    return counts
