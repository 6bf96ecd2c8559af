"""Distinct pairs of codes, such as a request and whom it calls: numbered without sorting them."""

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.view import Int32

__all__ = ["count_pairs", "number_pairs"]


@compiled
def number_pairs(left: Int32, right: Int32, lefts: int, rights: int) -> tuple[Int32, Int32]:
    """The number of each row's pair, and the first row of each pair; pairs are numbered by what is left.

    Takes time and memory for rows, lefts and rights, however often a pair comes and in whatever order rows are.

    Args:
        left: from 0 up to below ``lefts``, or -1 for a row that is in no pair, whose number is -1 too.
        right: from 0 up to below ``rights``.
    """
    first_with, following = _listed(left, lefts)
    number, first = np.full(left.size, -1, np.int32), np.empty(left.size, np.int32)
    latest = np.full(rights, -1, np.int32)
    pairs = 0
    for one in range(lefts):
        known = pairs  # pairs with a smaller number have another left
        row = first_with[one]
        while row >= 0:
            if latest[right[row]] < known:
                latest[right[row]] = pairs
                first[pairs] = row
                pairs += 1
            number[row] = latest[right[row]]
            row = following[row]
    return number, first[:pairs].copy()


@compiled
def count_pairs(left: Int32, right: Int32, lefts: int, rights: int) -> tuple[Int32, Int32]:
    """How many different rights each left comes with, and how many different lefts each right; see number_pairs."""
    first_with, following = _listed(left, lefts)
    of_left, of_right = np.zeros(lefts, np.int32), np.zeros(rights, np.int32)
    latest = np.full(rights, -1, np.int32)
    for one in range(lefts):
        row = first_with[one]
        while row >= 0:
            if latest[right[row]] != one:
                latest[right[row]] = one
                of_left[one] += 1
                of_right[right[row]] += 1
            row = following[row]
    return of_left, of_right


@compiled
def _listed(left: Int32, lefts: int) -> tuple[Int32, Int32]:
    """The first row with each left, and after each row the next with the same one; -1 where none is."""
    first_with, following = np.full(lefts, -1, np.int32), np.empty(left.size, np.int32)
    for row in range(left.size - 1, -1, -1):
        if left[row] >= 0:
            following[row] = first_with[left[row]]
            first_with[left[row]] = row
    return first_with, following
