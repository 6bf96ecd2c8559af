"""How many spans each environment has: the number that environments are listed by."""

from dataclasses import replace

import polars as pl
import pytest

from analysis.pipelines import PERIOD, batches, over_windows
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running import observing
from tracelith.analysis.running.engine import Engine
from tracelith.analysis.running.span_counts import count_spans
from tracelith.forest.build import build_forest
from tracelith.model.schema import WINDOW_NS
from tracelith.store import Store
from traces import START_NS, window_of

SYSTEM = """
shop SERVER GET /checkout 0..90ms environment=production
  price SERVER GET /price 12..38ms environment=production

shop SERVER GET /checkout 0..90ms environment=staging
"""


def test_spans_count_in_the_window_and_environment_of_their_trace_and_once_if_sent_again() -> None:
    window = over_windows(SYSTEM, copies=3, windows=2)
    sent_again = replace(window, spans=pl.concat([window.spans, window.spans]))

    counted = count_spans(build_forest(sent_again))

    first = START_NS - START_NS % WINDOW_NS
    assert counted == {
        (first, "production"): 6,
        (first, "staging"): 3,
        (first + WINDOW_NS, "production"): 6,
        (first + WINDOW_NS, "staging"): 3,
    }


def test_without_spans_nothing_is_counted() -> None:
    window = window_of(SYSTEM)

    assert not count_spans(build_forest(replace(window, spans=window.spans.clear())))


@pytest.mark.parametrize("spans_at_once", [2, 10, 1000], ids=["in buckets", "by window", "at once"])
def test_environments_have_as_many_spans_however_they_are_observed(
    spans_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "SPANS_AT_ONCE", spans_at_once)

    with Store.open(None) as store:
        store.append(batches(over_windows(SYSTEM, copies=3, windows=6)))
        Engine(store, registered_analyses()).analyse_stale()

        assert store.environments(*PERIOD) == [("production", 36), ("staging", 18)]
