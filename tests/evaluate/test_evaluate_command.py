"""``tracelith evaluate`` end to end: the real pipeline on a few small systems, as text, JSON and exit code."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tracelith.cli import app
from tracelith.evaluate import sets
from tracelith.evaluate.claims import Case
from tracelith.evaluate.one_case import evaluate_case, simulation_of
from tracelith.evaluate.pipeline import observe
from tracelith.evaluate.sets import CaseSet
from tracelith.evaluate.thresholds import Threshold
from tracelith.model.errors import ConfigurationError, InputError

DETECTORS = ("edge", "sync-edge", "awaited-share", "deep-chain", "depth-p95", "tail-hop", "tail-share", "alarm")
LOGIN = Case("login", 1, 1, 6_000, detectors=DETECTORS)
HEALTHY = Case("healthy", 1, 1, 600, healthy=True, detectors=DETECTORS)
MET = Threshold("edge", "precision", 1.0, None, 5, "asked")
MISSED = Threshold("edge", "precision", None, 0.5, 5, "nobody asks for this")


def small_set(monkeypatch: pytest.MonkeyPatch, *thresholds: Threshold) -> None:
    def cases(_seed: int) -> Sequence[Case]:
        return [LOGIN, HEALTHY]

    monkeypatch.setitem(sets.SETS, "quick", CaseSet("quick", cases, thresholds))


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["evaluate", "--jobs", "1", *arguments])
    return result.exit_code, result.stdout


def test_thresholds_that_hold_exit_with_0_and_one_that_does_not_with_1_and_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small_set(monkeypatch, MET)
    good, said = run("--out", str(tmp_path))
    small_set(monkeypatch, MET, MISSED)
    bad, complaint = run("--out", str(tmp_path))

    assert (good, bad) == (0, 1)
    assert "all thresholds met" in said
    assert "1 of 2 thresholds missed" in complaint
    assert any("MISSED" in line and "edge" in line for line in complaint.splitlines())


def test_a_bound_that_only_few_subjects_leave_open_is_not_called_met(monkeypatch: pytest.MonkeyPatch) -> None:
    small_set(monkeypatch, MET, Threshold("edge", "precision", None, 0.99, 5, "nobody asks for this", "interval"))

    code, said = run()

    assert code == 0
    assert "no threshold missed; 1 open, as only the interval of few subjects reaches the bound" in said


def test_a_page_that_cannot_be_written_is_told_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small_set(monkeypatch, MET)

    arguments = ["evaluate", "--out", str(tmp_path / "out"), "--page", str(tmp_path / "nowhere" / "page.html")]
    refused = CliRunner().invoke(app, arguments).exception

    assert isinstance(refused, InputError)
    assert not (tmp_path / "out").exists()


def test_the_document_has_the_promised_keys_and_every_method_in_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small_set(monkeypatch, MET)

    code, printed = run("--format", "json", "--out", str(tmp_path), "--page", str(tmp_path / "page.html"))

    document = json.loads(printed)
    assert code == 0
    assert document["schema"] == "tracelith.evaluation/1"
    promised = {"version", "set", "seed", "cases", "methods", "detectors", "scores", "degradation", "misses"}
    assert promised | {"thresholds", "met"} <= document.keys()
    assert document["cases"]["done"] == 2
    assert json.loads((tmp_path / "evaluation.json").read_text()) == document
    assert (tmp_path / "page.html").read_text().startswith("<!")
    by_method = {score["method"] for score in document["scores"] if score["detector"] == "edge"}
    assert by_method == {"tracelith", "call-graph"}
    score = next(one for one in document["scores"] if (one["method"], one["detector"]) == ("tracelith", "edge"))
    assert score["precision"]["value"] == 1.0
    assert score["precision"].keys() == {"value", "low", "high", "hits", "n", "cases"}


def test_only_one_detector_asks_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    small_set(monkeypatch, MET)

    _, printed = run("--format", "json", "--only", "edge")

    assert {score["detector"] for score in json.loads(printed)["scores"]} == {"edge"}


def test_an_unknown_detector_is_a_usage_error_before_anything_runs() -> None:
    result = CliRunner().invoke(app, ["evaluate", "--only", "crystal-ball"])

    assert result.exit_code != 0
    assert "crystal-ball" in str(result.exception)


def test_our_pipeline_is_right_about_the_story_that_it_is_shown() -> None:
    rows = evaluate_case(LOGIN).rows

    named = rows.filter(method="tracelith", detector="tail-hop", claimed=True)["subject"].to_list()
    deep = rows.filter(method="tracelith", detector="deep-chain", claimed=True)["subject"].to_list()
    assert "gateway POST /login ⟂ permissions" in named
    assert deep == ["gateway POST /login"]


def test_defects_of_a_case_reach_the_evidence() -> None:
    few, lossy = (
        Case("login", 1, 1, 2_000, sampling=sampling, lost=lost, detectors=("edge",))
        for sampling, lost in ((0.1, 0.0), (1.0, 0.2))
    )

    sampled, torn = (observe(simulation_of(case)) for case in (few, lossy))

    assert sampled.spans["trace_id"].n_unique() == pytest.approx(200, abs=60)
    assert sampled.spans["weight"].unique().to_list() == pytest.approx([10.0], rel=1e-3)
    assert torn.document["quality"]["orphan_spans"] > 0


def test_the_evidence_names_peers_as_the_document_does() -> None:
    evidence = observe(simulation_of(LOGIN))

    peers = set(evidence.spans["peer"].drop_nulls())
    told = {edge["callee"] for edge in evidence.document["edges"] if edge["callee_kind"] != "service"}
    assert told <= peers
    assert evidence.spans["trace_id"].str.len_chars().unique().to_list() == [32]


def test_a_plan_nobody_knows_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="random-tail"):
        simulation_of(Case("random-luck", 1, 1, 10))


def children_of(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def test_an_evaluation_that_is_told_to_end_takes_its_processes_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tracelith", "evaluate", "--jobs", "2", "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while len(children_of(process.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        workers = children_of(process.pid)

        process.terminate()

        assert process.wait(60) == 130
    assert len(workers) >= 2
    deadline = time.monotonic() + 10  # Python's own tracker of resources ends a moment after the process it tracks for
    while [one for one in workers if Path(f"/proc/{one}").exists()] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [one for one in workers if Path(f"/proc/{one}").exists()]
