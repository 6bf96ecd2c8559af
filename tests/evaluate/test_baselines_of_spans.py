"""Baselines that look at spans do what their authors define, and err as they are known to err."""

import polars as pl
import pytest

from evidence import claims_of, evidence_of, spans_of
from tracelith.evaluate.baselines import (
    METHODS,
    call_graph,
    error_correlation,
    esb_usage,
    fixed_calls,
    graph_cycles,
    quantile_ratio,
    shared_datastore,
)
from tracelith.evaluate.claims import hop_subject

ORDERS = """
shop SERVER GET /orders 0..90ms
  shop CLIENT price 10..40ms
    price SERVER GET /price 12..38ms
      price INTERNAL compute 13..37ms
        price CLIENT GET rates 14..36ms
          rates SERVER GET /rates 15..35ms
  shop PRODUCER publish orders 50..52ms mq=kafka object=orders
    mail CONSUMER process orders 900..950ms deferred mq=kafka object=orders
"""


def test_the_call_graph_takes_a_consumer_that_nobody_waits_for_as_a_synchronous_call():
    evidence = evidence_of(ORDERS)

    edges = claims_of(call_graph.METHOD, evidence, "edge")
    synchronous = claims_of(call_graph.METHOD, evidence, "sync-edge")

    assert sorted(edges) == sorted(synchronous) == ["price → rates", "shop → mail", "shop → price"]
    assert all(claim.claimed for claim in synchronous.values())


def test_its_edges_carry_the_number_of_calls():
    linked = call_graph.linked_spans(spans_of(ORDERS + "---" + ORDERS))

    edges = call_graph.service_edges(linked)

    assert edges.rows() == [("price", "rates", 2), ("shop", "mail", 2), ("shop", "price", 2)]


def test_its_depth_counts_borders_between_services_and_no_spans_within_one():
    depths = call_graph.entry_depths(call_graph.linked_spans(spans_of(ORDERS)))

    assert depths.rows() == [("shop", "GET /orders", 2)]


def test_a_lost_span_shortens_the_chain_unseen_and_takes_its_edges_with_it():
    whole = spans_of(ORDERS)
    damaged = whole.filter(pl.col("name") != "GET /price")

    linked = call_graph.linked_spans(damaged)

    assert call_graph.entry_depths(linked).rows() == [("shop", "GET /orders", 1)]
    assert "price" not in call_graph.service_edges(linked)["callee"]


def test_depths_become_quantiles_and_three_hops_at_p95_are_deep():
    deep = "a SERVER go 0..9ms\n  b SERVER go 1..8ms\n    c SERVER go 2..7ms\n      d SERVER go 3..6ms\n"
    flat = "a SERVER go 0..9ms\n"
    evidence = evidence_of("---\n".join([deep] * 2 + [flat] * 18))

    estimates = {name: claims_of(call_graph.METHOD, evidence, name)["a go"] for name in call_graph.METHOD.detectors[2:]}

    assert estimates["deep-chain"].claimed is True
    assert [estimates[f"depth-{which}"].estimate for which in ("p50", "p95", "max")] == [0, 3, 3]


def test_a_repeated_span_counts_once():
    once = spans_of(ORDERS)

    linked = call_graph.linked_spans(pl.concat([once, once]))

    assert linked.height == once.height


def test_spans_that_are_their_own_ancestors_end_the_climb():
    circle = spans_of("a SERVER one 0..9ms\n  b SERVER two 1..8ms id=two").with_columns(
        parent_id=pl.col("span_id").reverse()
    )

    assert call_graph.entry_depths(call_graph.linked_spans(circle)).is_empty()


