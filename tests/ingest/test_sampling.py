"""Adjusted counts from trace states."""

import polars as pl
import pytest

from tracelith.ingest.sampling import adjusted_counts


def _count(state: str | None) -> float | None:
    value: float | None = adjusted_counts(pl.Series([state, ""], dtype=pl.String)).to_list()[0]
    return value


@pytest.mark.parametrize(
    ("threshold", "expected"), [("0", 1.0), ("8", 2.0), ("c", 4.0), ("e", 8.0), ("fd70a4", 100.0001)]
)
def test_2_1_adjusted_count_of_threshold_oracle(threshold: str, expected: float) -> None:
    assert _count(f"ot=th:{threshold}") == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "state",
    [
        "ot=th:8;rv:9b8233f7e3a151",
        "ot=rv:9b8233f7e3a151;th:8",
        "congo=t61,ot=th:8",
        "ot=th:8,congo=th:c",
        "a=b, ot=th:8",
    ],
)
def test_the_threshold_is_found_among_other_entries(state: str) -> None:
    assert _count(state) == 2.0


@pytest.mark.parametrize(
    "state",
    [
        "",
        None,
        "congo=th:8",
        "ot=rv:9b8233f7e3a151",
        "ot=th:",
        "ot=th:xyz",
        "ot=th:123456789012345",
        "not=th:8",
        "ot=xth:8",
    ],
)
def test_2_1_absent_or_invalid_thresholds_mean_unknown_and_not_one(state: str | None) -> None:
    assert _count(state) is None


@pytest.mark.parametrize(
    ("power", "expected"), [("0", 1.0), ("3", 8.0), ("62", 2.0**62), ("63", None), ("64", None), ("99", None)]
)
def test_the_older_power_of_two_values_are_understood(power: str, expected: float | None) -> None:
    assert _count(f"ot=p:{power};r:62") == expected


def test_the_smallest_probability_is_still_a_number() -> None:
    assert _count("ot=th:ffffffffffffff") == 2.0**56


def test_a_batch_without_any_trace_state_is_unknown_throughout() -> None:
    counts = adjusted_counts(pl.Series(["", "", None], dtype=pl.String))

    assert counts.dtype == pl.Float32
    assert counts.to_list() == [None, None, None]
