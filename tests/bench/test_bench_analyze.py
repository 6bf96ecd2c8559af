"""``tracelith bench analyze`` on a small history."""

import itertools
import json
import time

import pytest

from tracelith.bench.history import write_history
from tracelith.cli import run
from tracelith.store import Store


def test_the_figures_are_there_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["bench", "analyze", "--spans", "140000", "--format", "json"])

    figures = json.loads(capsys.readouterr().out)
    assert code == 0
    assert set(figures) == {
        "spans",
        "forest_spans_per_second",
        "spans_per_second",
        "cpu_seconds_per_million",
        "conclude_seconds",
        "peak_memory_mib",
    }
    assert figures["spans"] >= 140_000
    assert all(figures.values())


def test_a_history_fills_windows_that_follow_one_another_with_about_twenty_thousand_spans() -> None:
    with Store.open(None) as store:
        spans, windows = write_history(store, 200_000, start_ns=time.time_ns() - 86_400_000_000_000)

        counts = store.window_span_counts(windows)
        assert sum(counts.values()) == store.size().spans == spans
        assert len({b - a for a, b in itertools.pairwise(windows)}) == 1
        assert all(8_000 < count < 30_000 for count in list(counts.values())[1:-1])
        assert set(windows) <= set(store.stale_windows(0.0))