def _star(center: str, leaves: int, callers: int) -> str:
    """A service with so many callers and callees, beside two pairs of services with one call each."""
    ins = [f"c{n} SERVER in 0..9ms\n  {center} SERVER serve 1..8ms\n" for n in range(callers)]
    outs = [f"{center} SERVER start 0..9ms\n  l{n} SERVER leaf 1..8ms\n" for n in range(leaves)]
    pairs = ["x SERVER go 0..9ms\n  y SERVER go 1..8ms\n", "v SERVER go 0..9ms\n  w SERVER go 1..8ms\n"]
    return "---\n".join([*ins, *outs, *pairs])


@pytest.mark.parametrize(("leaves", "callers", "buses"), [(6, 6, ["hub"]), (6, 0, []), (0, 6, []), (1, 1, [])])
def test_13_2_a_service_bus_stands_out_by_incoming_and_outgoing_connections(leaves: int, callers: int, buses: list):
    found = esb_usage.service_buses(spans_of(_star("hub", leaves, callers)))

    assert found == buses


def test_13_2_only_the_service_right_after_a_large_step_stands_out():
    counted = pl.DataFrame({"service": ["a", "b", "c", "d", "e"], "degree": [1, 1, 2, 12, 12]})

    assert esb_usage.outliers(counted) == {"d"}


def test_a_healthy_gateway_with_callers_is_accused_of_being_a_bus():
    evidence = evidence_of(_star("gateway", 6, 6))

    assert claims_of(esb_usage.METHOD, evidence, "alarm")["esb-usage"].claimed is True


def _requests(slow_ms: int, hiccup_ms: int) -> str:
    """A hundred requests: a service mostly takes 300 ms and in two of them slow_ms, a cache 1 ms and hiccup_ms."""
    traces = []
    for number in range(100):
        service, cache = (slow_ms if number < 2 else 300), (hiccup_ms if 10 <= number < 12 else 1)
        end = 10 + cache + service
        traces.append(
            f"shop SERVER GET /orders 0..{end + 10}ms\n"
            f"  shop CLIENT GET 5..{5 + cache}ms db=redis\n"
            f"  price SERVER GET /price {10 + cache}..{end}ms\n"
        )
    return "---\n".join(traces)


def test_the_quantile_ratio_names_the_hiccup_of_a_cache_where_a_service_makes_requests_slow():
    evidence = evidence_of(_requests(slow_ms=2_000, hiccup_ms=20))

    claims = claims_of(quantile_ratio.METHOD, evidence, "tail-hop")

    assert list(claims) == [hop_subject("shop", "GET /orders", "shop → redis")]


def test_6_2_its_ratios_are_those_of_each_place():
    ratios = quantile_ratio.ratios(spans_of(_requests(slow_ms=2_000, hiccup_ms=20)))

    assert ratios.select("place", "durations").rows() == [("price", 100), ("shop", 100), ("shop → redis", 100)]
    assert ratios["ratio"].to_list() == pytest.approx([2_000 / 300, 2_021 / 321, 20], rel=0.01)


def test_a_place_with_less_than_a_hundred_durations_is_not_named():
    evidence = evidence_of("---\n".join(_requests(2_000, 20).split("---\n")[:99]))

    assert quantile_ratio.METHOD.judge(evidence) == []


def test_8_a_database_with_two_callers_is_told_though_each_has_a_schema_of_its_own():
    evidence = evidence_of(
        "shop SERVER go 0..9ms\n  shop CLIENT SELECT a 1..2ms db=postgresql object=one.shop\n"
        "  mail SERVER go 3..8ms\n    mail CLIENT SELECT a 4..5ms db=postgresql object=one.mail\n"
        "    mail CLIENT SELECT b 6..7ms db=postgresql object=two\n    mail PRODUCER out 7..8ms mq=kafka object=out\n"
    )

    claims = claims_of(shared_datastore.METHOD, evidence, "shared-datastore")

    told = {subject: claim.claimed for subject, claim in claims.items()}
    assert told == {"postgresql one.mail": True, "postgresql one.shop": True, "postgresql two": False}
    assert claims_of(shared_datastore.METHOD, evidence, "alarm")["shared-datastore"].claimed is True


