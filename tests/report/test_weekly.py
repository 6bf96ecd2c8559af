"""How a week's report is put together from documents of several periods."""

from datetime import timedelta

import pytest

from document_parts import finding
from documents import GROUP, healthy_document, login_document
from tracelith.model.errors import InputError
from tracelith.present.sections import sections
from tracelith.report.comparison import Standing
from tracelith.report.weekly import build_report
from weeks import NOW, WEEK, Archive


def test_chains_come_from_the_week_and_deployments_from_half_a_year() -> None:
    archive = Archive({WEEK: login_document()})

    report = build_report(archive, WEEK, now=NOW)

    half_a_year, week = archive.asked[:2]
    assert half_a_year == (None, WEEK.back(25).start_ns, WEEK.end_ns)
    assert week == ("production", WEEK.start_ns, WEEK.end_ns)
    assert report.deployments_since == WEEK.back(25)


def test_the_environment_is_chosen_once_for_all_periods() -> None:
    archive = Archive({WEEK: login_document(), WEEK.previous: {**login_document(), "environment": "staging"}})

    build_report(archive, WEEK, now=NOW)

    assert [environment for environment, _, _ in archive.asked] == [None, "production", "production", "production"]


def test_runtime_findings_of_half_a_year_and_deployment_findings_of_the_week_stay_out() -> None:
    long, short = login_document(), login_document()
    short["codeployment"] = healthy_document()["codeployment"]
    short["findings"] = [{**short["findings"][0], "title": "of the week"}, short["findings"][2]]
    long["findings"] = [long["findings"][0], {**long["findings"][1], "title": "of half a year"}]

    report = build_report(
        lambda _, start_ns, end_ns: long if end_ns - start_ns > 8 * 86_400 * 10**9 else short, WEEK, now=NOW
    )

    assert [finding["rule"] for finding in report.document["findings"]] == [
        "codeployment-group",
        "deep-synchronous-chain",
    ]
    assert "of the week" not in {finding["title"] for finding in report.document["findings"]}
    assert report.document["codeployment"]["groups"][0]["services"] == GROUP


def test_coupling_rests_on_deployments_and_so_on_half_a_year() -> None:
    long, short = login_document(), login_document()
    long["coupling"] = {**long["coupling"], "status": "ok", "reason": "of half a year"}
    long["failures"] = {**long["failures"], "reason": "of half a year"}
    metric = ("bonds", 2.0, None, "", 2, "")
    found = finding("hidden-coupling", "warning", ["auth", "user"], "Bound.", metric, "Merge them.")
    long["findings"], short["findings"] = [found], [{**found, "title": "of the week"}]

    report = build_report(
        lambda _, start_ns, end_ns: long if end_ns - start_ns > 8 * 86_400 * 10**9 else short, WEEK, now=NOW
    )

    assert report.document["coupling"]["reason"] == "of half a year"
    assert report.document["failures"]["reason"] == short["failures"]["reason"]
    assert [finding["title"] for finding in report.document["findings"]] == ["Bound."]


def test_every_topic_is_answered_after_the_three_headline_questions() -> None:
    report = build_report(Archive({WEEK: login_document()}), WEEK, now=NOW)

    topics = [answer.topic for answer in report.answers]
    assert topics == ["chains", "tail", "deployments", *(kind.topic for kind in sections())]


def test_groups_and_verdict_are_drawn_from_what_the_report_shows() -> None:
    report = build_report(Archive({WEEK: login_document()}), WEEK, now=NOW)

    (group,) = report.document["groups"]
    assert group["services"] == GROUP
    assert group["label"] == "deploys and answers as one"
    assert report.document["verdict"]["coverage"] == 0.5


def test_a_failed_deployment_analysis_is_the_one_of_half_a_year() -> None:
    long, short = login_document(), login_document()
    long["analyses"][3]["error"] = "of half a year"
    short["analyses"][3]["error"] = "of the week"
    short["analyses"][1]["error"] = "depth failed"

    report = build_report(
        lambda _, start_ns, end_ns: long if end_ns - start_ns > 8 * 86_400 * 10**9 else short, WEEK, now=NOW
    )

    errors = {analysis["name"]: analysis["error"] for analysis in report.document["analyses"] if analysis["error"]}
    assert errors == {"codeployment": "of half a year", "synchronous_depth": "depth failed"}


def test_without_the_week_before_nothing_is_called_new() -> None:
    report = build_report(Archive({WEEK: login_document()}), WEEK, now=NOW)

    assert report.compared_with is None
    assert {change.standing for change in report.changes} == {Standing.FIRST_MEASURED}
    assert report.moved == ()
    assert report.headline == "3 findings: 1 critical, 2 warnings."


def test_the_headline_counts_what_is_new_known_and_gone() -> None:
    before, after = login_document(), login_document()
    before["findings"] = before["findings"][:2]
    after["findings"] = after["findings"][1:]

    report = build_report(Archive({WEEK.previous: before, WEEK: after}), WEEK, now=NOW)

    assert report.headline == "2 findings: 2 warnings; against 2026-W08: 1 new, 1 known before, 1 gone."


def test_a_week_without_traces_never_reads_as_healthy() -> None:
    report = build_report(Archive({WEEK.previous: login_document()}), WEEK, now=NOW)

    assert report.headline.startswith("No traces arrived in 2026-W09; nothing can be said about it.")
    assert {change.standing for change in report.changes} == {Standing.UNMEASURED}
    assert {answer.tone for answer in report.answers} == {"unknown"}


def test_a_healthy_week_is_not_accused() -> None:
    weeks = {WEEK: healthy_document(), WEEK.previous: healthy_document()}

    report = build_report(Archive(weeks), WEEK, now=NOW)

    assert report.headline == "No findings in what could be measured."
    assert report.changes == ()
    assert report.moved == ()


def test_the_running_week_says_that_it_is_not_over() -> None:
    report = build_report(Archive({WEEK: login_document()}), WEEK, now=NOW - timedelta(days=3))

    assert report.partial
    assert "The week is not over" in report.headline


def test_a_week_that_has_not_begun_is_refused() -> None:
    with pytest.raises(InputError, match="2026-W12 has not begun; the last full week is 2026-W09"):
        build_report(Archive({}), WEEK.back(-3), now=NOW)
