"""The engine: the same answer however spans arrive, and no failure that stops the others."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, cast

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.pipelines import PERIOD, analysed, batches, document_of, over_windows
from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running import observing
from tracelith.analysis.running.engine import CACHED_DOCUMENTS, Engine
from tracelith.analysis.running.observing import (
    GIVEN_UP_AT_ONCE,
    PROCESS,
    Observed,
    ObserverDied,
    batches_of,
    observe_spans,
)
from tracelith.forest.view import ForestView
from tracelith.model.declarations import Declarations
from tracelith.model.document import AnalysisDocument
from tracelith.model.facts import FACT_KEYS, FactTable, merge_facts
from tracelith.model.ports import WindowSpans
from tracelith.model.schema import WINDOW_NS, InternedBatch
from tracelith.store import Store
from traces import START_NS, view_of, window_of

SYSTEM = """
shop SERVER GET /checkout 0..90ms environment=production
  shop CLIENT price 10..40ms environment=production
    price SERVER GET /price 12..38ms environment=production
      price CLIENT select 14..30ms db=postgresql namespace=prices object=price environment=production
  shop PRODUCER orders 60..62ms mq=kafka object=orders id=sent environment=production

mailer CONSUMER orders 200..260ms mq=kafka object=orders link=sent environment=production

shop SERVER GET /stock 5..25ms weight=4 environment=production

shop SERVER GET /broken 5..25ms environment=production
  shop CLIENT price 6..9ms orphan environment=production
