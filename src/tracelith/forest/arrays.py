"""Array operations the forest is made of: ordering by packed keys and folding along ancestors by doubling."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tracelith.forest.view import Bool, Int32, Int64

__all__ = ["distinct_codes", "fold_ancestors", "grouped_order", "nearest_marked", "pack_keys", "reach"]

T = TypeVar("T", bound=np.generic)

_MAX_ROUNDS = 64
"""Doubling covers 2**rounds steps, so more rounds than an index has bits cannot be needed."""


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

    What np.unique does, without its sort where the codes are dense.

    Args:
        codes: integers from 0 up to below ``limit``.
    """
    if limit > 4 * codes.size + 1_000_000:
        distinct, place = np.unique(codes, return_inverse=True)
        return distinct, place.astype(np.int32)
    seen = np.zeros(limit, np.bool_)
    seen[codes] = True
    number = np.cumsum(seen, dtype=np.int32)
    return np.flatnonzero(seen), number[codes] - np.int32(1)


def fold_ancestors(
    parent: Int32, values: NDArray[T], fold: Callable[[NDArray[T], NDArray[T]], NDArray[T]]
) -> NDArray[T]:
    """``values`` of each span folded with those of all its ancestors.

    Args:
        parent: index of the parent or -1; acyclic.
        fold: an associative and commutative ufunc such as np.add or np.maximum.

    Source: own; pointer jumping, O(n log depth).
    """
    folded = values.copy()
    jump = parent.copy()
    active = np.flatnonzero(jump >= 0)
    for _ in range(_MAX_ROUNDS):
        if not active.size:
            break
        target = jump[active]
        folded[active] = fold(folded[active], folded[target])
        further = jump[target]
        jump[active] = further
        active = active[further >= 0]
    return folded


def nearest_marked(parent: Int32, marked: Bool) -> Int32:
    """The nearest marked span at or above each span; -1 where none is.

    Source: own; pointer jumping over unmarked spans.
    """
    at: Int32 = np.where(marked, np.arange(parent.size, dtype=np.int32), parent)
    active = np.flatnonzero(~marked & (parent >= 0))
    for _ in range(_MAX_ROUNDS):
        active = active[~marked[at[active]]]
        if not active.size:
            break
        further = at[at[active]]
        at[active] = further
        active = active[further >= 0]
    return at


def reach(following: Int32, start: Bool) -> Bool:
    """Which elements are met when each marked one is followed to its end.

    Args:
        following: the next element of each element or -1; acyclic.
        start: where to begin.

    Source: own; doubling, O(n log length).
    """
    met = start.copy()
    jump = following.copy()
    active = np.flatnonzero(jump >= 0)
    for _ in range(_MAX_ROUNDS):
        if not active.size:
            break
        target = jump[active]
        met[target[met[active]]] = True
        further = jump[target]
        jump[active] = further
        active = active[further >= 0]
    return met
