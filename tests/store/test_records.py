"""Deployments, findings and refusals: the small records beside the spans."""

from pathlib import Path

import polars as pl
import pytest

from store.rows import DAY, T0, Clock, batch, dimensions, span
from tracelith.model.errors import StoreError
from tracelith.model.findings import Finding, Severity
from tracelith.model.schema import DEPLOYMENT
from tracelith.store import Store
from tracelith.store.refusals import MANY_REASONS, MAX_REASONS


def deployed(*rows: tuple[str, str, str, int, str]) -> pl.DataFrame:
    """service, environment, version, at_ns, source."""
    return pl.DataFrame([[s, e, v, at, at - 5, source] for s, e, v, at, source in rows], DEPLOYMENT, orient="row")


def claim(rule: str, *subjects: str, title: str = "It is so.") -> dict:
    metric = {"name": "hops", "value": 4}
    return Finding(rule, Severity.WARNING, subjects, title, metric, "Merge them.").document()


def test_the_same_deployment_told_twice_is_stored_once(tmp_path: Path) -> None:
    rows = deployed(
        ("shop", "prod", "1", T0, "csv"), ("shop", "prod", "1", T0, "api"), ("shop", "prod", "1", T0, "csv")
    )
    with Store.open(tmp_path / "x.duckdb") as store:
        assert store.add_deployments(rows) == 2
        assert store.add_deployments(rows) == 0

    with Store.open(tmp_path / "x.duckdb") as store:
        assert store.add_deployments(rows.with_columns(earliest_ns=pl.lit(0))) == 0
        assert store.add_deployments(rows.with_columns(version=pl.lit("2"))) == 2
        found = store.deployments("prod", T0, T0 + 1)

    assert found.schema == DEPLOYMENT
    assert found["version"].to_list() == ["1", "1", "2", "2"]
    assert set(found["earliest_ns"]) == {T0 - 5}


def test_deployments_are_those_of_the_environment_and_of_none_sorted_by_time() -> None:
    rows = deployed(
        ("b", "prod", "1", T0 + 1, "csv"),
        ("a", "", "1", T0 + 1, "csv"),
        ("c", "test", "1", T0, "csv"),
        ("d", "prod", "1", T0, "csv"),
        ("e", "prod", "1", T0 + 9, "csv"),
    )
    with Store.open(None) as store:
        store.add_deployments(rows)

        assert store.deployments("prod", T0, T0 + 9)["service"].to_list() == ["d", "a", "b"]
        assert store.deployments("", T0, T0 + 9)["service"].to_list() == ["a"]


def test_new_deployments_move_the_generation_and_known_ones_do_not() -> None:
    rows = deployed(("a", "prod", "1", T0, "csv"))
    with Store.open(None) as store:
        before = store.fact_generation()
        store.add_deployments(rows)
        after = store.fact_generation()
        store.add_deployments(rows)

        assert before < after == store.fact_generation()


def test_deployments_without_a_column_are_refused() -> None:
    with Store.open(None) as store, pytest.raises(ValueError, match="earliest_ns"):
        store.add_deployments(deployed().drop("earliest_ns"))


def test_a_finding_opens_is_seen_again_is_resolved_and_opens_again() -> None:
    deep, pair = claim("deep", "shop"), claim("pair", "a", "b")
    with Store.open(None) as store:
        history = []
        for day, found in enumerate([[deep, pair], [pair], [pair], [deep, pair]]):
            store.sync_findings("prod", T0 + day * DAY, found)
            row = store.findings("prod").filter(pl.col("rule") == "deep").row(0, named=True)
            history.append((row["state"], (row["first_seen_ns"] - T0) // DAY, (row["last_seen_ns"] - T0) // DAY))

        pairs = store.findings("prod").filter(pl.col("rule") == "pair").row(0, named=True)

    assert history == [("open", 0, 0), ("resolved", 0, 0), ("resolved", 0, 0), ("open", 0, 3)]
    assert pairs["subjects"] == ["a", "b"]
    assert (pairs["first_seen_ns"], pairs["last_seen_ns"]) == (T0, T0 + 3 * DAY)


def test_findings_of_one_environment_leave_those_of_another_alone() -> None:
    with Store.open(None) as store:
        store.sync_findings("prod", T0, [claim("deep", "shop")])
        store.sync_findings("test", T0, [])

        assert store.findings("prod")["state"].to_list() == ["open"]
        assert store.findings("test").height == 0


def test_a_claim_repeated_with_other_numbers_is_the_same_finding() -> None:
    with Store.open(None) as store:
        store.sync_findings("prod", T0, [claim("deep", "shop", title="4 hops"), claim("deep", "shop", title="5 hops")])
        store.sync_findings("prod", T0 + 1, [claim("deep", "shop", title="6 hops")])

        assert store.findings("prod")["title"].to_list() == ["6 hops"]


def test_refusals_are_added_up_by_reason_and_survive(tmp_path: Path) -> None:
    clock = Clock()
    with Store.open(tmp_path / "x.duckdb", clock_ns=clock) as store:
        store.record_refusals({"no trace id": 3, "no span id": 1})
        store.record_refusals({"no span id": 1})
        store.append([dimensions(), batch([span(1, 1, T0)])])
        clock.pass_seconds(60)
        store.record_refusals({"no span id": 5})

    with Store.open(tmp_path / "x.duckdb", clock_ns=clock) as store:
        assert store.refusals() == {"no span id": 7, "no trace id": 3}
        assert store.refusals(T0 + 1) == {"no span id": 5}


def test_refusals_are_not_lost_when_the_append_that_carries_them_fails() -> None:
    with Store.open(None) as store:
        store.record_refusals({"no span id": 5})
        broken = dimensions()
        nothing = broken.resources.with_columns(service=pl.lit(None, pl.String))
        with pytest.raises(StoreError):
            store.append([type(broken)(broken.spans, broken.links, nothing, broken.operations)])

        assert store.refusals() == {"no span id": 5}


def test_endless_different_reasons_are_counted_together() -> None:
    with Store.open(None) as store:
        store.record_refusals({f"reason {number} {'x' * 10_000}": 1 for number in range(1_000)})
        found = store.refusals()

    assert len(found) == MAX_REASONS + 1
    assert sum(found.values()) == 1_000
    assert found[MANY_REASONS] == 1_000 - MAX_REASONS
    assert max(map(len, found)) <= 200
