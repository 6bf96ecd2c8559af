"""Grouping rows by several integer keys: packed into one number per row, which compiled loops count and fold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.compiled import compiled
from tracelith.forest.arrays import added_up
from tracelith.forest.view import Int32, Int64

__all__ = ["Groups", "groups_of"]

_LARGEST_CODE = 2**62
_DENSE = 8
"""So many times as many codes as rows are looked up in a table of all; of more, those that occur are hashed and sorted,
which takes longer where almost every row is a group of its own."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2**64 over the golden ratio: multiplied by it, neighbouring codes end up far apart (Knuth, TAOCP 3, §6.4)."""

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows in groups, for what one pass can fold: many times as fast as a general group-by.

    Sums are added in the order of the rows, so that the same rows always give the same last digit.

    Attributes:
        group: int32, the group of each row.
        keys: the keys of each group by name; groups are sorted by them.
    """

    group: Int32
    keys: Mapping[str, NDArray[Any]]

    @property
    def size(self) -> int:
        """How many groups there are."""
        return int(next(iter(self.keys.values())).size)

    def counts(self) -> Int64:
        """Rows of each group."""
        return _counts(self.group, self.size)

    def sums(self, values: NDArray[T]) -> NDArray[T]:
        """Sum of the values of each group, in their type."""
        wide: NDArray[Any] = values if values.dtype == np.float64 else values.astype(np.int64, copy=False)
        return added_up(self.group, self.size, wide).astype(values.dtype, copy=False)

    def largest(self, values: Int64) -> Int64:
        """The largest value of each group."""
        return _largest(self.group, self.firsts(values), values)

    def smallest(self, values: Int64) -> Int64:
        """The smallest value of each group."""
        return _smallest(self.group, self.firsts(values), values)

    def firsts(self, values: NDArray[T]) -> NDArray[T]:
        """The value of the first row of each group."""
        return values.take(_first_rows(self.group, self.size))

    def frame(self, count: str, /, **values: NDArray[Any]) -> pl.DataFrame:
        """One row per group: its keys, how many rows it has, and the sums of the values.

        Args:
            count: what the number of rows is called.
            values: what is added up, by name.
        """
        sums = {name: self.sums(array) for name, array in values.items()}
        return pl.DataFrame({**self.keys, count: self.counts(), **sums})


def groups_of(keys: Mapping[str, NDArray[np.integer | np.bool_]]) -> Groups:
    """Rows in groups of equal keys.

    Args:
        keys: integer arrays of one length; groups are sorted by them in this order.
    """
    rows = next(iter(keys.values())).size
    if not rows:
        return Groups(np.empty(0, np.int32), keys)
    code, limit = np.zeros(rows, np.int64), 1
    for array in keys.values():
        place, low, size = array, int(array.min()), int(array.max()) - int(array.min()) + 1
        if limit * size >= _LARGEST_CODE or array.dtype == np.uint64:
            place, low, size = _ranks(array)
        if limit * size >= _LARGEST_CODE:
            code, _, limit = _ranks(code)
        _append(code, place if place.dtype == np.int32 else place.astype(np.int64, copy=False), low, size)
        limit *= size
    group, first = _numbered(code, limit)
    return Groups(group, {name: array.take(first) for name, array in keys.items()})


def _ranks(array: NDArray[np.integer | np.bool_]) -> tuple[Int64, int, int]:
    """Numbers that sort like the array, the least of them, and how many there are: never more than rows."""
    distinct, rank = np.unique(array, return_inverse=True)
    return rank.astype(np.int64), 0, distinct.size


def _numbered(code: Int64, limit: int) -> tuple[Int32, Int32]:
    """For each row the rank of its code among those that occur, and for each of those its first row.

    Args:
        code: from 0 up to below the limit.
    """
    if limit <= _DENSE * code.size:
        return _numbered_densely(code, limit)
    group, first = _numbered_as_found(code)
    order = np.argsort(code.take(first))
    rank = np.empty(order.size, np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    return rank.take(group), first[order]


@compiled
def _append(code: Int64, values: NDArray[Any], low: int, size: int) -> None:
    """Makes each code sort by one value more, which lies from ``low`` on and less than ``size`` above it."""
    for row in range(code.size):
        code[row] = code[row] * size + (values[row] - low)


@compiled
def _numbered_densely(code: Int64, limit: int) -> tuple[Int32, Int32]:
    """See _numbered: by a table of all codes below the limit."""
    opening = np.full(limit, -1, np.int32)
    for row in range(code.size - 1, -1, -1):
        opening[code[row]] = row
    first = np.empty(min(limit, code.size), np.int32)
    number, groups = opening, 0  # the same table: what was a first row becomes the rank
    for at in range(limit):
        if opening[at] >= 0:
            first[groups] = opening[at]
            number[at] = groups
            groups += 1
    group = np.empty(code.size, np.int32)
    for row in range(code.size):
        group[row] = number[code[row]]
    return group, first[:groups].copy()


@compiled
def _numbered_as_found(code: Int64) -> tuple[Int32, Int32]:
    """For each row the number of its code in the order of appearance, and for each number its first row."""
    bits = 4
    while 1 << bits < 2 * code.size:  # half of the table stays free, so that a free place is never far
        bits += 1
    number = np.full(1 << bits, -1, np.int32)
    group, first = np.empty(code.size, np.int32), np.empty(code.size, np.int32)
    groups = 0
    for row in range(code.size):
        at = np.int64((np.uint64(code[row]) * _GOLDEN) >> np.uint64(64 - bits))
        while number[at] >= 0 and code[first[number[at]]] != code[row]:
            at = (at + 1) & ((1 << bits) - 1)
        if number[at] < 0:
            number[at] = groups
            first[groups] = row
            groups += 1
        group[row] = number[at]
    return group, first[:groups].copy()


@compiled
def _counts(group: Int32, size: int) -> Int64:
    """Rows of each group."""
    count = np.zeros(size, np.int64)
    for row in range(group.size):
        count[group[row]] += 1
    return count


@compiled
def _first_rows(group: Int32, size: int) -> Int32:
    """The first row of each group."""
    first = np.empty(size, np.int32)
    for row in range(group.size - 1, -1, -1):
        first[group[row]] = row
    return first


@compiled
def _largest(group: Int32, firsts: Int64, values: Int64) -> Int64:
    """The largest value of each group; ``firsts`` has one of each."""
    largest = firsts.copy()
    for row in range(group.size):
        largest[group[row]] = max(largest[group[row]], values[row])
    return largest


@compiled
def _smallest(group: Int32, firsts: Int64, values: Int64) -> Int64:
    """The smallest value of each group; ``firsts`` has one of each."""
    smallest = firsts.copy()
    for row in range(group.size):
        smallest[group[row]] = min(smallest[group[row]], values[row])
    return smallest