def test_13_2_services_that_reach_each_other_are_a_cycle_though_no_request_comes_back():
    evidence = evidence_of(
        "a SERVER one 0..9ms\n  b SERVER two 1..8ms\n---\nb SERVER three 0..9ms\n  a SERVER four 1..8ms\n"
        "---\nc SERVER go 0..9ms\n  a SERVER one 1..8ms\n"
    )

    claims = claims_of(graph_cycles.METHOD, evidence, "call-cycle")

    assert list(claims) == ["a + b"]
    assert claims_of(graph_cycles.METHOD, evidence, "alarm")["graph-cycles"].claimed is True


def test_13_1_the_cycle_of_the_oracle_is_found_among_services_without_one():
    pairs = [("gw", "o"), ("gw", "u"), ("o", "i"), ("o", "p"), ("p", "o"), ("i", "u")]

    cycles = graph_cycles.cycles(pl.DataFrame(pairs, schema=["caller", "callee"], orient="row"))

    assert cycles == [["o", "p"]]


def _reading(times: int, name: str = "SELECT a") -> str:
    rows = "".join(f"  shop CLIENT {name} {at}..{at + 1}ms db=postgresql object=rows\n" for at in range(1, times + 1))
    return f"shop SERVER GET /list 0..90ms\n{rows}"


def test_one_request_with_five_equal_queries_makes_an_issue_and_four_do_not():
    five, four = evidence_of("---\n".join([_reading(1)] * 9 + [_reading(5)])), evidence_of(_reading(4))

    claims = claims_of(fixed_calls.METHOD, five, "chatty")

    assert list(claims) == ["shop GET /list → postgresql rows"]
    assert claims_of(fixed_calls.METHOD, four, "chatty") == {}


def test_calls_to_services_in_a_loop_are_not_looked_at():
    calls = "".join(f"  shop CLIENT GET {at}..{at + 1}ms\n    price SERVER GET {at}..{at + 1}ms\n" for at in range(9))

    assert claims_of(fixed_calls.METHOD, evidence_of(f"shop SERVER go 0..90ms\n{calls}"), "chatty") == {}


def _minutes(passes_on: bool) -> str:
    """Forty minutes with two requests each; in every fourth one the callee fails, and the caller as well or not."""
    traces = []
    for minute in range(40):
        for at in (minute * 60_000, minute * 60_000 + 9_000):
            below = " !" if minute % 4 == 0 else ""
            above = " !" if below and passes_on else ""
            traces.append(f"a SERVER go {at}..{at + 9}ms{above}\n  b SERVER do {at + 1}..{at + 8}ms{below}\n")
    return "---\n".join(traces)


@pytest.mark.parametrize("passes_on", [True, False])
def test_who_fails_in_the_minutes_of_its_callee_depends_on_it(passes_on: bool):
    evidence = evidence_of(_minutes(passes_on))

    claim = claims_of(error_correlation.METHOD, evidence, "hard-dependency")["a → b"]

    assert claim.claimed is (True if passes_on else None)


def test_two_callees_of_one_cause_are_not_edges_and_never_asked():
    edges = error_correlation.correlations(spans_of(_minutes(passes_on=True)))

    assert edges.select("caller", "callee").rows() == [("a", "b")]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_without_any_evidence_nothing_is_accused(method):
    claims = method.judge(evidence_of())

    assert not [claim for claim in claims if claim.claimed]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_methods_answer_only_the_detectors_they_name(method):
    evidence = evidence_of(ORDERS)

    assert {claim.detector for claim in method.judge(evidence)} <= set(method.detectors)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_baseline_says_its_definition_thresholds_faults_and_source(method):
    module = __import__(method.judge.__module__, fromlist=["METHOD"])

    for part in ("Definition: ", "Thresholds: ", "What it gets wrong: ", "Source: "):
        assert f"\n{part}" in str(module.__doc__)
