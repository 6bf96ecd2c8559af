"""Stretches of time in which calls of several services to one table all took far too long, and why.

One statement that locks a table makes everybody wait who touches it, and nobody else: what tells a lock from a slow
server is that the other tables of that server answer as ever.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from scipy import stats

from tracelith.analysis.base import Evidence
from tracelith.analysis.datastores.facts import BIN_NS, DATASTORE_STALLS, SLOW_NS, SOURCE
from tracelith.analysis.datastores.identity import Table
from tracelith.analysis.datastores.uses import DataUse, Source
from tracelith.analysis.deployments.events import deployment_events
from tracelith.analysis.deployments.version_sightings import SERVICE_VERSIONS
from tracelith.analysis.exemplars import slowest_ids

__all__ = ["Cause", "Contention", "contentions"]

Cause = Literal["migration", "deployment", "unknown"]

GAP_NS = 3 * BIN_NS
"""Late calls further apart are not of one lock: a table in use is asked more often than that."""
LATE_FACTOR = 5.0
"""Late calls take so many times what their statement usually takes: a nightly batch is slow every night."""
LONGEST_NS = 900 * 10**9
"""A migration holds calls together that far apart; a longer one rarely locks all the time it runs. A statement that
usually takes long for more time than that waits for no lock: it is slow by nature."""
LATE_SHARE = 0.5
"""While a table is locked most calls wait; where most answer as ever, something else is slow."""
LEAST_CALLS = 6
"""Late calls of all services together; fewer meet by chance."""
LEAST_EXPLAINED = 3
"""The same where a statement that alters the table ran meanwhile."""
LEAST_OF_EACH = 2
"""Late calls of a service that count it among those that waited, unless a migration explains them."""
LEAST_SERVICES = 2
CHANCE = 1e-6
"""Probability that ordinary late calls fall together so; thousands of stretches are looked at in half a year."""
RUSH = 5.0
"""Busy hours have so many times the calls of the average one, nights included."""
ONE_TABLE = 0.7
"""Share of a server's late calls that touch the table; less, and the server was slow, not the table locked."""
AFTER_DEPLOYMENT_NS = 15 * 60 * 10**9
"""A deployment so shortly before may have brought the statement that locks."""
MOST_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Contention:
    """One stretch of time.

    Attributes:
        services: that waited, most late calls first. calls: late ones, failures: those of them that failed.
        usual_ns, late_ns: what calls to the table usually took, and these.
        cause_service, cause_detail: whose statement or deployment, if one is known.
        users: how many services use the table at all.
    """

    table: Table
    start_ns: int
    end_ns: int
    services: tuple[str, ...]
    calls: int
    failures: int
    usual_ns: float
    late_ns: float
    cause: Cause
    cause_service: str | None
    cause_detail: str
    users: int
    trace_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Stall:
    """A row of DATASTORE_STALLS."""

    source: Source
    calls: int
    late: int
    failures: int
    late_log_ns: float
    first_ns: int
    last_ns: int
    rank: str


@dataclass(frozen=True, slots=True)
class _Usual:
    """A table's calls in the whole period. log_ns is the mean logarithm of their durations."""

    calls: int
    late: int
    log_ns: float
    users: int


def contentions(evidence: Evidence, data: DataUse) -> tuple[Contention, ...]:
    """Every stretch in which a table was surely what services waited for, longest first."""
    rows = evidence.facts.merged(DATASTORE_STALLS)
    if rows.is_empty():
        return ()
    sources = {source.key: source for source in data.sources if source.tables}
    stalls = [_stall(row, sources) for row in _together(_unusual(rows, data))]
    usual = _usual(data, stalls)
    by_table: dict[Table, list[_Stall]] = defaultdict(list)
    by_server: dict[tuple[str, str], list[_Stall]] = defaultdict(list)
    for stall in stalls:
        by_server[stall.source.place.system, stall.source.place.server].append(stall)
        for table in stall.source.tables:
            by_table[table].append(stall)
    period_ns = evidence.end_ns - evidence.start_ns
    found = [
        one
        for table, own in sorted(by_table.items())
        for stretch in _stretches(own)
        if (one := _contention(table, stretch, by_server[table.system, table.server], usual[table], period_ns))
    ]
    alone = _without_bystanders(found)
    return tuple(sorted(_with_deployments(evidence, alone), key=lambda one: (one.start_ns - one.end_ns, one.table)))


