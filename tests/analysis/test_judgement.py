"""What the score is measured by, which services form a group, and that every rule has its words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.analysis.judgement.bounds import BOUNDS
from tracelith.analysis.judgement.clauses import CLAUSES
from tracelith.analysis.judgement.groups import coupled_groups
from tracelith.analysis.judgement.score import COMPONENTS
from tracelith.analysis.judgement.verdict import verdict_of
from tracelith.present.answers import _TOPICS


def estimate(value: float, low: float, high: float) -> dict[str, Any]:
    return {"value": value, "ci": [low, high], "n": 100, "n_eff": 100.0, "status": "ok", "reason": ""}


def edge(caller: str, callee: str, mode: str = "sync") -> dict[str, Any]:
    return {"caller": caller, "callee": callee, "callee_kind": "service", "mode": mode, "calls": 50, "status": "ok"}


def power(caller: str, callee: str, low: float, dependency: str = "hard") -> dict[str, Any]:
    ends = {"caller": caller, "callee": callee, "callee_kind": "service"}
    return ends | {"power": estimate(low, low, 1.0), "dependency": dependency, "status": "ok"}


def table(level: str, writers: float = 1.0) -> dict[str, Any]:
    return {"level": level, "effective_writers": estimate(writers, writers, writers), "status": "ok"}


def entry(service: str, traces: int = 1000, p95: float = 1.0) -> dict[str, Any]:
    depth = {"p95": estimate(p95, p95, p95)}
    ends = {"service": service, "operation": "GET /", "traces": traces, "restarted": False}
    return ends | {"depth": depth, "chains": [], "status": "ok"}


def document_of(**parts: Any) -> dict[str, Any]:
    """A document in which these parts say this and the others nothing."""
    nothing: dict[str, Any] = {
        "entry_operations": [entry("shop")],
        "edges": [],
        "tail": [],
        "findings": [],
        "quality": {"traces": 1000},
        "codeployment": {
            "system": {"lockstep_excess": {"status": "insufficient_data", "ci": None}},
            "pairs": [],
            "groups": [],
            "services": [],
        },
        "datastores": {"tables": [], "pairs": [], "status": "insufficient_data"},
        "failures": {"edges": [], "pairs": [], "status": "insufficient_data"},
        "queues": {"waits": [], "destinations": [], "status": "insufficient_data"},
        "layers": {"status": "insufficient_data"},
        "scaling": {"pairs": [], "status": "insufficient_data"},
    }
    return nothing | parts


def bounds_of(name: str, **parts: Any) -> tuple[float | None, float | None]:
    return BOUNDS[name](document_of(**parts))


def test_15_every_component_of_the_score_is_measured_by_something() -> None:
    assert set(BOUNDS) == {measure.name for measure in COMPONENTS}


def test_20_17_what_could_not_be_told_has_no_value() -> None:
    alone = document_of(edges=[edge("a", "b"), edge("b", "c"), edge("c", "d", "async")], entry_operations=[])

    assert {name: told(alone) for name, told in BOUNDS.items()} == dict.fromkeys(BOUNDS, (None, None))


def test_tables_that_only_their_owners_use_are_owned() -> None:
    assert bounds_of("writers", datastores={"tables": [table("own"), table("own", 2.0)]}) == (1.0, 1.0)


def test_data_count_by_the_worst_table_or_by_how_many_are_not_their_owners_alone() -> None:
    worst = bounds_of("writers", datastores={"tables": [table("written", 1.8), *[table("own")] * 9]})
    many = bounds_of("writers", datastores={"tables": [table("read"), table("read"), table("own")]})

    assert worst == (1.8, 1.8)
    assert many == (pytest.approx(1 + 2 / 3), pytest.approx(1 + 2 / 3))


def test_a_failure_that_only_its_caller_feels_is_what_a_call_means() -> None:
    one_hop = bounds_of(
        "failure", edges=[edge("a", "b")], failures={"edges": [power("a", "b", 1.0)], "pairs": [], "status": "ok"}
    )
    two_hops = bounds_of(
        "failure",
        edges=[edge("a", "b"), edge("b", "c")],
        failures={"edges": [power("a", "b", 0.9), power("b", "c", 0.8)], "pairs": [], "status": "ok"},
    )

    assert one_hop == (0.0, 0.0)
    assert two_hops == (pytest.approx(0.72), 1.0)


def test_a_chain_of_which_one_call_is_not_known_says_nothing_of_failures() -> None:
    failures = {"edges": [power("a", "b", 0.9)], "pairs": [], "status": "ok"}

    assert bounds_of("failure", edges=[edge("a", "b"), edge("b", "c")], failures=failures) == (None, None)


def test_services_that_fail_together_count_without_any_call() -> None:
    pair = {"a": "a", "b": "b", "coupled": True, "overlap": estimate(0.9, 0.7, 1.0), "q_value": 0.01}

    assert bounds_of("failure", failures={"edges": [], "pairs": [pair], "status": "ok"}) == (0.7, 1.0)


def test_requests_that_wait_behind_queues_are_a_share_of_all() -> None:
    waits = [
        {"service": "shop", "operation": "GET /", "label": "waits", "requests": 250, "answered_by": ["mail"]},
        {"service": "shop", "operation": "GET /", "label": "hands_over", "requests": 900, "answered_by": []},
    ]
    queues = {"waits": waits, "destinations": [{}], "status": "ok"}

    assert bounds_of("queues", queues=queues, edges=[edge("shop", "mail", "async")]) == (0.25, 0.25)
    assert bounds_of("queues") == (0.0, 0.0)


def test_scaling_counts_only_for_pairs_on_one_axis() -> None:
    pairs = [
        {"label": "same_axis", "dominance": estimate(0.98, 0.96, 1.0), "status": "ok"},
        {"label": "own_axis", "dominance": estimate(1, 1, 1), "status": "ok"},
    ]

    assert bounds_of("axis", scaling={"pairs": pairs}) == (0.96, 1.0)
    assert bounds_of("axis", scaling={"pairs": pairs[1:]}) == (0.0, 0.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0, 1))
def test_15_one_more_table_that_another_writes_never_lowers_the_worst(lows: list[float], more: float) -> None:
    before = [table("written", 1 + low) for low in lows]

    first, _ = bounds_of("writers", datastores={"tables": before})
    after, _ = bounds_of("writers", datastores={"tables": [*before, table("written", 1 + more)]})

    assert first is not None
    assert after is not None
    assert after >= first - 1e-12


GROUP = {"services": ["a", "b", "c"], "label": "group", "pairs": 3, "strongest_excess_low": 0.6}
DEPLOYED = [
    {"a": a, "b": b, "label": "group", "excess_low": 0.6, "excess": 0.8, "status": "ok"} for a, b in ("ab", "ac", "bc")
]


def grouped(**parts: Any) -> dict[str, Any]:
    codeployment = document_of()["codeployment"] | {"groups": [GROUP], "pairs": DEPLOYED}
    return document_of(codeployment=codeployment, **parts)


def test_a_group_says_in_which_ways_it_is_one() -> None:
    sharing = {"a": "a", "b": "b", "overlap": estimate(0.5, 0.4, 0.6), "written": True, "tables": ["t"]}
    asking = {"service": "a", "label": "waits", "answered_by": ["b"], "requests": 10}

    (group,) = coupled_groups(
        grouped(
            edges=[edge("a", "b")],
            datastores={"tables": [], "pairs": [sharing]},
            failures={"edges": [power("a", "b", 0.9)], "pairs": [], "status": "ok"},
            queues={"waits": [asking], "destinations": [], "status": "ok"},
        )
    )

    assert group["families"] == ["deploy", "runtime", "data", "failure", "queues"]
    assert group["label"] == "deploys, answers, keeps its data, fails and waits behind its queues as one"
    assert group["waits"] == ["a → b"]


def test_what_is_true_of_others_says_nothing_of_a_group() -> None:
    (group,) = coupled_groups(grouped(edges=[edge("x", "y"), edge("a", "y")]))

    assert (group["families"], group["label"]) == (["deploy"], "deploys together")


def test_services_that_call_each_other_and_write_the_same_tables_are_a_group_without_deployments() -> None:
    sharing = {"a": "x", "b": "y", "overlap": estimate(0.5, 0.4, 0.6), "written": True, "tables": ["t"]}

    (group,) = coupled_groups(document_of(edges=[edge("x", "y")], datastores={"tables": [], "pairs": [sharing]}))

    assert group["services"] == ["x", "y"]
    assert (group["families"], group["score"]) == (["runtime", "data"], 0.4)
    assert group["label"] == "answers and keeps its data as one"


def test_a_call_without_whose_answer_nothing_goes_is_not_accused_of_being_a_group() -> None:
    document = document_of(
        edges=[edge("x", "y")], failures={"edges": [power("x", "y", 0.9)], "pairs": [], "status": "ok"}
    )

    assert coupled_groups(document) == []


def test_every_rule_has_a_clause() -> None:
    assert set(CLAUSES) == set(_TOPICS)


@pytest.mark.parametrize("rule", sorted(CLAUSES))
def test_a_clause_is_short_whatever_its_subjects_are_called(rule: str) -> None:
    long = "a-service-whose-name-goes-on-and-on-for-no-good-reason"
    finding = {
        "rule": rule,
        "severity": "warning",
        "subjects": [f"{long} GET /x", *[f"{long}-{n}" for n in range(6)]],
        "metric": {"value": 4.0, "n": 50},
        "title": "",
    }

    sentence = verdict_of(document_of(findings=[finding]))["sentence"]

    assert len(sentence) <= 200
    assert sentence.endswith(".")


def test_what_is_not_measured_is_counted_where_naming_it_takes_too_long() -> None:
    info = {
        "rule": "hidden-errors",
        "severity": "info",
        "subjects": ["a-service-with-a-rather-long-name GET /orders"],
        "metric": {},
        "title": "",
    }

    sentence = verdict_of(document_of(findings=[info]))["sentence"]

    assert len(sentence) <= 200
    assert sentence.endswith("Not measured yet: 6 of 8 questions.")
