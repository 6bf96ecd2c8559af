"""Text becomes integer codes: each distinct resource and operation is numbered once and stored once."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.ingest.describe import DescribedSpans
from tracelith.ingest.limits import OperationLimits
from tracelith.model.schema import OPERATION, OPERATION_TEXT, RESOURCE, RESOURCE_TEXT, SPAN, InternedBatch

__all__ = ["Interner"]

Row = tuple[object, ...]


class Interner:
    """Knows the code of every resource and operation in the store.

    Codes count up from the highest one known and are never used for another row. Rows are looked up by their whole
    text, so equal hashes do no harm. The loop is over the distinct rows of a batch, not over its spans. When storing
    a batch fails, build a new Interner from the store: this one remembers rows that never arrived. Not thread safe.
    """

    __slots__ = ("_limits", "_operations", "_resources")

    def __init__(
        self, resources: pl.DataFrame, operations: pl.DataFrame, limits: OperationLimits | None = None
    ) -> None:
        """Args:
        resources, operations: RESOURCE and OPERATION rows of the store, in any order.
        limits: what services brought already; nothing by default.
        """
        self._limits = limits or OperationLimits()
        self._resources = _Codes(resources, RESOURCE)
        self._operations = _Codes(operations, OPERATION)

    def intern(self, described: DescribedSpans) -> InternedBatch:
        """The batch with codes, and the rows whose codes are new with it."""
        resource_codes, resources = self._resources.assign(described.resources.select(RESOURCE_TEXT.names()))
        operation_codes, operations = self._operations.assign(self._limited(described))
        spans = described.spans.with_columns(
            pl.Series("resource", resource_codes[described.spans["resource_row"].to_numpy()]),
            pl.Series("operation", operation_codes[described.spans["operation_row"].to_numpy()]),
        )
        return InternedBatch(spans.select(SPAN.names()), described.links, resources, operations)

    def _limited(self, described: DescribedSpans) -> pl.DataFrame:
        """OPERATION_TEXT rows of the batch, new ones past the limits of their service replaced."""
        operations = described.operations.select(OPERATION_TEXT.names())
        new = self._operations.unknown(operations)
        if not new:
            return operations
        first = described.spans.select("operation_row", "resource_row").unique("operation_row", keep="first")
        resource_rows = dict(first.iter_rows())
        services = described.resources["service"].to_list()
        rows = operations.rows(named=True)
        replaced = False
        for row in new:
            service = services[resource_rows[row]] if row in resource_rows else ""
            rows[row], other = self._limits.admit(service, rows[row])
            replaced |= other
        return pl.DataFrame(rows, OPERATION_TEXT) if replaced else operations


class _Codes:
    """Codes of the rows of one dimension table."""

    __slots__ = ("_code_column", "_codes", "_next", "_schema")

    def __init__(self, stored: pl.DataFrame, schema: pl.Schema) -> None:
        self._schema = schema
        self._code_column, *text_columns = schema.names()
        codes = stored[self._code_column].to_list()
        self._codes: dict[Row, int] = dict(zip(stored.select(text_columns).rows(), codes, strict=True))
        self._next = max(codes, default=-1) + 1

    def unknown(self, rows: pl.DataFrame) -> list[int]:
        """Positions of the rows that have no code yet."""
        return [position for position, row in enumerate(rows.rows()) if row not in self._codes]

    def assign(self, rows: pl.DataFrame) -> tuple[NDArray[np.uint32], pl.DataFrame]:
        """A code for each row, and the rows that were new, with theirs."""
        known = self._codes
        first_new = self._next
        assigned = np.empty(rows.height, np.uint32)
        new: list[Row] = []
        for position, row in enumerate(rows.rows()):
            code = known.get(row)
            if code is None:
                code = known[row] = self._next
                self._next += 1
                new.append((code, *row))
            assigned[position] = code
        return assigned, self._frame(new) if self._next > first_new else self._schema.to_frame()

    def _frame(self, rows: list[Row]) -> pl.DataFrame:
        types: Mapping[str, pl.DataType] = self._schema
        return pl.DataFrame(rows, schema=types, orient="row")
