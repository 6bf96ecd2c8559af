"""``tracelith report`` and the schedule of ``tracelith serve``, on a real database."""

import copy
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serving import application, server_process
from tracelith.cli import run
from tracelith.report.delivery import is_delivered
from tracelith.report.week import IsoWeek

LOGIN = Path(__file__).resolve().parents[2] / "sample_traces" / "login"
LAST_WEEK_OF_SAMPLE = "2026-W08"
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample of the login system in a file."""
    file = tmp_path_factory.mktemp("report") / "login.duckdb"
    run(["import", str(LOGIN), "--db", str(file)])
    run(["deployments", "import", str(LOGIN / "deployments.csv"), "--db", str(file)])
    return file


@pytest.fixture(scope="module")
def from_file(db: Path) -> dict[str, object]:
    """The report of the last week, concluded once."""
    out = db.with_suffix(".json")
    asked = ["--week", LAST_WEEK_OF_SAMPLE, "--format", "json", "--out", str(out)]
    assert run(["report", "--db", str(db), *asked]) == 0
    report: dict[str, object] = json.loads(out.read_text())
    return report


def test_a_quiet_week_has_deployments_to_tell_about_and_says_that_its_chains_are_not_measured(
    from_file: dict[str, object],
) -> None:
    rules = {finding["rule"] for finding in from_file["analysis"]["findings"]}
    tones = {answer["topic"]: answer["tone"] for answer in from_file["answers"]}
    assert rules >= {"codeployment-group", "system-lockstep"}
    assert not rules & {"deep-synchronous-chain", "remote-tail-hop"}
    assert (tones["chains"], tones["tail"], tones["deployments"]) == ("unknown", "unknown", "notable")


def test_the_server_and_the_file_tell_the_same(
    db: Path, from_file: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    with server_process(db):
        assert run(["report", "--db", str(db), "--week", LAST_WEEK_OF_SAMPLE, "--format", "json"]) == 0
    from_server = json.loads(capsys.readouterr().out)

    from_file = copy.deepcopy(from_file)
    for report in (from_file, from_server):
        del report["generated_at"], report["analysis"]["generated_at"]
        for finding in report["analysis"]["findings"]:
            finding.pop("first_seen", None)  # only a server remembers since when a finding stands
    assert from_server == from_file


def test_html_goes_to_a_file_named_after_the_week(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    code = run(["report", "--db", str(db), "--week", LAST_WEEK_OF_SAMPLE])

    assert code == 0
    assert [file.name for file in tmp_path.iterdir()] == ["tracelith-2026-W08.html"]
    assert "The report is in tracelith-2026-W08.html" in capsys.readouterr().err


def test_out_names_the_file(db: Path, tmp_path: Path) -> None:
    week = ["--week", LAST_WEEK_OF_SAMPLE, "--format", "markdown"]

    run(["report", "--db", str(db), *week, "--out", str(tmp_path / "mine.md")])

    assert (tmp_path / "mine.md").read_text(encoding="utf-8").startswith("# Tracelith, week 2026-W08\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--week", "2026-W60"], "'2026-W60' is not an ISO week"),
        (["--week", "2199-W01"], "has not begun"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_code_2(
    db: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["report", "--db", str(db), *options])

    assert code == 2
    assert said in capsys.readouterr().err


def test_a_database_that_does_not_exist_is_not_created(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["report", "--db", str(tmp_path / "nowhere.duckdb")])

    assert code == 2
    assert "nowhere.duckdb does not exist" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_was_down_on_monday_writes_last_weeks_report_when_it_starts(tmp_path: Path) -> None:
    system, db, reports = tmp_path / "system", tmp_path / "tracelith.duckdb", tmp_path / "reports"
    run(["simulate", "login", "--out", str(system), "--weeks", "3", "--traces", "300"])
    run(["analyze", str(system), "--db", str(db), "--format", "json"])

    with application(tmp_path, db=db, report_schedule="* * * * *"):
        week = IsoWeek.last_full(datetime.now(UTC))
        deadline = time.monotonic() + PATIENCE_S
        while not is_delivered(reports, week):
            assert time.monotonic() < deadline, "no report was written"
            time.sleep(0.05)

    assert {file.suffix for file in reports.iterdir()} == {".html", ".md", ".json"}
