"""Many small calls in one request: loops, batches, and what is neither."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.pipelines import analysed, batches, over_windows
from tracelith.analysis.chatter.facts import observe_chatter
from tracelith.analysis.chatty_calls import ANALYSIS
from traces import view_of


def chatter_of(*traces: str, copies: int = 40, windows: int = 8) -> dict[str, Any]:
    """The document of these traces, many times over."""
    window = over_windows("\n\n".join(traces), copies=copies, windows=windows)
    return analysed([batches(window)], analyses=[ANALYSIS])


def request(*calls: str, head: str = "shop SERVER GET /orders route=/orders 0..1000ms") -> str:
    return "\n".join(
        [head.replace(" route=/orders 0..1000ms", " 0..1000ms route=/orders"), *(f"  {one}" for one in calls)]
    )


def statements(number: int, *, every: float = 10.0, taking: float = 8.0, flags: str = "") -> list[str]:
    """So many single-row statements, one begun every so many milliseconds."""
    return [
        f"shop CLIENT SELECT {at * every}..{at * every + taking}ms db=postgresql namespace=shop "
        f"statement=SELECT+order_lines {flags}"
        for at in range(number)
    ]


def edge_of(document: dict[str, Any], callee_operation: str = "SELECT order_lines") -> dict[str, Any]:
    edges = document["chatter"]["edges"]
    return next(edge for edge in edges if edge["callee_operation"] == callee_operation)


def test_13_2_rows_read_one_by_one_are_a_loop() -> None:
    document = chatter_of(request(*statements(12)), request(*statements(14)))

    edge, (finding,) = edge_of(document), document["findings"]
    assert (edge["label"], edge["asked"], edge["callee_kind"]) == ("loop", "request", "datastore")
    assert edge["mean_calls"] == 13
    assert edge["p95_calls"]["value"] == edge["in_a_row_p95"] == 14
    assert edge["at_once_p95"] == 1
    assert edge["loop_share"]["value"] == 1
    assert edge["total_ms"] == pytest.approx(13 * 8)
    assert edge["saved_ms"] == pytest.approx(12 * 8)
    assert (finding["rule"], finding["severity"]) == ("chatty-calls", "warning")
    assert finding["subjects"] == ["shop GET /orders", "postgresql shop", "SELECT order_lines"]
    assert len(finding["evidence"]["trace_ids"]) == 3


def test_a_short_loop_that_is_the_rule_is_a_warning_and_a_rare_one_is_told() -> None:
    always = chatter_of(request(*statements(6)))
    seldom = chatter_of(*[request(*statements(1))] * 4, request(*statements(6)))

    assert [finding["severity"] for finding in always["findings"]] == ["warning"]
    assert [finding["severity"] for finding in seldom["findings"]] == ["info"]
    assert edge_of(seldom)["loop_share"]["value"] == pytest.approx(0.2)


def test_calls_side_by_side_are_a_batch_which_accuses_nobody() -> None:
    document = chatter_of(request(*statements(12, every=0.5)))

    edge, (finding,) = edge_of(document), document["findings"]
    assert (edge["label"], edge["in_a_row_p95"], edge["at_once_p95"]) == ("batch", 1, 12)
    assert edge["saved_ms"] == 0
    assert finding["severity"] == "info"


def test_batches_in_a_row_are_counted_as_stretches() -> None:
    view = view_of(request(*(line for start in (0, 200, 400) for line in _batch(start))))

    rows = observe_chatter(view)["repeated_calls"]

    assert dict(rows.select("measure", "times").iter_rows()) == {"calls": 12, "in_a_row": 3, "at_once": 4}


def _batch(start: int) -> list[str]:
    return [
        f"shop CLIENT SELECT {start + shift}..{start + 50}ms db=postgresql statement=SELECT+order_lines"
        for shift in range(4)
    ]


def test_a_loop_over_a_service_names_its_operation() -> None:
    calls = [
        line
        for at in range(11)
        for line in (
            f"shop CLIENT GET {at * 20}..{at * 20 + 15}ms",
            f"  prices SERVER GET /price {at * 20 + 1}..{at * 20 + 14}ms route=/price/{{id}}",
        )
    ]

    document = chatter_of(request(*calls))

    assert document["findings"][0]["subjects"] == ["shop GET /orders", "prices", "GET /price/{id}"]
    assert "whole list" in document["findings"][0]["advice"]


def test_attempts_of_one_call_are_not_accused_of_being_a_loop() -> None:
    retried = [
        f"shop CLIENT charge {at * 20}..{at * 20 + 15}ms peer=pay.example:443 {'!' if at < 11 else ''}"
        for at in range(12)
    ]

    document = chatter_of(request(*retried))

    assert document["chatter"]["edges"] == []
    assert document["findings"] == []


def test_a_few_pages_are_not_accused() -> None:
    document = chatter_of(request(*statements(4, every=60, taking=50)))

    assert edge_of(document)["label"] == "few"
    assert document["findings"] == []


@pytest.mark.parametrize(
    "head",
    [
        "shop INTERNAL nightly-export 0..1000ms",
        "shop CONSUMER process orders 0..1000ms mq=kafka object=orders action=process",
    ],
)
def test_a_job_or_a_batch_of_messages_is_not_accused(head: str) -> None:
    document = chatter_of(request(*statements(50), head=head))

    assert edge_of(document)["label"] == "loop"
    assert edge_of(document)["asked"] in {"job", "message"}
    assert [finding["severity"] for finding in document["findings"]] == ["info"]


def test_reads_from_a_cache_are_not_accused() -> None:
    reads = [f"shop CLIENT GET {at}..{at + 0.4}ms db=redis namespace=0 action=GET object=prices" for at in range(20)]

    document = chatter_of(request(*reads))

    assert [finding["severity"] for finding in document["findings"]] == ["info"]


def test_health_checks_that_ask_each_dependency_once_are_not_accused() -> None:
    checks = [
        f"shop CLIENT GET {at}..{at + 1}ms\n    dep{at} SERVER GET /health {at}..{at + 1}ms route=/health"
        for at in range(12)
    ]

    assert chatter_of(request(*checks))["findings"] == []


def test_different_statements_are_different_calls() -> None:
    lines = [
        f"shop CLIENT SELECT {at * 10}..{at * 10 + 5}ms db=postgresql statement=SELECT+table_{at}" for at in range(15)
    ]

    assert chatter_of(request(*lines))["chatter"]["edges"] == []


def test_few_requests_say_nothing() -> None:
    document = chatter_of(request(*statements(12)), copies=2, windows=5)

    assert edge_of(document)["label"] == "unknown"
    assert document["chatter"]["status"] == "insufficient_data"
    assert "30 requests" in document["chatter"]["reason"]
    assert document["findings"] == []


def test_without_calls_the_part_says_so() -> None:
    document = chatter_of("shop SERVER GET / 0..5ms")

    assert document["chatter"]["status"] == "insufficient_data"
    assert "nobody waited" in document["chatter"]["reason"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 60)), min_size=2, max_size=15))
def test_stretches_and_batches_are_those_of_the_union_of_intervals(calls: list[tuple[int, int]]) -> None:
    lines = [
        f"shop CLIENT SELECT {start}..{start + length}ms db=postgresql statement=SELECT+order_lines"
        for start, length in calls
    ]

    rows = observe_chatter(view_of(request(*lines)))["repeated_calls"]

    stretches, largest, busy = _by_hand(sorted(calls))
    seen = dict(rows.select("measure", "times").iter_rows())
    assert (seen.get("in_a_row", 1), seen.get("at_once", 1)) == (stretches, largest)
    assert rows["weighted_ns"].sum() == pytest.approx(busy * 1e6)


def _by_hand(calls: list[tuple[int, int]]) -> tuple[int, int, int]:
    sizes, busy, end = list[int](), 0, -1
    for start, length in calls:
        if start >= end:
            sizes.append(0)
            end = start
        sizes[-1] += 1
        busy += max(0, start + length - end)
        end = max(end, start + length)
    return len(sizes), max(sizes), busy
