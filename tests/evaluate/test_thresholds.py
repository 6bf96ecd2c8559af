"""What an evaluation must show, and how it fails."""

from collections import Counter

import polars as pl
import pytest

from tracelith.evaluate.claims import Case, Claim, Method, Truth
from tracelith.evaluate.detectors import DETECTORS, detector
from tracelith.evaluate.judging import judge
from tracelith.evaluate.one_case import simulation_of
from tracelith.evaluate.sets import SETS, cases_of
from tracelith.evaluate.thresholds import Threshold, check
from tracelith.evaluate.truth import truths_of
from tracelith.model.errors import InputError

ALL = tuple(one.name for one in DETECTORS)


def rows(right: int, wrong: int, system: str = "login", varies: str = "", method: str = "tracelith") -> pl.DataFrame:
    """So many edges claimed rightly and wrongly."""
    subjects = [f"a → {number}" for number in range(right + wrong)]
    truths = [Truth("edge", subject, positive=place < right) for place, subject in enumerate(subjects)]
    claims = [Claim("edge", subject, claimed=True) for subject in subjects]
    case = Case(system, 1, 4, 100, detectors=ALL, varies=varies)
    return judge(case, truths, Method(method, "", "", ALL, lambda _evidence: []), claims)


def met(judged: pl.DataFrame, threshold: Threshold) -> bool:
    return check(judged, [threshold])[0].met


def test_a_share_beyond_its_bound_misses_the_threshold() -> None:
    at_least = Threshold("edge", "precision", 0.9, None, 1, "")
    at_most = Threshold("edge", "false_alarms", None, 0.5, 1, "")

    assert met(rows(9, 1), at_least)
    assert not met(rows(8, 1), at_least)
    assert not met(rows(9, 1), at_most)


def test_a_share_of_few_subjects_is_held_against_nobody_whose_interval_reaches_the_bound() -> None:
    lenient = Threshold("edge", "precision", 0.92, 0.98, 1, "", "interval")

    assert met(rows(8, 1), lenient)
    assert not met(rows(400, 100), lenient)
    assert not met(rows(5_000, 1), lenient)


@pytest.mark.parametrize(("right", "wrong", "passes"), [(3, 1, True), (8, 1, True), (2, 2, False), (6, 3, False)])
def test_of_few_subjects_one_may_be_wrong_and_not_two(right: int, wrong: int, passes: bool) -> None:
    threshold = Threshold("edge", "precision", 0.9, None, 3, "", spared=1)

    assert met(rows(right, wrong), threshold) is passes


def test_of_ten_subjects_and_more_nothing_is_spared() -> None:
    threshold = Threshold("edge", "precision", 0.9, None, 3, "", spared=1)

    assert met(rows(9, 1), threshold)
    assert not met(rows(8, 2), threshold)


def test_figures_of_symptoms_are_decided_by_their_value() -> None:
    quick, full = (cases_of(name, seed=1)[1] for name in ("quick", "full"))

    for thresholds, fewest in ((quick, 3), (full, 20)):
        symptoms = [one for one in thresholds if one.detector == "call-cycle"]
        assert [(one.measure, one.decided_by, one.subjects) for one in symptoms] == [
            ("precision", "value", fewest),
            ("recall", "value", fewest),
        ]


def test_the_quick_set_plants_enough_of_every_symptom_that_it_asks_for() -> None:
    cases, thresholds = cases_of("quick", seed=1)
    asked = [one for one in thresholds if one.spared]
    systems = {name for one in asked for name in one.systems}
    drawn = [case for case in cases if case.system in systems]

    planted = Counter(
        (case.system, truth.detector)
        for case in drawn
        for truth in truths_of(case, simulation_of(case))
        if truth.positive
    )

    assert asked
    for one in asked:
        assert sum(planted[name, one.detector] for name in one.systems) >= one.subjects, one


def test_too_few_subjects_are_a_failure_of_the_evaluation() -> None:
    threshold = Threshold("edge", "precision", 0.5, None, 20, "")

    assert not met(rows(19, 0), threshold)
    assert met(rows(20, 0), threshold)
    assert not met(rows(20, 0).clear(), threshold)


def test_only_our_own_figures_under_ordinary_conditions_and_of_the_named_systems_count() -> None:
    threshold = Threshold("edge", "precision", 1.0, None, 5, "", systems=("login",))
    others = [rows(5, 5, "kafka"), rows(5, 5, varies="lost"), rows(5, 5, method="call-graph")]

    assert met(pl.concat([rows(5, 0), *others]), threshold)
    assert not met(pl.concat([rows(5, 1), *others]), threshold)


@pytest.mark.parametrize("name", list(SETS))
def test_every_threshold_of_a_set_speaks_of_something_its_cases_are_asked(name: str) -> None:
    cases, thresholds = cases_of(name, seed=1)  # type: ignore[arg-type]  # names of sets

    for one in thresholds:
        systems = [case for case in cases if not case.varies and (not one.systems or case.system in one.systems)]
        assert any(one.detector in case.detectors for case in systems), one
        assert (detector(one.detector).kind == "claim") == (
            one.measure in ("precision", "recall", "false_alarms", "alarmed")
        ), "a measure that this kind of detector does not have"


@pytest.mark.parametrize("name", list(SETS))
def test_no_case_of_a_set_is_run_twice_and_other_seeds_draw_other_random_systems(name: str) -> None:
    first, second = (cases_of(name, seed=seed)[0] for seed in (1, 9))  # type: ignore[arg-type]  # names of sets

    assert len(set(first)) == len(first)
    drawn = {(case.system, case.seed) for case in first if case.system.startswith("random-")}
    assert not drawn & {(case.system, case.seed) for case in second}


def test_only_one_detector_leaves_just_the_cases_and_thresholds_it_needs() -> None:
    cases, thresholds = cases_of("quick", seed=1, only=["codeployment-pair"])

    assert {case.detectors for case in cases} == {("codeployment-pair",)}
    assert {one.detector for one in thresholds} == {"codeployment-pair"}
    with pytest.raises(InputError, match="no such detector"):
        cases_of("quick", seed=1, only=["crystal-ball"])
