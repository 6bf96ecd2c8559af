"""How many different texts are kept: a flood of names, instances or destinations must not fill memory and disk.

Texts are meant to be few. A service that puts order numbers into span names would bring an operation with every
request, and each would be kept, analysed and listed. So every column has a budget per service; what comes later is
stored as ``(other)`` in that column alone, and the rest of the row stays as it came. Three bounds work together:

1. Distinct texts of one service in one column, so that only the column that floods is folded.
2. Rows of one service: a few texts in each of many columns still make many combinations. Past the bound the details
   are folded, past twice the bound everything but what tells a call from a request.
3. Rows in all. A service may have as many rows as a sixteenth of those still free, and as many again with folded
   details. One flood takes a tenth of the table, ten floods three quarters, and something is always left for a service
   that has done no harm. (Fixed shares would be wasted on the many that need little; first come, first served would
   starve whoever comes last.)

Service names have no service to be counted for. Once half of those that fit are known, a new one is taken when it is
met for the second time: services that exist come back, names that somebody invents with every request do not.

What a service brought is counted while its rows are stored. After a restart resources are counted from the store;
operations do not say who brought them, so their counts per service begin anew, and only the third bound remembers.

Folded rows are admitted always; their number is bounded by their shape. Counts of spans with something folded are
kept per service and column group for the life of the process: across restarts the ``(other)`` rows in the store tell
more, as they belong to a period and an environment, and the data quality analysis reads them from there.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from tracelith.model.schema import OPERATION_TEXT, OTHER, RESOURCE_TEXT

__all__ = [
    "GROUPS",
    "MAX_ENVIRONMENTS",
    "MAX_NAMES",
    "MAX_ROWS",
    "MAX_SERVICES",
    "MAX_TABLE_ROWS",
    "MAX_VERSIONS",
    "SERVICES",
    "STATEMENTS",
    "Cardinality",
    "Folded",
    "Row",
    "TextLimits",
]

Row = tuple[object, ...]
Folded = tuple[str, ...]
"""Which groups of texts were replaced in a row: ``span names``, ``versions``, ...; empty if it stayed as it came."""

MAX_SERVICES = 5_000
"""Services, counted once per environment. The largest published fleets have about as many."""

MAX_MET_ONCE = 20_000
"""Service names remembered because they may be met again; when there are more, all are forgotten."""

SERVICES = "services"
STATEMENTS = "statements"
MAX_ENVIRONMENTS = 200
MAX_VERSIONS = 1_000
"""Versions of one service while raw spans of them are kept: a hundred deployments a day for a week is less."""

MAX_NAMES = 1_000
"""Distinct span names, routes, addresses or destinations of one service."""

MAX_ROWS = 5_000
"""Operations, and likewise resources (instances), of one service."""

MAX_TABLE_ROWS = 100_000
"""Operations, and likewise resources, in all, folded ones apart. A row costs about 1 KB of memory, and lives as long as
spans that use it."""

FREE_SHARE: Final = 16

_FEW = 50
"""For columns that hold words of a convention: methods, systems, languages."""

_OPERATION_BUDGETS: Mapping[str, tuple[str, int]] = {
    "name": ("span names", MAX_NAMES),
    "http_method": ("other fields", _FEW),
    "http_route": ("span names", MAX_NAMES),
    "peer_system": ("other fields", _FEW),
    "peer_address": ("destinations", MAX_NAMES),
    "peer_service": ("destinations", MAX_NAMES),
    "peer_namespace": ("destinations", MAX_NAMES),
    "peer_object": ("destinations", MAX_NAMES),
    "peer_action": ("other fields", _FEW),
    "peer_statement": (STATEMENTS, MAX_NAMES),
    "consumer_group": ("consumer groups", MAX_NAMES),
    "scope": ("other fields", 2 * _FEW),
}
_RESOURCE_BUDGETS: Mapping[str, tuple[str, int]] = {
    "version": ("versions", MAX_VERSIONS),
    "instance": ("instances", MAX_ROWS),
    "host": ("instances", MAX_ROWS),
}
GROUPS: Final = tuple(
    sorted({SERVICES, "environments", *(group for group, _ in {**_OPERATION_BUDGETS, **_RESOURCE_BUDGETS}.values())})
)
"""Every group of texts that may be folded."""

_DETAILS = (
    "peer_address",
    "peer_service",
    "peer_namespace",
    "peer_object",
    "peer_statement",
    "consumer_group",
    "scope",
)
_PEER = ("peer_system", "peer_address", "peer_service", "peer_namespace", "peer_object")


@dataclass(frozen=True, slots=True)
class Cardinality:
    """How full the tables of texts are, and what no longer fitted since the process started.

    Attributes:
        operations, resources: rows known. most_operations, most_resources: where folding becomes general.
        folded_spans: spans by service and group of texts (``services``, ``span names``, ``destinations``, ...).
    """

    operations: int
    resources: int
    folded_spans: Mapping[tuple[str, str], int]
    most_operations: int = MAX_TABLE_ROWS
    most_resources: int = MAX_TABLE_ROWS

    def by_group(self) -> dict[str, int]:
        """Spans with something folded, by group of texts, most first."""
        counts = Counter[str]()
        for (_, group), spans in self.folded_spans.items():
            counts[group] += spans
        return dict(counts.most_common())


@dataclass(slots=True)
class _Brought:
    """What one service has brought. Rows are remembered by hash: a collision costs one row its count, no more."""

    texts: dict[int, set[str]] = field(default_factory=dict)
    rows: set[int] = field(default_factory=set)

    def fits(self, position: int, text: str, most: int) -> bool:
        texts = self.texts.get(position, ())
        return not text or text == OTHER or text in texts or len(texts) < most

    def take(self, row: Row, positions: Iterable[int]) -> None:
        """Counts a row; counting it again changes nothing, so a batch may be tried again after a failed commit."""
        self.rows.add(hash(row))
        for position in positions:
            if (text := str(row[position])) and text != OTHER:
                self.texts.setdefault(position, set()).add(text)


class _Table:
    """Limits of one table: texts per column and rows per service."""

    __slots__ = ("_brought", "_budgets", "names")

    def __init__(self, schema: pl.Schema, budgets: Mapping[str, tuple[str, int]]) -> None:
        self.names = schema.names()
        self._budgets = {self.names.index(name): budget for name, budget in budgets.items()}
        self._brought: dict[str, _Brought] = {}

    def within_budgets(self, service: str, row: Row) -> tuple[Row, set[str]]:
        """The row with texts past their budget folded, and the groups they are of."""
        brought = self._brought.setdefault(service, _Brought())
        kept, folded = list(row), set[str]()
        for position, (group, most) in self._budgets.items():
            if not brought.fits(position, str(row[position]), most):
                kept[position] = OTHER
                folded.add(group)
        return tuple(kept), folded

    def has_room(self, service: str, row: Row, most: int) -> bool:
        """Whether the service may bring this row, with at most so many rows."""
        rows = self._brought[service].rows
        return len(rows) < most or hash(row) in rows

    def knows(self, service: str) -> bool:
        return service in self._brought

    def take(self, service: str, row: Row) -> None:
        self._brought.setdefault(service, _Brought()).take(row, self._budgets)

    def clear(self) -> None:
        self._brought.clear()

    def keep_only(self, rows: Iterable[Row]) -> None:
        """What each service brought of these rows."""
        by_hash = {hash(row): row for row in rows}
        before, self._brought = self._brought, {}
        for service, brought in before.items():
            for row in (by_hash[number] for number in brought.rows if number in by_hash):
                self.take(service, row)

    def replaced(self, row: Row, texts: Mapping[str, str]) -> Row:
        """The row with other texts in some columns."""
        return tuple(texts.get(name, value) for name, value in zip(self.names, row, strict=True))

    def filled(self, row: Row, columns: Sequence[str]) -> list[str]:
        """Those of the columns that are not empty."""
        return [name for name, value in zip(self.names, row, strict=True) if name in columns and value]


class TextLimits:
    """What each service brought, and so what it may still bring. Not thread safe."""

    __slots__ = ("_environments", "_languages", "_met_once", "_operations", "_resources", "_services")

    def __init__(self) -> None:
        self._operations = _Table(OPERATION_TEXT, _OPERATION_BUDGETS)
        self._resources = _Table(RESOURCE_TEXT, _RESOURCE_BUDGETS)
        self._services: set[tuple[str, str]] = set()
        self._environments: set[str] = set()
        self._languages: set[str] = set()
        self._met_once: set[int] = set()

    def known_service(self, service: str) -> str:
        """The service, or ``(other)`` for one beyond the limit."""
        return service if self._resources.knows(service) else OTHER

    def know_resources(self, rows: Iterable[Row]) -> None:
        """Counts RESOURCE_TEXT rows that are stored."""
        for row in rows:
            self._take_resource(row)

    def keep_only(self, resources: Iterable[Row], operations: Iterable[Row]) -> None:
        """Counts what is still stored and nothing else."""
        self._services.clear()
        self._environments.clear()
        self._languages.clear()
        self._resources.clear()
        self.know_resources(resources)
        self._operations.keep_only(operations)

    def admit_resource(self, row: Row, rows_known: int) -> tuple[Row, Folded]:
        """The resource to keep for one that is new, and what was folded.

        Args:
            row: RESOURCE_TEXT. rows_known: resources there are.
        """
        service, environment, _, _, _, language = map(str, row)
        known = environment == OTHER or environment in self._environments
        if not known and len(self._environments) >= MAX_ENVIRONMENTS:
            kept, folded = self.admit_resource(self._resources.replaced(row, {"environment": OTHER}), rows_known)
            return kept, ("environments", *folded)
        if (service, environment) not in self._services and not self._admits_service(service):
            row = (OTHER, environment, "", "", "", "")
            self._take_resource(row)
            return row, (SERVICES,)
        row, folded_groups = self._resources.within_budgets(service, row)
        if language not in self._languages and len(self._languages) >= _FEW:
            row = self._resources.replaced(row, {"language": OTHER})
            folded_groups.add("other fields")
        most = _most_rows(rows_known)
        if not self._resources.has_room(service, row, most):
            row = self._resources.replaced(row, dict.fromkeys(self._resources.filled(row, ("instance", "host")), OTHER))
            folded_groups.add("instances")
            if not self._resources.has_room(service, row, 2 * most):
                row = (service, environment, OTHER, OTHER, OTHER, "")
                folded_groups.add("versions")
        self._take_resource(row)
        return row, tuple(sorted(folded_groups))

    def _admits_service(self, service: str) -> bool:
        if len(self._services) < MAX_SERVICES / 2:
            return True
        if len(self._met_once) >= MAX_MET_ONCE:
            self._met_once.clear()
        met = hash(service) in self._met_once
        self._met_once.add(hash(service))
        return met and len(self._services) < MAX_SERVICES

    def _take_resource(self, row: Row) -> None:
        service, environment, _, _, _, language = map(str, row)
        if environment != OTHER:
            self._environments.add(environment)
        if service != OTHER:
            self._services.add((service, environment))
            self._languages.add(language)
            self._resources.take(service, row)

    def admit_operation(self, service: str, row: Row, rows_known: int) -> tuple[Row, Folded]:
        """The operation to keep for one that is new, and what was folded.

        Args:
            service: who brought it. row: OPERATION_TEXT. rows_known: operations there are.
        """
        table = self._operations
        row, folded = table.within_budgets(service, row)
        if "span names" in folded:  # name and route are two spellings of one thing
            row = table.replaced(row, {"name": OTHER, "http_route": ""})
        most = _most_rows(rows_known)
        if not table.has_room(service, row, most):
            row = table.replaced(row, dict.fromkeys(table.filled(row, _DETAILS), OTHER))
            folded.add("destinations")
            if not table.has_room(service, row, 2 * most):
                row = self._bare(row)
                folded.add("span names")
        table.take(service, row)
        return row, tuple(sorted(folded))

    def _bare(self, row: Row) -> Row:
        """What is left when nothing else fits: kind, protocol, and whether there was a peer."""
        kept = dict.fromkeys(self._operations.names, "") | {"name": OTHER}
        if self._operations.filled(row, _PEER):
            kept["peer_service"] = OTHER
        del kept["kind"], kept["protocol"]
        return self._operations.replaced(row, kept)


def _most_rows(rows_known: int) -> int:
    """Rows one service may have now."""
    return min(MAX_ROWS, max(0, MAX_TABLE_ROWS - rows_known) // FREE_SHARE)
