"""Where handing on begins, and what spares a service that does: one case on each side of every limit."""

from typing import Any

import pytest

from tracelith.analysis.layers.services import _counted, _label, _own_doing, _usual
from tracelith.analysis.statistics.intervals import proportion


def passing(requests: int, **more: Any) -> dict[str, Any]:
    """An operation that hands on."""
    nothing = {"from_outside": 0, "turned_away": 0, "answered": 0, "translated": 0}
    return {"requests": requests, "callee": "data", "single": requests, "purity": 1.0, **nothing, **more}


def test_a_callee_that_is_asked_once_in_a_while_does_not_make_a_gateway() -> None:
    assert _counted({"data": 981, "nightly": 10, "seldom": 9}) == ["data", "nightly"]


@pytest.mark.parametrize(("outside", "label"), [(10, "pass_through"), (11, "gateway")])
def test_a_tenth_of_the_requests_from_outside_is_not_yet_an_edge(outside: int, label: str) -> None:
    found, _, edge = _label(proportion(100, 100), [passing(100, from_outside=outside)], None)

    assert (found, edge) == (label, label == "gateway")


@pytest.mark.parametrize(("single", "usual"), [(90, ""), (91, "data")])
def test_the_usual_callee_gets_more_than_nine_tenths_of_what_is_handed_on(single: int, usual: str) -> None:
    rows = [passing(single), passing(100 - single, callee="other", purity=0.5)]

    found, purity = _usual(rows)

    assert found == usual
    assert purity == pytest.approx((single + 0.5 * (100 - single)) / 100)


@pytest.mark.parametrize(("translated", "spared"), [(50, False), (51, True)])
def test_a_translator_translates_most_of_its_requests(translated: int, spared: bool) -> None:
    assert (_own_doing([passing(100, translated=translated)]) is not None) == spared


def test_most_of_the_requests_are_handed_on_by_the_lower_bound() -> None:
    assert [_label(proportion(part, 100), [passing(part)], None)[0] for part in (55, 65)] == ["works", "pass_through"]
