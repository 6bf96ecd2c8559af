"""Long-form attributes as canonical fields: one integer code per row and field, and the few texts behind the codes.

Everything later works on codes: comparing, choosing and grouping integers costs a tenth of doing it with text, and
text is handled once per distinct value instead of once per span.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tracelith.model.semantic_conventions import KNOWN_KEYS

__all__ = ["MAX_TEXT_CHARS", "NO_TEXT", "Codes", "FieldTable", "Fields", "distinct_rows", "encode_text"]

Int64 = NDArray[np.int64]
Codes = NDArray[np.int32]

NO_TEXT = pa.array([""], pa.large_string())
"""What code 0 stands for."""

MAX_TEXT_CHARS = 256
"""Longer text is cut: names, routes and addresses are identities, and an identity this long is an accident."""


def encode_text(texts: pl.Series) -> tuple[Codes, pa.LargeStringArray]:
    """Integer codes and the distinct texts behind them; code 0 is the empty text, and null counts as empty."""
    encoded = texts.to_arrow(compat_level=pl.CompatLevel.newest()).dictionary_encode()  # as a view: nothing is copied
    distinct = encoded.dictionary.cast(pa.large_string())
    lengths = np.diff(np.frombuffer(distinct.buffers()[1], np.int64)[: len(distinct) + 1])
    if lengths.max(initial=0) > MAX_TEXT_CHARS:  # bytes, so never fewer than characters
        distinct = pc.utf8_slice_codeunits(distinct, 0, MAX_TEXT_CHARS)
    codes = pc.fill_null(encoded.indices, -1).to_numpy() + np.int32(1)
    empty = np.flatnonzero(lengths == 0)
    if len(empty):
        codes[codes == empty[0] + 1] = 0
    return codes, pa.concat_arrays([NO_TEXT, distinct])


class FieldTable:
    """A key table of semantic_conventions, prepared for looking up many keys at once."""

    __slots__ = ("_known", "_layers", "names")

    def __init__(self, keys: Mapping[str, Sequence[str]]) -> None:
        self.names = tuple(keys)
        known = list(dict.fromkeys(key for preferred in keys.values() for key in preferred))
        # By the number of a key in ATTRIBUTE.
        self._known = np.array([known.index(key) if key in known else -1 for key in KNOWN_KEYS], np.int16)
        # All keys of one preference are written at once, the most preferred last, so that it wins. A layer maps the
        # number of a key to its field, -1 if the key has another preference. The last entry is for unknown keys.
        depth = max(map(len, keys.values()))
        self._layers = np.full((depth, len(known) + 1), -1, np.int8)
        for field, preferred in enumerate(keys.values()):
            for preference, key in enumerate(preferred):
                slot = (depth - 1 - preference, known.index(key))
                if self._layers[slot] >= 0:
                    raise ValueError(f"{key} is equally preferred by two fields; one layer can serve only one of them")
                self._layers[slot] = field

    def read(self, attributes: pl.DataFrame, rows: int) -> "Fields":
        """The fields of ``rows`` spans or resources.

        Of two keys of one field the newer convention wins; of one key given twice, the later one. Empty text counts as
        absent, unknown keys are ignored.

        Args:
            attributes: ATTRIBUTE rows whose ``row`` is below ``rows``.
        """
        codes = np.zeros((len(self.names), rows), np.int32)
        if not attributes.height:
            return Fields(self.names, codes, NO_TEXT)
        value_code, values = encode_text(attributes["value"])
        key = self._known[attributes["key"].to_physical().to_numpy()]
        row = attributes["row"].to_numpy()
        met = np.flatnonzero(np.bincount(key + 1, minlength=1)) - 1
        for field_of_key in self._layers:
            if (field_of_key[met] < 0).all():
                continue
            field = field_of_key[key]
            here = np.flatnonzero((field >= 0) & (value_code > 0))
            codes[field[here], row[here]] = value_code[here]
        return Fields(self.names, codes, values)


@dataclass(frozen=True, slots=True)
class Fields:
    """Canonical fields of spans or resources.

    Attributes:
        names: of the fields. codes: int32[fields, rows], index into values; 0 is absent.
        values: distinct texts; the first is empty.
    """

    names: tuple[str, ...]
    codes: Codes
    values: pa.LargeStringArray

    def __getitem__(self, name: str) -> Codes:
        """Codes of one field, one per row."""
        codes: Codes = self.codes[self.names.index(name)]
        return codes

    def texts(self, name: str, rows: Int64) -> pa.LargeStringArray:
        """Text of one field in some rows; for few rows."""
        return self.values.take(pa.array(self[name][rows]))

    def numbers(self, name: str) -> Int64:
        """Values of a field that holds whole numbers, one per row; -1 where absent or no number below 10^9."""
        return self.translated(name, lambda text: int(text) if text.isdecimal() and len(text) < 10 else -1)

    def translated(self, name: str, translate: Callable[[str], int]) -> Int64:
        """The number that ``translate`` gives for each row's text, -1 where absent. Called once per distinct text."""
        codes = self[name]
        used = np.flatnonzero(np.bincount(codes))
        used = used[used > 0]
        if not len(used):
            return np.full(len(codes), -1, np.int64)
        table = np.full(used[-1] + 1, -1, np.int64)
        table[used] = [translate(text) for text in self.values.take(pa.array(used)).to_pylist()]
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
