"""Grouping rows by several small integer keys, packed into one key because that is several times faster."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.forest.arrays import distinct_codes, is_dense

__all__ = ["Groups", "groups_of"]

_LARGEST_CODE = 2**62
_WIDE = 2**31
"""Values that spread wider are replaced by their ranks, of which there are fewer than rows."""

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows in groups, for what few NumPy passes can fold: three to five times as fast as a general group-by.

    Sums are added in the order of the rows, so that the same rows always give the same last digit.

    Attributes:
        group: int32, the group of each row.
        keys: the keys of each group by name; groups are sorted by them.
    """

    group: NDArray[np.int32]
    keys: Mapping[str, NDArray[Any]]

    @property
    def size(self) -> int:
        """How many groups there are."""
        return int(next(iter(self.keys.values())).size)

    def counts(self) -> NDArray[np.int64]:
        """Rows of each group."""
        return np.bincount(self.group, minlength=self.size).astype(np.int64)

    def sums(self, values: NDArray[T]) -> NDArray[T]:
        """Sum of the values of each group, in their type."""
        if values.dtype == np.float64:
            return np.bincount(self.group, values, self.size).astype(values.dtype, copy=False)
        total = np.zeros(self.size, values.dtype)
        np.add.at(total, self.group, values)
        return total

    def largest(self, values: NDArray[T]) -> NDArray[T]:
        """The largest value of each group."""
        largest = self.firsts(values)
        np.maximum.at(largest, self.group, values)
        return largest

    def smallest(self, values: NDArray[T]) -> NDArray[T]:
        """The smallest value of each group."""
        smallest = self.firsts(values)
        np.minimum.at(smallest, self.group, values)
        return smallest

    def firsts(self, values: NDArray[T]) -> NDArray[T]:
        """The value of the first row of each group."""
        first = np.empty(self.size, values.dtype)
        first[self.group[::-1]] = values[::-1]
        return first

    def frame(self, count: str, /, **values: NDArray[Any]) -> pl.DataFrame:
        """One row per group: its keys, how many rows it has, and the sums of the values.

        Args:
            count: what the number of rows is called.
            values: what is added up, by name.
        """
        sums = {name: self.sums(array) for name, array in values.items()}
        return pl.DataFrame({**self.keys, count: self.counts(), **sums})


def groups_of(keys: Mapping[str, NDArray[np.integer]]) -> Groups:
    """Rows in groups of equal keys.

    Args:
        keys: integer arrays of one length; groups are sorted by them in this order.
    """
    code, limit = np.zeros(next(iter(keys.values())).size, np.int64), 1
    for array in keys.values():
        place, size = _places(array)
        crowded = not is_dense(limit * size, code.size) and is_dense(limit, code.size)  # a sort would come: put it off
        if (crowded and limit > 1) or limit * size >= _LARGEST_CODE:
            ranked, group = distinct_codes(code, limit)
            code, limit = group.astype(np.int64), max(ranked.size, 1)
        code = code * size + place
        limit *= size
    distinct, group = distinct_codes(code, limit)
    row = np.empty(distinct.size, np.int64)
    row[group[::-1]] = np.arange(group.size - 1, -1, -1)
    return Groups(group, {name: array[row] for name, array in keys.items()})


def _places(array: NDArray[np.integer]) -> tuple[NDArray[np.integer], int]:
    """Numbers from 0 that sort like the array, and a bound above them."""
    if not array.size:
        return array.astype(np.int64), 1
    low = int(array.min())
    size = int(array.max()) - low + 1
    if size >= _WIDE:
        ranked, place = np.unique(array, return_inverse=True)
        return place, ranked.size
    place = array.astype(np.int64, copy=False)
    return (place - low if low else place), size
