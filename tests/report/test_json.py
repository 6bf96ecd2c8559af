"""The JSON form: a contract for other programs."""

import json

from tracelith.report.json import SCHEMA, render_json
from tracelith.report.weekly import WeeklyReport

PROMISED = {
    "schema",
    "week",
    "start",
    "end",
    "deployments_since",
    "generated_at",
    "environment",
    "partial",
    "compared_with",
    "headline",
    "answers",
    "changes",
    "moved",
    "analysis",
}


def test_the_keys_are_the_promised_ones(login_report: WeeklyReport) -> None:
    report = json.loads(render_json(login_report))

    assert set(report) == PROMISED
    assert report["schema"] == SCHEMA == "tracelith.report/1"
    assert (report["week"], report["compared_with"]) == ("2026-W09", "2026-W08")
    assert (report["start"], report["end"]) == ("2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z")
    assert report["deployments_since"] == "2025-09-01T00:00:00Z"


def test_changes_refer_to_findings_and_bring_those_that_are_gone(login_report: WeeklyReport) -> None:
    report = json.loads(render_json(login_report))

    present = {finding["id"] for finding in report["analysis"]["findings"]}
    standing = {change["id"]: change["standing"] for change in report["changes"]}
    assert sorted(standing.values()) == ["gone", "new", "persisting"]
    assert present == {finding for finding, how in standing.items() if how != "gone"}
    (gone,) = [change for change in report["changes"] if change["standing"] == "gone"]
    assert gone["finding"]["rule"] == "codeployment-group"


def test_movements_carry_both_intervals(login_report: WeeklyReport) -> None:
    (moved,) = json.loads(render_json(login_report))["moved"]

    assert moved["measure"] == "latency, p50"
    assert moved["before"]["ci"] == [29, 31]
    assert moved["after"]["ci"][0] > 31
    assert moved["worse"] is True
