"""The command line as scripts see it: output, files and exit codes."""

import json
from pathlib import Path

import pytest

from tracelith.cli import run

ROOT = Path(__file__).resolve().parents[2]
LOGIN = ROOT / "sample_traces" / "login"
HEALTHY = ROOT / "sample_traces" / "healthy"

DOCUMENT_KEYS = {
    "schema",
    "window",
    "quality",
    "entry_operations",
    "edges",
    "tail",
    "codeployment",
    "findings",
    "groups",
    "verdict",
}


def test_analyze_prints_one_document_of_the_pinned_schema(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["analyze", str(LOGIN), "--format", "json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert document["schema"] == "tracelith.analysis/1"
    assert set(document) >= DOCUMENT_KEYS


def test_the_login_system_is_reported_with_its_planted_truth(capsys: pytest.CaptureFixture[str]) -> None:
    truth = json.loads((LOGIN / "truth.json").read_text())

    run(["analyze", str(LOGIN), "--format", "json"])

    document = json.loads(capsys.readouterr().out)
    login = next(entry for entry in document["entry_operations"] if entry["operation"] == "POST /login")
    assert login["depth"]["p95"]["value"] == 4
    assert login["chains"][0]["services"] == ["gateway", "auth", "user", "billing", "permissions"]
    tail = [hop for hop in document["tail"] if hop["operation"] == "POST /login"]
    assert tail[0]["hop"] == "permissions"
    assert tail[0]["ci"][0] > 0.6
    groups = [group["services"] for group in document["codeployment"]["groups"]]
    assert groups == [["auth", "billing", "permissions", "user"]]
    assert set(groups[0]) == {service for group in truth["codeploying_groups"] for service in group}


def test_the_healthy_shop_gets_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["analyze", str(HEALTHY), "--format", "json", "--fail-on", "warning"])

    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [finding for finding in document["findings"] if finding["severity"] != "info"] == []


@pytest.mark.parametrize(("fail_on", "expected"), [("warning", 1), ("critical", 1)])
def test_fail_on_turns_findings_into_exit_code_1(fail_on: str, expected: int) -> None:
    assert run(["analyze", str(LOGIN), "--fail-on", fail_on]) == expected


def test_text_names_the_three_answers(capsys: pytest.CaptureFixture[str]) -> None:
    run(["analyze", str(LOGIN)])

    text = capsys.readouterr().out
    for expected in ("POST /login", "permissions", "auth"):
        assert expected in text


def test_an_unreadable_file_is_exit_code_2_and_says_what_was_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not traces")

    code = run(["analyze", str(file)])

    said = capsys.readouterr().err
    assert code == 2
    assert str(file) in said
    assert "OTLP" in said


def test_base64_ids_are_refused_and_named(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["analyze", str(shared_data / "otlp" / "wrong_base64_ids_and_enum_names.jsonl")])

    said = capsys.readouterr().err
    assert code == 2
    assert "base64" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["analyze", "--db", "missing.duckdb"],
        ["analyze", "missing.json"],
        ["analyze", "x", "--since", "yesterday"],
        ["analyze", "x", "--since", "1d", "--until", "2d"],
        ["analyze", "x", "--format", "yaml"],
        ["simulate", "nothing", "--out", "x"],
        ["deployments", "import", "missing.csv", "--db", "x.duckdb"],
        ["report", "--db", "missing.duckdb"],
        ["serve", "--grpc", "nowhere", "--db", "x.duckdb"],
        ["unknown-command"],
    ],
)
def test_usage_and_unreadable_input_are_exit_code_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    code = run(arguments)

    assert code == 2
    assert capsys.readouterr().err
    assert not list(tmp_path.glob("x.duckdb")) or arguments[0] in ("deployments", "serve")


