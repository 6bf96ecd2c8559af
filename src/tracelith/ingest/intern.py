"""Text becomes integer codes: each distinct resource and operation is numbered once and stored once.

Most rows of a batch are known and cost one look-up. What a new row has to pass (normalising, limits) is remembered
with its spelling, so that a peculiar spelling costs once and not with every batch.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.ingest.describe import DescribedSpans
from tracelith.ingest.limits import SERVICES, STATEMENTS, Folded, Row, TextLimits
from tracelith.ingest.naming import normalise_operations
from tracelith.model.schema import (
    OPERATION,
    OPERATION_TEXT,
    OTHER,
    RESOURCE,
    RESOURCE_TEXT,
    SPAN,
    InternedBatch,
    UnusedTexts,
)

__all__ = ["Interner"]

MAX_SPELLINGS = 20_000
"""Spellings remembered beside the stored rows. When there are more, all are forgotten: only a flood brings that many,
and it pays with having each of them worked out again."""

SERVICE = RESOURCE_TEXT.names().index("service")
STATEMENT = OPERATION_TEXT.names().index("peer_statement")


class Interner:
    """Knows the code of every resource and operation in the store.

    Codes count up from the highest one known and are never used for another row. Rows are looked up by their whole
    text, so equal hashes do no harm. The loop is over the distinct rows of a batch, not over its spans. When storing
    a batch fails, build a new Interner from the store: this one remembers rows that never arrived. Not thread safe.
    """

    __slots__ = ("_folded", "_limits", "_operations", "_resources")

    def __init__(self, resources: pl.DataFrame, operations: pl.DataFrame, limits: TextLimits | None = None) -> None:
        """Args:
        resources, operations: RESOURCE and OPERATION rows of the store, in any order.
        limits: what services brought already; by default what these resources say.
        """
        self._limits = limits or TextLimits()
        self._resources = _Codes(resources, RESOURCE)
        self._operations = _Codes(operations, OPERATION)
        self._limits.know_resources(self._resources)
        self._folded = Counter[tuple[str, str]]()

    @property
    def resources(self) -> int:
        """Resources known."""
        return len(self._resources)

    @property
    def operations(self) -> int:
        """Operations known."""
        return len(self._operations)

    def take_folded(self) -> Counter[tuple[str, str]]:
        """Spans with something folded since the last call, by service and group of texts (see limits)."""
        folded, self._folded = self._folded, Counter()
        return folded

    def forget(self, unused: UnusedTexts) -> None:
        """Unlearns rows that left the store: their codes are void, and their services may bring others instead."""
        self._resources.forget(unused.resources)
        self._operations.forget(unused.operations)
        self._limits.keep_only(self._resources, self._operations)

    def intern(self, described: DescribedSpans) -> InternedBatch:
        """The batch with codes, and the rows whose codes are new with it."""
        resource_row = described.spans["resource_row"].to_numpy()
        operation_row = described.spans["operation_row"].to_numpy()
        brought = described.resources
        resources = self._resources.assign(brought, _own_service(brought), list, self._admit_resource)
        first_service = self._first_service(described, brought)
        operations = self._operations.assign(
            described.operations,
            first_service,
            normalise_operations,
            self._admit_operation,
        )
        self._count(resources.folded, resource_row)
        self._count(operations.folded, operation_row)
        if unread := [row for row, texts in enumerate(described.operations) if texts[STATEMENT] == OTHER]:
            services = first_service(unread)
            self._count({row: (name, (STATEMENTS,)) for row, name in zip(unread, services, strict=True)}, operation_row)
        spans = described.spans.with_columns(
            pl.Series("resource", resources.codes[resource_row]),
            pl.Series("operation", operations.codes[operation_row]),
        )
        return InternedBatch(spans.select(SPAN.names()), described.links, resources.new, operations.new)

    def _first_service(self, described: DescribedSpans, resources: Sequence[Row]) -> "_Services":
        """An operation that several services of a batch share counts for the one that has the first span of it."""

        def services(positions: list[int]) -> list[str]:
            first = described.spans.select("operation_row", "resource_row").unique("operation_row", keep="first")
            names = {operation: str(resources[resource][SERVICE]) for operation, resource in first.iter_rows()}
            return [self._limits.known_service(names.get(position, "")) for position in positions]

        return services

    def _admit_resource(self, _service: str, row: Row) -> tuple[Row, Folded]:
        return self._limits.admit_resource(row, len(self._resources))

    def _admit_operation(self, service: str, row: Row) -> tuple[Row, Folded]:
        return self._limits.admit_operation(service, row, len(self._operations))

    def _count(self, folded: Mapping[int, tuple[str, Folded]], row_of_span: NDArray[np.uint32]) -> None:
        if not folded:
            return
        spans = np.bincount(row_of_span, minlength=max(folded) + 1)
        for row, (service, groups) in folded.items():
            for group in groups:
                self._folded[self._limits.known_service(service), group] += int(spans[row])


_Services = Callable[[list[int]], list[str]]
"""The services that brought the rows at these positions."""

_Spelling = tuple[str, Row]
"""A service, and a row as it brought it."""


def _own_service(resources: Sequence[Row]) -> _Services:
    return lambda positions: [str(resources[position][SERVICE]) for position in positions]


@dataclass(frozen=True, slots=True)
class _Assigned:
    """Codes of rows. new: rows to store. folded: service and groups of rows not stored as they came, by position."""

    codes: NDArray[np.uint32]
    new: pl.DataFrame
    folded: Mapping[int, tuple[str, Folded]] = field(default_factory=dict)


class _Codes:
    """Codes of the rows of one dimension table."""

    __slots__ = ("_code_column", "_codes", "_next", "_schema", "_spellings")

    def __init__(self, stored: pl.DataFrame, schema: pl.Schema) -> None:
        self._schema = schema
        self._code_column, *text_columns = schema.names()
        codes = stored[self._code_column].to_list()
        rows = map(_shared, stored.select(text_columns).rows())
        self._codes: dict[Row, int] = dict(zip(rows, codes, strict=True))
        self._next = max(codes, default=-1) + 1
        self._spellings: dict[_Spelling, tuple[int, Folded]] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._codes)

    def forget(self, codes: frozenset[int]) -> None:
        """Unlearns the rows with these codes. No later row gets one of them."""
        self._codes = {row: code for row, code in self._codes.items() if code not in codes}
        self._spellings.clear()

    def assign(
        self,
        rows: Sequence[Row],
        services: _Services,
        normalise: Callable[[list[Row]], list[Row]],
        admit: Callable[[str, Row], tuple[Row, Folded]],
    ) -> _Assigned:
        """A code for each row, and the rows that were new, with theirs."""
        known = self._codes
        codes = np.empty(len(rows), np.uint32)
        unknown = []
        for position, row in enumerate(rows):
            code = known.get(row)
            if code is None:
                unknown.append(position)
            else:
                codes[position] = code
        if not unknown:
            return _Assigned(codes, self._schema.to_frame())
        new: list[Row] = []
        folded: dict[int, tuple[str, Folded]] = {}
        spelled = list(zip(services(unknown), (rows[position] for position in unknown), strict=True))
        meanings = self._spell(spelled, normalise, admit, new)
        for position, spelling in zip(unknown, spelled, strict=True):
            codes[position], groups = meanings[spelling]
            if groups:
                folded[position] = (spelling[0], groups)
        return _Assigned(codes, self._frame(new), folded)

    def _spell(
        self,
        spelled: Sequence[_Spelling],
        normalise: Callable[[list[Row]], list[Row]],
        admit: Callable[[str, Row], tuple[Row, Folded]],
        new: list[Row],
    ) -> Mapping[_Spelling, tuple[int, Folded]]:
        """What each spelling is stored as, and remembers it; rows to store that have no code yet get one."""
        met = {spelling: meaning for spelling in spelled if (meaning := self._spellings.get(spelling))}
        unmet = [spelling for spelling in dict.fromkeys(spelled) if spelling not in met]
        if len(self._spellings) + len(unmet) > MAX_SPELLINGS:
            self._spellings.clear()
        for spelling, normal in zip(unmet, normalise([row for _, row in unmet]), strict=True):
            kept, groups = (normal, ()) if normal in self._codes else admit(spelling[0], normal)
            code = self._codes.get(kept)
            if code is None:
                code, self._next = self._next, self._next + 1
                self._codes[_shared(kept)] = code
                new.append((code, *kept))
            met[spelling] = (code, groups)
            if SERVICES not in groups and len(self._spellings) < MAX_SPELLINGS:  # a service may be admitted next time
                self._spellings[spelling] = (code, groups)
        return met

    def _frame(self, rows: list[Row]) -> pl.DataFrame:
        types: Mapping[str, pl.DataType] = self._schema
        return pl.DataFrame(rows, schema=types, orient="row") if rows else self._schema.to_frame()


def _shared(row: Row) -> Row:
    """The row with its texts shared with other rows: most of them repeat, and a frame hands out each anew."""
    return tuple(sys.intern(text) if isinstance(text, str) else text for text in row)
