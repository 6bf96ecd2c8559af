"""Claims beside truths: who was right, wrong or silent."""

from collections.abc import Sequence

import polars as pl

from tracelith.evaluate.claims import Case, Claim, Evidence, Method, Truth, hop_subject, pair_subject
from tracelith.evaluate.detectors import DETECTORS
from tracelith.evaluate.judging import JUDGED, judge

ALL = tuple(one.name for one in DETECTORS)


def a_case(**changes: object) -> Case:
    return Case(**({"system": "login", "seed": 1, "weeks": 4, "traces": 100, "detectors": ALL} | changes))  # type: ignore[arg-type]  # a test's own words


def a_method(*detectors: str) -> Method:
    def silent(_evidence: Evidence) -> list[Claim]:
        return []

    return Method("ours", "Ours", "", detectors or ALL, silent)


def judged(truths: Sequence[Truth], claims: Sequence[Claim], case: Case | None = None) -> list[tuple[object, ...]]:
    rows = judge(case or a_case(), truths, a_method(), claims)
    assert rows.schema == JUDGED
    return rows.select("detector", "subject", "claimed", "positive", "subjects").rows()


def test_a_subject_that_is_not_mentioned_is_acquitted_and_an_abstention_is_neither() -> None:
    truths = [Truth("edge", "a → b", positive=True), Truth("edge", "a → c", positive=True)]

    rows = judged(truths, [Claim("edge", "a → c", claimed=None)])

    assert rows == [("edge", "a → b", False, True, 1), ("edge", "a → c", None, True, 1)]


def test_rightly_acquitted_subjects_are_counted_together() -> None:
    truths = [Truth("codeployment-pair", pair_subject("a", b), positive=b == "e") for b in "bcde"]

    rows = judged(truths, [Claim("codeployment-pair", "a + b", claimed=True)])

    assert rows == [
        ("codeployment-pair", "", False, False, 2),
        ("codeployment-pair", "a + b", True, False, 1),
        ("codeployment-pair", "a + e", False, True, 1),
    ]


def test_an_invented_subject_is_a_false_alarm_only_where_the_detector_says_so() -> None:
    claims = [Claim("edge", "a → ghost", claimed=True), Claim("deep-chain", "ghost GET /", claimed=True)]

    rows = judged([], claims)

    assert rows == [("edge", "a → ghost", True, False, 1)]


def test_what_is_a_matter_of_taste_is_not_judged() -> None:
    truths = [Truth("codeployment-pair", "a + b", positive=None, value=0.3)]

    assert judged(truths, [Claim("codeployment-pair", "a + b", claimed=True)]) == []


def test_alarms_count_on_healthy_systems_only_and_justified_ones_never() -> None:
    claims = [Claim("alarm", "system-lockstep", claimed=True), Claim("alarm", "remote-tail-hop", claimed=True)]
    justified = [Truth("alarm", "system-lockstep")]

    sick, healthy = (judged(justified, claims, a_case(healthy=healthy)) for healthy in (False, True))

    assert sick == []
    assert healthy == [("alarm", "remote-tail-hop", True, False, 1)]


def test_who_names_no_place_at_all_has_abstained_and_who_names_another_has_missed() -> None:
    places = [hop_subject("web", operation, hop) for operation in ("GET /a", "GET /b") for hop in ("slow", "fast")]
    truths = [Truth("tail-hop", place, positive=place.endswith("slow")) for place in places]

    rows = judged(truths, [Claim("tail-hop", hop_subject("web", "GET /a", "fast"), claimed=True)])

    assert rows == [
        ("tail-hop", "web GET /a ⟂ fast", True, False, 1),
        ("tail-hop", "web GET /a ⟂ slow", False, True, 1),
        ("tail-hop", "web GET /b ⟂ fast", None, False, 1),
        ("tail-hop", "web GET /b ⟂ slow", None, True, 1),
    ]


def test_estimates_without_a_number_stay_unless_the_method_may_choose_what_it_speaks_of() -> None:
    truths = [Truth("depth-p95", "web GET /", value=2.0), Truth("tail-share", "web GET / ⟂ web @ 0.99", value=0.5)]

    rows = judge(a_case(), truths, a_method(), [])

    assert rows.select("detector", "estimate", "value").rows() == [("depth-p95", None, 2.0)]


def test_a_method_is_judged_on_what_both_it_and_the_case_are_for() -> None:
    truths = [Truth("edge", "a → b", positive=True), Truth("deep-chain", "a GET /", positive=True)]
    case = a_case(detectors=("edge", "alarm"))

    rows = judge(case, truths, a_method("edge", "deep-chain"), [Claim("deep-chain", "a GET /", claimed=True)])

    assert rows["detector"].to_list() == ["edge"]


def test_every_row_says_which_case_it_is_of() -> None:
    case = a_case(sampling=0.1, train_share=0.3, varies="sampling")

    row = judge(case, [Truth("edge", "a → b", positive=True)], a_method(), []).row(0, named=True)

    told = {name: row[name] for name in ("case", "system", "sampling", "train_share", "varies")}
    assert told == {"case": case.name, "system": "login", "sampling": 0.1, "train_share": 0.3, "varies": "sampling"}


def test_no_truths_and_no_claims_make_no_rows() -> None:
    rows = judge(a_case(), [], a_method(), [])

    assert rows.is_empty()
    assert pl.concat([rows, rows]).schema == JUDGED
