"""Deployments told by people and pipelines; the same one told twice is stored once."""

import polars as pl

from tracelith.model.schema import DEPLOYMENT
from tracelith.store.connection import Cursor, Database, insert_frame

__all__ = ["add_deployments", "read_deployments"]

IDENTITY = ["service", "environment", "version", "at_ns", "source"]


def add_deployments(database: Database, deployments: pl.DataFrame) -> int:
    """Stores the DEPLOYMENT rows not there yet and returns how many were new.

    Raises:
        ValueError: a DEPLOYMENT column is missing.
    """
    missing = [name for name in DEPLOYMENT.names() if name not in deployments.columns]
    if missing:
        raise ValueError(f"deployments lack the column(s) {', '.join(missing)}")
    told = deployments.select(DEPLOYMENT.names()).cast(DEPLOYMENT).unique(IDENTITY, keep="first", maintain_order=True)

    def write(cursor: Cursor) -> int:
        known = cursor.execute("SELECT * EXCLUDE (earliest_ns) FROM deployment").pl().select(IDENTITY)
        new = told.join(known, on=IDENTITY, how="anti")
        if new.height:
            insert_frame(cursor, "INSERT INTO deployment SELECT * FROM batch", new)
        return new.height

    return database.write(write)


def read_deployments(database: Database, environment: str, start_ns: int, end_ns: int) -> pl.DataFrame:
    """DEPLOYMENT rows with at_ns in the period, sorted by at_ns, service, version and source.

    A row without an environment counts in every environment.
    """
    query = """
        SELECT * FROM deployment WHERE environment IN ('', ?) AND at_ns >= ? AND at_ns < ?
        ORDER BY at_ns, service, version, environment, source
    """
    with database.cursor() as cursor:
        return cursor.execute(query, [environment, start_ns, end_ns]).pl()
