"""Which things hang together, given pairs of them that do."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np
from scipy import sparse

__all__ = ["connected_sets"]

T = TypeVar("T", bound=Hashable)


def connected_sets(things: Sequence[T], pairs: Iterable[tuple[T, T]], *, mutual: bool = False) -> list[tuple[T, ...]]:
    """The things in sets that hang together, single ones included, in the order of ``things``.

    Args:
        things: each once.
        pairs: of things; others are left out.
        mutual: pairs have a direction, and a set is one in which each reaches all the others.
    """
    if not things:
        return []
    place = {thing: number for number, thing in enumerate(things)}
    ends = np.array([(place[a], place[b]) for a, b in pairs if a in place and b in place], dtype=np.int64)
    rows, columns = ends.reshape(-1, 2).T
    matrix = sparse.coo_array((np.ones(rows.size), (rows, columns)), shape=(len(things), len(things)))
    connection = "strong" if mutual else "weak"
    _, label = sparse.csgraph.connected_components(matrix, directed=True, connection=connection)
    found: dict[int, list[T]] = {}
    for thing, number in zip(things, label.tolist(), strict=True):
        found.setdefault(number, []).append(thing)
    return [tuple(members) for members in found.values()]
