"""What the score is measured by, which services form a group, and that every rule has its words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.analysis.judgement.bounds import BOUNDS
from tracelith.analysis.judgement.clauses import CLAUSES
from tracelith.analysis.judgement.groups import coupled_groups
from tracelith.analysis.judgement.score import COMPONENTS, component, score_of
from tracelith.analysis.judgement.verdict import verdict_of
from tracelith.analysis.judgement.verdict_sentence import sentence_of
from tracelith.present.answers import _TOPICS


def estimate(value: float, low: float, high: float) -> dict[str, Any]:
    return {"value": value, "ci": [low, high], "n": 100, "n_eff": 100.0, "status": "ok", "reason": ""}


def edge(caller: str, callee: str, mode: str = "sync") -> dict[str, Any]:
    return {"caller": caller, "callee": callee, "callee_kind": "service", "mode": mode, "calls": 50, "status": "ok"}


def power(caller: str, callee: str, low: float, dependency: str = "hard") -> dict[str, Any]:
    ends = {"caller": caller, "callee": callee, "callee_kind": "service"}
    return ends | {"power": estimate(low, low, 1.0), "dependency": dependency, "status": "ok"}


def table(level: str, writers: float = 1.0, foreign: float = 0.0) -> dict[str, Any]:
    shares = {
        name: estimate(value, value, value)
        for name, value in (("effective_writers", writers), ("foreign_write_share", foreign))
    }
    return {"level": level, **shares, "status": "ok"}


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


def test_data_count_by_the_worst_table_or_by_how_many_others_write() -> None:
    worst = bounds_of("writers", datastores={"tables": [table("written", 1.8, 0.4), *[table("own")] * 9]})
    many = bounds_of("writers", datastores={"tables": [*[table("written", 1.0, 0.9)] * 2, table("own"), table("own")]})

    assert worst[0] == 1.8
    assert many[0] == pytest.approx(1 + 0.9 / 2)


def test_tables_that_others_only_read_weigh_less_and_few_of_them_say_little() -> None:
    one, few, many = (
        bounds_of("writers", datastores={"tables": [*[table("read")] * read, *[table("own")] * own]})
        for read, own in ((1, 0), (3, 1), (300, 100))
    )

    assert one[0] == pytest.approx(1 + 0.5 * 0.2065, abs=1e-4)
    assert one[1] == 1.5
    assert few[0] == pytest.approx(1 + 0.5 * 0.3006, abs=1e-4)
    assert many[0] == pytest.approx(1 + 0.5 * 0.7053, abs=1e-4)
    assert many[1] is not None
    assert many[1] < 1.5


def test_a_table_that_another_seldom_writes_counts_like_one_that_it_reads() -> None:
    seldom, read = (
        bounds_of("writers", datastores={"tables": [one, *[table("own")] * 3]})
        for one in (table("written", 1.02, 0.01), table("read"))
    )

    assert seldom == read


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


def test_services_that_fail_apart_do_not_make_chains_healthy_of_which_nothing_is_known() -> None:
    apart = {"a": "a", "b": "c", "coupled": False, "overlap": estimate(0.1, 0.0, 0.3), "q_value": 0.8}
    failures = {"edges": [], "pairs": [apart], "status": "ok"}

    assert bounds_of("failure", edges=[edge("a", "b"), edge("b", "c")], failures=failures) == (None, None)


def test_failures_that_are_stopped_read_as_healthy_only_where_most_chains_are_known() -> None:
    known = [edge("a", "b"), edge("b", "c")]
    failures = {"edges": [power("a", "b", 0.0), power("b", "c", 0.0)], "pairs": [], "status": "ok"}
    unknown = [edge("x", name) for name in "pqr"] + [edge("w", "x")]

    assert bounds_of("failure", edges=known, failures=failures)[0] == 0.0
    assert bounds_of("failure", edges=[*known, *unknown], failures=failures) == (None, None)


def test_a_failure_that_surely_travels_counts_however_little_else_is_known() -> None:
    failures = {"edges": [power("a", "b", 0.95), power("b", "c", 0.95)], "pairs": [], "status": "ok"}
    edges = [edge("a", "b"), edge("b", "c"), edge("w", "x"), *[edge("x", name) for name in "pqr"]]

    assert bounds_of("failure", edges=edges, failures=failures)[0] == pytest.approx(0.95**2)


def test_services_that_fail_together_count_without_any_call() -> None:
    pair = {"a": "a", "b": "b", "coupled": True, "overlap": estimate(0.9, 0.7, 1.0), "q_value": 0.01}

    failures = {"edges": [], "pairs": [pair], "status": "ok"}

    assert bounds_of("failure", edges=[edge("c", "d")], failures=failures) == (0.7, 1.0)


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


def test_pairs_that_no_load_explains_clearly_are_not_taken_for_free_ones() -> None:
    unclear = {"label": "unclear", "dominance": estimate(0.9, 0.2, 1.0), "status": "ok"}
    own = {"label": "own_axis", "dominance": estimate(0.2, 0.1, 0.3), "status": "ok"}

    assert bounds_of("axis", scaling={"pairs": [unclear]}) == (None, None)
    assert bounds_of("axis", scaling={"pairs": [own, unclear, unclear]}) == (None, None)
    assert bounds_of("axis", scaling={"pairs": [own, unclear]}) == (0.0, 0.0)


def test_a_pair_that_others_cause_too_much_of_is_free_however_unclear_its_answer_is() -> None:
    foreign = {"label": "unclear", "dominance": estimate(0.7, 0.6, 0.8), "status": "ok"}

    assert bounds_of("axis", scaling={"pairs": [foreign]}) == (0.0, 0.0)


POWERS = st.one_of(st.none(), st.floats(0, 1))


@given(st.lists(st.tuples(POWERS, POWERS), max_size=4), st.floats(0, 1), st.floats(0, 1))
def test_15_services_that_fail_together_never_lower_the_score(
    chains: list[tuple[float | None, float | None]], low: float, others: float
) -> None:
    calls = [(f"a{n}", f"b{n}", f"c{n}", first, second) for n, (first, second) in enumerate(chains)]
    edges = [edge(*ends) for a, b, c, *_ in calls for ends in ((a, b), (b, c))]
    known = [((a, b), first) for a, b, c, first, _ in calls] + [((b, c), second) for a, b, c, _, second in calls]
    powers = [power(*ends, low) for ends, low in known if low is not None]
    coupled = {"a": "x", "b": "y", "coupled": True, "overlap": estimate(1.0, low, 1.0), "q_value": 0.001}

    before, after = (
        _score_with(others, "failure", edges=edges, failures={"edges": powers, "pairs": pairs, "status": "ok"})
        for pairs in ([], [coupled])
    )

    assert after >= before - 1e-9


@given(st.lists(st.sampled_from(["own_axis", "unclear", "same_axis"]), max_size=5), st.floats(0, 1))
def test_15_services_on_one_axis_never_lower_the_score(labels: list[str], others: float) -> None:
    pairs = [{"label": label, "dominance": estimate(1.0, 0.96, 1.0), "status": "ok"} for label in labels]
    unclear = {"label": "unclear", "dominance": estimate(1.0, 0.9, 1.0), "status": "ok"}

    before, after = (
        _score_with(others, "axis", scaling={"pairs": [*pairs, one]})
        for one in (unclear, unclear | {"label": "same_axis", "dominance": estimate(1.0, 0.96, 1.0)})
    )

    assert after >= before - 1e-9


def _score_with(others: float, name: str, **parts: Any) -> float:
    """The score where this component says what these parts do, and each other one of them has this value."""
    measured = [
        component(measure, *bounds_of(name, **parts))
        if measure.name == name
        else component(measure, measure.least + others * (measure.most - measure.least))
        for measure in COMPONENTS
    ]
    value = score_of(measured).value
    assert value is not None
    return value


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0, 1))
def test_15_one_more_table_that_another_writes_never_lowers_the_worst(lows: list[float], more: float) -> None:
    before = [table("written", 1 + low) for low in lows]

    first, _ = bounds_of("writers", datastores={"tables": before})
    after, _ = bounds_of("writers", datastores={"tables": [*before, table("written", 1 + more)]})

    assert first is not None
    assert after is not None
    assert after >= first - 1e-12


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.floats(0.5, 1))
def test_15_whoever_begins_to_read_or_write_a_table_never_lowers_the_score(
    own: int, read: int, written: int, foreign: float
) -> None:
    rest = [*[table("own")] * own, *[table("read")] * read, *[table("written", 1.0, foreign)] * written]

    lows = [
        bounds_of("writers", datastores={"tables": [one, *rest]})[0]
        for one in (table("own"), table("read"), table("written", 1.0, foreign))
    ]

    assert None not in lows
    assert lows == sorted(lows, key=float)  # type: ignore[arg-type]  # none is None


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


def test_nothing_is_said_of_missing_measures_where_all_were_taken() -> None:
    watched = {
        "rule": "hidden-errors",
        "severity": "info",
        "subjects": ["a-service-with-a-rather-long-name GET /orders"],
        "metric": {},
        "title": "",
    }
    long = [watched | {"rule": rule, "title": rule * 3} for rule in ("unheard-of", "same-scaling-axis", "foreign-read")]
    findings = [one | {"subjects": ["a-service-with-a-rather-long-name", "b", "c"]} for one in long]

    sentence = sentence_of(
        document_of(findings=findings), [component(measure, 0.0) for measure in COMPONENTS], "independent"
    )

    assert "Not measured yet" not in sentence
