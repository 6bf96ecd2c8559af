"""The three headline answers in words."""

from documents import empty_document, healthy_document, login_document
from tracelith.present.answers import answers


def test_the_login_system_is_told_its_depth_its_tail_hop_and_its_group():
    depth, tail, deployments = answers(login_document())

    assert depth.claim == "19 of 20 POST /login requests wait for at most 4 hops in a row."
    assert depth.number == "4 hops (95 %: 4–4 hops)"
    assert tail.claim == "Most of all permissions, in POST /login."
    assert tail.number == "71 % (95 %: 64–78 %)"
    assert deployments.claim == "auth, billing, permissions and user deploy together."
    assert {depth.tone, tail.tone, deployments.tone} == {"notable"}


def test_a_healthy_shop_is_accused_of_nothing():
    given = answers(healthy_document())

    assert [answer.tone for answer in given] == ["fine", "fine", "fine"]
    assert given[0].claim == "No request waits for another service."
    assert given[1].claim == "Mostly order's own work, in POST /orders."
    assert given[2].claim == "No pair deploys together more than the calendar explains."


def test_without_evidence_nothing_reads_as_fine():
    given = answers(empty_document())

    assert {answer.tone for answer in given} == {"unknown"}
    assert {answer.claim for answer in given} == {"Not known yet."}
    assert all(answer.reading for answer in given)


def test_deployments_too_few_to_test_are_unknown_even_when_the_system_is_known():
    document = healthy_document()
    document["codeployment"]["pairs"][0]["label"] = "untested"

    assert answers(document)[2].tone == "unknown"


def test_pairs_beyond_the_list_count_as_tested_and_lockstep_may_be_unknown():
    document = healthy_document()
    document["codeployment"]["system"] |= {
        "pairs": {"possible": 780, "tested": 741, "coupled": 0, "listed": 1},
        "lockstep_excess": {
            **document["codeployment"]["system"]["lockstep_excess"],
            "value": None,
            "reason": "too few",
        },
    }

    answer = answers(document)[2]

    assert answer.number == ""
    assert answer.reading == "741 pairs were tested. Lockstep of the whole system is not known: too few"
