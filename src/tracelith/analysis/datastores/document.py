"""The part ``datastores`` of the analysis document, from what was concluded about data."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracelith.analysis.datastores.contention import Contention
from tracelith.analysis.datastores.identity import Place, Table
from tracelith.analysis.datastores.joins import ForeignJoin
from tracelith.analysis.datastores.pairs import DataPair
from tracelith.analysis.datastores.sharing import SharedTable
from tracelith.analysis.datastores.uses import DataUse, Source
from tracelith.analysis.times import iso_time
from tracelith.model.findings import State

__all__ = ["Ownership", "datastores_document", "unknown_datastores"]

MOST_OWN = 500
"""Tables that nobody shares that are listed; the stores say how many there are."""
MOST_JOINS = 300
NEEDED_CALLS = 100
"""Statements with a table below which nobody can be told to own the data alone."""

_DEPTH = ("none", "server", "namespace", "read", "write")
_LEVEL = {"own": "none", "read": "read", "written": "write"}


@dataclass(frozen=True, slots=True)
class Ownership:
    """Everything concluded about data.

    Attributes:
        examples: trace ids by service and table.
    """

    data: DataUse
    tables: Sequence[SharedTable]
    joins: Sequence[ForeignJoin]
    contentions: Sequence[Contention]
    pairs: Sequence[DataPair]
    examples: Mapping[tuple[str, Table], list[str]]


def unknown_datastores(reason: str) -> dict[str, Any]:
    """The part where nothing can be said."""
    lists: dict[str, Any] = {name: [] for name in ("stores", "tables", "joins", "contentions", "pairs")}
    state = str(State.INSUFFICIENT_DATA)
    return {**lists, "calls": 0, "calls_without_table": 0, "status": state, "reason": reason}


def datastores_document(owned: Ownership) -> dict[str, Any]:
    """The part as the document has it."""
    sources = owned.data.sources
    databases = [source for source in sources if source.kind == "database"]
    calls, told = sum(one.calls for one in databases), sum(one.calls for one in databases if one.tables)
    state, reason = _state(calls, told)
    return {
        "stores": _stores(sources, owned.tables),
        "tables": _tables(owned),
        "joins": [_join(join, owned) for join in owned.joins[:MOST_JOINS]],
        "contentions": [_contention(one) for one in owned.contentions],
        "pairs": [_pair(pair) for pair in owned.pairs],
        "calls": calls,
        "calls_without_table": calls - told,
        "status": str(state),
        "reason": reason,
    }


def _state(calls: int, told: int) -> tuple[State, str]:
    if told >= NEEDED_CALLS:
        return State.OK, ""
    if calls >= NEEDED_CALLS:
        told_of = f"only {told} of {calls} calls to databases say which table they touch"
        return State.NOT_IDENTIFIABLE, f"{told_of}; send db.collection.name, db.query.summary or db.query.text"
    return State.INSUFFICIENT_DATA, f"{NEEDED_CALLS} calls to databases are needed, {calls} came"


def _stores(sources: Iterable[Source], tables: Iterable[SharedTable]) -> list[dict[str, Any]]:
    by_place: dict[tuple[str, str, str], list[Source]] = defaultdict(list)
    for source in sources:
        by_place[source.place.system, source.place.server, source.place.namespace].append(source)
    on_server: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (system, server, _), members in by_place.items():
        on_server[system, server] |= {source.service for source in members}
    inside: dict[tuple[str, str, str], list[SharedTable]] = defaultdict(list)
    for shared in tables:
        table = shared.used.table
        inside[table.system, table.server, table.namespace].append(shared)
    rows = [_store(place, members, inside.get(place, []), on_server[place[:2]]) for place, members in by_place.items()]
    return sorted(rows, key=lambda row: (-row["calls"], row["system"], row["server"], row["namespace"]))


def _store(
    key: tuple[str, str, str], members: Sequence[Source], tables: Sequence[SharedTable], neighbours: set[str]
) -> dict[str, Any]:
    place = _vaguest([source.place for source in members])
    services = sorted({source.service for source in members})
    depth = "namespace" if len(services) > 1 else "server" if len(neighbours) > 1 and key[1] else "none"
    depth = max([depth, *(_LEVEL[shared.level] for shared in tables)], key=_DEPTH.index)
    return {
        "system": key[0],
        "server": key[1],
        "namespace": key[2],
        "services": services,
        "calls": sum(source.calls for source in members),
        "tables": len(tables),
        "kind": members[0].kind,
        "confidence": place.confidence,
        "sharing": depth,
        "remark": place.remark,
    }


def _vaguest(places: Sequence[Place]) -> Place:
    return max(places, key=lambda place: ("high", "medium", "low").index(place.confidence))


def _tables(owned: Ownership) -> list[dict[str, Any]]:
    """Worst sharing first; of tables that nobody shares the busiest."""
    ordered = sorted(owned.tables, key=_badness)
    common = [shared for shared in ordered if len(shared.used.uses) > 1]
    alone = [shared for shared in ordered if len(shared.used.uses) == 1]
    return [_table(shared, owned) for shared in (*common, *alone[:MOST_OWN])]


def _badness(shared: SharedTable) -> tuple[int, float, int, Table]:
    low = shared.foreign_writes.low or 0.0
    level = ("written", "read", "own").index(shared.level)
    return (
        level,
        -low if shared.level == "written" else 0.0,
        -(shared.used.reads + shared.used.writes),
        shared.used.table,
    )


def _table(shared: SharedTable, owned: Ownership) -> dict[str, Any]:
    used, table = shared.used, shared.used.table
    others = [*shared.writers, *shared.readers]
    examples = [trace for service in others for trace in owned.examples.get((service, table), [])[:1]]
    return {
        "system": table.system,
        "server": table.server,
        "namespace": table.namespace,
        "table": table.table,
        "owner": shared.owner.service,
        "owner_by": shared.owner.by,
        "purpose": used.purpose,
        "confidence": used.confidence,
        "remark": used.remark or _one_program(shared),
        "users": [
            {
                "service": use.service,
                "reads": use.reads,
                "writes": use.writes,
                "days": use.days,
                "joined": use.joined,
                "regular": use.regular,
            }
            for use in used.uses
        ],
        "foreign_write_share": shared.foreign_writes.document(),
        "foreign_read_share": shared.foreign_reads.document(),
        "effective_writers": shared.effective_writers.document(),
        "level": shared.level,
        "band": shared.band,
        "trace_ids": list(dict.fromkeys(examples))[:3],
        "status": str(shared.foreign_writes.state),
        "reason": shared.foreign_writes.reason,
    }


def _one_program(shared: SharedTable) -> str:
    names = ", ".join((shared.main, *shared.housemates))
    return f"{names} carry the same versions: they are taken for one program" if shared.housemates else ""


def _join(join: ForeignJoin, owned: Ownership) -> dict[str, Any]:
    first = join.tables[0]
    return {
        "service": join.service,
        "system": first.system,
        "server": first.server,
        "namespace": first.namespace,
        "tables": [table.name for table in join.tables],
        "owners": list(join.owners),
        "calls": join.calls,
        "trace_ids": owned.examples.get((join.service, first), []),
    }


def _contention(one: Contention) -> dict[str, Any]:
    return {
        "system": one.table.system,
        "server": one.table.server,
        "namespace": one.table.namespace,
        "table": one.table.table,
        "start": iso_time(one.start_ns),
        "end": iso_time(one.end_ns),
        "seconds": (one.end_ns - one.start_ns) / 1e9,
        "services": list(one.services),
        "calls": one.calls,
        "failures": one.failures,
        "usual_ms": one.usual_ns / 1e6,
        "slow_ms": one.late_ns / 1e6,
        "cause": one.cause,
        "cause_service": one.cause_service,
        "cause_detail": one.cause_detail,
        "trace_ids": list(one.trace_ids),
    }


def _pair(pair: DataPair) -> dict[str, Any]:
    return {
        "a": pair.a,
        "b": pair.b,
        "overlap": pair.overlap.document(),
        "tables": [table.name for table in pair.tables],
        "written": pair.written,
    }
