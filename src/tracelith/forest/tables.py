"""Resources and operations in an order that depends on their text alone, not on the codes they arrived under."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.forest.view import Int32
from tracelith.model.schema import OPERATION_TEXT, RESOURCE_TEXT

__all__ = ["TextTable", "asked_for", "operation_table", "resource_table"]

_DENSE = 4_000_000
"""Codes below this are looked up in a list, of 16 MB at most."""


@dataclass(frozen=True, slots=True)
class TextTable:
    """Distinct texts, sorted, and the way from codes to them.

    Attributes:
        texts: one row per distinct text, sorted by all columns: comparing row numbers compares texts.
        codes: codes in ascending order; rows: the row of texts for each.
    """

    texts: pl.DataFrame
    codes: NDArray[np.uint32]
    rows: Int32

    def rows_of(self, codes: NDArray[np.uint32]) -> Int32:
        """The row of texts for each code.

        Raises:
            ValueError: a code that the table does not have.
        """
        if not self.codes.size:
            if codes.size:
                raise ValueError("expected a text for every code, but the table has none")
            return np.empty(0, np.int32)
        last = int(self.codes[-1])
        if not codes.size or (last < _DENSE and int(codes.max()) <= last):
            # Codes are given out one after the other: to look them up in a list is five times faster than to search.
            listed = np.full(last + 1, -1, np.int32)
            listed[self.codes] = self.rows
            rows = listed.take(codes)
        else:
            at = np.minimum(np.searchsorted(self.codes, codes), self.codes.size - 1)
            rows = np.where(self.codes[at] == codes, self.rows[at], np.int32(-1))
        if rows.min(initial=0) < 0:
            raise ValueError("expected a text for every code, but the table lacks some")
        return rows

    def column(self, name: str) -> NDArray[Any]:
        """One column of texts as an array."""
        return self.texts[name].to_numpy()


def resource_table(resources: pl.DataFrame) -> TextTable:
    """RESOURCE rows as a table of texts."""
    return _table(resources, "resource", list(RESOURCE_TEXT))


def operation_table(operations: pl.DataFrame) -> TextTable:
    """OPERATION rows as a table of texts."""
    return _table(operations, "operation", list(OPERATION_TEXT))


def asked_for() -> pl.Expr:
    """What the caller of an operation asked for: ``METHOD route`` where the span tells both, else its name."""
    routed = (pl.col("http_method") != "") & (pl.col("http_route") != "")
    return pl.when(routed).then(pl.concat_str("http_method", "http_route", separator=" ")).otherwise("name")


def _table(frame: pl.DataFrame, code: str, columns: list[str]) -> TextTable:
    ordered = frame.sort(columns)
    row = ordered.select(pl.struct(columns).rle_id()).to_series().to_numpy().astype(np.int32)
    codes = ordered[code].to_numpy()
    by_code = np.argsort(codes)
    return TextTable(ordered[columns][np.flatnonzero(np.diff(row, prepend=-1))], codes[by_code], row[by_code])
