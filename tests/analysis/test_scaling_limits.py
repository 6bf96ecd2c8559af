"""When two services are said to share an axis, and one to have its own: one case on each side of every limit."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from tracelith.analysis.scaling.contrast import Contrast
from tracelith.analysis.scaling.document import FEWEST_COMPARED, _Known
from tracelith.analysis.scaling.document import _label as label_of_service
from tracelith.analysis.scaling.loads import Loads
from tracelith.analysis.scaling.pairs import _compared, _label
from tracelith.analysis.scaling.ratios import Elasticity
from tracelith.model.findings import Estimate

HOUR_NS = 3_600_000_000_000
CAUSED = Estimate(0.99, 0.97, 1.0, 5_000, 5_000.0)
FOLLOWS = Elasticity(Estimate(1.0, 0.9, 1.1, 50, 50.0), 0.95)


def loads_of(*requests: NDArray[np.float64]) -> Loads:
    """Rates per hour of so many services, every request for itself."""
    counts = np.stack(requests, axis=1)
    names = tuple("abcdefgh"[: len(requests)])
    day = np.arange(len(counts)) // 24
    return Loads(names, HOUR_NS, counts, counts, counts, np.zeros(len(names)), day, int(day[-1]) + 1, True)


def label(
    *, cv: tuple[float, float, float] = (0.05, 0.0, 0.1), caused: Estimate = CAUSED, follows: Elasticity = FOLLOWS
) -> str:
    return _label(caused, *cv, follows)


def test_a_service_that_one_other_causes_at_a_steady_ratio_is_on_its_axis() -> None:
    assert label() == "same_axis"
    assert label(caused=replace(CAUSED, low=0.94)) == "unclear"
    assert label(cv=(0.1, 0.05, 0.16)) == "unclear"
    assert label(follows=replace(FOLLOWS, r_squared=0.79)) == "unclear"


@pytest.mark.parametrize(("low", "high"), [(0.79, 1.1), (0.9, 1.21), (None, None)])
def test_a_service_that_may_grow_slower_or_faster_than_its_cause_is_on_nobodys_axis(
    low: float | None, high: float | None
) -> None:
    assert label(follows=Elasticity(Estimate(1.0, low, high, 50, 50.0), 0.95)) == "unclear"


@pytest.mark.parametrize(("r_squared", "found"), [(0.29, "own_axis"), (0.3, "unclear"), (None, "unclear")])
def test_an_unsteady_ratio_is_an_axis_of_its_own_only_where_changes_do_not_follow(
    r_squared: float | None, found: str
) -> None:
    assert label(cv=(0.3, 0.2, 0.4), follows=replace(FOLLOWS, r_squared=r_squared)) == found


def test_a_ratio_that_varies_very_much_is_an_axis_of_its_own_however_changes_follow() -> None:
    assert [label(cv=(0.8, low, 1.0)) for low in (0.51, 0.5)] == ["own_axis", "unclear"]


def test_what_a_service_causes_fluctuates_with_it_and_hides_no_change_of_the_ratio() -> None:
    random = np.random.default_rng(7)
    a = random.poisson(50, 24 * 28).astype(np.float64)
    calls = np.where(np.arange(24 * 28) // 24 % 2, 0.9, 1.1)  # per request, another number every second day

    cv, low, _, _ = _compared(loads_of(a, a * calls), 0, 1, 1.0)

    assert cv == pytest.approx(0.1, abs=0.01)
    assert low > 0.05


@pytest.mark.parametrize(("others", "found"), [(FEWEST_COMPARED - 1, "unclear"), (FEWEST_COMPARED, "own_axis")])
def test_a_service_has_an_axis_of_its_own_only_among_enough_others(others: int, found: str) -> None:
    loads = loads_of(*[np.full(48, 10.0)] * (others + 1))
    differs = ~np.eye(others + 1, dtype=np.bool_)
    known = _Known(
        loads=loads,
        pairs=(),
        contrast=Contrast(differs * 1.0, differs * 0.9, differs, differs),
        group={name: at for at, name in enumerate(loads.services)},
        groups=(),
        instances={},
        caused=pl.DataFrame(),
        seconds=1.0,
    )

    assert label_of_service(known, 0) == (found, "")
