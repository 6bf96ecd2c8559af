"""Baselines that count coincident deployments do what their authors define, and err as they are known to err."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from deployment_logs import WEEK_HOURS, cluster, independent, log_of, told_of, train
from evidence import claims_of, deployed, evidence_of
from tracelith.evaluate.baselines import METHODS, code_maat, event_coincidence, hypergeometric, jaccard
from tracelith.evaluate.baselines.windows import DAY_NS, HOUR_NS, fixed_windows, pair_counts
from tracelith.evaluate.claims import pair_subject

WEEKS = 26
SERVICES = 16
OF_PAIRS = [method for method in METHODS if "codeployment-pair" in method.detectors]

# metrics.md §7.5: 60 days, 8 with the one, 6 with the other, 5 with both; noon of each day.
WORKED_EXAMPLE = {
    "a": [24.0 * day + 12 for day in (1, 5, 9, 13, 17, 21, 25, 29)],
    "b": [24.0 * day + 12.2 for day in (1, 5, 9, 13, 17, 59)],
}


def _organisations(
    seed: int, make: Callable[[np.random.Generator], list], runs: int = 4
) -> list[tuple[pl.DataFrame, int, int]]:
    random = np.random.default_rng(seed)
    logs = [log_of(*make(random), weeks=WEEKS) for _ in range(runs)]
    return [(told_of(log).select("service", "at_ns"), log.start_ns, log.start_ns + log.length_ns) for log in logs]


def _train_of(share: float) -> Callable[[np.random.Generator], list]:
    """Services that deploy between 8 and 30 times, that share of them by train."""

    def make(random: np.random.Generator) -> list:
        each = [independent(random, 1, WEEKS, int(random.integers(8, 31)))[0] for _ in range(SERVICES)]
        return train(random, each, share)

    return make


def test_7_5_the_counts_of_the_worked_example():
    counts = pair_counts(fixed_windows(deployed(WORKED_EXAMPLE), DAY_NS))

    assert counts.rows() == [("a", "b", 8, 6, 5)]


def test_7_5_code_maat_degree_oracle():
    coupled = code_maat.coupled_pairs(deployed(WORKED_EXAMPLE), code_maat.Options())

    assert coupled.rows() == [("a", "b", pytest.approx(71.43, abs=0.01), 7.0)]


def test_7_5_jaccard_oracle():
    similar = jaccard.similar_pairs(deployed(WORKED_EXAMPLE))

    assert similar.rows() == [("a", "b", pytest.approx(0.5556, abs=1e-4))]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (code_maat.Options(), True),
        (code_maat.Options(min_shared_revs=6), False),
        (code_maat.Options(min_revs=8), False),
        (code_maat.Options(min_coupling=72), False),
        (code_maat.Options(max_coupling=70), False),
        (code_maat.Options(max_coupling=71), True),  # the tool compares the degree without its fraction
        (code_maat.Options(max_changeset_size=1), False),
    ],
)
def test_each_threshold_of_code_maat_is_a_bound_of_its_own(options: code_maat.Options, told: bool):
    coupled = code_maat.coupled_pairs(deployed(WORKED_EXAMPLE), options)

    assert (coupled.height == 1) is told


def test_code_maat_drops_large_change_sets_before_it_counts_revisions():
    on_one_day = {f"s{number}": [12.0] for number in range(4)}
    deployments = deployed({**on_one_day, "a": [12.0, 36.0], "b": [36.1]})

    coupled = code_maat.coupled_pairs(
        deployments, code_maat.Options(min_revs=1, min_shared_revs=1, max_changeset_size=4)
    )

    assert coupled.rows() == [("a", "b", 100.0, 1.0)]


def test_a_sliding_window_of_several_days_counts_a_deployment_in_each_day_that_it_reaches():
    deployments = deployed({"a": [12.0, 108.0], "b": [36.0], "c": [84.0]})  # days 0 and 4, 1, 3

    sets = code_maat.change_sets(deployments, 2)

    # Windows (0 1) (1 2) (2 3) (3 4); the second is named after day 1 like the first, and they become one.
    assert sets.sort("window", "service").select(pl.col("window") - sets["window"].min(), "service").rows() == [
        (0, "a"),
        (0, "b"),
        (2, "c"),
        (3, "a"),
        (3, "c"),
    ]


def test_windows_longer_than_the_whole_record_hold_no_change_set():
    sets = code_maat.change_sets(deployed(WORKED_EXAMPLE), 100)

    assert sets.is_empty()


def test_jaccard_misses_a_coincidence_that_an_hour_mark_cuts_apart():
    hours = [float(24 * day + 10) for day in range(20)]
    before, after = {"a": hours, "b": [h - 0.1 for h in hours]}, {"a": hours, "b": [h + 0.1 for h in hours]}

    assert jaccard.similar_pairs(deployed(before)).is_empty()
    assert jaccard.similar_pairs(deployed(after)).rows() == [("a", "b", 1.0)]


def test_events_whose_window_is_cut_by_an_end_of_the_period_are_left_out():
    deployments = deployed({"a": [0.2, 50.0], "b": [0.3, 50.1]})
    start = evidence_of().start_ns

    tests = event_coincidence.coincidence_tests(deployments, start, start + 100 * HOUR_NS)

    one_of_one = 1 - (1 - 1 / 100) ** 2
    assert tests.rows() == [("a", "b", pytest.approx(one_of_one), pytest.approx(one_of_one))]


# The organisations of §7.7 and these differ in how often services deploy, and with few coincidences that matters: the
# rates are met roughly.
@pytest.mark.parametrize(("share", "told_there"), [(0.0, 0.124), (0.3, 0.493), (0.7, 0.974)])
def test_7_7_event_coincidence_accuses_the_release_train(share: float, told_there: float):
    organisations = _organisations(81, _train_of(share), runs=6)

    tests = pl.concat([event_coincidence.coincidence_tests(*one) for one in organisations])

    assert (tests["p_ab"] <= 0.05).mean() == pytest.approx(told_there, abs=0.08)


@pytest.mark.parametrize(("share", "told_there"), [(0.0, 0.086), (0.3, 0.264), (0.7, 0.840)])
def test_7_7_hypergeometric_on_calendar_days_accuses_the_release_train(share: float, told_there: float):
    organisations = _organisations(82, _train_of(share), runs=6)

    told = [hypergeometric.associated_pairs(*one).height for one in organisations]

    assert np.mean(told) / (SERVICES * (SERVICES - 1) / 2) == pytest.approx(told_there, abs=0.08)


@pytest.mark.parametrize("method", [code_maat.METHOD, hypergeometric.METHOD, event_coincidence.METHOD])
def test_counting_methods_accuse_most_pairs_of_a_healthy_system_with_a_release_train(method):
    deployments = _organisations(83, _train_of(0.7), runs=1)[0][0]

    claims = claims_of(method, evidence_of(deployments=deployments), "codeployment-pair")

    assert len(claims) > 0.6 * SERVICES * (SERVICES - 1) / 2


@pytest.mark.parametrize("method", [code_maat.METHOD, hypergeometric.METHOD, event_coincidence.METHOD])
def test_they_find_a_planted_pair_where_there_is_no_train(method):
    deployments = _organisations(84, lambda random: cluster(random, independent(random), 2), runs=1)[0][0]

    claims = claims_of(method, evidence_of(deployments=deployments), "codeployment-pair")

    assert claims[pair_subject("s00", "s01")].claimed is True


@pytest.mark.parametrize("method", OF_PAIRS, ids=lambda method: method.name)
def test_two_services_that_always_deploy_together_are_told_by_every_method(method):
    hours = [float(WEEK_HOURS * week + 34) for week in range(WEEKS)]
    evidence = evidence_of(deployments=deployed({"a": hours, "b": [h + 0.1 for h in hours], "c": [600.0]}))

    claims = claims_of(method, evidence, "codeployment-pair")

    assert list(claims) == ["a + b"]
    assert [alarm.claimed for alarm in claims_of(method, evidence, "alarm").values()] == [True]


@pytest.mark.parametrize("method", OF_PAIRS, ids=lambda method: method.name)
@pytest.mark.parametrize("hours", [{}, {"a": [5.0]}, {"a": [5.0, 800.0], "b": [400.0]}])
def test_without_coincidences_no_method_accuses_and_each_says_so(method, hours):
    evidence = evidence_of(deployments=deployed(hours))

    claims = method.judge(evidence)

    assert [(claim.detector, claim.claimed) for claim in claims] == [("alarm", False)]
