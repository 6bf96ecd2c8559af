"""What counts as news: findings against the evidence of both weeks, numbers only beyond doubt."""

from copy import deepcopy
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from document_parts import estimate, finding, missing
from documents import GROUP, empty_document, healthy_document, login_document
from tracelith.model.document import AnalysisDocument, FindingDocument
from tracelith.report.comparison import Standing, compare_findings, movements

DEPLOY, TAIL, CHAIN = 0, 1, 2
"""Places of the login system's findings."""


def standings(before: AnalysisDocument, after: AnalysisDocument) -> dict[str, Standing]:
    return {change.finding["rule"]: change.standing for change in compare_findings(before, after)}


def group(subjects: list[str]) -> FindingDocument:
    metric = ("excess_low", 0.8, [0.6, 0.9], "", 20, "")
    return finding("codeployment-group", "critical", subjects, "They deploy together.", metric, "Merge them.")


def test_a_finding_of_both_weeks_persists() -> None:
    assert set(standings(login_document(), login_document()).values()) == {Standing.PERSISTING}


def test_a_finding_that_the_week_before_could_have_shown_and_did_not_is_new() -> None:
    before = login_document()
    before["findings"] = []

    assert set(standings(before, login_document()).values()) == {Standing.NEW}


def test_a_finding_that_the_week_before_could_not_have_shown_is_measured_for_the_first_time() -> None:
    assert set(standings(empty_document(), login_document()).values()) == {Standing.FIRST_MEASURED}


def test_a_finding_is_gone_only_if_the_evidence_could_have_shown_it() -> None:
    after = login_document()
    after["findings"] = []

    assert set(standings(login_document(), after).values()) == {Standing.GONE}


def test_silence_for_lack_of_evidence_is_not_called_gone() -> None:
    assert set(standings(login_document(), empty_document()).values()) == {Standing.UNMEASURED}


def test_nobody_knows_whether_a_finding_without_a_page_of_numbers_is_gone() -> None:
    before, after = login_document(), login_document()
    before["findings"], after["findings"] = [{**group(["auth", "user"]), "rule": "a-rule-of-tomorrow"}], []

    assert standings(before, after) == {"a-rule-of-tomorrow": Standing.UNMEASURED}


def test_an_operation_with_too_few_requests_leaves_its_chain_and_tail_unmeasured() -> None:
    after = login_document()
    after["findings"] = []
    login = after["entry_operations"][0]
    login["status"] = "insufficient_data"
    after["tail"] = [{**row, "status": "insufficient_data"} for row in after["tail"]]

    result = standings(login_document(), after)

    assert result == {
        "codeployment-group": Standing.GONE,
        "remote-tail-hop": Standing.UNMEASURED,
        "deep-synchronous-chain": Standing.UNMEASURED,
    }


def test_a_group_that_gains_a_member_is_the_same_group() -> None:
    before, after = login_document(), login_document()
    before["findings"] = [group(["auth", "billing", "user"])]
    after["findings"] = [group(GROUP)]

    (change,) = compare_findings(before, after)

    assert change.standing is Standing.PERSISTING
    assert change.note == "joined: permissions"


def test_groups_without_two_common_members_are_two_findings() -> None:
    before, after = login_document(), login_document()
    before["findings"] = [group(["auth", "billing"])]
    after["findings"] = [group(["billing", "permissions", "user"])]

    changes = compare_findings(before, after)

    assert [change.standing for change in changes] == [Standing.NEW, Standing.GONE]


def test_a_chain_that_takes_another_way_is_the_same_finding_and_says_so() -> None:
    before, after = login_document(), login_document()
    chain = after["findings"][CHAIN]
    metric = ("depth_p95", 3.0, [3.0, 3.0], "hops", 100, "")
    after["findings"] = [
        finding(chain["rule"], "critical", [*chain["subjects"][:-1], "session"], "Deep.", metric, "Merge.")
    ]
    before["findings"] = [chain]

    (change,) = compare_findings(before, after)

    assert change.standing is Standing.PERSISTING
    assert change.note == "was warning; joined: session; left: permissions"


