"""Whose data services use: from the statements of a system's description and how often requests run them.

A table belongs to whom the description says, as far as traces could tell: the owner uses it, and is whom the table (or
its schema, database or server) is named after, who alters it, or who writes it most. Where nothing tells the owner,
nobody judges who is foreign, but only that several use it. How often is what a run of this length can be expected to
show; too few uses are not judged.
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
from tracelith.simulate.topology import Database, System

__all__ = ["TableUse", "data_truths", "table_uses"]

FEWEST_USES = 30.0
"""Rarer uses may not have happened."""
VISIBLE_SHARE = 0.03
"""Of the writes: below it they may pass for the odd repair by hand. Findings begin at .01, surely."""
FEWEST_BLOCKED = 4.0
"""Statements of a service on a locked table that a run can be expected to show."""


@dataclass(slots=True)
class TableUse:
    """How often services can be expected to read and write a table.

    Attributes:
        owner: by the description, None if it says none. named: the table or where it is carries the owner's name.
    """

    owner: str | None
    named: bool = False
    reads: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    writes: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def users(self) -> set[str]:
        """Everybody who uses it."""
        return {*self.reads, *self.writes}

    @property
    def main(self) -> str | None:
        """Whom it belongs to as far as can be told: the only user, the owner, or nobody."""
        if len(self.users) == 1:
            return next(iter(self.users))
        most = max(self.writes or self.reads, key=(self.writes or self.reads).__getitem__, default=None)
        return self.owner if self.owner in self.users and (self.named or self.owner == most) else None

    @property
    def foreign_writes(self) -> float:
        """Writes that are not the owner's."""
        return sum(times for service, times in self.writes.items() if service != self.main)

    @property
    def foreign_write_share(self) -> float:
        """The same as a share of all writes; 0 without any."""
        return self.foreign_writes / sum(self.writes.values()) if self.writes else 0.0

    @property
    def foreign_reads(self) -> float:
        """Reads of services that neither own nor write it."""
        return sum(
            times for service, times in self.reads.items() if service != self.main and service not in self.writes
        )


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
    names, owners = _programs(simulation.system), simulation.system.table_owners
    requests = requests_by_entry(simulation)
    altering = {one.incident.by for one in simulation.occurrences if isinstance(one.incident, TableLock)}
    found: dict[str, TableUse] = {}
    for taken in steps:
        if not isinstance(taken.step, Query):
            continue
        times = taken.mean * requests[taken.where.entry]
        if not times:
            continue
        for number, (namespace, table) in enumerate(taken.step.tables):
            owner = owners.get(table)
            label = _label(taken.step.database, namespace, table)
            named = owner is not None and (owner in altering or _stem(owner) in label.replace("-", "_"))
            use = found.setdefault(label, TableUse(names.get(owner or "", owner), named))
            reads = taken.step.action == "SELECT" or number > 0
            (use.reads if reads else use.writes)[names[taken.where.service]] += times
    return dict(sorted(found.items()))


def _programs(system: System) -> Mapping[str, str]:
    """By name of a service, the program it is a process of, named after the first of them: they share as one does."""
    names = dict(service_names(system))
    for monorepo in system.monorepos:
        if monorepo.all_at_once:
            names |= dict.fromkeys(monorepo.services, names[monorepo.services[0]])
    return names


def _label(database: Database, namespace: str, table: str) -> str:
    return f"{database.address}:{database.port} {namespace}.{table}"


def _stem(service: str) -> str:
    """What its name has in common with the name of a table of such things: ``categor`` of category and categories."""
    return service.replace("-", "_")[:-1]


def _table(label: str, use: TableUse, sampling: float) -> Iterator[Truth]:
    few = FEWEST_USES / sampling
    yield Truth("foreign-use", label, _is_used_by_others(use, few))
    if use.main is None:
        yield Truth("foreign-write", label)
        yield Truth("foreign-read", label)
        return
    much = use.foreign_writes >= few and use.foreign_write_share >= VISIBLE_SHARE
    written = True if much else None if use.foreign_writes else False
    yield Truth("foreign-write", label, written, use.foreign_write_share)
    if written and len(use.writes) > 1:
        yield Truth("foreign-write-share", label, value=use.foreign_write_share)
    # Who writes what is not theirs is told first; that others read it as well need not be told again.
    read = None if written is not False else True if use.foreign_reads >= few else None if use.foreign_reads else False
    yield Truth("foreign-read", label, read)


def _is_used_by_others(use: TableUse, few: float) -> bool | None:
    """Counted is what all but its most frequent user do with it."""
    if len(use.users) < 2:
        return False
    uses = sorted(use.reads.get(name, 0.0) + use.writes.get(name, 0.0) for name in use.users)
    return True if sum(uses[:-1]) >= few else None


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
