"""Pairs that are bound without a call, and calls that bind nothing else."""

from typing import Any

import polars as pl
import pytest

from analysis.test_concluding import NoFacts
from tracelith.analysis.base import Conclusion, Evidence
from tracelith.analysis.components import connected_sets
from tracelith.analysis.hidden_coupling import ANALYSIS, _pairs_of
from tracelith.model.schema import DEPLOYMENT


def estimate(value: float, low: float, high: float) -> dict[str, Any]:
    return {"value": value, "ci": [low, high], "n": 100, "n_eff": 100.0, "status": "ok", "reason": ""}


def edge(caller: str, callee: str, mode: str = "sync", kind: str = "service") -> dict[str, Any]:
    return {"caller": caller, "callee": callee, "callee_kind": kind, "mode": mode, "calls": 50, "status": "ok"}


def deployed(a: str, b: str, label: str = "pair", low: float | None = 0.6) -> dict[str, Any]:
    return {"a": a, "b": b, "label": label, "excess_low": low}


def failing(a: str, b: str, *, coupled: bool = True) -> dict[str, Any]:
    return {"a": a, "b": b, "overlap": estimate(0.8, 0.6, 0.9), "q_value": 0.001, "coupled": coupled}


def sharing(a: str, b: str, *, low: float = 0.3, written: bool = True) -> dict[str, Any]:
    tables = ["public.orders", "public.lines"]
    return {"a": a, "b": b, "overlap": estimate(0.4, low, 0.5), "tables": tables, "written": written}


def scaling(a: str, b: str) -> dict[str, Any]:
    return {"a": a, "b": b, "label": "same_axis", "dominance": estimate(1, 0.97, 1), "r_squared": 0.9}


def concluded_from(services: str = "abcd", **parts: Any) -> Conclusion:
    """What follows where the other analyses said this; everyone is deployed often, and nobody with anybody."""
    said = {
        "quality": {"service_list": [{"service": name} for name in services]},
        "edges": parts.get("edges", []),
        "codeployment": {
            "pairs": parts.get("deploy", []),
            "services": [
                {
                    "service": name,
                    "deployments": parts.get("deployments", 20),
                    "tested_with": parts.get("tested_with", {}).get(name, len(services) - 1),
                }
                for name in services
            ],
            "system": {"pairs": parts.get("counted", {"tested": 6 if parts.get("deployments", 20) >= 5 else 0})},
        },
        "failures": {"pairs": parts.get("failures", [])},
        "datastores": {"pairs": parts.get("data", [])},
        "scaling": {"pairs": parts.get("scaling", [])},
        "queues": {"destinations": parts.get("queues", [])},
    }
    return ANALYSIS.conclude(Evidence("", 0, 1, NoFacts(), pl.DataFrame(schema=DEPLOYMENT), concluded=said))


def labels(conclusion: Conclusion) -> dict[str, str]:
    return {f"{row['a']}{row['b']}": row["label"] for row in conclusion.document["coupling"]["pairs"]}


@pytest.mark.parametrize(
    ("bond", "way"),
    [
        ({"deploy": [deployed("a", "b")]}, "deploy together"),
        ({"data": [sharing("a", "b")]}, "use tables that one of them writes"),
        ({"failures": [failing("a", "b")]}, "fail together"),
    ],
)
def test_a_bond_without_a_call_is_hidden(bond: dict[str, Any], way: str) -> None:
    conclusion = concluded_from(edges=[edge("c", "a")], **bond)

    (finding,) = conclusion.findings
    assert labels(conclusion)["ab"] == "hidden"
    assert (finding.rule, str(finding.severity), finding.subjects) == ("hidden-coupling", "warning", ("a", "b"))
    assert finding.title == f"a and b {way}, although neither calls the other"


def test_a_bond_beside_a_call_or_a_message_is_open() -> None:
    called = concluded_from(edges=[edge("b", "a")], deploy=[deployed("a", "b")])
    told = concluded_from(edges=[edge("a", "b", "async")], deploy=[deployed("a", "b")])
    queue = {"producers": ["a"], "consumers": [{"service": "b", "messages": 70}]}
    queued = concluded_from(queues=[queue], deploy=[deployed("a", "b")])

    assert labels(called) == labels(told) == labels(queued) == {"ab": "open"}
    ways = [said.document["coupling"]["pairs"][0]["linked_by"] for said in (called, told, queued)]
    assert ways == ["calls", "messages", "messages"]
    assert not called.findings + told.findings + queued.findings


def test_calls_that_bind_nothing_else_are_counted_as_they_should_be() -> None:
    conclusion = concluded_from(edges=[edge("a", "b"), edge("b", "c")])

    assert labels(conclusion) == {"ab": "calls_only", "bc": "calls_only"}
    assert conclusion.document["coupling"]["counts"] == {"calls_only": 2, "none": 4}


def test_calls_of_which_nothing_else_could_be_told_are_unknown() -> None:
    conclusion = concluded_from(edges=[edge("a", "b")], deployments=2, data=[sharing("c", "d")])

    assert labels(conclusion)["ab"] == "unknown"


def test_without_any_other_evidence_nothing_reads_as_free() -> None:
    conclusion = concluded_from(edges=[edge("a", "b")], deployments=2)

    assert conclusion.document["coupling"]["status"] == "insufficient_data"
    assert conclusion.document["coupling"]["pairs"] == []


def test_an_untested_pair_is_not_taken_for_a_free_one() -> None:
    conclusion = concluded_from(
        edges=[edge("a", "b"), edge("c", "d")],
        deploy=[deployed("a", "b", "untested", None), deployed("b", "d")],
        tested_with={"a": 2, "b": 2},
    )

    assert labels(conclusion)["ab"] == "unknown"
    assert labels(conclusion)["cd"] == "calls_only"


