"""``tracelith bench analyze`` on a small history."""

import itertools
import json
import time

import pytest

from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.bench.history import write_history
from tracelith.cli import run
from tracelith.store import Store


def test_the_figures_are_there_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["bench", "analyze", "--spans", "140000", "--format", "json"])

    figures = json.loads(capsys.readouterr().out)
    assert code == 0
    assert set(figures) == {"processes", "forest_spans_per_second", "headline", "everything", "conclude_seconds"}
    assert all(figures.values())
    for stage in (figures["headline"], figures["everything"]):
        assert stage["spans"] >= 140_000
        assert all(stage.values())
    assert figures["headline"]["spans_per_second"] > figures["everything"]["spans_per_second"]


def test_a_history_fills_windows_that_follow_one_another_with_about_twenty_thousand_spans() -> None:
    with Store.open(None) as store:
        spans, windows = write_history(store, 200_000, start_ns=time.time_ns() - 86_400_000_000_000)

        counts = store.window_span_counts(windows)
        assert sum(counts.values()) == store.size().spans == spans
        assert len({b - a for a, b in itertools.pairwise(windows)}) == 1
        assert all(8_000 < count < 30_000 for count in list(counts.values())[1:-1])
        assert set(windows) <= set(store.stale_windows(0.0))


def test_a_history_has_what_analyses_look_at() -> None:
    with Store.open(None) as store:
        write_history(store, 100_000, start_ns=time.time_ns() - 86_400_000_000_000)
        engine = Engine(store, registered_analyses())
        engine.analyse_stale()

        document = engine.conclude(None, *(store.period() or (0, 0)))

    kinds = {edge["callee_kind"] for edge in document["edges"]}
    assert len(document["entry_operations"]) >= 3
    assert kinds >= {"service", "datastore"}
    assert {edge["mode"] for edge in document["edges"]} >= {"sync", "async"}
    assert sum(edge["failures"] for edge in document["edges"]) > 0
    assert sum(edge["retries"] for edge in document["edges"]) > 0
    assert document["quality"]["orphan_spans"] == 0
