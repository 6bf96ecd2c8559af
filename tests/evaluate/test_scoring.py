"""Rates, coverage and errors of hand-made rows, against numbers worked out by hand."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.evaluate.claims import Case, Claim, Method, Truth
from tracelith.evaluate.detectors import DETECTORS
from tracelith.evaluate.judging import judge
from tracelith.evaluate.scoring import rate_of, score, score_all

ALL = tuple(one.name for one in DETECTORS)
METHOD = Method("ours", "Ours", "", ALL, lambda _evidence: [])

# claimed, positive
ORACLE = (
    *[(True, True)] * 8,
    *[(True, False)] * 2,
    *[(False, True)] * 1,
    *[(None, True)] * 1,
    *[(False, False)] * 27,
    *[(None, False)] * 1,
)


def rows_of(claims: list[Claim], truths: list[Truth], seed: int = 1) -> pl.DataFrame:
    return judge(Case("login", seed, 4, 100, detectors=ALL), truths, METHOD, claims)


def accusations(answers: tuple[tuple[bool | None, bool], ...], seed: int = 1) -> pl.DataFrame:
    subjects = [f"a → {number}" for number in range(len(answers))]
    truths = [Truth("edge", subject, positive=true) for subject, (_, true) in zip(subjects, answers, strict=True)]
    claims = [Claim("edge", subject, claimed=told) for subject, (told, _) in zip(subjects, answers, strict=True)]
    return rows_of(claims, truths, seed)


def estimates(answers: list[tuple[float | None, float, float, float]], detector: str = "tail-share") -> pl.DataFrame:
    """Rows of numbers: estimate, low, high, true value."""
    claims = [
        Claim(detector, str(number), None, told, low, high) for number, (told, low, high, _) in enumerate(answers)
    ]
    truths = [Truth(detector, str(number), value=answer[3]) for number, answer in enumerate(answers)]
    return rows_of(claims, truths)


def test_claims_are_scored_as_worked_out_by_hand() -> None:
    ours = score(accusations(ORACLE), "ours", "edge")

    assert ours.precision is not None
    assert ours.recall is not None
    assert ours.false_alarms is not None
    assert (ours.precision.hits, ours.precision.n) == (8, 10)
    assert (ours.recall.hits, ours.recall.n) == (8, 10)
    assert (ours.false_alarms.hits, ours.false_alarms.n) == (2, 30)
    assert (ours.answered.hits, ours.answered.n) == (38, 40)
    # Wilson's interval of 8 of 10, and of 2 of 30.
    assert (ours.precision.low, ours.precision.high) == pytest.approx((0.49016, 0.94332), abs=1e-5)
    assert (ours.false_alarms.low, ours.false_alarms.high) == pytest.approx((0.01848, 0.21323), abs=1e-5)


def test_coverage_counts_intervals_that_hold_the_truth_bounds_included() -> None:
    answers = [(0.5, 0.4, 0.6, 0.5), (0.5, 0.4, 0.6, 0.6), (0.5, 0.4, 0.6, 0.61), (0.5, 0.4, 0.6, 0.39)]

    ours = score(estimates(answers), "ours", "tail-share")

    assert ours.coverage is not None
    assert (ours.coverage.hits, ours.coverage.n) == (2, 4)
    assert ours.median_error == pytest.approx(0.105)


def test_abstentions_neither_cover_nor_miss() -> None:
    rows = estimates([(None, 0.0, 1.0, 0.5), (100.0, 90.0, 110.0, 95.0)], "latency-p95")

    ours = score(rows, "ours", "latency-p95")

    assert ours.coverage is not None
    assert (ours.coverage.hits, ours.coverage.n, ours.answered.hits, ours.answered.n) == (1, 1, 1, 2)
    assert ours.median_error == pytest.approx(5 / 95)


def test_counts_are_met_exactly_or_not() -> None:
    ours = score(estimates([(3.0, 3, 3, 3.0), (2.0, 2, 3, 3.0)], "depth-p95"), "ours", "depth-p95")

    assert ours.exact is not None
    assert (ours.exact.hits, ours.exact.n) == (1, 2)


def test_systems_that_err_as_a_whole_count_as_one_error_each() -> None:
    all_right, all_wrong = ((True, True),) * 50, ((True, False),) * 50
    mixed = ((True, True), (True, False)) * 25

    by_system = pl.concat([accusations(all_right if seed % 2 else all_wrong, seed) for seed in range(20)])
    by_chance = pl.concat([accusations(mixed, seed) for seed in range(20)])

    clustered = score(by_system, "ours", "edge").precision
    independent = score(by_chance, "ours", "edge").precision
    assert clustered is not None
    assert independent is not None
    assert clustered.value == independent.value == 0.5
    # Twenty systems that are right or wrong as a whole are twenty trials: Wilson of 10 of 20 is 0.40 wide.
    assert clustered.high - clustered.low == pytest.approx(0.40, abs=0.02)
    assert independent.high - independent.low < 0.07


def test_subjects_that_all_agree_are_no_thousand_trials() -> None:
    rows = pl.concat([accusations(((False, False),) * 1_000, seed) for seed in range(20)])

    false_alarms = score(rows, "ours", "edge").false_alarms

    assert false_alarms is not None
    assert (false_alarms.hits, false_alarms.n) == (0, 20_000)
    # A thousand subjects of one system are worth some ten: Jeffreys' interval of 0 of 200 ends at .0125.
    assert false_alarms.high == pytest.approx(0.0125, abs=0.001)


def test_one_system_under_several_conditions_is_one_system() -> None:
    right, wrong = ((True, True),) * 50, ((True, False),) * 50
    once = pl.concat([accusations(right if seed % 2 else wrong, seed) for seed in range(20)])
    thrice = pl.concat([once.with_columns(case=pl.col("case") + condition) for condition in ("", " b", " c")])

    single, triple = score(once, "ours", "edge").precision, score(thrice, "ours", "edge").precision

    assert single is not None
    assert triple is not None
    assert (triple.low, triple.high) == pytest.approx((single.low, single.high))


def test_a_system_with_one_false_alarm_is_alarmed_however_many_subjects_are_fine() -> None:
    fine, one_wrong = ((False, False),) * 99 + ((False, False),), ((False, False),) * 99 + ((True, False),)
    rows = pl.concat([accusations(one_wrong if seed < 3 else fine, seed) for seed in range(12)])

    alarmed = score(rows, "ours", "edge").alarmed

    assert alarmed is not None
    assert (alarmed.hits, alarmed.n) == (3, 12)


def test_nothing_asked_is_no_rate_at_all() -> None:
    ours = score(accusations(((False, False),) * 5), "ours", "edge")

    assert ours.precision is not None
    assert ours.precision.value is None
    assert ours.recall is not None
    assert ours.recall.value is None
    assert ours.recall.n == 0


@given(st.lists(st.tuples(st.sampled_from([True, False, None]), st.booleans()), min_size=1, max_size=40))
def test_rates_lie_in_their_intervals_and_never_depend_on_the_order_of_rows(
    answers: list[tuple[bool | None, bool]],
) -> None:
    rows = accusations(tuple(answers))

    forwards, backwards = (score(part, "ours", "edge") for part in (rows, rows.reverse()))

    assert forwards == backwards
    for rate in (forwards.answered, forwards.precision, forwards.recall, forwards.false_alarms):
        assert rate is not None
        assert rate.value is None or 0 <= rate.low <= rate.value + 1e-12 <= rate.high + 2e-12 <= 1 + 3e-12


def test_every_method_and_detector_gets_its_score() -> None:
    rows = pl.concat([accusations(ORACLE), estimates([(0.5, 0.4, 0.6, 0.5)])])
    twice = pl.concat([rows, rows.with_columns(method=pl.lit("theirs"))])

    scores = score_all(twice)

    assert [(one.method, one.detector) for one in scores] == [
        ("ours", "edge"),
        ("ours", "tail-share"),
        ("theirs", "edge"),
        ("theirs", "tail-share"),
    ]


def test_the_share_of_many_subjects_in_one_row_weighs_them_all() -> None:
    rate = rate_of(accusations(((False, False),) * 9 + ((True, False),)), pl.col("claimed"))

    assert (rate.hits, rate.n) == (1, 10)
