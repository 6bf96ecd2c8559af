"""What operations are called, as people read them: requests by method and route, datastore calls by their statement."""

import polars as pl

from tracelith.analysis.numbered import numbered
from tracelith.forest.tables import asked_for
from tracelith.forest.view import ForestView, Int32

__all__ = ["OperationNames", "call_names", "request_names"]

OperationNames = tuple[tuple[str, ...], Int32]
"""Distinct names, sorted, and the one of each row of the forest's operations."""


def request_names(view: ForestView) -> OperationNames:
    """Names of operations that answer: ``METHOD route`` where the span tells both, else its name."""
    return numbered(view.forest.operations.select(asked_for()).to_series().to_list())


def call_names(view: ForestView) -> OperationNames:
    """Names of operations that are called: what a statement does to which tables, else as request_names."""
    action = pl.concat_str("peer_action", "peer_object", separator=" ").str.strip_chars()
    stored = pl.when(pl.col("peer_statement") != "").then(pl.col("peer_statement")).otherwise(action)
    told = pl.when((pl.col("protocol") == "db") & (stored != "")).then(stored).otherwise(asked_for())
    return numbered(view.forest.operations.select(told).to_series().to_list())
