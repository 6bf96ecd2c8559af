"""Facts about spans whose names, destinations, versions or instances were too many to be kept apart.

The receiver stores ``(other)`` where a service brings more different texts than fit. What is counted together cannot
be told apart later, so each service and period says how much of its evidence that concerns.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.strata import fact_rows
from tracelith.forest.view import Bool, ForestView
from tracelith.model.facts import FactReader, FactTable
from tracelith.model.schema import OTHER

__all__ = ["FOLDED_SPANS", "folded_texts", "observe_folded"]

FOLDED_SPANS = FactTable(
    "folded_spans",
    keys={"service": pl.String, "texts": pl.String},
    sums={"spans": pl.Int64},
)
"""Spans with something folded, by service and by what it was (a key of CONSEQUENCES)."""

_OF_OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "span names": ("name",),
    "destinations": ("peer_address", "peer_service", "peer_namespace", "peer_object"),
    "statements": ("peer_statement",),
    "consumer groups": ("consumer_group",),
    "other fields": ("http_method", "peer_system", "peer_action", "scope"),
}
_OF_RESOURCES: Mapping[str, tuple[str, ...]] = {
    "services": ("service",),
    "environments": ("environment",),
    "versions": ("version",),
    "instances": ("instance", "host"),
}

CONSEQUENCES: Mapping[str, tuple[str, str]] = {
    "span names": (
        "Its requests beyond the first thousand names are counted together, and nothing is concluded from them.",
        "Give spans a route or a fixed name, and put ids into attributes.",
    ),
    "destinations": (
        "What it calls beyond the first thousand addresses, tables or topics is not told apart.",
        "Name destinations by their template or logical name.",
    ),
    "statements": (
        "Tables that these database statements read or write are not seen.",
        "Send db.query.summary, or parameters apart from the text of statements.",
    ),
    "consumer groups": ("Consumers are not told apart.", "Give each consumer group a fixed name."),
    "other fields": ("Methods, systems or scopes are not told apart.", "Use the words of the semantic conventions."),
    "services": (
        "Traces with services beyond the limit are left out of depth and tail.",
        "Give each service a fixed service.name; put the instance into service.instance.id.",
    ),
    "environments": (
        "Environments beyond the limit are mixed.",
        "Name few environments in deployment.environment.name.",
    ),
    "versions": (
        "Deployments of versions beyond the limit are not seen.",
        "Let service.version change with releases only, or import deployments.",
    ),
    "instances": (
        "Instances are not told apart, so clocks are compared less exactly.",
        "Nothing, if so many run; otherwise give instances fixed names.",
    ),
}


def observe_folded(view: ForestView) -> pl.DataFrame:
    """FOLDED_SPANS rows."""
    forest = view.forest
    marks = {
        **{name: mark[forest.operation] for name, mark in _marks(forest.operations, _OF_OPERATIONS).items()},
        **{name: mark[forest.resource] for name, mark in _marks(forest.resources, _OF_RESOURCES).items()},
    }
    names = tuple(marks)
    spans = [np.flatnonzero(mark) for mark in marks.values()]
    span = np.concatenate([np.empty(0, np.int64), *spans])
    trace = forest.trace[span]
    groups = groups_of(
        {
            "window_ns": forest.trace_window[trace],
            "environment": forest.trace_environment[trace],
            "service": forest.service[span],
            "texts": np.repeat(np.arange(len(names), dtype=np.int32), [len(one) for one in spans]),
        }
    )
    return fact_rows(FOLDED_SPANS, groups.frame("spans"), view, service=forest.services, texts=names)


def _marks(rows: pl.DataFrame, columns: Mapping[str, tuple[str, ...]]) -> dict[str, Bool]:
    """Which rows have something folded; only what was folded at all."""
    marks = rows.select(
        pl.any_horizontal(pl.col(column) == OTHER for column in group).alias(name) for name, group in columns.items()
    )
    return {mark.name: mark.to_numpy() for mark in marks if mark.any()}


def folded_texts(facts: FactReader, spans_of_service: Mapping[str, int]) -> list[dict[str, Any]]:
    """What was folded, for the document: most spans first.

    Args:
        facts: of the period. spans_of_service: all spans of each service.
    """
    rows = facts.merged(FOLDED_SPANS).sort("spans", "service", "texts", descending=[True, False, False])
    return [
        {
            "service": row["service"],
            "texts": row["texts"],
            "spans": row["spans"],
            "share": row["spans"] / max(1, spans_of_service.get(row["service"], 0)),
            "consequence": CONSEQUENCES[row["texts"]][0],
            "remedy": CONSEQUENCES[row["texts"]][1],
        }
        for row in rows.to_dicts()
    ]
