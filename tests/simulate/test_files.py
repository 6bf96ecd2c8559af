"""Simulations as files, and the samples that are kept in the project."""

import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from tracelith.ingest.readers.files import read_file
from tracelith.model.errors import ConfigurationError
from tracelith.simulate import Defects, HeadSampling, simulate, write
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


def test_a_run_that_is_broken_off_leaves_nothing_that_could_be_taken_for_whole(tmp_path: Path) -> None:
    write(simulate("healthy", seed=2, traces=100, until=UNTIL), tmp_path)

    def break_off(done: int, _total: int) -> None:
        if done > 10_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(
            simulate("login", seed=2, traces=20_000, until=UNTIL),
            tmp_path,
            on_progress=break_off,
            spans_per_file=50_000,
        )

    assert {path.name for path in tmp_path.iterdir()} == {"traces-0001.otlp.jsonl.gz", "traces-0002.otlp.jsonl.gz"}


def test_a_folder_with_a_readme_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")

    with pytest.raises(FileExistsError, match=r"choose another folder.*README\.md"):
        write(simulate("healthy", seed=2, traces=100, until=UNTIL), tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.mark.parametrize(("weeks", "until"), [(12, datetime(2999, 1, 1, tzinfo=UTC)), (5_000, UNTIL), (10**9, UNTIL)])
def test_a_period_that_no_reader_would_believe_is_a_configuration_error(weeks: int, until: datetime) -> None:
    with pytest.raises(ConfigurationError, match="between 2000 and 2100"):
        simulate("healthy", weeks=weeks, traces=100, until=until)


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


def test_protobuf_files_are_read_as_the_same_spans_as_json_files(tmp_path: Path) -> None:
    simulation = simulate("healthy", seed=2, traces=5_000, until=UNTIL, defects=Defects(head=HeadSampling(0.5)))
    texts, binaries = tmp_path / "json", tmp_path / "protobuf"

    written = write(simulation, texts), write(simulation, binaries, file_format="protobuf", spans_per_file=1_000)

    assert written[0] == written[1]
    assert len(list(binaries.glob("traces-*.otlp.pb.gz"))) > 1
    read = [spans_of(folder) for folder in (texts, binaries)]
    assert read[0].height == written[0]
    assert read[0].equals(read[1])


def spans_of(folder: Path) -> pl.DataFrame:
    """All spans in the folder as our own reader finds them."""
    batches = [batch for path in sorted(folder.glob("traces-*")) for batch in read_file(path)]
    assert not any(batch.problems for batch in batches)
    columns = ("span_id", "trace_hi", "trace_lo", "parent_id", "start_ns", "end_ns", "name", "kind", "trace_state")
    return pl.concat([batch.raw.spans.select(columns) for batch in batches]).sort("span_id")


def test_a_run_in_another_format_leaves_none_of_the_first_behind(tmp_path: Path) -> None:
    simulation = simulate("healthy", seed=2, traces=100, until=UNTIL)
    write(simulation, tmp_path)

    write(simulation, tmp_path, file_format="protobuf")

    assert [path.name for path in tmp_path.glob("traces-*")] == ["traces-0001.otlp.pb.gz"]


def test_a_higher_level_makes_smaller_files_of_the_same_content(tmp_path: Path) -> None:
    simulation = simulate("healthy", seed=2, traces=1_000, until=UNTIL)

    for level in (1, 9):
        write(simulation, tmp_path / str(level), level=level)

    sizes = [sum(path.stat().st_size for path in (tmp_path / name).glob("traces-*")) for name in ("1", "9")]
    assert sizes[1] < 0.9 * sizes[0]
    assert lines_of(tmp_path / "1") == lines_of(tmp_path / "9")


def test_a_run_of_which_nothing_arrives_has_no_trace_files_and_ends_its_progress(tmp_path: Path) -> None:
    simulation = simulate("healthy", seed=2, traces=100, until=UNTIL, defects=Defects(lost_spans=1))
    seen: list[tuple[int, int]] = []

    spans = write(simulation, tmp_path, on_progress=lambda *step: seen.append(step))

    assert spans == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "deployments.csv", "truth.json"]
    assert seen[-1] == (100, 100)


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