def _together(rows: pl.DataFrame) -> Iterable[dict[str, Any]]:
    """Rows that are not alone: so many late calls must be near each other at one address. What is left is little."""
    server = ["system", "address"]
    ends = pl.max_horizontal("last_ns", pl.col("first_ns") + BIN_NS)
    ordered = rows.sort(*server, "first_ns", *SOURCE).with_columns(until=ends.cum_max().shift(1).over(server))
    cut = (pl.col("first_ns") > pl.col("until") + GAP_NS).fill_null(value=True).cum_sum()
    near = ordered.with_columns(stretch=cut).filter(pl.col("late").sum().over("stretch") >= LEAST_EXPLAINED)
    return near.sort("first_ns", *SOURCE).iter_rows(named=True)


def _unusual(rows: pl.DataFrame, data: DataUse) -> pl.DataFrame:
    """Rows of statements with tables whose calls do not always take that long, and of definitions."""
    usual_log = _usual_logs(rows, data)
    long = [
        (*source.key, -math.inf if source.statement.definition else usual_log[source.key] + math.log(LATE_FACTOR))
        for source in data.sources
        if source.tables
    ]
    least = pl.DataFrame(long, schema={**SOURCE, "long": pl.Float64}, orient="row")
    told = rows.join(least, on=list(SOURCE)).filter(pl.col("late_log_ns") >= pl.col("late") * pl.col("long"))
    return told.drop("long")


def _usual_logs(rows: pl.DataFrame, data: DataUse) -> Mapping[tuple[str, ...], float]:
    """Mean logarithm of the durations of each statement's calls that were not late; infinite if it is slow by nature.

    A statement that was only met for a short time, and then late, is compared with what its tables usually take.
    """
    lasting_ns = pl.col("last_ns").max() - pl.col("first_ns").min()
    late = rows.group_by(list(SOURCE)).agg(pl.col("late", "late_log_ns").sum(), lasting_ns.alias("lasting_ns"))
    of_late = {tuple(row[:-3]): row[-3:] for row in late.select(*SOURCE, "late", "late_log_ns", "lasting_ns").rows()}
    sums: dict[Table, list[float]] = defaultdict(lambda: [0.0, 0.0])
    logs, unknown = {}, []
    for source in data.sources:
        count, log_ns, lasting = of_late.get(source.key, (0, 0.0, 0))
        if lasting > LONGEST_NS and source.log_ns >= source.calls * math.log(SLOW_NS):
            logs[source.key] = math.inf
            continue
        if count >= source.calls:
            unknown.append(source)
            continue
        logs[source.key] = (source.log_ns - log_ns) / (source.calls - count)
        for table in source.tables:
            sums[table][0] += source.calls - count
            sums[table][1] += source.log_ns - log_ns
    for source in unknown:
        others = [sums[table][1] / sums[table][0] for table in source.tables if table in sums]
        logs[source.key] = max(others, default=math.inf)
    return logs


def _stall(row: Mapping[str, Any], sources: Mapping[tuple[str, ...], Source]) -> _Stall:
    columns = ("calls", "late", "failures", "late_log_ns", "first_ns", "last_ns", "rank")
    return _Stall(sources[tuple(row[name] for name in SOURCE)], *(row[name] for name in columns))


def _usual(data: DataUse, stalls: Sequence[_Stall]) -> dict[Table, _Usual]:
    """Calls of each table; what they usually take is told without the late ones."""
    late: Counter[Table] = Counter()
    calls: Counter[Table] = Counter()
    logs: dict[Table, float] = defaultdict(float)
    users: dict[Table, set[str]] = defaultdict(set)
    for source in data.sources:
        for table in source.tables:
            calls[table] += source.calls
            logs[table] += source.log_ns
            users[table].add(source.service)
    for stall in stalls:
        for table in stall.source.tables:
            late[table] += stall.late
            logs[table] -= stall.late_log_ns
    return {
        table: _Usual(count, late[table], logs[table] / max(count - late[table], 1), len(users[table]))
        for table, count in calls.items()
    }


def _stretches(stalls: Sequence[_Stall]) -> Iterable[list[_Stall]]:
    """Stalls in order of time, cut where nothing was late for longer than GAP_NS."""
    stretch: list[_Stall] = []
    until_ns = 0
    for stall in sorted(stalls, key=lambda one: (one.first_ns, one.source.key)):
        if stretch and stall.first_ns > until_ns + GAP_NS:
            yield stretch
            stretch, until_ns = [], 0
        stretch.append(stall)
        lasting = min(stall.last_ns, stall.first_ns + LONGEST_NS)
        until_ns = max(until_ns, lasting, stall.first_ns + BIN_NS)
    if stretch:
        yield stretch


