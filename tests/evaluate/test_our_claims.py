"""What our document claims, read as any script would: accusations, acquittals, abstentions and numbers."""

from dataclasses import replace
from typing import Any

from document_parts import estimate, finding, frame, missing
from evidence import evidence_of
from tracelith.evaluate.claims import Claim
from tracelith.evaluate.detectors import DETECTORS, RULES, detector
from tracelith.evaluate.our_claims import TRACELITH

USERS = {"system": "postgresql", "server": "db:5432", "namespace": "shop.public", "table": "users"}


def claims(findings: tuple[dict[str, Any], ...] = (), **parts: dict[str, Any]) -> dict[tuple[str, str], Claim]:
    """The claims that a document makes of these findings, and parts in which only this is filled in."""
    empty = frame()
    filled = {name: {**empty[name], **part} for name, part in parts.items()}
    evidence = replace(evidence_of(), document={**empty, **filled, "findings": list(findings)})
    return {(one.detector, one.subject): one for one in TRACELITH.judge(evidence)}


def told(rule: str, *subjects: str, severity: str = "info") -> dict[str, Any]:
    metric = ("number", 1.0, [0.9, 1.0], "share", 10, "Read it.")
    return finding(rule, severity, list(subjects), "A claim.", metric, "Do it.")


def table(*users: tuple[str, int, int], **more: object) -> dict[str, Any]:
    rows = [{"service": name, "reads": reads, "writes": writes} for name, reads, writes in users]
    return {**USERS, "users": rows, "status": "ok", "foreign_write_share": missing("few"), **more}


def test_a_finding_of_any_severity_tells_and_what_is_not_told_is_not_claimed() -> None:
    found = claims((told("foreign-read", "db:5432 shop.public.users", "user", "mail"),))

    assert found["foreign-read", "db:5432 shop.public.users"].claimed is True
    assert found["foreign-use", "db:5432 shop.public.users"].claimed is True
    assert ("foreign-write", "db:5432 shop.public.users") not in found


def test_a_finding_that_is_only_worth_knowing_alarms_nobody() -> None:
    quiet, loud = (claims((told("foreign-read", "db t", severity=severity),)) for severity in ("info", "warning"))

    assert quiet["alarm", "foreign-read"].claimed is False
    assert loud["alarm", "foreign-read"].claimed is True


def test_every_rule_has_an_alarm_and_one_that_nobody_knows_gets_its_own() -> None:
    found = claims((told("brand-new", "shop", severity="critical"),))

    assert {subject for name, subject in found if name == "alarm"} == {*RULES, "brand-new"}


def test_of_two_writers_with_too_few_writes_nothing_is_said() -> None:
    few = table(("user", 3, 2), ("mail", 0, 1), status="insufficient_data")
    one = table(("user", 3, 2), status="insufficient_data")

    unsure, sure = (claims(datastores={"tables": [row]}) for row in (few, one))

    assert unsure["foreign-write", "db:5432 shop.public.users"].claimed is None
    assert ("foreign-write", "db:5432 shop.public.users") not in sure


def test_dependencies_are_claimed_of_services_and_unknown_ones_of_nobody() -> None:
    row = {"caller": "a", "callee_kind": "service", "power": estimate(0.9, 0.8, 1.0)}
    edges = [
        {**row, "callee": "b", "dependency": "hard"},
        {**row, "callee": "c", "dependency": "soft"},
        {**row, "callee": "d", "dependency": "unknown", "power": missing("few")},
        {**row, "callee": "postgresql x", "callee_kind": "datastore", "dependency": "hard"},
    ]

    found = claims(failures={"edges": edges})

    said = {subject: one.claimed for (name, subject), one in found.items() if name == "hard-dependency"}
    assert said == {"a → b": True, "a → c": False, "a → d": None}
    power = found["propagation-power", "a → b"]
    assert (power.estimate, power.low, power.high) == (0.9, 0.8, 1.0)
    assert found["propagation-power", "a → d"].estimate is None


def test_messages_and_groups_are_named_as_the_evidence_names_destinations() -> None:
    wait = {"service": "web", "operation": "GET /", "system": "kafka", "destination": "asks", "label": "undecided"}
    consumer = {"service": "mail", "group": "mail-group", "lag_ms": {"p50": estimate(20, 19, 21)}}
    destination = {"system": "kafka", "destination": "orders", "consumers": [consumer]}
    group = {"system": "kafka", "destination": "orders", "group": "mail-group", "status": "insufficient_data"}
    asks = told("sync-over-async", "shop POST /orders", "kafka requests", "price")

    found = claims((asks,), queues={"waits": [wait], "destinations": [destination], "groups": [group]})

    assert found["sync-over-async", "shop POST /orders → kafka requests"].claimed is True
    assert found["sync-over-async", "web GET / → kafka asks"].claimed is None
    assert found["group-stall", "kafka orders mail-group"].claimed is None
    assert found["lag-p50", "kafka orders mail-group"].estimate == 20


def test_shapes_are_read_from_findings_and_services_without_evidence_are_left_open() -> None:
    findings = (
        told("pass-through-service", "proxy"),
        told("layer-split", "web", "api", "data"),
        told("chatty-calls", "shop GET /list", "postgresql rows", "SELECT rows"),
        told("call-cycle", "b", "a"),
    )
    services = [{"service": name, "label": "unknown"} for name in ("proxy", "new")]

    found = claims(findings, layers={"services": services})

    assert found["pass-through", "proxy"].claimed is True
    assert found["pass-through", "new"].claimed is None
    assert found["layer-split", "web → api → data"].claimed is True
    assert found["chatty", "shop GET /list → postgresql rows"].claimed is True
    assert found["call-cycle", "a + b"].claimed is True


def test_pairs_between_two_answers_have_none() -> None:
    labels = ("same_axis", "own_axis", "unclear", "unknown")
    pairs = [{"a": "a", "b": label, "label": label} for label in labels]

    found = claims(scaling={"pairs": pairs})

    assert [found["same-axis", f"a + {label}"].claimed for label in labels] == [True, False, None, None]
    assert [found["own-axis", f"a + {label}"].claimed for label in labels] == [False, True, None, None]


def test_hidden_pairs_are_those_the_document_calls_so() -> None:
    pairs = [{"a": "a", "b": label, "label": label} for label in ("hidden", "open", "unknown")]

    found = claims(coupling={"pairs": pairs})

    assert [found["hidden-coupling", f"a + {label}"].claimed for label in ("hidden", "open", "unknown")] == [
        True,
        False,
        None,
    ]


def test_a_document_of_a_version_without_these_parts_makes_no_claims_about_them() -> None:
    old = {name: part for name, part in frame().items() if name not in {"failures", "queues", "scaling", "structure"}}
    evidence = replace(evidence_of(), document={**old, "findings": []})

    topics = {detector(one.detector).topic for one in TRACELITH.judge(evidence) if one.claimed is not None}

    assert topics <= {"alarms", "deployments", "requests", "calls"}


def test_claims_are_made_of_known_detectors_only() -> None:
    assert set(TRACELITH.detectors) < {one.name for one in DETECTORS}
    assert {name for name, _ in claims()} <= set(TRACELITH.detectors)
