"""Long-form attributes as canonical fields: one integer code per row and field, and the few texts behind the codes.

Everything later works on codes: comparing, choosing and grouping integers costs a tenth of doing it with text, and
text is handled once per distinct value instead of once per span.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["MAX_TEXT_CHARS", "Fields", "FieldTable", "distinct_rows", "encode_text"]

Int64 = NDArray[np.int64]
Codes = NDArray[np.int32]

MAX_TEXT_CHARS = 256
"""Longer text is cut: names, routes and addresses are identities, and an identity this long is an accident."""


def encode_text(texts: pl.Series) -> tuple[Codes, pl.Series]:
    """Integer codes and the distinct texts behind them; code 0 is the empty text, and null counts as empty."""
    encoded = pa.chunked_array([texts.to_arrow()]).combine_chunks().dictionary_encode()
    distinct = pl.Series("", encoded.dictionary, dtype=pl.String).str.head(MAX_TEXT_CHARS)
    codes = pc.fill_null(encoded.indices, -1).to_numpy() + 1
    values = pl.concat([pl.Series("", [""], dtype=pl.String), distinct])
    empty = (distinct == "").arg_true()
    if len(empty):
        codes[codes == int(empty[0]) + 1] = 0
    return codes.astype(np.int32, copy=False), values


class FieldTable:
    """A key table of semantic_conventions, prepared for looking up many keys at once."""

    __slots__ = ("_fields_by_key", "_keys", "names")

    def __init__(self, keys: Mapping[str, Sequence[str]]) -> None:
        self.names = tuple(keys)
        # Least preferred first, so that the preferred key is written last and wins.
        ordered = [(key, field) for field, known in enumerate(keys.values()) for key in reversed(known)]
        distinct = list(dict.fromkeys(key for key, _ in ordered))
        self._keys = pa.array(distinct, pa.large_string())
        self._fields_by_key = [(distinct.index(key), field) for key, field in ordered]

    def read(self, attributes: pl.DataFrame, rows: int) -> "Fields":
        """The fields of ``rows`` spans or resources.

        Of two keys of one field the newer convention wins; of one key given twice, the later one. Empty text counts as
        absent, unknown keys are ignored.

        Args:
            attributes: ATTRIBUTE rows whose ``row`` is below ``rows``.
        """
        codes = np.zeros((len(self.names), rows), np.int32)
        if not attributes.height:
            return Fields(self.names, codes, pl.Series("", [""], dtype=pl.String))
        value_code, values = encode_text(attributes["value"])
        key_number = pc.fill_null(pc.index_in(attributes["key"].to_arrow(), value_set=self._keys), -1)
        by_key = _positions_by_number(key_number.to_numpy(), len(self._keys), value_code != 0)
        row = attributes["row"].to_numpy()
        for key, field in self._fields_by_key:
            here = by_key[key]
            if len(here):
                codes[field, row[here]] = value_code[here]
        return Fields(self.names, codes, values)


def _positions_by_number(numbers: NDArray[np.int32], count: int, wanted: NDArray[np.bool_]) -> list[Int64]:
    """For each number below count, where it stands, in order; only where wanted."""
    numbers = np.where(wanted, numbers, -1).astype(np.int16)
    order = np.argsort(numbers, kind="stable")  # a radix sort for 16-bit integers
    bounds = np.searchsorted(numbers[order], np.arange(count + 1))
    return [order[start:end] for start, end in pairwise(bounds)]


@dataclass(frozen=True, slots=True)
class Fields:
    """Canonical fields of spans or resources.

    Attributes:
        names: of the fields. codes: int32[fields, rows], index into values; 0 is absent.
        values: distinct texts; the first is empty.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int32]
    values: pl.Series

    def __getitem__(self, name: str) -> Codes:
        """Codes of one field, one per row."""
        codes: Codes = self.codes[self.names.index(name)]
        return codes

    def numbers(self, name: str) -> Int64:
        """Values of a field that holds whole numbers, one per row; -1 where absent or no number."""
        return self.translated(name, lambda texts: texts.str.to_integer(strict=False, dtype=pl.Int64))

    def translated(self, name: str, translate: "TextToNumber") -> Int64:
        """Numbers that ``translate`` gives for the distinct texts of a field, one per row; -1 where it gives null."""
        codes = self[name]
        used = np.unique(codes)
        table = np.full(len(self.values), -1, np.int64)
        table[used] = translate(self.values.gather(used)).fill_null(-1).to_numpy()
        return table[codes]


def distinct_rows(columns: Sequence[NDArray[np.int32]]) -> tuple[Int64, Int64]:
    """Distinct combinations of non-negative codes.

    Exact, without hashing rows: columns are joined into one mixed-radix number, which is encoded anew before it would
    exceed 62 bits.

    Returns:
        The position at which each combination first occurs, in order of occurrence, and for each row the number of its
        combination.
    """
    joined = np.zeros(len(columns[0]), np.int64)
    size = 1
    for column in columns:
        radix = int(column.max(initial=0)) + 1
        if radix == 1:
            continue
        if size * radix > 1 << 62:
            joined, size = _dense(joined)
        joined = joined * radix + column
        size *= radix
    combination, count = _dense(joined)
    first = np.empty(count, np.int64)
    first[combination[::-1]] = np.arange(len(joined))[::-1]
    return first, combination


def _dense(numbers: Int64) -> tuple[Int64, int]:
    """The numbers as codes from 0 in order of first occurrence, and how many codes there are."""
    encoded = pa.array(numbers).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), len(encoded.dictionary)
