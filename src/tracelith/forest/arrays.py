"""Array operations the forest is made of: ordering by packed keys and what spans inherit from those above them."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tracelith.compiled import compiled
from tracelith.forest.view import Bool, Int32, Int64

__all__ = [
    "added_up",
    "distinct_codes",
    "grouped_order",
    "nearest_marked",
    "pack_keys",
    "parents_first",
    "sum_to_root",
]

T = TypeVar("T", np.int32, np.int64)
N = TypeVar("N", np.int64, np.float64)


def pack_keys(group: NDArray[Any], value: NDArray[Any]) -> tuple[Int64, Int64]:
    """One integer per row that sorts like (group, value), and the value part on its own.

    Sorting one integer array is several times faster than a lexicographic sort. Values whose spread leaves no
    room for the group (garbage clocks, random ids) are replaced by their ranks, which always fit.

    Args:
        group: non-negative integers below 2**31. value: integers of any width.
    """
    if not group.size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    low, high = int(value.min()), int(value.max())
    bits = (high - low).bit_length()
    if bits + int(group.max()).bit_length() > 62:
        packed = np.unique(value, return_inverse=True)[1].astype(np.int64)
        bits = int(packed.max()).bit_length()
    else:
        packed = (value - value.dtype.type(low)).astype(np.int64)
    return (group.astype(np.int64) << bits) | packed, packed


def grouped_order(group: NDArray[Any], value: NDArray[Any], *ties: NDArray[Any]) -> Int64:
    """Row numbers sorted by group, then value, then each of ``ties``; rows equal in all come in any order."""
    key, _ = pack_keys(group, value)
    order: Int64 = np.argsort(key)
    if not ties or key.size < 2:
        return order
    ordered = key[order]
    same = ordered[1:] == ordered[:-1]
    if not same.any():
        return order
    tied = np.flatnonzero(np.concatenate([same, [False]]) | np.concatenate([[False], same]))
    rows = order[tied]
    order[tied] = rows[np.lexsort((*(tie[rows] for tie in reversed(ties)), ordered[tied]))]
    return order


def distinct_codes(codes: Int64, limit: int) -> tuple[Int64, Int32]:
    """The distinct codes, ascending, and for each element the position of its code among them.

    What np.unique does, without its sort where a table of all codes costs less.

    Args:
        codes: integers from 0 up to below ``limit``.
    """
    if limit > 16 * codes.size:
        distinct, place = np.unique(codes, return_inverse=True)
        return distinct, place.astype(np.int32)
    return _distinct_in_table(codes, limit)


@compiled
def _distinct_in_table(codes: Int64, limit: int) -> tuple[Int64, Int32]:
    number = np.full(limit, -1, np.int32)
    count = 0
    for code in codes:
        if number[code] < 0:
            number[code] = 0
            count += 1
    distinct, place = np.empty(count, np.int64), np.empty(codes.size, np.int32)
    count = 0
    for code in range(limit):
        if number[code] >= 0:
            distinct[count], number[code] = code, count
            count += 1
    for row in range(codes.size):
        place[row] = number[codes[row]]
    return distinct, place


@compiled
def added_up(group: Int32, groups: int, values: NDArray[N]) -> NDArray[N]:
    """The values of each group added up, row after row: the same rows always give the same last digit.

    Args:
        group: of each row, from 0 up to below ``groups``.
        values: int64 or float64, one per row.
    """
    total = np.zeros(groups, values.dtype)
    for row in range(group.size):
        total[group[row]] += values[row]
    return total


@compiled
def parents_first(parent: Int32) -> Int32:
    """All spans in an order in which each comes after its parent, traces together.

    Args:
        parent: index of the parent or -1; acyclic, within the trace.
    """
    order = np.empty(parent.size, np.int32)
    placed = np.zeros(parent.size, np.bool_)
    climbed = np.empty(parent.size, np.int32)
    count = 0
    for span in range(parent.size):
        height, at = 0, span
        while at >= 0 and not placed[at]:
            placed[at] = True
            climbed[height] = at
            height += 1
            at = parent[at]
        for step in range(height - 1, -1, -1):
            order[count] = climbed[step]
            count += 1
    return order


@compiled
def sum_to_root(parent: Int32, values: NDArray[T], top_down: Int32) -> NDArray[T]:
    """The values of each span and all its ancestors, added up.

    Args:
        parent: index of the parent or -1.
        values: one per span.
        top_down: all spans, parents first.
    """
    folded = values.copy()
    for span in top_down:
        above = parent[span]
        if above >= 0:
            folded[span] += folded[above]
    return folded


@compiled
def nearest_marked(parent: Int32, marked: Bool, top_down: Int32) -> Int32:
    """The nearest marked span at or above each span; -1 where none is.

    Args:
        parent: index of the parent or -1.
        marked: one per span.
        top_down: all spans, parents first.
    """
    nearest = np.empty(parent.size, np.int32)
    for span in top_down:
        above = parent[span]
        nearest[span] = span if marked[span] else nearest[above] if above >= 0 else -1
    return nearest