def topic_finding(rule: str, *subjects: str) -> FindingDocument:
    metric = ("share", 0.2, [0.1, 0.3], "share", 900, "")
    return finding(rule, "warning", list(subjects), f"{rule} of {subjects[0]}", metric, "Own it.")


def measured(document: AnalysisDocument, part: str) -> AnalysisDocument:
    """The document in which this part has evidence and nothing to tell."""
    changed: dict[str, Any] = {**document}
    changed[part] = {**changed[part], "status": "ok", "reason": ""}
    return cast("AnalysisDocument", changed)


TOPICS = [
    ("datastores", topic_finding("foreign-write", "db:5432 shop.orders", "auth", "user")),
    ("failures", topic_finding("retry-storm", "auth → user")),
    ("failures", topic_finding("hidden-errors", "gateway POST /login")),
    ("queues", topic_finding("consumer-group-stall", "kafka orders billing", "billing")),
    ("layers", topic_finding("pass-through-service", "auth")),
    ("scaling", topic_finding("same-scaling-axis", "auth", "user")),
    ("chatter", topic_finding("chatty-calls", "auth login", "user", "GET /user")),
    ("structure", topic_finding("call-cycle", "auth", "user")),
    ("coupling", topic_finding("hidden-coupling", "auth", "permissions")),
]


