"""The life of findings: first seen, last seen, resolved when an analysis no longer makes the claim."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from tracelith.store.connection import Cursor, Database, insert_frame

__all__ = ["FINDING", "example_traces", "read_findings", "sync_findings"]

FINDING = pl.Schema(
    {
        "id": pl.String(),
        "environment": pl.String(),
        "rule": pl.String(),
        "severity": pl.String(),
        "subjects": pl.List(pl.String()),
        "title": pl.String(),
        "state": pl.String(),  # open | resolved
        "first_seen_ns": pl.Int64(),
        "last_seen_ns": pl.Int64(),
        "trace_ids": pl.List(pl.String()),  # examples, hexadecimal
    }
)

CLAIM = ["id", "rule", "severity", "subjects", "title", "trace_ids"]
READ = "SELECT * FROM finding WHERE environment = ? ORDER BY first_seen_ns, id"


def sync_findings(database: Database, environment: str, now_ns: int, findings: Sequence[Mapping[str, Any]]) -> None:
    """Makes ``findings`` (FindingDocuments) the open ones of the environment; open ones not among them are resolved.

    A finding that comes back opens again and keeps the time it was first seen.
    """
    told = [{**finding, "trace_ids": finding["evidence"].get("trace_ids", [])} for finding in findings]
    claims = pl.DataFrame([{name: row[name] for name in CLAIM} for row in told], {n: FINDING[n] for n in CLAIM})
    claims = claims.unique("id", keep="first", maintain_order=True)

    def write(cursor: Cursor) -> None:
        known = cursor.execute(READ, [environment]).pl().cast(FINDING)
        cursor.execute("DELETE FROM finding WHERE environment = ?", [environment])
        insert_frame(cursor, "INSERT INTO finding SELECT * FROM batch", _after(known, claims, environment, now_ns))

    database.write(write)


def example_traces(cursor: Cursor) -> list[int]:
    """Lower halves of the ids of all traces that open findings give as examples."""
    query = "SELECT DISTINCT unnest(trace_ids) FROM finding WHERE state = 'open'"
    return [int(trace_id[-16:], 16) for (trace_id,) in cursor.execute(query).fetchall()]


def _after(known: pl.DataFrame, claims: pl.DataFrame, environment: str, now_ns: int) -> pl.DataFrame:
    gone = known.join(claims, on="id", how="anti").with_columns(pl.lit("resolved").alias("state"))
    made = claims.join(known.select("id", "first_seen_ns"), on="id", how="left").with_columns(
        pl.lit(environment).alias("environment"),
        pl.lit("open").alias("state"),
        pl.col("first_seen_ns").fill_null(now_ns),
        pl.lit(now_ns, dtype=pl.Int64).alias("last_seen_ns"),
    )
    return pl.concat([gone.select(FINDING.names()), made.select(FINDING.names())]).cast(FINDING)


def read_findings(database: Database, environment: str) -> pl.DataFrame:
    """FINDING rows of the environment, open and resolved, oldest first."""
    with database.cursor() as cursor:
        return cursor.execute(READ, [environment]).pl().cast(FINDING)
