"""Facts about datastores: what each service asks of them, examples, and the calls that took far too long or failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from tracelith.analysis.datastores.statements import parse_statement
from tracelith.analysis.datastores.systems import store_kind
from tracelith.analysis.exemplars import slowest_ranks
from tracelith.analysis.places import places_of
from tracelith.analysis.statistics.grouping import Groups, groups_of
from tracelith.analysis.statistics.weights import SAMPLING_KEY
from tracelith.analysis.strata import fact_rows
from tracelith.forest.view import Bool, Float64, ForestView, Int32, Int64
from tracelith.model.facts import FactTable
from tracelith.model.schema import Outcome

__all__ = [
    "BIN_NS",
    "DATASTORE_CALLS",
    "DATASTORE_EXEMPLARS",
    "DATASTORE_STALLS",
    "SLOW_NS",
    "SOURCE",
    "observe_datastores",
]

SOURCE: Mapping[str, type[pl.DataType]] = {
    "service": pl.String,
    "system": pl.String,
    "address": pl.String,
    "namespace": pl.String,
    "statement": pl.String,
}
"""Who asked what of which datastore, in the words of the spans: what is one and the same place is decided when
concluding, because that depends on what was declared and on what else is there."""

DATASTORE_CALLS = FactTable(
    "datastore_calls",
    keys={**SOURCE, SAMPLING_KEY: pl.Boolean},
    sums={
        "calls": pl.Int64,
        "failures": pl.Int64,
        "weight": pl.Float64,
        "weight_squares": pl.Float64,
        "log_ns": pl.Float64,
    },
)
"""Every call. weight and weight_squares are of calls that did not fail: a write that failed wrote nothing. log_ns is
the sum of the logarithms of the durations: their mean is what a call usually takes, whatever a few slow ones take."""

DATASTORE_EXEMPLARS = FactTable("datastore_exemplars", keys=SOURCE, sums={}, maxima={"rank": pl.String})
"""The slowest call of each statement that names a table, see exemplars; several windows give several examples."""

DATASTORE_STALLS = FactTable(
    "datastore_stalls",
    keys={**SOURCE, "bin_ns": pl.Int64},
    sums={"calls": pl.Int64, "late": pl.Int64, "failures": pl.Int64, "late_log_ns": pl.Float64},
    minima={"first_ns": pl.Int64},
    maxima={"last_ns": pl.Int64, "rank": pl.String},
)
"""Stretches of BIN_NS in which many calls took long, and every call that defines a table: late ones are all of these.
first_ns is when the first of them began, last_ns when the last was over; failures are of late calls, calls of all.
Where a statement usually takes long in a window, the window is one stretch: a report that is slow by nature would have
a row per call for ever. Whether it is, shows in the whole period only."""

BIN_NS = 10_000_000_000
SLOW_NS = 200_000_000
"""A row of a table is looked up a hundred times as fast. Calls that fail at once wait for nobody and are not late."""
LATE_SHARE = 0.25
"""Share of a stretch's calls that are late at least: who waits for a lock does not wait alone. Without this, in a busy
system every stretch of every statement would have a row of its own."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Calls to datastores, one entry per call, in groups by place, service and source.

    source: index into sources, the rows of SOURCE without the service.
    """

    sources: pl.DataFrame
    groups: Groups
    source: Int64
    span: Int32
    duration_ns: Int64
    failed: Bool
    weight: Float64
    log_ns: Float64


def observe_datastores(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of all tables, by table name."""
    asked = _asked(view)
    return {
        DATASTORE_CALLS.name: _calls(view, asked),
        DATASTORE_EXEMPLARS.name: _exemplars(view, asked),
        DATASTORE_STALLS.name: _stalls(view, asked),
    }


def _asked(view: ForestView) -> _Asked:
    forest, calls, places = view.forest, view.calls, view.once(places_of)
    database = np.array([kind == "datastore" for kind in calls.node_kinds], dtype=np.bool_)
    chosen = np.flatnonzero((calls.client >= 0) & database[calls.callee])
    span = calls.client[chosen]
    sources, source_of = _sources(forest.operations)
    source, trace, duration_ns = source_of[forest.operation[span]], forest.trace[span], forest.duration_ns[span]
    return _Asked(
        sources=sources,
        groups=groups_of({"place": places.of_trace[trace], "service": calls.caller[chosen], "source": source}),
        source=source,
        span=span,
        duration_ns=duration_ns,
        failed=forest.outcome[span] == Outcome.FAILED,
        weight=places.weight[trace],
        log_ns=np.log(np.maximum(duration_ns, 1).astype(np.float64)),
    )


