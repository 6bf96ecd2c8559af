"""Declarations on the command line: what is declared reaches the answers, and what cannot be used is said."""

import json
from pathlib import Path

import pytest

from serving import server_process
from tracelith.cli import run


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few requests to a small system, in a file."""
    folder = tmp_path_factory.mktemp("declared")
    run(["simulate", "healthy", "--out", str(folder / "system"), "--traces", "100", "--weeks", "1"])
    file = folder / "tracelith.duckdb"
    run(["import", str(folder / "system"), "--db", str(file)])
    return file


def _declared(folder: Path, text: str) -> str:
    file = folder / "declarations.toml"
    file.write_text(text)
    return str(file)


def _teams(db: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, str | None]:
    capsys.readouterr()
    assert run(["analyze", "--db", str(db), "--format", "json", *options]) == 0
    document = json.loads(capsys.readouterr().out)
    return {service["service"]: service["team"] for service in document["structure"]["services"]}


def test_an_analysis_uses_what_is_declared(db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    undeclared = _teams(db, capsys)
    service = next(name for name, team in undeclared.items() if team is None)

    file = _declared(tmp_path, f'[service_owners]\n"{service}" = "a team"\n')
    declared = _teams(db, capsys, "--declarations", file)

    assert declared == {**undeclared, service: "a team"}


@pytest.mark.parametrize("command", ["analyze", "report", "serve"])
def test_declarations_that_cannot_be_used_are_exit_code_2_and_named(
    command: str, db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _declared(tmp_path, "gateways = 5\n")

    code = run([command, "--db", str(db), "--declarations", file])

    assert code == 2
    assert "declarations.toml cannot be used" in (said := capsys.readouterr().err)
    assert "gateways: Input should be a valid list" in said


def test_a_server_answers_with_its_own_declarations(
    db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    services = list(_teams(db, capsys))
    file = _declared(tmp_path, f'[service_owners]\n"{services[0]}" = "a team"\n')

    with server_process(db, declarations=file):
        teams = _teams(db, capsys)
        codes = [
            run(["analyze", "--db", str(db), "--declarations", file]),
            run(["report", "--db", str(db), "--declarations", file]),
        ]

    assert teams[services[0]] == "a team"
    assert codes == [2, 2]
    assert "answers with the declarations it was started with" in capsys.readouterr().err


def test_a_declared_service_that_sends_no_spans_is_told_with_the_one_probably_meant(
    db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _declared(tmp_path, 'gateways = ["inventry"]')

    assert run(["analyze", "--db", str(db), "--declarations", file]) == 0

    assert "The declarations name what sends no spans: inventry (is it inventory?)." in " ".join(
        capsys.readouterr().out.split()
    )
