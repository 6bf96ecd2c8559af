"""Statements that read tables of several owners at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tracelith.analysis.datastores.identity import Table
from tracelith.analysis.datastores.releases import Units
from tracelith.analysis.datastores.sharing import SharedTable
from tracelith.analysis.datastores.uses import DataUse

__all__ = ["ForeignJoin", "foreign_joins"]


@dataclass(frozen=True, slots=True)
class ForeignJoin:
    """A service that joins tables of different owners.

    Attributes:
        tables, owners: in the order of the statement. regular: a habit, and of tables that hold data.
        sure: everybody means the same tables.
    """

    service: str
    tables: tuple[Table, ...]
    owners: tuple[str | None, ...]
    calls: int
    regular: bool
    sure: bool


def foreign_joins(data: DataUse, tables: Sequence[SharedTable], units: Units) -> tuple[ForeignJoin, ...]:
    """Joins across owners, most calls first."""
    shared = {one.used.table: one for one in tables}
    calls: Counter[tuple[str, tuple[Table, ...]]] = Counter()
    for source in data.sources:
        if len(source.tables) > 1 and not source.statement.definition:
            calls[source.service, source.tables] += source.calls
    found = []
    for (service, joined), count in calls.items():
        present = [shared[table] for table in joined if table in shared]
        owners = {units.get(one.main, one.main) for one in present if one.used.purpose == "data"}
        if len(present) == len(joined) and len(owners) > 1:
            found.append(_join(service, present, count))
    return tuple(sorted(found, key=lambda one: (-one.calls, one.service, one.tables)))


def _join(service: str, joined: Sequence[SharedTable], calls: int) -> ForeignJoin:
    foreign = [one for one in joined if service not in {one.main, *one.housemates}]
    return ForeignJoin(
        service=service,
        tables=tuple(one.used.table for one in joined),
        owners=tuple(one.owner.service for one in joined),
        calls=calls,
        regular=all(service in (*one.readers, *one.writers) for one in foreign),
        sure=all(one.used.confidence != "low" for one in joined),
    )