def _sources(operations: pl.DataFrame) -> tuple[pl.DataFrame, Int64]:
    """Distinct rows of SOURCE without the service, sorted, and the row of each operation."""
    action, table, statement = (pl.col(name) for name in ("peer_action", "peer_object", "peer_statement"))
    whole = pl.when(statement.str.contains(" ", literal=True) | (table == "")).then(statement)
    named = pl.concat_str(pl.when(action == "").then(pl.lit("?")).otherwise(action), table, separator=" ")
    rows = operations.select(
        system="peer_system",
        address=pl.when(pl.col("peer_address") == "").then("peer_service").otherwise("peer_address"),
        namespace="peer_namespace",
        statement=whole.otherwise(named),
    )
    distinct = rows.unique().sort(rows.columns).with_row_index("source")
    row = rows.join(distinct, on=rows.columns, how="left", maintain_order="left")["source"]
    return distinct.drop("source"), row.to_numpy().astype(np.int64)


def _calls(view: ForestView, asked: _Asked) -> pl.DataFrame:
    groups, kept = asked.groups, np.where(asked.failed, 0.0, asked.weight)
    rows = {
        **groups.keys,
        "calls": groups.counts(),
        "failures": groups.sums(asked.failed.astype(np.int64)),
        "weight": groups.sums(kept),
        "weight_squares": groups.sums(kept * kept),
        "log_ns": groups.sums(asked.log_ns),
    }
    return _named(DATASTORE_CALLS, view, asked, rows)


def _exemplars(view: ForestView, asked: _Asked) -> pl.DataFrame:
    """The longest call of each statement that names a table."""
    rank = slowest_ranks(view, asked.groups, view.forest.trace[asked.span], asked.duration_ns)
    told = np.flatnonzero(_judged(asked)[asked.groups.keys["source"]])
    rows = {name: column[told] for name, column in asked.groups.keys.items()}
    return _named(DATASTORE_EXEMPLARS, view, asked, {**rows, "rank": rank[told]})


def _stalls(view: ForestView, asked: _Asked) -> pl.DataFrame:
    start_ns = view.forest.start_ns[asked.span]
    late = _late(asked)
    near, stretches = _stretches(view, asked, late, start_ns)
    calls, stalled = stretches.counts(), stretches.sums(late[near].astype(np.int64))
    kept = np.flatnonzero(late[near] & (stalled >= calls * LATE_SHARE)[stretches.group])
    call, told = near[kept], groups_of({"stretch": stretches.group[kept]})
    stretch = told.keys["stretch"]
    source = {name: column[stretches.keys["group"][stretch]] for name, column in asked.groups.keys.items()}
    duration_ns = asked.duration_ns[call]
    rows = {
        **source,
        "bin_ns": stretches.keys["bin_ns"][stretch],
        "calls": calls[stretch],
        "late": stalled[stretch],
        "failures": told.sums(asked.failed[call].astype(np.int64)),
        "late_log_ns": told.sums(asked.log_ns[call]),
        "first_ns": told.smallest(start_ns[call]),
        "last_ns": told.largest(start_ns[call] + duration_ns),
        "rank": slowest_ranks(view, told, view.forest.trace[asked.span[call]], duration_ns),
    }
    return _named(DATASTORE_STALLS, view, asked, rows)


def _stretches(view: ForestView, asked: _Asked, late: Bool, start_ns: Int64) -> tuple[Int64, Groups]:
    """Every call of the groups that have late ones, and the stretches they are in: a group, and when it begins."""
    groups = asked.groups
    suspect = np.zeros(groups.size, np.bool_)
    suspect[groups.group[late]] = True
    near = np.flatnonzero(suspect[groups.group])
    group = groups.group[near]
    slow = groups.sums(asked.log_ns) >= groups.counts() * np.log(SLOW_NS)
    window_ns = view.once(places_of).window_ns[groups.keys["place"]]
    bin_ns = np.where(slow[group], window_ns[group], start_ns[near] // BIN_NS * BIN_NS)
    return near, groups_of({"group": group, "bin_ns": bin_ns})


def _late(asked: _Asked) -> Bool:
    """Which calls took long, or define a table."""
    defines = _of_statements(asked, "definition")
    late: Bool = _judged(asked)[asked.source] & ((asked.duration_ns >= SLOW_NS) | defines[asked.source])
    return late


def _judged(asked: _Asked) -> Bool:
    """Which sources are databases, and have a statement with tables."""
    database = np.array([store_kind(system) == "database" for system in asked.sources["system"]], dtype=np.bool_)
    return database & _of_statements(asked, "tables")


def _of_statements(asked: _Asked, what: str) -> Bool:
    """Which sources have a statement with tables, or with a definition."""
    parsed = (parse_statement(text) for text in asked.sources["statement"])
    return np.array([bool(getattr(one, what)) for one in parsed], dtype=np.bool_)


def _named(table: FactTable, view: ForestView, asked: _Asked, rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of the table with what their place and source stand for."""
    names = {name: tuple(asked.sources[name]) for name in asked.sources.columns}
    placed = {**rows, **view.once(places_of).columns(rows["place"]), **dict.fromkeys(names, rows["source"])}
    return fact_rows(table, pl.DataFrame(placed), view, service=view.forest.services, **names)
