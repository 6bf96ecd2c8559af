"""Loops and batches are called so by the lower bounds of their estimates."""

import pytest

from tracelith.analysis.chatter.edges import MANY_CALLS, NOTED_SHARE, _label
from tracelith.model.findings import Estimate

NO_LOOPS = Estimate(0.0, 0.0, 0.01, 400, 400.0)
FEW_CALLS = Estimate(2.0, 1.0, 3.0, 400, 400.0)


@pytest.mark.parametrize(("low", "label"), [(NOTED_SHARE, "loop"), (0.9 * NOTED_SHARE, "few")])
def test_a_share_of_loops_that_may_be_chance_is_not_accused(low: float, label: str) -> None:
    assert _label(FEW_CALLS, Estimate(2 * NOTED_SHARE, low, 0.3, 400, 400.0)) == label


@pytest.mark.parametrize(("low", "label"), [(MANY_CALLS + 1, "batch"), (MANY_CALLS, "few")])
def test_a_number_of_calls_that_may_be_chance_is_no_batch(low: float, label: str) -> None:
    assert _label(Estimate(MANY_CALLS + 4.0, low, 20.0, 400, 400.0), NO_LOOPS) == label


def test_without_a_lower_bound_nobody_is_accused() -> None:
    assert _label(Estimate(50.0, n=400), Estimate(1.0, n=400)) == "few"
