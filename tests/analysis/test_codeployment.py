"""What co-deployment says of whole systems: the document and the findings."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployment_logs import MONDAY_NS, WEEK_HOURS, cluster, independent, log_of, told_of, train
from tracelith.analysis.base import SECTIONS, Conclusion, Evidence
from tracelith.analysis.codeployment import ANALYSIS, conclude
from tracelith.analysis.deployments.coincidence import WEEK_NS, DeploymentLog
from tracelith.analysis.deployments.version_sightings import SERVICE_VERSIONS
from tracelith.ingest.deployments import read_deployments_csv
from tracelith.model.document import CodeploymentDocument, PairDocument
from tracelith.model.facts import FactTable, merge_facts
from tracelith.model.schema import DEPLOYMENT


class Facts:
    """Facts held in memory."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self.rows = rows

    def merged(self, table: FactTable) -> pl.DataFrame:
        return merge_facts(table, self.rows, list(table.keys))

    def by_window(self, table: FactTable, block_ns: int | None = None) -> pl.DataFrame:
        blocks = self.rows.with_columns(pl.col("window_ns") // (block_ns or 1) * (block_ns or 1))
        return merge_facts(table, blocks, ["window_ns", *table.keys])


def concluded(told: pl.DataFrame, *, weeks: int = 26, seen: pl.DataFrame | None = None) -> Conclusion:
    facts = Facts(pl.DataFrame(schema=SERVICE_VERSIONS.schema) if seen is None else seen)
    return conclude(Evidence("", MONDAY_NS, MONDAY_NS + weeks * WEEK_NS, facts, told))


def document_of(conclusion: Conclusion) -> CodeploymentDocument:
    document: CodeploymentDocument = conclusion.document["codeployment"]
    json.dumps(document, allow_nan=False)
    return document


def rules(conclusion: Conclusion) -> list[tuple[str, str]]:
    return [(finding.rule, str(finding.severity)) for finding in conclusion.findings]


def organisation(seed: int, services: int = 7, size: int = 0, share: float = 0.0) -> DeploymentLog:
    """Independent services with a train and, in front, a cluster of that size."""
    random = np.random.default_rng(seed)
    times = train(random, independent(random, services), share)
    return log_of(*(cluster(random, times, size, 0.9) if size else times), weeks=26)


def pair_of(document: CodeploymentDocument, a: str, b: str) -> PairDocument:
    return next(pair for pair in document["pairs"] if (pair["a"], pair["b"]) == (a, b))


def test_the_analysis_explains_itself():
    assert ANALYSIS.name == "codeployment"
    assert tuple(ANALYSIS.sections) == SECTIONS
    assert ANALYSIS.fact_tables == (SERVICE_VERSIONS,)


@pytest.mark.parametrize("seed", range(5))
def test_independent_services_are_accused_of_nothing(seed: int):
    conclusion = concluded(told_of(organisation(seed, services=12)))

    document = document_of(conclusion)

    assert conclusion.findings == ()
    assert document["system"]["status"] == "ok"
    assert abs(document["system"]["lockstep_excess"]["value"]) < 0.2
    assert {pair["label"] for pair in document["pairs"]} <= {"none", "calendar"}


@pytest.mark.parametrize(("share", "expected"), [(0.5, "warning"), (0.7, "critical"), (1.0, "critical")])
def test_a_release_train_is_lockstep_and_never_a_pair(share: float, expected: str):
    conclusion = concluded(told_of(organisation(11, services=16, share=share)))

    assert rules(conclusion) == [("system-lockstep", expected)]
    assert conclusion.findings[0].title.startswith("Release train: ")
    assert "Tuesday 10:00" in conclusion.findings[0].title
    assert document_of(conclusion)["groups"] == []


def test_four_services_that_deploy_together_are_one_finding():
    conclusion = concluded(told_of(organisation(12, services=10, size=4)))

    group = next(finding for finding in conclusion.findings if finding.rule == "codeployment-group")

    assert [rule for rule, _ in rules(conclusion) if rule != "system-lockstep"] == ["codeployment-group"]
    assert group.subjects == ("s00", "s01", "s02", "s03")
    assert group.severity == "critical"
    assert 0.5 <= group.metric["ci"][0] <= group.metric["value"] <= group.metric["ci"][1] <= 1
    assert set(group.subjects) <= set(group.evidence["coincidences"][0]["services"])
    assert len(group.evidence["coincidences"]) == 3


def test_a_pair_is_a_warning_with_its_order_and_second_opinion():
    conclusion = concluded(told_of(organisation(13, services=10, size=2)))

    pair = pair_of(document_of(conclusion), "s00", "s01")

    assert rules(conclusion) == [("codeployment-pair", "warning")]
    assert conclusion.findings[0].subjects == ("s00", "s01")
    assert pair["label"] == "pair"
    assert pair["direction"] == "a_first"
    assert 5 < pair["lag_minutes"]["value"] < 15
    assert pair["second_opinion_p"] <= 0.01
    assert pair["widest_window"] in {"10 min", "30 min", "2 h", "24 h"}
    assert pair["classical"]["confidence_ba"] > 0.7
    assert document_of(conclusion)["groups"][0]["services"] == ["s00", "s01"]


def test_a_group_of_nearly_everybody_is_told_as_lockstep_only():
    conclusion = concluded(told_of(organisation(14, services=8, size=8)))

    assert [rule for rule, _ in rules(conclusion)] == ["system-lockstep"]
    assert document_of(conclusion)["groups"] == []


def test_the_same_version_on_both_sides_is_said_beside_the_advice():
    told = told_of(organisation(15, services=10, size=2))
    shared = told.with_columns(version=pl.format("release-{}", pl.col("at_ns") // (6 * 3_600 * 10**9)))

    plain, same = (concluded(rows).findings[0] for rows in (told, shared))

    assert plain.evidence["same_version_share"] == 0
    assert same.evidence["same_version_share"] >= 0.8
    assert "same version each time" in same.advice
    assert "same version each time" not in plain.advice


def test_two_services_that_are_always_one_version_are_processes_of_one_release_and_no_warning():
    log = told_of(organisation(15, services=10, size=2))
    first = log.filter(pl.col("service") == "s00").with_columns(version=pl.format("{}", pl.int_range(pl.len())))
    worker = first.with_columns(service=pl.lit("s01"), at_ns=pl.col("at_ns") + 60 * 10**9)
    one_release = pl.concat([log.filter(~pl.col("service").is_in(["s00", "s01"])), first, worker])

    (finding,) = concluded(one_release).findings

    assert (finding.rule, finding.severity) == ("codeployment-pair", "info")
    assert "one release" in finding.title


@pytest.mark.parametrize("services", [2, 3])
def test_where_nobody_else_deploys_no_pair_is_told_from_days_on_which_everything_is_released(services: int):
    random = np.random.default_rng(services)
    days = random.choice(26 * 5, 9, replace=False)
    irregular = days // 5 * WEEK_HOURS + days % 5 * 24 + 34.0
    times = [np.concatenate([irregular + random.random(9) / 3, own[9:]]) for own in independent(random, services)]

    conclusion = concluded(told_of(log_of(*times, weeks=26)))

    assert [rule for rule, _ in rules(conclusion) if rule != "system-lockstep"] == []
    assert {pair["label"] for pair in document_of(conclusion)["pairs"]} == {"untested"}
    assert "needs 4 services" in document_of(conclusion)["pairs"][0]["reason"]


def test_five_weeks_are_too_few_and_say_so():
    log = organisation(16, size=4)
    early = told_of(log).filter(pl.col("at_ns") < MONDAY_NS + 5 * WEEK_NS)

    conclusion = concluded(early, weeks=5)
    document = document_of(conclusion)

    assert conclusion.findings == ()
    assert document["system"]["status"] == "insufficient_data"
    assert document["system"]["lockstep_excess"]["value"] is None
    assert {pair["label"] for pair in document["pairs"]} == {"untested"}
    assert all(pair["p_value"] is None and pair["reason"] for pair in document["pairs"])
    assert {row["tested_with"] for row in document["services"]} == {0}


def test_three_deployments_of_a_service_are_too_few_and_say_so():
    log = log_of(*independent(np.random.default_rng(17), 5), np.arange(3) * 5 * WEEK_HOURS + 900, weeks=26)

    pair = pair_of(document_of(concluded(told_of(log))), "s00", "s05")

    assert (pair["label"], pair["status"]) == ("untested", "insufficient_data")
    assert pair["reason"] == "needs 5 deployments of each, the fewer has 3"


def test_so_many_deployments_that_nobody_could_be_alone_are_not_identifiable():
    log = log_of(*independent(np.random.default_rng(18), 60, each=60), weeks=26)

    conclusion = concluded(told_of(log))
    document = document_of(conclusion)

    assert document["system"]["status"] == "not_identifiable"
    assert document["system"]["lockstep_excess"]["value"] is None
    assert conclusion.findings == ()


def test_without_any_deployment_the_section_says_how_to_get_one():
    document = document_of(concluded(pl.DataFrame(schema=DEPLOYMENT)))

    assert document["system"]["status"] == "insufficient_data"
    assert "service.version" in document["system"]["reason"]
    assert document["pairs"] == document["services"] == document["deployments"] == []


def test_versions_seen_in_traces_lead_to_the_same_finding():
    log = organisation(19, services=6, size=3)
    rows = []
    for service, name in enumerate(log.services):
        starts = [0, *(log.at_ns[log.events_of(service)])]
        for number, (begin, end) in enumerate(zip(starts, [*starts[1:], log.length_ns], strict=True)):
            hours = np.arange(begin, end, 3_600 * 10**9)
            rows += [
                (
                    MONDAY_NS + at,
                    "",
                    name,
                    str(number),
                    60,
                    60,
                    MONDAY_NS + at,
                    MONDAY_NS + min(at + 3_590 * 10**9, end - 1),
                )
                for at in hours.tolist()
            ]
    seen = pl.DataFrame(rows, schema=SERVICE_VERSIONS.schema, orient="row")

    conclusion = concluded(pl.DataFrame(schema=DEPLOYMENT), seen=seen)
    document = document_of(conclusion)

    assert ("codeployment-group", "warning") in rules(conclusion)
    assert document["groups"][0]["services"] == ["s00", "s01", "s02"]
    assert {row["source"] for row in document["deployments"]} == {"traces"}


def test_only_the_last_26_whole_weeks_count():
    old = told_of(organisation(20, size=4))
    recent = told_of(organisation(21)).with_columns(
        pl.col("at_ns") + 26 * WEEK_NS, pl.col("earliest_ns") + 26 * WEEK_NS
    )

    conclusion = concluded(pl.concat((old, recent)), weeks=52)

    assert conclusion.findings == ()
    assert document_of(conclusion)["system"]["weeks"] == 26


@settings(max_examples=3, deadline=None)
@given(st.permutations(range(7)), st.randoms(use_true_random=False))
def test_neither_row_order_nor_names_change_what_is_concluded(names: Sequence[int], random):
    told = told_of(organisation(22, size=3))
    order = list(range(told.height))
    random.shuffle(order)
    renamed = told[order].with_columns(
        pl.col("service").replace_strict({f"s{old:02d}": f"s{new:02d}" for old, new in enumerate(names)})
    )

    plain, changed = document_of(concluded(told)), document_of(concluded(renamed))

    expected = sorted(f"s{names[int(service[1:])]:02d}" for service in plain["groups"][0]["services"])
    assert changed["groups"][0]["services"] == expected
    assert document_of(concluded(told[order])) == plain
    assert changed["system"]["lockstep_index"] == plain["system"]["lockstep_index"]
    assert sorted(p["p_value"] for p in changed["pairs"]) == sorted(p["p_value"] for p in plain["pairs"])


def test_dependency_bots_couple_nobody(shared_data: Path):
    told = read_deployments_csv(shared_data / "deployments" / "online_boutique_commits.csv").deployments
    last_ns = int(told["at_ns"].max()) + 1

    for weeks_ago in (0, 40, 120, 200):
        end_ns = last_ns - weeks_ago * WEEK_NS
        facts = Facts(pl.DataFrame(schema=SERVICE_VERSIONS.schema))
        conclusion = conclude(Evidence("", end_ns - 26 * WEEK_NS, end_ns, facts, told.filter(pl.col("at_ns") < end_ns)))

        assert conclusion.findings == ()
        assert document_of(conclusion)["pairs"] == []
        assert all("commits are not deployments" in row["reason"] for row in document_of(conclusion)["ignored"])


def test_300_services_in_half_a_year_take_seconds():
    told = told_of(organisation(23, services=300, size=4))
    began = time.process_time()

    document = document_of(concluded(told))

    assert time.process_time() - began < 40  # 6 on a quiet core
    assert document["system"]["pairs"]["tested"] == 300 * 299 // 2
    assert {row["tested_with"] for row in document["services"]} == {299}
    assert len(document["pairs"]) == 500
    assert document["groups"][0]["services"] == ["s00", "s01", "s02", "s03"]
