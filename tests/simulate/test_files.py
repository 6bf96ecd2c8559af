"""Simulations as files, and the samples that are kept in the project."""

import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tracelith.simulate import simulate, write
from tracelith.simulate.samples import SAMPLE_TRACES, write_samples

UNTIL = datetime(2026, 3, 2, tzinfo=UTC)
SAMPLES = Path(__file__).resolve().parents[2] / "sample_traces"


def lines_of(folder: Path) -> list[bytes]:
    return [line for path in sorted(folder.glob("*.gz")) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_every_line_is_a_request_in_otlp_json(tmp_path: Path) -> None:
    written = write(simulate("healthy", seed=2, traces=100, until=UNTIL), tmp_path)

    spans = [
        span
        for line in lines_of(tmp_path)
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]

    assert len(spans) == written
    assert all(len(bytes.fromhex(span["traceId"])) == 16 for span in spans)
    assert all(len(bytes.fromhex(span["spanId"])) == 8 for span in spans)
    assert all(isinstance(span["kind"], int) for span in spans)
    assert all(isinstance(span["startTimeUnixNano"], str) for span in spans)


def test_long_runs_are_cut_into_files_and_a_shorter_run_leaves_none_behind(tmp_path: Path) -> None:
    long, short = (simulate("healthy", seed=2, traces=traces, until=UNTIL) for traces in (3_000, 100))
    write(long, tmp_path, spans_per_file=2_000)
    files, lines = len(list(tmp_path.glob("*.gz"))), lines_of(tmp_path)

    write(long, tmp_path / "whole")
    write(short, tmp_path, spans_per_file=2_000)

    assert files > 3
    assert lines == lines_of(tmp_path / "whole")
    assert len(list(tmp_path.glob("*.gz"))) == 1


def test_deployments_and_truth_lie_beside_the_traces(tmp_path: Path) -> None:
    simulation = simulate("login", seed=2, traces=50, until=UNTIL)

    write(simulation, tmp_path)

    rows = list(csv.DictReader((tmp_path / "deployments.csv").read_text().splitlines()))
    assert [(row["service"], row["version"]) for row in rows] == [
        (d.service, d.version) for d in simulation.deployments
    ]
    moments = [datetime.fromisoformat(row["timestamp"]) for row in rows]
    assert [int(moment.timestamp() * 1e6) for moment in moments] == [d.at_us for d in simulation.deployments]
    assert json.loads((tmp_path / "truth.json").read_text()) == simulation.truth
    assert (tmp_path / "README.md").read_text().startswith("# login\n")


def test_progress_ends_with_all_requests(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    write(simulate("healthy", seed=2, traces=5_000, until=UNTIL), tmp_path, on_progress=lambda *step: seen.append(step))

    assert seen == sorted(seen)
    assert seen[-1] == (5_000, 5_000)
    assert len({done for done, _ in seen}) > 1


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("samples")
    write_samples(root)
    return root


@pytest.mark.parametrize("name", SAMPLE_TRACES)
def test_the_samples_are_what_the_simulator_makes(regenerated: Path, name: str) -> None:
    fresh, kept = regenerated / name, SAMPLES / name

    # compressed bytes depend on the zlib that made them, so the content is compared
    assert {path.name for path in fresh.iterdir()} == {path.name for path in kept.iterdir()}
    assert lines_of(fresh) == lines_of(kept), "write them again as sample_traces/README.md says"
    for file in ("deployments.csv", "truth.json", "README.md"):
        assert (fresh / file).read_text() == (kept / file).read_text()


@pytest.mark.parametrize("name", SAMPLE_TRACES)
def test_a_sample_is_smaller_than_a_megabyte(name: str) -> None:
    assert sum(path.stat().st_size for path in (SAMPLES / name).iterdir()) < 1_000_000


def test_compressed_files_carry_no_time_and_no_name(tmp_path: Path) -> None:
    write(simulate("healthy", seed=2, traces=20, until=UNTIL), tmp_path)

    header = (tmp_path / "traces-0001.otlp.jsonl.gz").read_bytes()[:10]

    assert header[3] == 0  # no optional fields: no file name
    assert header[4:8] == bytes(4)  # mtime
