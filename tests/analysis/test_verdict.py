"""The sentence, the components behind the score, and groups."""

from typing import Any

import pytest

from documents import empty_document, healthy_document, login_document
from tracelith.analysis.judgement.groups import coupled_groups
from tracelith.analysis.judgement.verdict import verdict_of

GROUPS = [
    {
        "rule": "codeployment-group",
        "severity": "critical",
        "subjects": ["auth", "billing", "cart", "mail", "shop", "user"],
        "title": "",
        "metric": {},
    }
]


def with_tail_flags(document: Any, **flags: bool) -> dict[str, Any]:
    unset = dict.fromkeys(("remote", "far", "material", "slow_hop"), False)
    rows = [{**unset, **row, **flags} for row in document["tail"]]
    return {**document, "tail": rows}


def components(verdict: dict[str, Any]) -> dict[str, float | None]:
    return {row["name"]: row["value"] for row in verdict["components"]}


def test_the_login_system_is_not_scored_yet_but_its_components_are_known() -> None:
    document = with_tail_flags(login_document(), remote=True, far=True, material=True, slow_hop=True)

    verdict = verdict_of(document)

    assert (verdict["score"], verdict["label"]) == (None, "not scored")
    assert verdict["coverage"] == pytest.approx(0.5)
    assert components(verdict)["depth"] == pytest.approx(0.5)
    assert components(verdict)["tail"] == pytest.approx((0.64 - 0.3) / 0.6)
    assert components(verdict)["deploy"] == 1.0
    assert components(verdict)["writers"] is None


def test_the_login_system_is_told_in_one_plain_sentence() -> None:
    sentence = verdict_of(with_tail_flags(login_document()))["sentence"]

    assert sentence == (
        "Parts of this system behave as one: auth, billing, permissions and user deploy together, POST /login waits "
        "for 4 services in a row, and permissions makes its slowest requests slow."
    )
    assert len(sentence) <= 200


def test_each_question_is_answered_before_a_second_answer_to_any() -> None:
    document = with_tail_flags(login_document())
    lockstep = {**document["findings"][0], "rule": "system-lockstep", "subjects": ["system"]}

    sentence = verdict_of({**document, "findings": [document["findings"][0], lockstep, *document["findings"][1:]]})[
        "sentence"
    ]

    for answer in ("deploy together", "waits for 4 services", "permissions makes"):
        assert answer in sentence


def test_claims_that_do_not_fit_a_glance_are_counted() -> None:
    document = with_tail_flags(login_document())
    long = "permissions-and-entitlements-of-the-organisation"
    renamed = [{**one, "subjects": [long if name == "auth" else name for name in one["subjects"]]} for one in GROUPS]
    document["findings"] = renamed + document["findings"] + document["findings"]

    sentence = verdict_of(document)["sentence"]

    assert len(sentence) <= 200
    assert sentence.startswith(f"Parts of this system behave as one: {long[:39]}…, billing, cart and 3 more services")
    assert sentence.endswith("waits for 4 services in a row, and 5 more findings.")


def test_a_claim_of_an_unknown_kind_speaks_for_itself() -> None:
    document = with_tail_flags(healthy_document())
    document["findings"] = [{**GROUPS[0], "rule": "shared-table", "title": "orders and billing write one table."}]

    sentence = verdict_of(document)["sentence"]

    assert sentence == "Parts of this system behave as one: orders and billing write one table."


def test_the_operation_keeps_its_service_where_two_services_have_one_of_that_name() -> None:
    document = with_tail_flags(login_document())
    login = document["entry_operations"][0]
    document["entry_operations"] = [*document["entry_operations"], {**login, "service": "mobile"}]

    assert "gateway POST /login waits for 4" in verdict_of(document)["sentence"]


def test_what_is_only_worth_watching_does_not_unsay_that_nothing_is_wrong() -> None:
    document = with_tail_flags(healthy_document())
    tail = next(one for one in login_document()["findings"] if one["rule"] == "remote-tail-hop")
    subjects = ["gateway POST /login", "auth → postgresql users", "auth", "postgresql users"]
    document["findings"] = [{**tail, "severity": "info", "subjects": subjects}]

    sentence = verdict_of(document)["sentence"]

    assert sentence.startswith(
        "No sign of a distributed monolith in what could be measured. Worth watching: the call from auth to postgresql "
        "users makes the slowest requests of gateway POST /login slow. Not measured yet: "
    )


def test_a_healthy_system_is_told_so_together_with_what_is_unknown() -> None:
    verdict = verdict_of(with_tail_flags(healthy_document()))

    assert verdict["sentence"].startswith("No sign of a distributed monolith in what could be measured.")
    assert "data ownership" in verdict["sentence"]
    assert components(verdict)["tail"] == 0
    assert verdict["score"] is None


def test_without_evidence_nothing_reads_as_healthy() -> None:
    verdict = verdict_of(empty_document())

    assert verdict["sentence"] == "Nothing is known yet: no traces in this period."
    assert set(components(verdict).values()) == {None}
    assert {row["status"] for row in verdict["components"]} == {"insufficient_data"}


def test_a_tail_of_the_entry_services_own_making_couples_nothing() -> None:
    document = with_tail_flags(login_document(), remote=False, far=True, material=True, slow_hop=True)

    assert components(verdict_of(document))["tail"] == 0


def test_services_that_deploy_together_and_wait_for_each_other_are_one_group() -> None:
    document = login_document()

    (group,) = coupled_groups(document)

    assert group["services"] == ["auth", "billing", "permissions", "user"]
    assert group["families"] == ["deploy", "runtime"]
    assert group["label"] == "deploys and answers as one"
    assert "billing → permissions" in group["waits"]


def test_services_that_only_deploy_together_are_called_no_more_than_that() -> None:
    document: dict[str, Any] = {**login_document(), "edges": []}

    (group,) = coupled_groups(document)

    assert group["families"] == ["deploy"]
    assert group["label"] == "deploys together"
