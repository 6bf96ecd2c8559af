"""Array operations the forest is made of: ordering by packed keys and folding along ancestors."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tracelith.forest.view import Bool, Int32, Int64

__all__ = [
    "distinct_codes",
    "fold_ancestors",
    "grouped_order",
    "is_dense",
    "levels_of",
    "nearest_marked",
    "pack_keys",
    "reach",
]

T = TypeVar("T", bound=np.generic)

_MAX_ROUNDS = 64
"""Doubling covers 2**rounds steps, so more rounds than an index has bits cannot be needed."""

_MOST_LEVELS = 200
"""One pass per level touches each span once, doubling about four times; a level costs as much as 300 spans do."""


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


def is_dense(limit: int, rows: int) -> bool:
    """Whether a table of all codes below the limit is cheaper than sorting so many rows."""
    return limit <= 4 * rows + 1_000_000


def distinct_codes(codes: Int64, limit: int) -> tuple[Int64, Int32]:
    """The distinct codes, ascending, and for each element the position of its code among them.

    What np.unique does, without its sort where the codes are dense.

    Args:
        codes: integers from 0 up to below ``limit``.
    """
    if not is_dense(limit, codes.size):
        distinct, place = np.unique(codes, return_inverse=True)
        return distinct, place.astype(np.int32)
    seen = np.zeros(limit, np.bool_)
    seen[codes] = True
    number = np.cumsum(seen, dtype=np.int32)
    return np.flatnonzero(seen), number[codes] - np.int32(1)


def levels_of(depth: Int32) -> tuple[Int64, ...]:
    """Spans with one ancestor, with two, and so on, each ascending; nothing if there are too many levels to be of use.

    Args:
        depth: int32[n], number of ancestors.
    """
    deepest = int(depth.max(initial=0))
    if not 0 < deepest <= _MOST_LEVELS:
        return ()
    order = np.argsort(depth.astype(np.uint8), kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(depth, minlength=deepest + 1))])
    return tuple(order[first[level] : first[level + 1]] for level in range(1, deepest + 1))


def fold_ancestors(
    parent: Int32,
    values: NDArray[T],
    fold: np.ufunc,
    levels: tuple[Int64, ...] = (),
) -> NDArray[T]:
    """``values`` of each span folded with those of all its ancestors.

    Args:
        parent: index of the parent or -1; acyclic.
        values: one per span.
        fold: np.add, np.minimum, np.maximum or np.logical_and.
        levels: of this tree, or of one from which this was made by cutting spans off their parents.

    Source: own; one pass per level, or pointer jumping, O(n log depth).
    """
    if levels:
        folded = np.append(values, np.array(_neutral(fold, values.dtype), values.dtype))  # what index -1 finds
        for spans in levels:
            folded[spans] = fold(folded[spans], folded[parent[spans]])
        return folded[:-1]
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


def _neutral(fold: np.ufunc, kind: np.dtype[Any]) -> Any:
    """What changes nothing when it is folded in."""
    if fold is np.minimum:
        return np.iinfo(kind).max
    if fold is np.maximum:
        return np.iinfo(kind).min
    return fold.identity


def nearest_marked(parent: Int32, marked: Bool, levels: tuple[Int64, ...] = ()) -> Int32:
    """The nearest marked span at or above each span; -1 where none is.

    Args:
        parent: index of the parent or -1; acyclic.
        marked: one per span.
        levels: as for fold_ancestors.

    Source: own; one pass per level, or pointer jumping over unmarked spans.
    """
    here = np.arange(parent.size, dtype=np.int32)
    if marked.all():
        return here
    if levels:
        nearest: Int32 = np.append(np.where(marked, here, np.int32(-1)), np.int32(-1))  # the last is what -1 finds
        for level in levels:
            spans = level[~marked[level]]
            nearest[spans] = nearest[parent[spans]]
        return nearest[:-1]
    at: Int32 = np.where(marked, here, parent)
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