def test_importing_then_analysing_the_database_equals_analysing_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = str(tmp_path / "shop.duckdb")

    codes = [
        run(["import", str(HEALTHY), "--db", db]),
        run(["deployments", "import", str(HEALTHY / "deployments.csv"), "--db", db]),
    ]
    capsys.readouterr()
    codes.append(run(["analyze", "--db", db, "--format", "json"]))
    from_database = json.loads(capsys.readouterr().out)
    codes.append(run(["analyze", str(HEALTHY), "--format", "json"]))
    from_files = json.loads(capsys.readouterr().out)

    assert codes == [0, 0, 0, 0]
    del from_database["generated_at"], from_files["generated_at"]
    assert from_database == from_files


def test_importing_twice_changes_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = str(tmp_path / "shop.duckdb")
    documents = []
    for _ in range(2):
        run(["import", str(HEALTHY), "--db", db])
        capsys.readouterr()
        run(["analyze", "--db", db, "--format", "json"])
        documents.append(json.loads(capsys.readouterr().out))

    first, second = documents
    assert second["quality"]["duplicate_spans"] == first["quality"]["spans"]
    assert second["entry_operations"] == first["entry_operations"]
    assert second["tail"] == first["tail"]
    assert second["edges"] == first["edges"]


def test_simulate_writes_the_same_files_for_the_same_seed(tmp_path: Path) -> None:
    common = ["--seed", "7", "--weeks", "2", "--traces", "300", "--until", "2026-03-02"]

    for folder in ("a", "b"):
        assert run(["simulate", "login", "--out", str(tmp_path / folder), *common]) == 0

    names = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert "deployments.csv" in names
    assert "truth.json" in names
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


def test_simulated_defects_are_met_again_by_the_analysis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "damaged"
    wanted = ["--sampling", ".5", "--lost", ".05", "--duplicated", ".1", "--skew-ms", "50", "--kindless", "billing"]
    more = ["--silent", "profile", "--sidecar", "user", "--encoding", "protobuf"]

    written = run(["simulate", "login", "--out", str(out), "--traces", "600", "--weeks", "1", *wanted, *more])
    capsys.readouterr()
    analysed = run(["analyze", str(out), "--format", "json"])

    quality = json.loads(capsys.readouterr().out)["quality"]
    assert (written, analysed) == (0, 0)
    assert json.loads((out / "truth.json").read_text())["defects"]["head"] == {
        "probability": 0.5,
        "threshold_written": True,
    }
    assert 200 < quality["traces"] < 400
    assert quality["unknown_sampling_traces"] == 0
    for defect in ("orphan_spans", "duplicate_spans", "skewed_spans", "kindless_spans"):
        assert quality[defect] > 10, defect
    assert "profile" not in {row["service"] for row in quality["service_list"]}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--sampling", "0"], "above 0"),
        (["--sampling-unknown"], "--sampling"),
        (["--keep-slow", "200"], "--sampling"),
        (["--silent", "nobody"], "nobody"),
        (["--lost", "2"], "--lost"),
        (["--encoding", "xml"], "protobuf"),
    ],
)
def test_defects_that_cannot_be_are_exit_code_2_and_say_what_was_expected(
    options: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["simulate", "login", "--out", str(tmp_path / "out"), "--traces", "100", *options])

    assert code == 2
    assert named in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_keeping_slow_traces_keeps_a_share_of_the_others_and_says_nothing_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, common = str(tmp_path / "tail"), ["--traces", "500", "--weeks", "1"]

    assert run(["simulate", "login", "--out", out, *common, "--sampling", ".1", "--keep-slow", "500"]) == 0
    assert run(["analyze", out, "--format", "json"]) == 0

    quality = json.loads(capsys.readouterr().out.split("\n", 1)[1])["quality"]
    assert 30 < quality["traces"] < 200
    assert quality["unknown_sampling_traces"] == quality["traces"]


def test_a_place_that_cannot_be_written_to_is_exit_code_2_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file, not a folder")

    code = run(["simulate", "login", "--out", str(taken), "--traces", "100", "--weeks", "1"])

    assert code == 2
    assert capsys.readouterr().err.startswith(f"tracelith: {taken}")
