"""Many cases: kept as they finish, not run twice, the same whatever interrupts them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tracelith
from tracelith.evaluate import recording, running
from tracelith.evaluate.claims import Case, Claim, Method, Truth
from tracelith.evaluate.detectors import DETECTORS
from tracelith.evaluate.judging import judge
from tracelith.evaluate.one_case import CaseResult
from tracelith.evaluate.recording import FILE, digest_of, read_results, write_result
from tracelith.evaluate.running import run_cases
from tracelith.model.errors import AnalysisFailed

ALL = tuple(one.name for one in DETECTORS)
CASES = tuple(Case("login", seed, 4, 100, detectors=("edge", "tail-share")) for seed in range(5))
REAL = tuple(Case("healthy", seed, 1, 200, detectors=("edge", "sync-edge", "awaited-share")) for seed in range(1, 5))


def a_result(case: Case) -> CaseResult:
    truths = [Truth("edge", "a → b", positive=True), Truth("tail-share", "a GET / ⟂ b @ 0.99", value=0.1 * case.seed)]
    claims = [Claim("tail-share", "a GET / ⟂ b @ 0.99", None, 0.25, 0.2, 0.3), Claim("edge", "ä → \n", claimed=True)]
    rows = judge(case, truths, Method("ours", "", "", ALL, lambda _evidence: []), claims)
    return CaseResult(case, rows, 1.5, 100)


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """The cases that were really run, in order."""
    run: list[Case] = []

    def evaluate(case: Case) -> CaseResult:
        run.append(case)
        return a_result(case)

    monkeypatch.setattr(running, "evaluate_case", evaluate)
    return run


def rows_of(results: Sequence[CaseResult]) -> pl.DataFrame:
    return pl.concat([result.rows for result in results])


def test_what_is_written_is_read_back_to_the_last_bit(tmp_path: Path) -> None:
    for case in CASES:
        write_result(tmp_path, a_result(case))

    found = read_results(tmp_path, CASES)

    assert list(found) == list(CASES)
    assert_frame_equal(rows_of(list(found.values())), rows_of([a_result(case) for case in CASES]))


def test_finished_cases_are_not_run_again(tmp_path: Path, evaluated: list[Case]) -> None:
    run_cases(CASES[:3], out=tmp_path)

    told: list[tuple[int, int]] = []
    results = run_cases(CASES, out=tmp_path, on_progress=lambda done, total: told.append((done, total)))

    assert evaluated == [*CASES[:3], *CASES[3:]]
    assert [result.case for result in results] == list(CASES)
    assert told == [(3, 5), (4, 5), (5, 5)]


def test_a_case_that_differs_in_anything_is_another_case(tmp_path: Path, evaluated: list[Case]) -> None:
    run_cases(CASES[:1], out=tmp_path)

    run_cases([replace(CASES[0], lost=0.1)], out=tmp_path)

    assert len(evaluated) == 2


def test_a_line_that_was_cut_off_is_run_again_and_spoils_nothing(tmp_path: Path, evaluated: list[Case]) -> None:
    run_cases(CASES[:2], out=tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:-40])

    results = run_cases(CASES[:2], out=tmp_path)

    assert evaluated == [CASES[0], CASES[1], CASES[1]]
    assert_frame_equal(rows_of(results), rows_of([a_result(case) for case in CASES[:2]]))
    assert list(read_results(tmp_path, CASES)) == list(CASES[:2])


def test_results_of_other_code_are_run_again_and_the_newest_line_counts(
    tmp_path: Path, evaluated: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(recording, "code_digest", lambda: "as it was before")
        run_cases(CASES[:2], out=tmp_path)
    write_result(tmp_path, replace(a_result(CASES[1]), spans=1))
    write_result(tmp_path, replace(a_result(CASES[1]), spans=2))

    results = run_cases(CASES[:2], out=tmp_path)

    assert evaluated == [CASES[0], CASES[1], CASES[0]]
    assert [result.spans for result in results] == [100, 2]
    assert len(read_results(tmp_path, CASES)) == 2


def test_the_digest_is_that_of_this_package_and_the_same_in_every_process() -> None:
    program = "from tracelith.evaluate.recording import code_digest; print(code_digest())"
    package = Path(tracelith.__file__).parent
    before = digest_of(package)

    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert other.stdout.strip() in (before, digest_of(package))  # an editor may save in between


@pytest.mark.parametrize(
    "changed",
    [
        {"a.py": "x = 1", "b/c.py": "y = 3"},
        {"a.py": "x = 1", "b/d.py": "y = 2"},
        {"a.py": "x = 1"},
        {"a.py": "x = 1", "b/c.py": "y = 2", "e.py": ""},
    ],
    ids=["another content", "another name", "one file less", "one file more"],
)
def test_the_digest_changes_with_any_source(tmp_path: Path, changed: dict[str, str]) -> None:
    before = a_package(tmp_path / "before", {"a.py": "x = 1", "b/c.py": "y = 2"})
    same = a_package(tmp_path / "same", {"b/c.py": "y = 2", "a.py": "x = 1", "notes.txt": "no code"})

    after = a_package(tmp_path / "after", changed)

    assert digest_of(before) == digest_of(same) != digest_of(after)


def a_package(folder: Path, sources: dict[str, str]) -> Path:
    for name, source in sources.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source)
    return folder


def test_strange_lines_are_passed_over(tmp_path: Path, evaluated: list[Case]) -> None:
    run_cases(CASES[:1], out=tmp_path)
    line = json.loads((tmp_path / FILE).read_text())
    strange = [{name: line[name] for name in line if name != "code"}, [], {"code": line["code"]}]
    (tmp_path / FILE).write_text("\n".join(map(json.dumps, strange)) + "\nno JSON\n")

    run_cases(CASES[:1], out=tmp_path)

    assert evaluated == [CASES[0], CASES[0]]


def test_an_interruption_keeps_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate(case: Case) -> CaseResult:
        if case == CASES[2]:
            raise KeyboardInterrupt
        return a_result(case)

    monkeypatch.setattr(running, "evaluate_case", evaluate)

    with pytest.raises(KeyboardInterrupt):
        run_cases(CASES, out=tmp_path)

    assert list(read_results(tmp_path, CASES)) == list(CASES[:2])


def test_a_case_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate(_case: Case) -> CaseResult:
        raise ValueError("no such thing")

    monkeypatch.setattr(running, "evaluate_case", evaluate)

    with pytest.raises(AnalysisFailed, match=r"login seed=0 .*ValueError: no such thing"):
        run_cases(CASES)


def test_processes_killed_in_the_middle_leave_a_folder_that_goes_on_to_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from tracelith.evaluate import recording; recording.code_digest = lambda: 'the same code'\n"
        "from test_running import REAL; from tracelith.evaluate.running import run_cases\n"
        "if __name__ == '__main__': run_cases(REAL, jobs=2, out=Path(sys.argv[2]))\n"
    )
    (tmp_path / "program.py").write_text(program)
    monkeypatch.setattr(recording, "code_digest", lambda: "the same code")  # whatever an editor saves meanwhile
    out = tmp_path / "out"
    command = [sys.executable, str(tmp_path / "program.py"), str(Path(__file__).parent), str(out)]
    with subprocess.Popen(command, start_new_session=True) as process:
        deadline = time.monotonic() + 100
        while process.poll() is None and time.monotonic() < deadline and not (out / FILE).exists():
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)
    kept = read_results(out, REAL)

    resumed = run_cases(REAL, jobs=2, out=out)

    assert kept
    fresh = run_cases(REAL)
    assert_frame_equal(rows_of(resumed), rows_of(fresh))
