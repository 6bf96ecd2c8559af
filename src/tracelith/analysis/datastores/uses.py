"""Who uses which table, how often and how regularly: what all conclusions about data start from."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.base import Evidence
from tracelith.analysis.datastores.facts import DATASTORE_CALLS, SOURCE
from tracelith.analysis.datastores.identity import Confidence, Place, Said, Table, locate, tables_of
from tracelith.analysis.datastores.statements import Statement, parse_statement
from tracelith.analysis.datastores.systems import Purpose, StoreKind, purpose_of, store_kind
from tracelith.analysis.statistics.bootstrap import block_length_ns
from tracelith.analysis.statistics.weights import speaking_rows
from tracelith.analysis.times import DAY_NS, HOUR_NS
from tracelith.model.schema import OTHER

__all__ = ["DataUse", "Source", "TableUse", "UsedTable", "data_use"]

Float64 = NDArray[np.float64]


REGULAR_STRETCHES = 3
"""Use that is seen on fewer distinct days is a one-off: a migration, an administrator (metrics.md §8)."""
REGULAR_CALLS = 10
"""Fewer calls than this prove no habit, however they are spread."""
MANY_DAYS, MANY_HOURS = 5, 5
"""With so many days, habits are told by days; with fewer by hours or, in the end, by blocks of minutes."""
SHORT_SHARE = 0.2
"""Within less than MANY_DAYS a one-off can fill hours; use that counts is seen in this share of them at least."""

_RANK = ("high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Source:
    """One row of SOURCE (its key) and what it means.

    Attributes:
        tables: those of its statement, in its order; empty if it names none, or is no database.
        calls: all of them. log_ns: sum of the logarithms of their durations. days: on which there were any.
    """

    key: tuple[str, ...]
    service: str
    place: Place
    kind: StoreKind
    statement: Statement
    tables: tuple[Table, ...]
    calls: int
    log_ns: float
    days: int


@dataclass(frozen=True, slots=True)
class TableUse:
    """What one service does with one table; calls that failed left out.

    Attributes:
        reads, writes, defines: calls. joined: of the reads, those that join it to other tables.
        read_weight, write_weight: float64[b], adjusted counts per block of time. write_squares, read_squares: sums of
            squared adjusted counts.
        days: distinct days. reads_regularly, writes_regularly: a habit, no one-off.
    """

    service: str
    reads: int
    writes: int
    defines: int
    joined: int
    read_weight: Float64
    write_weight: Float64
    read_squares: float
    write_squares: float
    days: int
    reads_regularly: bool
    writes_regularly: bool

    @property
    def regular(self) -> bool:
        """Whether it is a user at all, and no visitor."""
        return self.reads_regularly or self.writes_regularly


@dataclass(frozen=True, slots=True)
class UsedTable:
    """A table and its users, most calls first.

    Attributes:
        confidence, remark: how surely all of them mean the same table.
    """

    table: Table
    purpose: Purpose
    confidence: Confidence
    remark: str
    uses: tuple[TableUse, ...]

    @property
    def reads(self) -> int:
        """Reads of all services."""
        return sum(use.reads for use in self.uses)

    @property
    def writes(self) -> int:
        """Writes of all services."""
        return sum(use.writes for use in self.uses)


@dataclass(frozen=True, slots=True)
class DataUse:
    """Everything asked of datastores. tables are those of databases only, sorted; blocks is how many there are."""

    sources: tuple[Source, ...]
    tables: tuple[UsedTable, ...]
    blocks: int


@dataclass(frozen=True, slots=True)
class _Rhythm:
    """What counts as a habit: calls in so many stretches of this length, and in this share of the table's."""

    stretch_ns: int
    share: float


