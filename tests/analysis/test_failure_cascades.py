"""Failures as stories: who failed first, who went along, and who must not be accused."""

from functools import lru_cache
from typing import Any

import pytest

from analysis.failing import findings_of, rules_of
from small_systems import LEDGERS, NETWORK, constant
from stories import UNTIL
from tracelith.simulate import simulate
from tracelith.simulate.flow import Answer, Call, Entry, Job, Operation, Query, Step
from tracelith.simulate.incidents import Incident, Moments, Outage, TableLock
from tracelith.simulate.latency import Latency
from tracelith.simulate.topology import Service, System

SHOP = Service("shop", "go", 2, "1.0")
ORDERS = Service("orders", "java", 2, "1.0", 8081)
STOCK = Service("stock", "python", 2, "1.0", 8082)
NOON = Moments(at=(0.5,))


def chain(*, tolerated: float = 0.0, attempts: int = 1, more: tuple[Step, ...] = ()) -> Operation:
    """GET /pages of shop, which asks orders, which asks stock."""
    stock = Operation(STOCK, "GET", "/stock", (constant(2), Query(LEDGERS, "SELECT", "entries", Latency(1, 3)), *more))
    asked = Call(stock, attempts=attempts, tolerated=tolerated)
    orders = Operation(ORDERS, "GET", "/orders", (constant(2), asked, constant(1)))
    return Operation(SHOP, "GET", "/pages", (constant(1), Call(orders, attempts=attempts), constant(1)))


def told(
    *incidents: Incident, operation: Operation | None = None, entries: tuple[Entry, ...] = (), traces: int = 6_000
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The part and the findings of a week of the chain with these incidents."""
    system = System(
        name="small",
        title="small",
        readme="# small\n",
        services=(SHOP, ORDERS, STOCK),
        entries=(Entry(operation or chain(), share=1), *entries),
        consumers=(),
        habits=(),
        network=NETWORK,
        incidents=incidents,
    )
    part, findings = findings_of(simulate(system, seed=7, weeks=1, traces=traces, until=UNTIL))
    return part, list(findings)


@lru_cache(maxsize=1)
def outage() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return told(Outage(("stock",), NOON, 180), operation=chain(attempts=2))


def test_a_cascade_is_told_from_where_it_began_to_the_door() -> None:
    part, findings = outage()

    (cascade,) = part["cascades"]
    assert cascade["origin"] == "stock"
    assert [step["service"] for step in cascade["steps"]] == ["stock", "orders", "shop"]
    assert cascade["minutes"] == pytest.approx(180, abs=10)
    assert cascade["failed_requests"] == cascade["requests"]
    finding = next(one for one in findings if one["rule"] == "failure-cascade")
    assert (finding["subjects"], finding["severity"]) == (["stock", "orders", "shop"], "critical")
    assert len(finding["evidence"]["trace_ids"]) == 3
    assert finding["evidence"]["occurrences"] == 1


def test_a_service_far_from_the_door_that_takes_all_with_it_has_a_large_radius() -> None:
    part, findings = outage()

    stock = next(one for one in part["services"] if one["service"] == "stock")
    assert stock["radius"]["ci"][0] > 0.8
    assert stock["observed"]["value"] == pytest.approx(1)
    assert stock["failing_with_it"] == ["orders", "shop"]
    radius = [one for one in findings if one["rule"] == "large-blast-radius"]
    assert [one["subjects"][0] for one in radius] == ["stock"]


def test_retries_on_two_layers_multiply() -> None:
    _, findings = outage()

    storms = {one["subjects"][0]: one for one in findings if one["rule"] == "retry-storm"}
    assert storms.keys() == {"shop → orders", "orders → stock"}
    assert storms["orders → stock"]["subjects"][1:] == ["shop → orders"]
    assert storms["orders → stock"]["metric"]["value"] == pytest.approx(4, abs=0.3)


def test_one_retry_on_one_layer_is_not_accused_of_a_storm() -> None:
    stock = Operation(STOCK, "GET", "/stock", (constant(2),))
    once = Operation(SHOP, "GET", "/pages", (constant(1), Call(stock, attempts=2)))

    part, findings = told(Outage(("stock",), NOON, 180), operation=once)

    assert "retry-storm" not in rules_of(findings)
    assert part["retries"][0]["callee"] == "stock"


def test_a_process_that_is_gone_is_named_although_it_writes_no_spans() -> None:
    part, _ = told(Outage(("stock",), NOON, 180, refused=True))

    assert [one["origin"] for one in part["cascades"]] == ["stock"]


def test_callers_that_do_without_are_not_accused() -> None:
    part, findings = told(Outage(("stock",), NOON, 180), operation=chain(tolerated=1.0))

    assert part["cascades"] == []
    assert rules_of(findings) == set()
    assert [edge["dependency"] for edge in part["edges"] if edge["callee"] == "stock"] == ["soft"]


def test_services_that_fail_at_once_on_their_own_account_fail_together_and_take_nobody_along() -> None:
    part, findings = told(Outage(("shop", "orders"), NOON, 180, share=0.6))

    (pair,) = [pair for pair in part["pairs"] if pair["coupled"]]
    assert {pair["a"], pair["b"]} == {"orders", "shop"}
    together = next(one for one in findings if one["rule"] == "failing-together")
    assert sorted(together["subjects"]) == ["orders", "shop"]
    assert part["cascades"] == []


def test_a_locked_table_is_where_a_cascade_began() -> None:
    lock = TableLock(LEDGERS, "entries", NOON, seconds=3_600, by="stock", statement="ALTER TABLE entries", patience_s=1)

    part, _ = told(lock)

    (cascade,) = part["cascades"]
    assert cascade["origin"] == "postgresql ledgers.public"
    assert [step["service"] for step in cascade["steps"][1:]] == ["stock", "orders", "shop"]


def test_a_deployments_short_burst_of_errors_is_not_accused() -> None:
    _, findings = told(Outage(("stock",), NOON, 2), traces=60_000)

    assert rules_of(findings) == set()


def test_errors_now_and_then_are_not_accused() -> None:
    part, findings = told(operation=chain(more=(Answer(0.02, 500),)))

    assert part["cascades"] == []
    assert rules_of(findings) == set()


def test_missing_things_are_not_accused() -> None:
    part, findings = told(operation=chain(more=(Answer(0.3, 404),)))

    assert part["edges"] == []
    assert rules_of(findings, warnings=False) == set()


def test_a_batch_job_that_fails_every_night_is_not_accused_of_a_cascade() -> None:
    job = Job(STOCK, "count stock", (constant(20), Query(LEDGERS, "SELECT", "entries", Latency(10, 30), failure=1.0)))

    part, findings = told(entries=(Entry(job, nightly_hour=2.0),))

    assert part["cascades"] == []
    assert rules_of(findings) == set()