"""


def without_duplicates(document: dict[str, Any]) -> dict[str, Any]:
    quality = document["quality"]
    defects = [row for row in quality["defects"] if row["name"] != "duplicate_spans"]
    return {**document, "quality": {**quality, "duplicate_spans": 0, "defects": defects}}


@pytest.fixture(scope="module")
def told_at_once() -> dict[str, Any]:
    return document_of(over_windows(SYSTEM, copies=4, windows=6))


def test_the_document_speaks_of_everything_that_was_told(told_at_once: dict[str, Any]) -> None:
    assert {edge["callee"] for edge in told_at_once["edges"]} >= {"price", "mailer"}
    assert {entry["operation"] for entry in told_at_once["entry_operations"]} >= {"GET /checkout", "GET /stock"}
    assert told_at_once["quality"]["orphan_spans"] == 24
    assert [analysis["error"] for analysis in told_at_once["analyses"]] == [None] * len(told_at_once["analyses"])


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), parts=st.integers(1, 5), repeated=st.booleans())
def test_arrival_order_batching_and_repetition_change_nothing(
    told_at_once: dict[str, Any], seed: int, parts: int, repeated: bool
) -> None:
    window = over_windows(SYSTEM, copies=4, windows=6)
    shuffled = window.spans.sample(fraction=1, shuffle=True, seed=seed)
    slices = [shuffled[part::parts] for part in range(parts)]
    if repeated:
        slices.append(shuffled.head(40))

    arrived = batches(window, slices)
    at_once = analysed([arrived])
    one_by_one = analysed([[batch] for batch in arrived])

    assert without_duplicates(at_once) == told_at_once
    assert one_by_one == at_once


@pytest.mark.parametrize(
    "link",
    [
        "",
        "link=sent",
    ],
)
def test_large_windows_in_buckets_and_small_ones_together_give_the_same(
    link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = over_windows(SYSTEM.replace("link=sent", link), copies=2, windows=3)
    together = document_of(system)

    monkeypatch.setattr(observing, "SPANS_AT_ONCE", 7)

    assert document_of(system) == together


def test_codes_of_resources_and_operations_change_nothing(told_at_once: dict[str, Any]) -> None:
    window = over_windows(SYSTEM, copies=4, windows=6)
    last = len(window.operations) - 1
    renumbered = replace(
        window,
        spans=window.spans.with_columns(operation=(last - pl.col("operation")).cast(pl.UInt32)),
        operations=window.operations.with_columns(operation=(last - pl.col("operation")).cast(pl.UInt32)),
    )

    assert document_of(renumbered) == told_at_once


def test_traces_of_another_environment_change_nothing_but_the_list_of_environments(
    told_at_once: dict[str, Any],
) -> None:
    system = over_windows(SYSTEM + "\nother SERVER GET /x 0..5ms environment=staging\n", copies=4, windows=6)

    document = document_of(system, environment="production")

    assert document["quality"]["environments"] == ["production", "staging"]
    quality = {**document["quality"], "environments": ["production"]}
    assert {**document, "quality": quality} == told_at_once


@given(seed=st.integers(0, 1000), groups=st.integers(1, 6))
@settings(max_examples=8, deadline=None)
def test_facts_merge_in_any_grouping_to_the_same_facts(seed: int, groups: int) -> None:
    for table, rows in observed_facts():
        keys = [*FACT_KEYS, *table.keys]
        shuffled = pl.concat([rows, rows]).sample(fraction=1, shuffle=True, seed=seed)

        at_once = merge_facts(table, shuffled, keys)
        grouped = [merge_facts(table, shuffled[group::groups], keys) for group in range(groups)]

        assert merge_facts(table, pl.concat(grouped), keys).equals(at_once)


@cache
def observed_facts() -> list[tuple[FactTable, pl.DataFrame]]:
    view = view_of(SYSTEM, copies=20)
    found = []
    for analysis in registered_analyses():
        if analysis.observe is not None:
            observed = analysis.observe(view)
            for table in analysis.fact_tables:
                assert dict(observed[table.name].schema) == dict(table.schema)
                found.append((table, observed[table.name]))
    return found


def test_without_any_span_the_document_is_whole_and_claims_nothing() -> None:
    document = analysed([])

    assert set(document) == set(AnalysisDocument.__required_keys__) - {"generated_at"}
    assert document["quality"]["status"] == "insufficient_data"
    assert document["quality"]["usable_share"]["value"] is None
    assert document["verdict"]["score"] is None
    assert document["verdict"]["label"] == "not scored"
    assert "Nothing is known yet" in document["verdict"]["sentence"]
    assert document["findings"] == []


def failing(name: str, *, observing_fails: bool) -> Analysis:
    def observe(view: ForestView) -> dict[str, pl.DataFrame]:
        raise ValueError(f"secret {view.forest.services}")

    def conclude(evidence: Evidence) -> Conclusion:
        if observing_fails:
            return Conclusion({})
        raise RuntimeError(f"secret {evidence.environment}")

    table = FactTable(f"{name}_facts", keys={"name": pl.String}, sums={"count": pl.Int64})
    return Analysis(name, "Fails", (table,), observe if observing_fails else None, conclude, {})


@pytest.mark.parametrize("observing_fails", [True, False])
def test_an_analysis_that_fails_is_named_and_stops_no_other(observing_fails: bool) -> None:
    broken = failing("broken", observing_fails=observing_fails)

    document = analysed([batches(window_of(SYSTEM))], analyses=[broken, *registered_analyses()])

    errors = {analysis["name"]: analysis["error"] for analysis in document["analyses"]}
    assert errors.pop("broken")
    assert set(errors.values()) == {None}
    assert document["edges"]


def test_an_error_never_repeats_what_came_in_a_span() -> None:
    document = analysed(
        [batches(window_of(SYSTEM))], analyses=[failing("broken", observing_fails=True), *registered_analyses()]
    )

    error = document["analyses"][0]["error"]
    assert error.startswith("ValueError in ")
    assert "secret" not in error
    assert "shop" not in error


def test_windows_that_cannot_be_put_together_are_reported_and_do_not_come_back() -> None:
    def torn(_: object) -> ForestView:
        raise IndexError("out of bounds")

    with Store.open(None) as store:
        observe = partial(observe_spans, registered_analyses(), build_view=torn)
        engine = Engine(store, registered_analyses(), observe=observe)
        store.append(batches(window_of(SYSTEM)))

        assert engine.analyse_stale() == 1
        assert engine.analyse_stale() == 0
        assert engine.failures["forest"].startswith("IndexError")
        assert engine.conclude(None, *PERIOD)["analyses"][-1]["name"] == "forest"


def test_after_a_few_windows_that_the_observer_does_not_survive_the_others_wait_for_the_next_look() -> None:
    asked = []

    def dies(spans: WindowSpans) -> Observed:
        asked.append(spans.windows)
        raise ObserverDied("killed", began=True)

    with Store.open(None) as store:
        engine = Engine(store, registered_analyses(), observe=dies)
        store.append(batches(over_windows(SYSTEM, copies=1, windows=GIVEN_UP_AT_ONCE + 2)))

        assert engine.analyse_stale() == GIVEN_UP_AT_ONCE
        assert engine.analyse_stale() == 2
        assert engine.analyse_stale() == 0
        failures = engine.failures

    assert failures == {PROCESS: "killed"}
    assert len(asked) == 1 + GIVEN_UP_AT_ONCE + 1 + 2


def test_late_spans_replace_the_facts_of_their_window() -> None:
    window = window_of(SYSTEM)
    late = window.spans.tail(1)
    early = window.spans.head(len(window.spans) - 1)

    late_arrival = analysed([[batch] for batch in batches(window, [early, late])])

    assert late_arrival == document_of(window)


def test_the_document_is_kept_until_facts_change() -> None:
    window = window_of(SYSTEM)
    with Store.open(None) as store:
        engine = Engine(store, registered_analyses())
        store.append(batches(window))
        engine.analyse_stale()

        first = engine.conclude(None, *PERIOD)
        again = engine.conclude(None, *PERIOD)
        moved = window.spans.with_columns((pl.col("trace_lo") + 50_000).cast(pl.UInt64))
        store.append([InternedBatch(moved, window.links, window.resources.clear(), window.operations.clear())])
        engine.analyse_stale()
        later = engine.conclude(None, *PERIOD)

    assert again is first
    assert later["quality"]["traces"] == 2 * first["quality"]["traces"]


def test_the_document_follows_what_is_declared() -> None:
    declared = [Declarations(gateways=frozenset({"old"}))]

    def conclude(evidence: Evidence) -> Conclusion:
        return Conclusion({"told": sorted(evidence.declarations.gateways)})

    told = Analysis("told", "Told", (), None, conclude)
    with Store.open(None) as store:
        engine = Engine(store, [told], declarations=lambda: declared[-1])

        first = engine.conclude("", 0, 1)
        same = engine.conclude("", 0, 1)
        declared.append(Declarations(gateways=frozenset({"new"})))
        later = engine.conclude("", 0, 1)

    assert same is first
    assert [cast(Any, document)["told"] for document in (first, later)] == [["old"], ["new"]]


def test_the_number_of_kept_documents_is_bounded() -> None:
    with Store.open(None) as store:
        engine = Engine(store, ())

        first = engine.conclude("production", 0, 1)
        for end in range(2, CACHED_DOCUMENTS + 2):
            engine.conclude("production", 0, end)

        assert engine.conclude("production", 0, 1) is not first


def test_progress_is_told_in_windows() -> None:
    told: list[tuple[int, int]] = []
    with Store.open(None) as store:
        engine = Engine(store, registered_analyses())
        store.append(batches(over_windows(SYSTEM, copies=1, windows=3)))

        assert engine.analyse_stale(0.0, lambda done, total: told.append((done, total))) == 3

    assert told[-1] == (3, 3)


@given(st.dictionaries(st.integers(0, 50), st.integers(0, 3_000_000), max_size=40))
def test_every_window_is_in_exactly_one_batch_of_bounded_size(counts: dict[int, int]) -> None:
    windows = sorted(counts)

    planned = list(batches_of(windows, counts))

    assert [window for batch in planned for window in batch.windows] == windows
    for batch in planned:
        spans = sum(counts[window] for window in batch.windows)
        assert spans / batch.buckets <= observing.SPANS_AT_ONCE
        assert len(batch.windows) == 1 or batch.buckets == 1


def test_recorded_findings_tell_since_when_they_stand() -> None:
    deep = """
        a  SERVER GET /  0..90ms
          a  CLIENT b  10..80ms
            b  SERVER GET /b  12..78ms
              b  CLIENT c  20..70ms
                c  SERVER GET /c  22..68ms
                  c  CLIENT d  30..60ms
                    d  SERVER GET /d  32..58ms
    """
    window = over_windows(deep, copies=300, windows=2)
    first = pl.col("start_ns") < START_NS + WINDOW_NS
    parts = [window.spans.filter(first), window.spans.filter(~first)]
    days = iter(range(1, 9))
    with Store.open(None) as store:
        engine = Engine(store, registered_analyses(), now=lambda: datetime(2026, 3, next(days), tzinfo=UTC))
        documents = []
        for arrival in batches(window, parts):
            store.append([arrival])
            engine.analyse_stale()
            documents.append(engine.conclude(None, *PERIOD))
            engine.record_findings()

    (before, *_), (after, *_) = (document["findings"] for document in documents)
    assert before["rule"] == after["rule"] == "deep-synchronous-chain"
    assert "first_seen" not in before
    assert after["first_seen"].startswith("2026-03-0")
