"""Operations on arrays, against what NumPy says in a slower way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.forest.arrays import distinct_codes


@pytest.mark.parametrize("limit", [30, 1_000_000], ids=["few codes", "many codes"])
@given(st.lists(st.integers(0, 29), max_size=60))
def test_distinct_codes_are_what_numpy_finds(limit: int, codes: list[int]) -> None:
    given_codes = np.array(codes, np.int64)

    distinct, place = distinct_codes(given_codes, limit)

    expected, expected_place = np.unique(given_codes, return_inverse=True)
    assert np.array_equal(distinct, expected)
    assert np.array_equal(place, expected_place)
    assert distinct.dtype == np.int64
    assert place.dtype == np.int32
