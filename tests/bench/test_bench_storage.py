"""``tracelith bench storage`` on small files."""

import json
from pathlib import Path

import pytest

from tracelith.bench.storage import bench_storage
from tracelith.cli import run


def test_each_kind_of_load_has_its_file_and_progress_reaches_its_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    files = bench_storage(spans=3_000, folder=tmp_path, on_progress=lambda done, total: seen.append((done, total)))

    kinds = [(one.batch, one.traces, one.keep_attributes) for one in files]
    assert kinds == [
        (512, "whole", False),
        (8192, "whole", False),
        (512, "scattered", False),
        (8192, "scattered", False),
        (512, "whole", True),
        (8192, "whole", True),
    ]
    assert all(one.spans >= 3_000 for one in files)
    assert seen == sorted(seen)
    assert seen[-1] == (6 * 3_000, 6 * 3_000)
    assert list(tmp_path.iterdir()) == []


def test_random_ids_take_eight_bytes_scattered_traces_more_and_attributes_most(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["bench", "storage", "--spans", "40000", "--format", "json"]) == 0

    _, whole, _, scattered, _, kept = json.loads(capsys.readouterr().out)
    assert set(whole) == {
        "batch",
        "traces",
        "keep_attributes",
        "spans",
        "bytes_per_span",
        "columns",
        "free_bytes_per_span",
        "cpu_seconds_per_million",
    }
    assert whole["columns"]["span.span_id"] == pytest.approx(8.0, abs=1.5)
    assert scattered["columns"]["span.trace_lo"] == pytest.approx(8.0, abs=1.5)
    assert whole["columns"]["span.trace_lo"] < 6.5
    assert kept["bytes_per_span"] > whole["bytes_per_span"] + 5
    assert sum(whole["columns"].values()) + whole["free_bytes_per_span"] <= whole["bytes_per_span"]