@pytest.mark.parametrize(("part", "found"), TOPICS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_finding_of_a_topic_is_gone_only_if_the_evidence_of_its_part_could_have_shown_it(
    part: str, found: FindingDocument
) -> None:
    before, after = measured(login_document(), part), login_document()
    before["findings"], after["findings"] = [found], []

    assert standings(before, after) == {found["rule"]: Standing.UNMEASURED}
    assert standings(before, measured(after, part)) == {found["rule"]: Standing.GONE}


@pytest.mark.parametrize(("part", "found"), TOPICS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_finding_about_a_service_that_was_silent_is_not_gone(part: str, found: FindingDocument) -> None:
    before, after = (measured(login_document(), part) for _ in range(2))
    before["findings"], after["findings"] = [found], []
    silent = {"auth", "gateway", "billing"}
    after["quality"]["service_list"] = [row for row in after["quality"]["service_list"] if row["service"] not in silent]

    assert standings(before, after) == {found["rule"]: Standing.UNMEASURED}


@pytest.mark.parametrize(
    ("rule", "before", "after", "same"),
    [
        ("foreign-write", ["db shop.orders", "auth", "user"], ["db shop.orders", "auth", "billing"], True),
        ("foreign-write", ["db shop.orders", "auth", "user"], ["db shop.users", "auth", "user"], False),
        ("failure-cascade", ["email", "auth"], ["email", "user", "billing"], True),
        ("sync-over-async", ["auth login", "kafka asks", "billing"], ["auth login", "kafka asks", "user"], True),
        ("sync-over-async", ["auth login", "kafka asks", "billing"], ["auth login", "kafka others", "billing"], False),
        ("call-cycle", ["auth", "billing", "user"], ["auth", "permissions", "user"], True),
        ("call-cycle", ["auth", "billing"], ["auth", "user"], False),
        ("hidden-coupling", ["auth", "billing"], ["auth", "user"], False),
    ],
)
def test_a_finding_stays_the_same_while_what_tells_it_does(
    rule: str, before: list[str], after: list[str], same: bool
) -> None:
    earlier, later = login_document(), login_document()
    earlier["findings"], later["findings"] = [topic_finding(rule, *before)], [topic_finding(rule, *after)]

    changes = compare_findings(earlier, later)

    assert [change.standing is Standing.PERSISTING for change in changes] == ([True] if same else [False, False])


def test_every_finding_of_both_weeks_is_accounted_for_once() -> None:
    before, after = login_document(), login_document()
    before["findings"] = before["findings"][1:]
    after["findings"] = after["findings"][:2]

    changes = compare_findings(before, after)

    assert [change.standing for change in changes] == [Standing.NEW, Standing.PERSISTING, Standing.GONE]
    assert len({change.finding["id"] for change in changes}) == 3


# --- numbers -----------------------------------------------------------------------------------------------------


def test_nothing_moves_between_equal_weeks() -> None:
    assert movements(login_document(), login_document()) == ()


def test_a_number_moves_when_the_intervals_do_not_touch() -> None:
    before, after = login_document(), login_document()
    before["entry_operations"][0]["depth"]["p95"] = estimate(3, 3, 3, 900)

    (moved,) = movements(before, after)

    assert (moved.measure, moved.subject) == ("awaited hops, p95", "gateway · POST /login")
    assert (moved.before["value"], moved.after["value"], moved.worse) == (3, 4, True)


def test_a_number_whose_intervals_touch_does_not_move_however_far_apart_the_points_are() -> None:
    before, after = login_document(), login_document()
    before["entry_operations"][0]["latency_ms"]["p50"] = estimate(20, 10, 90, 900)
    after["entry_operations"][0]["latency_ms"]["p50"] = estimate(95, 90, 200, 900)

    assert movements(before, after) == ()


def test_a_number_unknown_in_one_week_does_not_move() -> None:
    before, after = login_document(), login_document()
    before["entry_operations"][0]["depth"]["p95"] = missing("200 traces are needed", 50)
    before["codeployment"]["system"]["lockstep_excess"] = missing("too few deployments")

    assert movements(before, after) == ()


def test_more_usable_traces_are_better_and_more_lockstep_is_worse() -> None:
    before, after = login_document(), login_document()
    before["quality"]["usable_share"] = estimate(0.5, 0.45, 0.55)
    before["codeployment"]["system"]["lockstep_excess"] = estimate(0.2, 0.1, 0.3)

    moved = {movement.topic: movement.worse for movement in movements(before, after)}

    assert moved == {"deployments": True, "quality": False}


def test_numbers_of_topics_move_too() -> None:
    before, after = login_document(), login_document()
    operation = {"service": "gateway", "operation": "POST /login", "hidden_errors": missing("")}
    for document, availability in ((before, estimate(0.999, 0.998, 0.9995)), (after, estimate(0.95, 0.94, 0.96))):
        document["failures"]["entries"] = [cast(Any, {**operation, "availability": availability})]

    (moved,) = movements(before, after)

    assert (moved.topic, moved.measure, moved.worse) == ("failures", "availability", True)


def test_extra_times_of_different_quantiles_are_not_compared() -> None:
    before, after = login_document(), login_document()
    before["tail"][0] |= {"q": 0.95, "excess_ms": 5.0, "excess_ci": [4.0, 6.0]}

    assert movements(before, after) == ()


def test_what_got_worse_comes_first() -> None:
    before, after = login_document(), login_document()
    login = before["entry_operations"][0]["latency_ms"]
    login["p50"], login["p99"] = estimate(300, 290, 310), estimate(100, 90, 110)

    assert [movement.measure for movement in movements(before, after)] == ["latency, p99", "latency, p50"]


intervals = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=3, max_size=3).map(sorted)


@given(intervals, intervals)
def test_moving_there_and_back_are_mirror_images(one: list[float], other: list[float]) -> None:
    before, after = healthy_document(), healthy_document()
    before["codeployment"]["system"]["lockstep_excess"] = estimate(one[1], one[0], one[2])
    after["codeployment"]["system"]["lockstep_excess"] = estimate(other[1], other[0], other[2])

    there, back = movements(before, after), movements(deepcopy(after), deepcopy(before))

    assert len(there) == len(back) == int(one[2] < other[0] or other[2] < one[0])
    assert all(movement.worse is not mirror.worse for movement, mirror in zip(there, back, strict=True))
