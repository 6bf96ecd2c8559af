"""Lists of names and lengths of time in sentences."""

import pytest

from tracelith.analysis.names import listed
from tracelith.analysis.times import lasting


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("", ""),
        ("a", "a"),
        ("ab", "a and b"),
        ("abc", "a, b and c"),
        ("abcd", "a, b, c and 1 more"),
        ("abcdef", "a, b, c and 3 more"),
    ],
)
def test_a_long_list_of_names_ends_with_the_number_of_the_others(names: str, text: str) -> None:
    assert listed(tuple(names), 3) == text


def test_a_list_that_is_too_long_may_be_cut_further_so_that_more_is_never_one() -> None:
    assert [listed(tuple(names), 3, first=2) for names in ("abc", "abcd")] == ["a, b and c", "a, b and 2 more"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (85, "85 seconds"),
        (720, "12 minutes"),
        (150, "2.5 minutes"),
        (21_300, "5.9 hours"),
        (7200, "2 hours"),
    ],
)
def test_a_length_of_time_has_one_unit(seconds: float, words: str) -> None:
    assert lasting(seconds) == words
