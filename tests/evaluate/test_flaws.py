"""What becomes of the spans of cases, and what is told of it."""

from dataclasses import replace

import pytest

from evaluations import evaluation, results
from tracelith.evaluate.claims import Case, Method
from tracelith.evaluate.flaws import FLAWS, defects_of
from tracelith.evaluate.one_case import simulation_of
from tracelith.evaluate.page.sections import page_of
from tracelith.evaluate.sets import cases_of
from tracelith.evaluate.summary import summarise
from tracelith.simulate.defects import NO_DEFECTS

LOGIN = Case("login", 1, 1, 200)


def test_an_ordinary_case_has_no_defects_and_conditions_add_up() -> None:
    system = simulation_of(LOGIN).system

    assert defects_of(LOGIN, system) == NO_DEFECTS
    both = defects_of(replace(LOGIN, lost=0.1, flaw="lost batches"), system)
    assert (both.lost_spans, both.lost_batches) == (0.1, 0.05)


@pytest.mark.parametrize("flaw", FLAWS)
def test_every_flaw_can_happen_and_shows_in_the_name_of_its_case(flaw: str) -> None:
    case = replace(LOGIN, flaw=flaw)

    whole, flawed = (sum(batch.spans for batch in simulation_of(one).batches()) for one in (LOGIN, case))

    assert flawed != whole
    assert case.name == f"{LOGIN.name} with {flaw}"


def test_the_silent_service_is_one_behind_the_entry() -> None:
    silent = simulation_of(replace(LOGIN, flaw="silent service")).defects.silent

    assert len(silent) == 1
    assert silent[0] != "gateway"


def test_the_full_set_has_the_same_systems_with_each_flaw_and_without() -> None:
    cases, _ = cases_of("full", seed=1)

    flawed = [case for case in cases if case.varies == "flaw"]

    kinds = {(case.system, case.seed): set() for case in flawed}
    for case in flawed:
        kinds[case.system, case.seed].add(case.flaw)
    assert len(kinds) > 20
    assert all(found == {"", *FLAWS} for found in kinds.values())


def test_scores_with_flaws_stand_apart_from_the_ordinary_ones() -> None:
    plain = results()[0]
    rows = plain.rows.filter(detector="codeployment-pair", method="tracelith")
    flawed = [
        replace(
            plain,
            case=replace(plain.case, flaw=flaw, varies="flaw"),
            rows=rows.with_columns(
                flaw=rows["flaw"].clear(len(rows)).fill_null(flaw),
                varies=rows["varies"].clear(len(rows)).fill_null("flaw"),
            ),
        )
        for flaw in ("sidecars", "")
    ]
    method = Method("tracelith", "Tracelith", "What it prints.", ("codeployment-pair",), lambda _evidence: [])

    summary = summarise([plain, *flawed], set_name="by hand", seed=7, methods=(method,), thresholds=())

    document = summary.document()
    assert [one["flaw"] for one in document["flaws"]] == ["", "sidecars"]
    ordinary = next(one for one in document["scores"] if one["detector"] == "codeployment-pair")
    assert ordinary["cases"] == 1
    page = page_of(evaluation() | {"flaws": document["flaws"]})
    table = next(one for one in page.sections if one.name == "codeployment-pair").flaws
    assert [row[0] for row in table.rows] == ["None", "Sidecars"]