def test_a_pair_that_the_document_does_not_list_is_free_only_if_it_was_surely_tested() -> None:
    edges = [edge("a", "b"), edge("c", "d")]

    most = concluded_from(edges=edges, deploy=[deployed("b", "d")], tested_with={"a": 2, "b": 2})
    crowded = concluded_from(edges=edges, deploy=[deployed("b", "d")], counted={"tested": 6, "coupled": 2, "listed": 1})

    assert labels(most) == {"bd": "hidden", "ab": "unknown", "cd": "calls_only"}
    assert labels(crowded) == {"bd": "hidden", "ab": "unknown", "cd": "unknown"}


def test_how_many_pairs_were_tested_is_told_however_few_are_listed() -> None:
    conclusion = concluded_from(deploy=[deployed("b", "d")], counted={"tested": 5, "coupled": 1, "listed": 1})

    assert conclusion.document["coupling"]["evidence"]["deploy"] == 5


def test_one_common_incident_is_not_taken_for_a_bond() -> None:
    once = failing("a", "b")
    once["overlap"]["n_eff"] = 1.0

    conclusion = concluded_from(failures=[once], edges=[edge("c", "d")])

    assert "ab" not in labels(conclusion)
    assert conclusion.findings == ()


def test_a_service_between_two_in_one_chain_of_calls_is_told() -> None:
    conclusion = concluded_from(edges=[edge("b", "c"), edge("c", "a")], deploy=[deployed("a", "b")])

    (finding,) = conclusion.findings
    assert finding.title == "a and b deploy together, although b reaches a only through c"
    assert "what c hands on between b and a" in finding.advice
    assert finding.evidence["through"] == "c"


def test_a_service_without_spans_is_not_accused_of_calling_nobody() -> None:
    conclusion = concluded_from("ab", deploy=[deployed("a", "silent")], edges=[edge("a", "b")])

    assert labels(conclusion) == {"ab": "calls_only", "asilent": "unknown"}
    assert conclusion.document["coupling"]["counts"] == {"calls_only": 1, "unknown": 1}
    assert conclusion.findings == ()


def test_a_group_is_one_finding_with_all_its_pairs() -> None:
    group = [deployed(a, b, "group") for a, b in ("ab", "ac", "ad", "bc", "bd", "cd")]

    conclusion = concluded_from(edges=[edge("a", "b")], deploy=group)

    (finding,) = conclusion.findings
    assert sorted(finding.subjects) == ["a", "b", "c", "d"]
    assert finding.title == "a, c, d and b: 5 pairs deploy together, although these never call each other"
    assert len(finding.evidence["pairs"]) == 5


def test_load_alone_is_not_accused() -> None:
    conclusion = concluded_from(scaling=[scaling("a", "b")], edges=[edge("c", "d")])

    assert "ab" not in labels(conclusion)
    assert conclusion.findings == ()


@pytest.mark.parametrize("label", ["calendar", "none"])
def test_a_release_train_is_not_accused(label: str) -> None:
    pairs = [deployed(a, b, label, 0.0) for a, b in ("ab", "ac", "bc")]

    assert concluded_from(deploy=pairs).findings == ()


def test_reading_what_neither_of_two_writes_is_not_accused() -> None:
    assert concluded_from(data=[sharing("a", "b", written=False)]).findings == ()


@pytest.mark.parametrize(
    "edges",
    [
        [edge("a", "c"), edge("b", "c")],
        [edge("a", "c"), edge("c", "b")],
        [edge("a", "postgresql x", kind="datastore"), edge("b", "postgresql x", kind="datastore")],
    ],
)
def test_two_that_fail_because_of_a_third_are_not_accused(edges: list[dict[str, Any]]) -> None:
    conclusion = concluded_from(edges=edges, failures=[failing("a", "b")])

    row = next(row for row in conclusion.document["coupling"]["pairs"] if row["families"])
    assert (row["label"], row["linked_by"]) == ("open", "others")
    assert row["reason"]
    assert conclusion.findings == ()


@pytest.mark.parametrize("edges", [[edge("c", "a"), edge("c", "b")], [edge("a", "c"), edge("c", "b")]])
def test_a_service_between_them_that_is_deployed_with_both_is_named(edges: list[dict[str, Any]]) -> None:
    conclusion = concluded_from(
        edges=edges,
        deploy=[deployed("a", "b", "group"), deployed("a", "c", "group"), deployed("b", "c", "group")],
    )

    assert "c is linked to both and is deployed with them" in conclusion.findings[0].advice


def test_missing_parts_tell_nothing() -> None:
    evidence = Evidence("", 0, 1, NoFacts(), pl.DataFrame(schema=DEPLOYMENT), concluded={"edges": [edge("a", "b")]})

    assert ANALYSIS.conclude(evidence).document["coupling"]["status"] == "insufficient_data"


def test_sets_hang_together_by_pairs() -> None:
    assert connected_sets("abcde", [("a", "c"), ("c", "e"), ("x", "a")]) == [("a", "c", "e"), ("b",), ("d",)]
    assert connected_sets("abc", [("a", "b"), ("b", "a"), ("b", "c")], mutual=True) == [("a", "b"), ("c",)]
    assert connected_sets((), ()) == []


def test_a_single_pair_is_told_in_the_singular() -> None:
    pairs = [{"families": ["deploy", "data"]}, {"families": ["deploy"]}, {"families": ["failure"]}]

    told = _pairs_of(pairs)

    assert told == "2 pairs deploy together and 1 pair fails together and 1 pair uses tables that one of them writes"
