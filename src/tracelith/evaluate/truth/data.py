"""Whose data services use: from the statements of a system's description and how often requests run them.

Traces show who uses a table and not whose it is meant to be. So a table is written by others if several services write
it, and read by others if one that never writes it reads what another one keeps: who writes it, or, if nobody does, who
owns it by the description. How often is what a run of this length can be expected to show; too few uses are not judged.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tracelith.evaluate.claims import Case, Truth
from tracelith.evaluate.naming import service_names
from tracelith.evaluate.truth.steps import Taken, requests_by_entry, requests_within, steps_taken
from tracelith.simulate import Simulation
from tracelith.simulate.flow import Query, Step
from tracelith.simulate.incidents import TableLock
from tracelith.simulate.topology import Database

__all__ = ["TableUse", "data_truths", "table_uses"]

FEWEST_USES = 30.0
"""Rarer uses may not have happened."""
VISIBLE_SHARE = 0.03
"""Of the writes: below it they may pass for the odd repair by hand. Findings begin at .01, surely."""
FEWEST_BLOCKED = 4.0
"""Statements of a service on a locked table that a run can be expected to show."""


@dataclass(slots=True)
class TableUse:
    """How often services can be expected to read and write a table. owner: by the description, None if it says none."""

    owner: str | None
    reads: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    writes: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def users(self) -> set[str]:
        """Everybody who uses it."""
        return {*self.reads, *self.writes}

    @property
    def foreign_writes(self) -> float:
        """Writes that are not the main writer's."""
        return sum(self.writes.values()) - max(self.writes.values(), default=0.0)

    @property
    def foreign_write_share(self) -> float:
        """The same as a share of all writes; 0 without any."""
        return self.foreign_writes / sum(self.writes.values()) if self.writes else 0.0


Tables = Mapping[str, TableUse]


def data_truths(case: Case, simulation: Simulation) -> list[Truth]:
    """Tables that several services use, joins across owners, and waits for locked tables."""
    steps = steps_taken(simulation.system)
    tables = table_uses(simulation, steps)
    return [
        *_datastores(simulation),
        *(truth for label, use in tables.items() for truth in _table(label, use, case.sampling)),
        *_joins(simulation, steps, case.sampling),
        *_locks(simulation, tables),
    ]


def table_uses(simulation: Simulation, steps: Sequence[Taken]) -> Tables:
    """Every table, by the label that findings use: ``server namespace.table``; services as spans name them."""
    names, owners = service_names(simulation.system), simulation.system.table_owners
    requests = requests_by_entry(simulation)
    found: dict[str, TableUse] = {}
    for taken in steps:
        if not isinstance(taken.step, Query):
            continue
        times = taken.mean * requests[taken.where.entry]
        for number, (namespace, table) in enumerate(taken.step.tables):
            owner = owners.get(table)
            use = found.setdefault(
                _label(taken.step.database, namespace, table), TableUse(names.get(owner or "", owner))
            )
            reads = taken.step.action == "SELECT" or number > 0
            (use.reads if reads else use.writes)[names[taken.where.service]] += times
    return dict(sorted(found.items()))


def _label(database: Database, namespace: str, table: str) -> str:
    return f"{database.address}:{database.port} {namespace}.{table}"


def _table(label: str, use: TableUse, sampling: float) -> Iterator[Truth]:
    few = FEWEST_USES / sampling
    written: bool | None = len(use.writes) > 1
    if written and (use.foreign_writes < few or use.foreign_write_share < VISIBLE_SHARE):
        written = None
    yield Truth("foreign-write", label, written, use.foreign_write_share)
    if written:
        yield Truth("foreign-write-share", label, value=use.foreign_write_share)
    yield Truth("foreign-read", label, _is_read_by_others(use, few))


def _is_read_by_others(use: TableUse, few: float) -> bool | None:
    if len(use.users) < 2:
        return False
    keepers = set(use.writes) or {use.owner} & use.users
    readers = [times for service, times in use.reads.items() if service not in keepers]
    return True if keepers and max(readers, default=0.0) >= few else None


def _datastores(simulation: Simulation) -> Iterator[Truth]:
    """A datastore is shared if a table of it is used by several services; to share a server alone is no coupling."""
    shared = {
        (table["server"], table["namespace"])
        for table in simulation.truth["tables"]
        if len({*table["readers"], *table["writers"]}) > 1
    }
    found: dict[str, bool] = {}
    for store in simulation.truth["datastores"]:
        name = f"{store['system']} {store['namespace']}"
        found[name] = found.get(name, False) or (store["server"], store["namespace"]) in shared
    for name, is_shared in sorted(found.items()):
        yield Truth("shared-datastore", name, positive=is_shared)


def _joins(simulation: Simulation, steps: Sequence[Taken], sampling: float) -> Iterator[Truth]:
    """A service joins across owners if the description gives the tables of one statement different owners."""
    names, owners = service_names(simulation.system), simulation.system.table_owners
    requests = requests_by_entry(simulation)
    foreign: defaultdict[str, float] = defaultdict(float)
    services = set()
    for taken in steps:
        if isinstance(taken.step, Query):
            services.add(names[taken.where.service])
            if len({owners.get(table) for _, table in taken.step.tables}) > 1:
                foreign[names[taken.where.service]] += taken.mean * requests[taken.where.entry] * sampling
    for service in sorted(services):
        positive = foreign[service] >= FEWEST_USES or (None if foreign[service] else False)
        yield Truth("foreign-join", service, positive)


def _locks(simulation: Simulation, tables: Tables) -> Iterator[Truth]:
    """A lock is contention if at least two services run into it."""
    locked: dict[str, bool] = {}
    for happens in simulation.occurrences:
        if isinstance(happens.incident, TableLock):
            lock = happens.incident
            label = _label(lock.database, lock.database.namespace, lock.collection)
            locked[label] = locked.get(label, False) or _blocks_several(simulation, lock, happens.starts_us.tolist())
    for label, use in tables.items():
        if label in locked:
            yield Truth("lock-contention", label, positive=locked[label] or None)
        elif use.users:
            yield Truth("lock-contention", label, positive=False)


def _blocks_several(simulation: Simulation, lock: TableLock, starts_us: Sequence[int]) -> bool:
    def waits(step: Step) -> bool:
        touched = step.tables if isinstance(step, Query) and step.database == lock.database else ()
        return (lock.database.namespace, lock.collection) in touched

    steps = [taken for taken in steps_taken(simulation.system, ends=waits) if waits(taken.step)]
    for start_us in starts_us:
        requests = requests_within(simulation, (start_us, start_us + round(lock.seconds * 1e6)))
        blocked: defaultdict[str, float] = defaultdict(float)
        for taken in steps:
            blocked[taken.where.service] += taken.mean * requests[taken.where.entry]
        if sum(times >= FEWEST_BLOCKED for times in blocked.values()) > 1:
            return True
    return False
