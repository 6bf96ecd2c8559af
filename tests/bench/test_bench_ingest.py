"""``tracelith bench ingest`` on a small load: the whole server, its file compared with what was acknowledged."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from serving import application
from tracelith.bench.history import write_history
from tracelith.bench.ingest import Stored, Watch, bench_ingest, compare_stored
from tracelith.bench.load import LoadPlan
from tracelith.bench.server import running_server, server_settings
from tracelith.cli import run
from tracelith.config import Settings
from tracelith.model.errors import ServerFailed
from tracelith.model.schema import WINDOW_NS
from tracelith.store import Store

LOAD_KEYS = {
    "acknowledged_spans",
    "unsent_spans",
    "refused_requests",
    "last_refusal",
    "seconds",
    "spans_per_second",
    "acknowledge_ms",
    "payload",
    "in_flight",
    "gzip",
    "rate",
    "sender_cpu_seconds_per_million",
}
RUN_KEYS = {"load", "cpu_seconds_per_million", "peak_memory_mib", "stored", "over_time", "activity"}


def bench(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The figures of a run that ends well."""
    assert run(["bench", "ingest", *arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_figures_are_those_of_the_server_alone_and_everything_acknowledged_is_stored(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = bench(capsys, "--spans", "16000", "--batch", "512")

    assert set(figures) == RUN_KEYS
    assert set(figures["load"]) == LOAD_KEYS
    assert set(figures["load"]["acknowledge_ms"]) == {"p50", "p99", "max"}
    assert set(figures["load"]["payload"]) == {"spans", "bytes_per_span", "attributes_per_span"}
    assert set(figures["stored"]) == set(Stored.__dataclass_fields__)
    assert figures["load"]["acknowledged_spans"] == figures["stored"]["spans"] == 31 * 512
    assert figures["load"]["refused_requests"] == figures["stored"]["missing_spans"] == 0
    assert figures["cpu_seconds_per_million"] > 0
    assert figures["peak_memory_mib"] > 50
    assert figures["stored"]["bytes_per_span"] > 10


def test_a_steady_load_keeps_its_rate_and_is_sampled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = tmp_path / "samples.jsonl"

    steady = ["--rate", "4096", "--duration", "3", "--batch", "256"]
    figures = bench(capsys, *steady, "--samples", str(lines), "--sample-every", "1")

    assert figures["load"]["rate"] == 4096
    assert figures["load"]["acknowledged_spans"] == figures["stored"]["spans"] == 3 * 4096
    samples = [json.loads(line) for line in lines.read_text().splitlines()]
    assert len(samples) >= 2
    assert samples[-1]["acknowledged_spans"] > samples[0]["acknowledged_spans"] > 0
    assert samples[-1]["memory_mib"] > 50
    assert samples[-1]["cpu_seconds"] >= samples[0]["cpu_seconds"] > 0
    assert samples[0]["acknowledge_ms"]["p50"] > 0
    assert samples[0]["database_mib"] + samples[0]["wal_mib"] > 0


def test_a_busy_server_analyses_and_answers_pages_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelith.bench.busy.HISTORY_SPANS", 60_000)
    monkeypatch.setattr("tracelith.bench.history.BATCHES_PER_COMMIT", 4)
    plan = LoadPlan(batch=256, in_flight=4, rate=2048, duration_s=10.0)  # the process that analyses begins meanwhile

    figures = bench_ingest(plan, folder=None, options={}, watch=Watch(), busy=True)

    assert figures.activity is not None
    assert figures.activity.analysed_windows > 0
    assert 0 < figures.activity.analysing_share <= 1
    assert figures.activity.pages > 0
    assert figures.activity.failed_pages == 0
    assert figures.stored.missing_spans == 0
    assert figures.stored.spans > figures.load.acknowledged_spans  # the history is there, too


def test_the_same_load_goes_to_any_other_receiver(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with application(tmp_path) as server:
        figures = bench(capsys, "--against", server.grpc_address, "--spans", "4096", "--batch", "512", "--gzip")

        assert set(figures) == LOAD_KEYS
        assert figures["gzip"] is True
        assert figures["acknowledged_spans"] == server.store.size().spans == 4096


def test_a_setting_the_server_does_not_know_is_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for option in ("nonsense", "span_dayz=1"):
        assert run(["bench", "ingest", "--serve-option", option]) == 2

        assert option.partition("=")[0] in capsys.readouterr().err


def test_nobody_listening_at_the_other_address_is_exit_code_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracelith.bench.load.CONNECT_TIMEOUT_S", 0.5)

    assert run(["bench", "ingest", "--against", "127.0.0.1:1"]) == 2

    assert "127.0.0.1:1" in capsys.readouterr().err


def test_a_server_that_cannot_start_is_told_with_what_it_said(tmp_path: Path) -> None:
    settings = server_settings(tmp_path, {})
    settings.db.write_text("no database")

    with pytest.raises(ServerFailed, match=r"(?s)did not start.*bench\.duckdb"), running_server(settings, {}):
        pass


def test_a_benchmark_that_is_told_to_end_takes_its_server_and_its_files_with_it(tmp_path: Path) -> None:
    steady = ["--rate", "1000", "--duration", "600", "--batch", "64", "--folder", str(tmp_path)]
    benchmark = subprocess.Popen([sys.executable, "-m", "tracelith", "bench", "ingest", *steady])
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*/bench.duckdb.server")) and time.monotonic() < deadline:
            time.sleep(0.1)
        server_pids = Path(f"/proc/{benchmark.pid}/task/{benchmark.pid}/children").read_text().split()

        benchmark.terminate()

        assert benchmark.wait(60) == 130
        assert len(server_pids) == 1
        assert not Path(f"/proc/{server_pids[0]}").exists()
        assert list(tmp_path.iterdir()) == []
    finally:
        benchmark.kill()
        benchmark.wait(10)


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Settings, dict[int, int]]:
    """Settings of a server that has ended, and the spans of each window in its file."""
    settings = Settings(db=tmp_path / "spans.duckdb")
    with Store.open(settings.db) as store:
        _, windows = write_history(store, 100_000, start_ns=time.time_ns() - 3_600_000_000_000)
        return settings, store.window_span_counts(windows)


def test_a_window_with_fewer_spans_than_acknowledged_misses_some(kept: tuple[Settings, dict[int, int]]) -> None:
    settings, stored = kept
    damaged = sorted(stored)[2]

    compared = compare_stored(settings, {**stored, damaged: stored[damaged] + 7}, seconds=60.0)

    assert (compared.missing_spans, compared.deleted_spans, compared.unacknowledged_spans) == (7, 0, 0)


def test_spans_whose_acknowledgement_never_arrived_make_up_for_none_that_are_missing(
    kept: tuple[Settings, dict[int, int]],
) -> None:
    settings, stored = kept
    first, second = sorted(stored)[:2]

    compared = compare_stored(settings, {**stored, first: stored[first] + 5, second: stored[second] - 5}, seconds=60.0)

    assert (compared.missing_spans, compared.unacknowledged_spans) == (5, 5)


@pytest.mark.parametrize(
    ("changed", "missing", "deleted"),
    [({}, 1_000, 0), ({"max_db_bytes": 10**9}, 0, 1_000), ({"span_days": 0.001}, 0, 1_000)],
)
def test_an_empty_window_before_all_others_is_deleted_only_if_retention_could(
    kept: tuple[Settings, dict[int, int]], changed: dict[str, float], missing: int, deleted: int
) -> None:
    settings, stored = kept
    settings = settings.model_copy(update=changed)

    compared = compare_stored(settings, {min(stored) - WINDOW_NS: 1_000, **stored}, seconds=60.0)

    assert (compared.missing_spans, compared.deleted_spans) == (missing, deleted)


def test_an_empty_window_after_others_is_always_missing(kept: tuple[Settings, dict[int, int]]) -> None:
    settings, stored = kept
    settings = settings.model_copy(update={"span_days": 0.001})

    compared = compare_stored(settings, {**stored, max(stored) + WINDOW_NS: 1_000}, seconds=60.0)

    assert (compared.missing_spans, compared.deleted_spans) == (1_000, 0)