def data_use(evidence: Evidence) -> DataUse:
    """Who uses what, from the facts of the whole period."""
    block_ns = block_length_ns(evidence.start_ns, evidence.end_ns)
    rows = evidence.facts.by_window(DATASTORE_CALLS, block_ns)
    if rows.is_empty():
        return DataUse((), (), 0)
    days = (pl.col("window_ns") // DAY_NS).n_unique().alias("days")
    totals = (
        rows.group_by(list(SOURCE))
        .agg(pl.col("calls", "log_ns").sum(), days)
        .sort(list(SOURCE))
        .with_row_index("source")
    )
    sources = _sources(totals, evidence)
    coded = rows.join(totals.drop("calls", "log_ns", "days"), on=list(SOURCE), how="left")
    blocks = coded["window_ns"].unique().sort()
    tables = _used_tables(coded, sources, blocks, block_ns)
    return DataUse(sources, tables, len(blocks))


def _sources(totals: pl.DataFrame, evidence: Evidence) -> tuple[Source, ...]:
    keys = list(totals.select(list(SOURCE)).iter_rows())
    said = [Said(*key[:-1]) for key in keys]
    places = locate(said, evidence.declarations)
    statements = [_statement(key) for key in keys]
    meant = tables_of(
        (places[one], access.table)
        for one, statement in zip(said, statements, strict=True)
        for access in statement.tables
    )
    found = []
    sums = totals.select("calls", "log_ns", "days").iter_rows()
    for key, one, statement, summed in zip(keys, said, statements, sums, strict=True):
        place = places[one]
        tables = tuple(meant[place, access.table] for access in statement.tables)
        found.append(Source(key, one.service, place, store_kind(one.system), statement, tables, *summed))
    return tuple(found)


def _statement(key: Sequence[str]) -> Statement:
    """What is asked, without tables where nobody could say which one it is: in caches, or if many were folded."""
    _, system, *_, text = key
    told = store_kind(system) == "database" and not any(OTHER in part for part in key)
    return parse_statement(text) if told else Statement(())


def _used_tables(
    coded: pl.DataFrame, sources: Sequence[Source], blocks: pl.Series, block_ns: int
) -> tuple[UsedTable, ...]:
    tables = sorted({table for source in sources for table in source.tables})
    if not tables:
        return ()
    number = {table: place for place, table in enumerate(tables)}
    accesses = [
        (row, number[table], access.reads, access.writes, access.defines, access.joined and access.reads)
        for row, source in enumerate(sources)
        for table, access in zip(source.tables, source.statement.tables, strict=True)
    ]
    uses = _uses(coded, pl.DataFrame(accesses, schema=_ACCESS, orient="row"))
    rhythm = _rhythm(blocks, block_ns)
    found: dict[int, list[TableUse]] = defaultdict(list)
    stretches = _stretches(uses, rhythm)
    for table, use in _table_uses(uses, blocks, stretches):
        found[table].append(use)
    named: dict[int, list[Place]] = defaultdict(list)
    for row, table, *_ in accesses:
        named[table].append(sources[row].place)
    return tuple(_used(table, found[place], named[place]) for place, table in enumerate(tables) if found[place])


_ACCESS = {
    "source": pl.UInt32,
    "table": pl.Int64,
    "reading": pl.Boolean,
    "writing": pl.Boolean,
    "defining": pl.Boolean,
    "joining": pl.Boolean,
}


def _uses(coded: pl.DataFrame, accesses: pl.DataFrame) -> pl.DataFrame:
    """One row per block, table and service; shares are of the more numerous kind of traces, counts of both."""
    done = pl.col("calls") - pl.col("failures")
    keys = ["window_ns", "table", "service"]
    touched = coded.join(accesses, on="source").with_columns(
        reads=done * pl.col("reading"),
        writes=done * pl.col("writing"),
        defines=done * pl.col("defining"),
        joined=done * pl.col("joining"),
    )
    counted = touched.group_by(keys).agg(pl.col("reads", "writes", "defines", "joined").sum())
    weighed = (
        speaking_rows(touched.rename({"calls": "traces"}), ["table"])
        .group_by(keys)
        .agg(
            *(
                (pl.col(measure) * pl.col(way)).sum().alias(f"{kind}_{measure}")
                for kind, way in (("read", "reading"), ("write", "writing"))
                for measure in ("weight", "weight_squares")
            )
        )
    )
    return counted.join(weighed, on=keys, how="left").fill_null(0).sort("table", "service", "window_ns")


def _rhythm(blocks: pl.Series, block_ns: int) -> _Rhythm:
    if (blocks // DAY_NS).n_unique() >= MANY_DAYS:
        return _Rhythm(max(DAY_NS, block_ns), 0.0)
    if (blocks // HOUR_NS).n_unique() >= MANY_HOURS:
        return _Rhythm(max(HOUR_NS, block_ns), SHORT_SHARE)
    return _Rhythm(block_ns, SHORT_SHARE)


def _stretches(uses: pl.DataFrame, rhythm: _Rhythm) -> dict[tuple[int, str], tuple[bool, bool]]:
    """Whether each service reads and writes each table regularly."""
    stretch = pl.col("window_ns") // rhythm.stretch_ns
    whole = uses.group_by("table").agg(stretch.n_unique().alias("whole"))
    seen = uses.group_by("table", "service").agg(
        *(stretch.filter(pl.col(way) > 0).n_unique().alias(f"{way}_seen") for way in ("reads", "writes")),
        pl.col("reads", "writes").sum(),
    )
    least = pl.max_horizontal(pl.lit(REGULAR_STRETCHES), pl.col("whole") * rhythm.share)
    judged = seen.join(whole, on="table").with_columns(
        ((pl.col(f"{way}_seen") >= least) & (pl.col(way) >= REGULAR_CALLS)).alias(f"{way}_often")
        for way in ("reads", "writes")
    )
    rows = judged.select("table", "service", "reads_often", "writes_often").iter_rows()
    return {(table, service): (reads, writes) for table, service, reads, writes in rows}


def _table_uses(
    uses: pl.DataFrame, blocks: pl.Series, often: Mapping[tuple[int, str], tuple[bool, bool]]
) -> Iterator[tuple[int, TableUse]]:
    """Each table with one of its users; ``uses`` is sorted by table, service and block."""
    columns = {name: uses[name].to_numpy() for name in uses.columns if name != "service"}
    at, days = np.searchsorted(blocks.to_numpy(), columns["window_ns"]), columns["window_ns"] // DAY_NS
    ends = uses.group_by("table", "service", maintain_order=True).len()
    start = 0
    for table, service, length in ends.iter_rows():
        rows = slice(start, start + length)
        start += length
        weights = np.zeros((2, len(blocks)))
        weights[0, at[rows]], weights[1, at[rows]] = columns["read_weight"][rows], columns["write_weight"][rows]
        use = TableUse(
            service=service,
            reads=int(columns["reads"][rows].sum()),
            writes=int(columns["writes"][rows].sum()),
            defines=int(columns["defines"][rows].sum()),
            joined=int(columns["joined"][rows].sum()),
            read_weight=weights[0],
            write_weight=weights[1],
            read_squares=float(columns["read_weight_squares"][rows].sum()),
            write_squares=float(columns["write_weight_squares"][rows].sum()),
            days=len(np.unique(days[rows])),
            reads_regularly=often[table, service][0],
            writes_regularly=often[table, service][1],
        )
        yield table, use


def _used(table: Table, uses: Sequence[TableUse], named: Sequence[Place]) -> UsedTable:
    worst = max(named, key=lambda place: _RANK.index(place.confidence))
    ordered = sorted(uses, key=lambda use: (-(use.reads + use.writes), use.service))
    purpose = purpose_of(table.namespace, table.table)
    return UsedTable(table, purpose, worst.confidence, worst.remark, tuple(ordered))