def _contention(
    table: Table, stretch: Sequence[_Stall], of_server: Sequence[_Stall], usual: _Usual, period_ns: int
) -> Contention | None:
    waiting = [stall for stall in stretch if not stall.source.statement.definition]
    migration = _migration(stretch)
    late, calls = sum(stall.late for stall in waiting), sum(stall.calls for stall in waiting)
    if late < (LEAST_EXPLAINED if migration else LEAST_CALLS) or late < LATE_SHARE * calls:
        return None
    start_ns, end_ns = min(stall.first_ns for stall in waiting), max(stall.last_ns for stall in waiting)
    if not _beyond_chance(late, calls, usual, (end_ns - start_ns) / period_ns):
        return None
    meanwhile = [
        stall
        for stall in of_server
        if start_ns - BIN_NS <= stall.first_ns <= end_ns and not stall.source.statement.definition
    ]
    if late < ONE_TABLE * sum(stall.late for stall in meanwhile):
        return None
    by_service: Counter[str] = Counter()
    for stall in waiting:
        by_service[stall.source.service] += stall.late
    least = 1 if migration else LEAST_OF_EACH
    services = tuple(name for name, count in sorted(by_service.items(), key=_most_first) if count >= least)
    if len(services) < (1 if migration else LEAST_SERVICES):
        return None
    ranks = pl.Series([stall.rank for stall in waiting if stall.rank], dtype=pl.String)
    return Contention(
        table=table,
        start_ns=start_ns,
        end_ns=end_ns,
        services=services,
        calls=late,
        failures=sum(stall.failures for stall in waiting),
        usual_ns=float(np.exp(usual.log_ns)),
        late_ns=float(np.exp(sum(stall.late_log_ns for stall in waiting) / late)),
        cause="migration" if migration else "unknown",
        cause_service=migration.source.service if migration else None,
        cause_detail=f"{migration.source.statement.definition} {table.table}" if migration else "",
        users=usual.users,
        trace_ids=tuple(slowest_ids(ranks)[:MOST_EXAMPLES]),
    )


def _most_first(counted: tuple[str, int]) -> tuple[int, str]:
    return -counted[1], counted[0]


def _migration(stretch: Sequence[_Stall]) -> _Stall | None:
    """The longest definition of the table in the stretch."""
    defining = [stall for stall in stretch if stall.source.statement.definition]
    return max(defining, key=lambda stall: stall.last_ns - stall.first_ns, default=None)


def _beyond_chance(late: int, calls: int, usual: _Usual, part: float) -> bool:
    """Whether so many late calls of these, in this part of the period, are no chance, given the others there are."""
    others = usual.late - late + 0.5
    share = min(others / (usual.calls - calls + 1), 1.0)
    by_share, by_time = stats.binom.sf(late - 1, calls, share), stats.poisson.sf(late - 1, others * part * RUSH)
    return bool(max(by_share, by_time) < CHANCE)


def _without_bystanders(found: Sequence[Contention]) -> list[Contention]:
    """Of contentions that the same calls make, the one with most of them: a join is late for one of its tables."""
    kept: list[Contention] = []
    for one in sorted(found, key=lambda one: (one.cause != "migration", -one.calls, one.table)):
        same_time = (
            other.table.server == one.table.server and other.start_ns <= one.end_ns and one.start_ns <= other.end_ns
            for other in kept
        )
        if not any(same_time):
            kept.append(one)
    return kept


def _with_deployments(evidence: Evidence, found: Sequence[Contention]) -> list[Contention]:
    """Where no statement explains it, the last deployment of a service that waited, shortly before."""
    if all(one.cause != "unknown" for one in found):
        return list(found)
    sightings = evidence.facts.by_window(SERVICE_VERSIONS, None)
    events = deployment_events(
        sightings, evidence.deployments, start_ns=evidence.start_ns, end_ns=evidence.end_ns
    ).events.sort("at_ns")
    explained = []
    for one in found:
        near = events.filter(
            pl.col("service").is_in(one.services),
            pl.col("at_ns") >= one.start_ns - AFTER_DEPLOYMENT_NS,
            pl.col("earliest_ns") <= one.end_ns,
            pl.col("at_ns") <= one.end_ns,
        )
        explained.append(
            one if one.cause != "unknown" or near.is_empty() else _explained(one, near.row(-1, named=True))
        )
    return explained


def _explained(one: Contention, deployment: Mapping[str, str]) -> Contention:
    version = deployment["version"]
    return replace(one, cause="deployment", cause_service=deployment["service"], cause_detail=version)
