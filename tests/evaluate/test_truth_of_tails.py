"""Of which places that make requests slow people should be told, and what we tell them."""

import numpy as np

from tracelith.evaluate.claims import Case, hop_subject
from tracelith.evaluate.one_case import simulation_of
from tracelith.evaluate.our_claims import TRACELITH
from tracelith.evaluate.pipeline import observe
from tracelith.evaluate.truth import truths_of
from tracelith.evaluate.truth.requests import EntryPopulation, told
from tracelith.simulate.accounting import EntryAccount, Place


def test_people_should_be_told_of_permissions_and_of_no_place_that_hardly_matters() -> None:
    case = Case("login", 1, 8, 12_000, detectors=("tail-finding",))

    found = truths_of(case, simulation_of(case))

    positive = {one.subject for one in found if one.positive}
    negative = {one.subject for one in found if one.positive is False}
    assert hop_subject("gateway", "POST /login", "permissions") in positive
    assert hop_subject("gateway", "POST /login", "auth") in negative
    assert hop_subject("gateway", "GET /profile", "profile") in negative


def two_places(
    shares: tuple[float, float], factor: float, ordinary_ms: float = 20.0, traffic: float = 10_000
) -> list[bool | None]:
    """Whether to tell of the entry service's own time, and of a service that it waits for."""
    requests = 10_000
    spent_us = np.full((requests, 2), ordinary_ms * 500, np.int64)
    slowest = requests // 100
    spent_us[-slowest:] += (np.array(shares) * (factor - 1) * ordinary_ms * 1e3).astype(np.int64)
    nothing = np.zeros(requests, np.int64)
    entry = EntryAccount(
        "web",
        "GET /",
        nothing,
        spent_us.sum(axis=1),
        nothing.astype(bool),
        nothing,
        nothing,
        nothing,
        (Place("service", "web", "web"), Place("service", "stock", "stock")),
        spent_us,
    )
    found = told(EntryPopulation(entry, {"web": "web", "stock": "stock"}), traffic)
    return [one.positive for one in found]


def test_people_should_be_told_of_another_service_that_makes_most_of_a_long_tail() -> None:
    assert two_places((0.1, 0.9), factor=4) == [False, True]
    assert two_places((0.5, 0.5), factor=4) == [None, None]
    assert two_places((0.35, 0.65), factor=4) == [None, True]


def test_people_should_not_be_told_of_services_while_requests_are_hardly_slower() -> None:
    assert two_places((0.1, 0.9), factor=1.4) == [False, False]
    assert two_places((0.1, 0.9), factor=2) == [False, None]
    assert two_places((0.1, 0.9), factor=4, ordinary_ms=2) == [False, None]


def test_it_is_a_matter_of_taste_whether_to_speak_of_the_entry_service_itself_or_of_few_requests() -> None:
    assert two_places((0.9, 0.1), factor=4) == [None, False]
    assert two_places((0.1, 0.9), factor=4, traffic=500) == [False, None]


def test_what_we_tell_is_read_from_findings_and_entry_operations_that_are_not_measured_are_left_out() -> None:
    evidence = observe(simulation_of(Case("login", 1, 1, 6_000)), with_spans=False)

    claims = [one for one in TRACELITH.judge(evidence) if one.detector == "tail-finding"]

    accused = {one.subject for one in claims if one.claimed}
    ok = [row for row in evidence.document["tail"] if row["status"] == "ok" and not row["restarted"]]
    findings = [one for one in evidence.document["findings"] if one["rule"] == "remote-tail-hop"]
    assert hop_subject("gateway", "POST /login", "permissions") in accused
    assert len(accused) == len(findings)
    assert len(claims) == len(ok) > len(accused)
    assert all(one.claimed is not None for one in claims)
