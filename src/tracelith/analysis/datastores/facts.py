"""Facts about datastores: what each service asks of them, examples, and the calls that took far too long or failed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.datastores.statements import parse_statement
from tracelith.analysis.datastores.systems import store_kind
from tracelith.analysis.exemplars import ranks_of
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.weights import SAMPLING_KEY, known_sampling
from tracelith.analysis.strata import names_of
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactTable, merge_facts
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

_NUMBER_BITS = 32
_LONGEST_US = 2**31 - 1

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Calls to datastores: one entry per call.

    source: index into sources, the rows of SOURCE without the service. stratum: window, environment and sampling.
    """

    sources: pl.DataFrame
    strata: pl.DataFrame
    stratum: Int64
    service: Int64
    source: Int64
    span: Int64
    duration_ns: Int64
    failed: NDArray[np.bool_]
    weight: NDArray[np.float64]


def observe_datastores(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of all tables, by table name."""
    asked = _asked(view)
    calls = _calls(asked)
    return {
        DATASTORE_CALLS.name: _named(DATASTORE_CALLS, calls, asked, view),
        DATASTORE_EXEMPLARS.name: _named(DATASTORE_EXEMPLARS, _exemplars(view, asked, calls), asked, view),
        DATASTORE_STALLS.name: _named(DATASTORE_STALLS, _stalls(view, asked, calls), asked, view),
    }


def _asked(view: ForestView) -> _Asked:
    forest, calls = view.forest, view.calls
    database = np.array([kind == "datastore" for kind in calls.node_kinds], dtype=np.bool_)
    chosen = np.flatnonzero((calls.client >= 0) & database[calls.callee])
    span = calls.client[chosen].astype(np.int64)
    sources, source_of = _sources(forest.operations)
    known, weight = known_sampling(forest.trace_weight)
    strata = pl.DataFrame(
        {"window_ns": forest.trace_window, "environment": forest.trace_environment, SAMPLING_KEY: known}
    )
    numbered = strata.unique(maintain_order=True).with_row_index("stratum")
    stratum = strata.join(numbered, on=strata.columns, how="left", maintain_order="left")["stratum"].to_numpy()
    trace = forest.trace[span]
    return _Asked(
        sources=sources,
        strata=numbered.drop("stratum"),
        stratum=stratum[trace].astype(np.int64),
        service=calls.caller[chosen].astype(np.int64),
        source=source_of[forest.operation[span]],
        span=span,
        duration_ns=forest.duration_ns[span],
        failed=forest.outcome[span] == Outcome.FAILED,
        weight=weight[trace],
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


def _calls(asked: _Asked) -> pl.DataFrame:
    """Columns of DATASTORE_CALLS by codes, and ``longest``: the number of the longest call."""
    kept = np.where(asked.failed, 0.0, asked.weight)
    # The longest call and its number in one: to look a row up per group costs as much as all the sums.
    rank = np.minimum(asked.duration_ns // 1000, _LONGEST_US) << _NUMBER_BITS
    groups = groups_of({"stratum": asked.stratum, "service": asked.service, "source": asked.source})
    longest = groups.largest(rank | np.arange(rank.size)) & (2**_NUMBER_BITS - 1)
    counted = groups.frame(
        "calls",
        failures=asked.failed.astype(np.int64),
        weight=kept,
        weight_squares=kept * kept,
        log_ns=np.log(np.maximum(asked.duration_ns, 1).astype(np.float64)),
    )
    return counted.with_columns(longest=pl.Series(longest))


def _exemplars(view: ForestView, asked: _Asked, calls: pl.DataFrame) -> pl.DataFrame:
    """The longest call of each statement that names a table."""
    wanted = (_databases(asked) & _of_statements(asked, "tables"))[calls["source"].to_numpy()]
    chosen = calls.filter(pl.Series(wanted)).select("stratum", "service", "source", "longest")
    longest = chosen["longest"].to_numpy()
    trace = pl.Series(view.forest.trace[asked.span[longest]])
    rank = ranks_of(view, trace, pl.Series(asked.duration_ns[longest]))
    return chosen.drop("longest").with_columns(rank=rank)


def _stalls(view: ForestView, asked: _Asked, calls: pl.DataFrame) -> pl.DataFrame:
    late = _late(asked)
    start_ns = view.forest.start_ns[asked.span]
    where = _stretches(asked, calls, late, start_ns)
    found = where["call"].to_numpy()
    keys = [name for name in where.columns if name != "call"]
    ends_ns = start_ns + asked.duration_ns
    rows = where.with_columns(
        late=pl.Series(late[found]),
        failed=pl.Series(asked.failed[found]),
        first_ns=pl.Series(start_ns[found]),
        last_ns=pl.Series(ends_ns[found]),
        log_ns=pl.Series(np.log(np.maximum(asked.duration_ns[found], 1).astype(np.float64))),
        trace=pl.Series(view.forest.trace[asked.span[found]]),
        duration_ns=pl.Series(asked.duration_ns[found]),
    )
    summed = rows.group_by(keys).agg(
        pl.len().alias("calls"),
        pl.col("late").sum(),
        (pl.col("failed") & pl.col("late")).sum().alias("failures"),
        pl.col("log_ns").filter("late").sum().alias("late_log_ns"),
        pl.col("first_ns").filter("late").min(),
        pl.col("last_ns").filter("late").max(),
    )
    slowest = rows.filter("late")
    slowest = slowest.with_columns(rank=ranks_of(view, slowest["trace"], slowest["duration_ns"]))
    examples = slowest.group_by(keys).agg(pl.col("rank").max())
    return summed.filter(pl.col("late") >= pl.col("calls") * LATE_SHARE).join(examples, on=keys, how="left")


def _stretches(asked: _Asked, calls: pl.DataFrame, late: NDArray[np.bool_], start_ns: Int64) -> pl.DataFrame:
    """Every call of the stretches that have late ones: its number, and the keys of its stretch."""
    keys = ["stratum", "service", "source"]
    asking = pl.DataFrame({name: getattr(asked, name) for name in keys})
    slow = pl.col("log_ns") >= pl.col("calls") * np.log(SLOW_NS)
    suspects = calls.select(*keys, slow=slow).join(asking.filter(pl.Series(late)), on=keys, how="semi")
    near = asking.with_row_index("call").join(suspects, on=keys, maintain_order="left")
    call, windows = near["call"].to_numpy(), asked.strata["window_ns"].to_numpy()
    window_ns = windows[near["stratum"].to_numpy()]
    bin_ns = np.where(near["slow"].to_numpy(), window_ns, start_ns[call] // BIN_NS * BIN_NS)
    placed = near.drop("slow").with_columns(bin_ns=pl.Series(bin_ns))
    return placed.join(placed.filter(pl.Series(late[call])), on=[*keys, "bin_ns"], how="semi", maintain_order="left")


def _late(asked: _Asked) -> NDArray[np.bool_]:
    """Which calls took long, or define a table."""
    defines = _of_statements(asked, "definition")
    judged = _databases(asked) & _of_statements(asked, "tables")
    late: NDArray[np.bool_] = judged[asked.source] & ((asked.duration_ns >= SLOW_NS) | defines[asked.source])
    return late


def _databases(asked: _Asked) -> NDArray[np.bool_]:
    """Which sources keep data."""
    return np.array([store_kind(system) == "database" for system in asked.sources["system"]], dtype=np.bool_)


def _of_statements(asked: _Asked, what: str) -> NDArray[np.bool_]:
    """Which sources have a statement with tables, or with a definition."""
    parsed = (parse_statement(text) for text in asked.sources["statement"])
    return np.array([bool(getattr(one, what)) for one in parsed], dtype=np.bool_)


def _named(table: FactTable, rows: pl.DataFrame, asked: _Asked, view: ForestView) -> pl.DataFrame:
    """Rows of the table with what their codes stand for, merged to one per key and sorted.

    Codes are sorted by their text: to sort texts would cost more than all the rest.
    """
    coded = rows.with_columns(asked.strata[rows["stratum"].to_numpy()]).drop("stratum")
    keys = [name for name in ("window_ns", "environment", "service", "source", *table.keys) if name in coded.columns]
    merged = merge_facts(table, coded, list(dict.fromkeys(keys)))
    texts = asked.sources[merged["source"].to_numpy()]
    columns = {
        "environment": names_of(merged["environment"], view.forest.environments),
        "service": names_of(merged["service"], view.forest.services),
    }
    named = merged.with_columns(**columns).hstack(texts)
    return named.select(pl.col(name).cast(kind) for name, kind in table.schema.items())
