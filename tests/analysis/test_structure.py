"""The shape of a system: its graph, circles that requests go round, and services that stand out."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.pipelines import analysed, batches, over_windows
from tracelith.analysis.base import Analysis
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.service_structure import ANALYSIS
from tracelith.analysis.structure.facts import _returns
from tracelith.analysis.structure.graph import gini, service_graph, standing_out
from tracelith.analysis.structure.size import _judge

ORACLE = (("gw", "o"), ("gw", "u"), ("o", "i"), ("o", "p"), ("p", "o"), ("i", "u"))
CALLS = next(analysis for analysis in registered_analyses() if analysis.name == "calls")

ROUND = """
shop SERVER GET /orders 0..100ms route=/orders
  shop CLIENT GET 10..90ms
    price SERVER GET /price 11..89ms route=/price
      price CLIENT GET 20..60ms
        shop SERVER GET /stock 21..59ms route=/stock
"""

STRAIGHT = """
shop SERVER GET /orders 0..100ms route=/orders
  shop CLIENT GET 10..90ms
    price SERVER GET /price 11..89ms route=/price
"""


def structure_of(*traces: str, copies: int = 30, windows: int = 8) -> dict[str, Any]:
    """The document of these traces, many times over."""
    window = over_windows("\n\n".join(trace.strip("\n") for trace in traces), copies=copies, windows=windows)
    both: list[Analysis] = [CALLS, ANALYSIS]
    return analysed([batches(window)], analyses=both)


def rules(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding["rule"], finding["severity"]) for finding in document["findings"]]


def test_13_1_graph_oracle() -> None:
    graph = service_graph((), ORACLE)

    assert {name: len(callers) for name, callers in graph.callers.items()} == {"gw": 0, "o": 2, "u": 2, "i": 1, "p": 1}
    assert {name: len(callees) for name, callees in graph.callees.items()} == {"gw": 2, "o": 2, "u": 0, "i": 1, "p": 1}
    assert graph.density == pytest.approx(0.30)
    assert graph.mean_callees == pytest.approx(1.2)
    assert graph.mutual_pairs == 1
    assert [graph.instability(name) for name in ("gw", "o", "u")] == [1, 0.5, 0]
    assert graph.circles() == [("o", "p")]
    assert gini([len(callers) for callers in graph.callers.values()]) == pytest.approx(1 / 3)


def test_a_graph_without_edges_has_no_numbers_to_show() -> None:
    graph = service_graph(("alone",), ())

    assert (graph.density, graph.mean_callees, graph.instability("alone"), graph.circles()) == (None, 0, None, [])
    assert gini([0, 0]) is None


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=30), st.floats(0.1, 100))
def test_concentration_does_not_depend_on_the_unit(values: list[float], unit: float) -> None:
    assert gini([value * unit for value in values]) == pytest.approx(gini(values), abs=1e-9)


@pytest.mark.parametrize(
    ("others", "most_ordinary"),
    [([0] * 20, 3), ([1] * 20, 3), ([0, 1] * 10, 3), ([1, 2] * 10, 4), ([1, 1, 1, 2, 4] * 4, 5), ([3] * 20, 9)],
)
def test_whoever_has_three_times_as_many_as_usual_stands_out_however_much_the_others_differ(
    others: list[int], most_ordinary: int
) -> None:
    assert not standing_out([*others, most_ordinary], 4)[-1]
    assert standing_out([*others, most_ordinary + 1], 4)[-1]
    assert not standing_out([*others, most_ordinary + 1], 4)[:-1].any()


def test_13_2_a_request_that_comes_back_to_a_waiting_service_is_a_cycle() -> None:
    document = structure_of(ROUND, STRAIGHT)

    (cycle,), (finding,) = document["structure"]["cycles"], document["findings"]
    assert (cycle["services"], cycle["kind"]) == (["price", "shop"], "runtime")
    assert cycle["edges"] == ["price → shop", "shop → price"]
    assert cycle["reentry_share"]["value"] == pytest.approx(0.5)
    assert len(cycle["trace_ids"]) == 3
    assert (finding["rule"], finding["severity"], finding["subjects"]) == ("call-cycle", "warning", ["price", "shop"])
    assert "50 % of the requests through shop" in finding["title"]


@given(spans=st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 2)), min_size=6, max_size=6))
def test_a_request_comes_back_to_the_nearest_of_its_service_above_past_another(spans: list[tuple[int, int]]) -> None:
    above, service = (np.array([span[column] for span in spans], np.int32) for column in range(2))
    expected = []
    for span in range(6):
        way = [span]  # upwards, round and round where requests link to each other in a circle
        while len(way) <= 33 and above[way[-1]] >= 0:
            way.append(above[way[-1]])
        back = [steps for steps, at in enumerate(way) if steps and service[at] == service[span]]
        if back and back[0] > 1:
            expected.append((span, back[0]))

    span, steps = _returns.py_func(above, service)

    assert list(zip(span, steps, strict=True)) == expected


def test_a_longer_circle_names_all_on_it() -> None:
    document = structure_of(
        """
        a SERVER GET /a 0..100ms
          a CLIENT x 10..90ms
            b SERVER GET /b 11..89ms
              b CLIENT x 12..80ms
                c SERVER GET /c 13..79ms
                  c CLIENT x 14..70ms
                    a SERVER GET /aa 15..69ms
        """
    )

    assert [cycle["services"] for cycle in document["structure"]["cycles"]] == [["a", "b", "c"]]
    assert document["structure"]["cycles"][0]["edges"] == ["a → b", "b → c", "c → a"]


def test_calls_in_both_directions_of_different_requests_are_worth_knowing_only() -> None:
    back = "price SERVER GET /p 0..50ms\n  price CLIENT x 10..40ms\n    shop SERVER GET /s 11..39ms"

    document = structure_of(STRAIGHT, back)

    assert [cycle["kind"] for cycle in document["structure"]["cycles"]] == ["between_requests"]
    assert document["structure"]["cycles"][0]["reentry_share"]["value"] == 0
    assert rules(document) == [("call-cycle", "info")]


def test_an_answer_that_comes_as_a_message_is_not_accused() -> None:
    document = structure_of(
        """
        order SERVER POST /orders 0..20ms
          order PRODUCER publish 5..8ms mq=kafka object=placed action=publish
            stock CONSUMER process 30..60ms mq=kafka object=placed action=process
              stock PRODUCER publish 50..55ms mq=kafka object=reserved action=publish
                order CONSUMER process 80..90ms mq=kafka object=reserved action=process
        """
    )

    assert document["structure"]["cycles"] == []
    assert document["findings"] == []


def test_a_few_requests_in_a_circle_are_not_accused() -> None:
    document = structure_of(*[STRAIGHT] * 30, ROUND, copies=1, windows=8)

    assert rules(document) == [("call-cycle", "info")]


def test_a_service_that_calls_itself_is_no_circle() -> None:
    document = structure_of(
        """
        shop SERVER GET /a 0..50ms
          shop CLIENT x 10..40ms
            shop SERVER GET /b 11..39ms
        """
    )

    assert document["structure"]["cycles"] == []


def _star(centre: str, callers: int, callees: int) -> list[str]:
    """Everyone calls the centre and the centre calls others; further services call one another in pairs."""
    inward = [
        f"in{at} SERVER G 0..9ms\n  in{at} CLIENT x 1..8ms\n    {centre} SERVER H 2..7ms" for at in range(callers)
    ]
    outward = [
        f"far SERVER G 0..9ms\n  far CLIENT x 1..8ms\n    {centre} SERVER H 2..7ms\n      {centre} CLIENT y 3..6ms\n"
        f"        out{at} SERVER I 4..5ms"
        for at in range(callees)
    ]
    return inward + outward


def test_a_service_with_far_more_neighbours_both_ways_is_a_hub() -> None:
    document = structure_of(*_star("bus", 14, 14), copies=2, windows=2)

    assert [shape["service"] for shape in document["structure"]["services"] if shape["hub"]] == ["bus"]
    assert rules(document) == [("hub-service", "info")]


def test_a_gateway_is_not_accused_of_being_a_hub() -> None:
    doors = ["bus SERVER G 0..9ms"] * 40

    assert rules(structure_of(*_star("bus", 14, 14), *doors, copies=2, windows=2)) == []


def test_a_service_that_works_shorter_than_it_takes_to_reach_it_is_nano() -> None:
    document = structure_of(
        """
        shop SERVER GET / 0..100ms
          shop CLIENT x 10..60ms
            thin SERVER GET /t 20..50ms
              thin CLIENT y 20.5..49.5ms
                deep SERVER GET /d 25..45ms
        """
    )

    shapes = {shape["service"]: shape for shape in document["structure"]["services"]}
    assert {name: shape["size"] for name, shape in shapes.items()} == {
        "shop": "ordinary",
        "thin": "nano",
        "deep": "ordinary",
    }
    assert shapes["thin"]["network_ms"] == pytest.approx(20)
    assert shapes["thin"]["own_ms"] == pytest.approx(1, rel=0.1)
    assert (shapes["thin"]["only_caller"], shapes["deep"]["only_caller"], shapes["shop"]["only_caller"]) == (
        "shop",
        "thin",
        None,
    )
    assert rules(document) == [("nano-service", "info")]


def test_few_requests_have_no_size() -> None:
    document = structure_of(STRAIGHT, copies=2, windows=2)

    assert {shape["size"] for shape in document["structure"]["services"]} == {"unknown"}
    assert document["findings"] == []


def test_requests_from_outside_are_counted_per_second_only_where_sampling_is_known() -> None:
    known, unknown = structure_of(STRAIGHT), structure_of(STRAIGHT.replace("ms", "ms weight=?"))

    assert known["structure"]["size"]["requests_per_second"] > 0
    assert unknown["structure"]["size"]["requests_per_second"] is None


def test_teams_come_from_namespaces() -> None:
    document = structure_of(STRAIGHT.replace("shop", "sales/shop").replace("price", "pricing/price"))

    assert document["structure"]["size"]["teams"] == 2
    assert {shape["team"] for shape in document["structure"]["services"]} == {"sales", "pricing"}


@pytest.mark.parametrize(
    ("services", "units", "teams", "label"),
    [
        (50, 9, None, "too_many"),
        (50, 50, None, "ordinary"),
        (50, 30, 3, "too_many"),
        (50, 50, 25, "ordinary"),
        (50, None, None, "unknown"),
        (10, 1, 1, "ordinary"),
        (0, None, None, "unknown"),
    ],
)
def test_too_many_services_are_those_that_do_not_stand_on_their_own(
    services: int, units: int | None, teams: int | None, label: str
) -> None:
    assert _judge(services, units, teams)[0] == label


def test_without_requests_the_part_says_so() -> None:
    document = analysed([], analyses=[CALLS, ANALYSIS])

    assert document["structure"]["status"] == "insufficient_data"
    assert document["structure"]["size"]["label"] == "unknown"
