"""Commands beside a running server: they ask it, wait for it, and say what it cannot do."""

import json
from collections import deque
from concurrent.futures import Future
from pathlib import Path

import pytest

from serving import server_process
from tracelith.cli import run
from tracelith.cli.server_client import RunningServer
from tracelith.http_server import HttpServer
from tracelith.ingest.commit import Encoding, Receipt
from tracelith.ingest.otlp_http import create_otlp_app
from tracelith.model.errors import Overloaded

LOGIN = Path(__file__).resolve().parents[2] / "sample_traces" / "login"


def test_an_import_waits_while_the_queue_of_the_server_is_full() -> None:
    answers = deque([Overloaded("full", retry_after_s=0.1), Overloaded("full", retry_after_s=0.1)])
    taken: list[bytes] = []

    def submit(body: bytes, _encoding: Encoding) -> "Future[Receipt]":
        if answers:
            raise answers.popleft()
        taken.append(body)
        done: Future[Receipt] = Future()
        done.set_result(Receipt(1, 0, ""))
        return done

    server = HttpServer(create_otlp_app(submit, max_body_bytes=1 << 20), "127.0.0.1:0", option="--http")
    try:
        RunningServer(web="127.0.0.1:1", http=server.address).export(b"spans")
    finally:
        server.stop()

    assert taken == [b"spans"]


def test_an_import_into_a_server_says_what_the_server_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = tmp_path / "spans.duckdb"

    with server_process(db, fact_days=1):
        code = run(["import", str(LOGIN), "--db", str(db)])

    said = capsys.readouterr()
    assert code == 0
    assert said.out.startswith("0 spans from ")
    assert " refused" in said.out
    assert "tracelith: the running server: " in said.err
    assert "its setting fact_days" in said.err


def test_files_deployments_and_questions_go_to_the_server_that_owns_the_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = str(tmp_path / "spans.duckdb")
    csv = str(LOGIN / "deployments.csv")

    with server_process(Path(db)):
        codes = [run(["import", str(LOGIN), "--db", db]), run(["deployments", "import", csv, "--db", db])]
        said = capsys.readouterr().out
        codes.append(run(["analyze", "--db", db, "--format", "json", "--since", "2000-01-01"]))
        document = json.loads(capsys.readouterr().out)
        refused = run(["analyze", "--db", db, "--deployments", csv])

    assert codes == [0, 0, 0]
    assert "deployments of" in said
    assert document["window"]["start"] == "2000-01-01T00:00:00Z"
    assert refused == 2
    assert f"deployments import {csv}" in capsys.readouterr().err


def test_without_a_period_a_server_answers_for_everything_as_the_file_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = str(tmp_path / "spans.duckdb")
    run(["import", str(LOGIN), "--db", db])
    question = ["analyze", "--db", db, "--format", "json"]
    capsys.readouterr()

    codes = [run(question)]
    of_file = json.loads(capsys.readouterr().out)
    with server_process(Path(db)):
        codes.append(run(question))
    of_server = json.loads(capsys.readouterr().out)

    # Days, as a server keeps old facts by the hour.
    days_of_file, days_of_server = ([at[:10] for at in one["window"].values()] for one in (of_file, of_server))
    assert codes == [0, 0]
    assert days_of_server == days_of_file
    assert of_server["quality"]["traces"] == of_file["quality"]["traces"] > 0
