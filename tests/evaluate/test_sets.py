"""Which cases there are, and in which order."""

from collections.abc import Sequence

import pytest

from tracelith.evaluate.claims import Case
from tracelith.evaluate.sets import HEALTHY_STORIES, SETS, TROUBLED_STORIES, SetName, _interleaved, cases_of
from tracelith.simulate import SYSTEMS
from tracelith.simulate.samples import SAMPLE_TRACES


def some(system: str, number: int) -> list[Case]:
    return [Case(system, seed, 1, 100) for seed in range(number)]


def order(cases: Sequence[Case]) -> list[str]:
    return [f"{case.system}{case.seed}" for case in cases]


def test_kinds_of_cases_are_spread_evenly_over_the_whole() -> None:
    few, many = some("a", 2), some("b", 4)

    spread = _interleaved(few, many)

    # a lies at 1/4 and 3/4 of the whole, b at 1/8, 3/8, 5/8 and 7/8.
    assert order(spread) == ["b0", "a0", "b1", "b2", "a1", "b3"]


def test_kinds_of_the_same_size_take_turns_in_the_order_they_are_given() -> None:
    spread = _interleaved(some("b", 2), some("a", 2), [])

    assert order(spread) == ["b0", "a0", "b1", "a1"]


def test_half_of_the_full_set_has_half_of_every_kind() -> None:
    cases, _ = cases_of("full", seed=1)

    first_half = cases[: len(cases) // 2]

    for system in {case.system for case in cases}:
        total = sum(case.system == system for case in cases)
        assert abs(sum(case.system == system for case in first_half) - total / 2) <= 5, system


def test_every_story_is_either_healthy_or_troubled() -> None:
    assert set(SYSTEMS) == HEALTHY_STORIES | TROUBLED_STORIES
    assert not HEALTHY_STORIES & TROUBLED_STORIES


def test_every_story_has_a_sample_and_there_is_no_other() -> None:
    assert set(SAMPLE_TRACES) == set(SYSTEMS)


@pytest.mark.parametrize("name", SETS)
def test_alarms_are_judged_in_healthy_cases_and_nowhere_else(name: SetName) -> None:
    cases, _ = cases_of(name, seed=1)

    assert {case.system for case in cases} >= set(SYSTEMS)
    assert all(case.healthy == ("alarm" in case.detectors) for case in cases)
    assert {case.system for case in cases if case.healthy} == {*HEALTHY_STORIES, "random-healthy"}


@pytest.mark.parametrize("name", SETS)
def test_no_case_is_there_twice_and_another_seed_draws_other_systems(name: SetName) -> None:
    chosen = SETS[name]

    first, second = chosen.cases(1), chosen.cases(2)

    assert len(set(first)) == len(first)
    assert not set(first) & set(second)
