"""What is true of data, queues, shape, scaling and coupling: of stories, and of systems whose answers are known."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from small_systems import ORDERS, QUICK, back, constant, front, operation, run_of, small_system
from stories import read_spans
from tracelith.evaluate.claims import Case, Truth
from tracelith.evaluate.detectors import DETECTORS, RULES
from tracelith.evaluate.one_case import simulation_of
from tracelith.evaluate.truth.calls import call_truths
from tracelith.evaluate.truth.coupling import coupling_truths
from tracelith.evaluate.truth.data import data_truths
from tracelith.evaluate.truth.queues import queue_truths
from tracelith.evaluate.truth.scaling import scaling_truths
from tracelith.evaluate.truth.steps import requests_by_entry, steps_taken
from tracelith.evaluate.truth.structure import structure_truths
from tracelith.evaluate.truth.waiting import waiting_truths
from tracelith.present.answers import topic_of
from tracelith.simulate import Simulation
from tracelith.simulate.flow import Answer, Call, Consumer, Entry, Publish, Query, Repeat, Sometimes
from tracelith.simulate.latency import Latency
from tracelith.simulate.topology import Database, Service

USERS = "accounts-db.internal:5432 accounts.public.users"

PRICES = Database("postgresql", "db.internal", 5432, "prices")

Source = Callable[[Case, Simulation], Sequence[Truth]]


def truths(source: Source, system: str, *, seed: int = 1, weeks: int = 12, traces: int = 20_000) -> dict[str, Truth]:
    """By detector and subject."""
    case = Case(system, seed, weeks, traces)
    return {f"{one.detector}: {one.subject}": one for one in source(case, simulation_of(case))}


def positives(found: dict[str, Truth], detector: str) -> set[str]:
    return {one.subject for one in found.values() if one.detector == detector and one.positive is True}


def test_steps_are_taken_as_often_as_the_simulator_takes_them() -> None:
    read, write = Query(PRICES, "SELECT", "prices", QUICK), Query(PRICES, "UPDATE", "prices", QUICK)
    below = operation(back, Answer(0.2, 404), Repeat(1, 3, (read,)))
    handler = Consumer(back, ORDERS, "packing", QUICK, (write,))
    steps = (Sometimes(0.5, (Call(below, tolerated=0.5),)), Publish(ORDERS, QUICK))
    run = run_of(small_system(*steps, consumers=(handler,)), traces=4_000)

    expected: Counter[str] = Counter()
    for taken in steps_taken(run.system):
        if isinstance(taken.step, Query):
            expected[taken.step.action] += round(taken.mean * requests_by_entry(run)[0])

    seen = Counter(one.span.name.split()[0] for one in read_spans(run))
    # Half of the requests call, four in five of those read twice; one in twenty ends with 404 and sends no message.
    assert expected == {"SELECT": 3_200, "UPDATE": 3_800}
    assert seen["SELECT"] == pytest.approx(3_200, rel=0.06)
    assert seen["UPDATE"] == pytest.approx(3_800, rel=0.03)


def test_the_users_table_of_the_login_is_everybodys_and_locked_one_morning() -> None:
    found = truths(data_truths, "login")

    assert positives(found, "foreign-use") == {USERS}
    assert positives(found, "foreign-write") == {USERS}  # auth does, and that billing reads it goes without saying
    assert positives(found, "foreign-join") == {"billing"}
    assert positives(found, "lock-contention") == {USERS}


def test_tables_that_no_request_touched_are_nobodys() -> None:
    used = Entry(operation(front, constant(1), route="/pages"), share=1)
    never = Entry(operation(front, Query(PRICES, "UPDATE", "prices", QUICK), route="/never"), share=0)
    system = replace(small_system(entry=used), entries=(used, never))

    found = data_truths(Case("small", 1, 1, 100), run_of(system, traces=100))

    assert {one.detector for one in found} <= {"shared-datastore", "foreign-join"}


def test_shared_tables_of_the_fifty_are_told_and_a_shared_server_alone_is_not() -> None:
    found = truths(data_truths, "fifty")

    assert found["foreign-use: company-db.internal:5432 company.order_status.order_status"].positive is True
    assert found["foreign-use: company-db.internal:5432 company.brand.brand"].positive is True
    assert found["foreign-write: company-db.internal:5432 company.order_status.order_status"].positive is True
    assert found["foreign-write: company-db.internal:5432 company.brand.brand"].positive is False
    assert found["foreign-read: company-db.internal:5432 company.brand.brand"].positive is True
    assert found["foreign-use: company-db.internal:5432 company.image.image"].positive is False
    assert found["foreign-join: sales-order"].positive is True
    assert found["foreign-join: shipment"].positive is False


def test_a_share_of_foreign_writes_is_that_of_the_statements() -> None:
    found = truths(data_truths, "kafka")

    # Sign-ins are 50 of 100 requests, of which 5 in 100 are refused; changes of a profile, which are user's own, 10.
    assert found[f"foreign-write-share: {USERS}"].value == pytest.approx(50 * 0.95 / (10 + 50 * 0.95), abs=0.02)


def test_a_sign_in_waits_behind_a_queue_and_the_profile_group_stalls() -> None:
    found = truths(queue_truths, "kafka")

    assert positives(found, "sync-over-async") == {"auth POST /sessions → kafka access-requests"}
    assert positives(found, "group-stall") == {"kafka account-events profile-view"}
    assert not positives(found, "shared-group")
    assert found["lag-p50: kafka account-events permissions-plans"].value == pytest.approx(120, abs=100)


def test_two_services_in_one_group_share_it() -> None:
    third = Service("third", "go", 1, "1.0")
    groups = tuple(Consumer(service, ORDERS, "packing", Latency(5, 9), (constant(1),)) for service in (back, third))
    system = small_system(Publish(ORDERS, QUICK), consumers=groups, services=(front, back, third))

    found = queue_truths(Case("small", 1, 1, 2_000), run_of(system))

    assert [one.positive for one in found if one.detector == "shared-group"] == [True]
    seen = Counter(one.service for one in read_spans(run_of(system)) if one.span.name.startswith("process"))
    assert seen["back"] + seen["third"] == 2_000
    assert seen["back"] == pytest.approx(1_000, abs=150)


def test_layers_are_those_the_payment_story_tells() -> None:
    found = truths(structure_truths, "payment")

    assert positives(found, "layer-split") == {"web → api → data"}
    assert found["pass-through: data"].positive is False
    assert not positives(found, "call-cycle")


def test_what_is_planted_in_random_structures_is_found_again() -> None:
    planted: Counter[str] = Counter()
    told: Counter[str] = Counter()
    for seed in range(1, 25):
        run = simulation_of(Case("random-structure", seed, 1, 6_000))
        found = structure_truths(Case("random-structure", seed, 1, 6_000), run)
        for kind in ("pass_through", "cycles", "chatter", "hubs", "megas", "nanos"):
            planted[kind] += len(run.system.planted.get(kind, ()))
        for one in found:
            told[one.detector] += one.positive is True

    assert 0.7 * planted["pass_through"] <= told["pass-through"] <= planted["pass_through"]
    assert 0.7 * planted["cycles"] <= told["call-cycle"] <= 1.3 * planted["cycles"]  # larger circles around them
    assert 0.7 * planted["chatter"] <= told["chatty"] <= planted["chatter"]
    # In small systems a hub makes most of the calls that there are.
    assert 0.6 * planted["hubs"] <= told["hub-service"] <= planted["hubs"]
    assert 0.7 * planted["megas"] <= told["mega-service"] <= planted["megas"]
    # Who hands on and does nothing else does it in less time than the way takes.
    assert 0.7 * planted["nanos"] <= told["nano-service"] <= planted["nanos"] + planted["pass_through"]


def test_who_takes_messages_beside_the_calls_that_it_hands_on_has_work_of_its_own() -> None:
    third = Service("third", "go", 1, "1.0")
    handing_on = operation(back, Call(operation(third, constant(1))))
    handler = Consumer(back, ORDERS, "packing", QUICK, (constant(1),))
    system = small_system(Call(handing_on), Publish(ORDERS, QUICK), consumers=(handler,), services=(front, back, third))

    found = structure_truths(Case("small", 1, 1, 2_000), run_of(system, traces=2_000))

    (share,) = (one.value for one in found if (one.detector, one.subject) == ("pass-through", "back"))
    assert share == pytest.approx(0.5)


@pytest.mark.parametrize(("work_ms", "asks_on", "tiny"), [(0.05, True, True), (5.0, True, False), (0.05, False, False)])
def test_a_service_is_tiny_if_it_does_less_than_the_way_to_it_takes_and_asks_on(
    work_ms: float, asks_on: bool, tiny: bool
) -> None:
    third = Service("third", "go", 1, "1.0")
    below = [Call(operation(third, constant(1)))] if asks_on else []
    system = small_system(Call(operation(back, constant(work_ms), *below)), services=(front, back, third))

    found = structure_truths(Case("small", 1, 1, 2_000), run_of(system, traces=2_000))

    assert [one.positive for one in found if (one.detector, one.subject) == ("nano-service", "back")] == [tiny]


@pytest.mark.parametrize(("timeout_ms", "positive"), [(None, True), (60_000.0, True), (5_000.0, False)])
def test_calls_wait_without_end_where_something_behind_them_hangs_and_nobody_gives_up(
    timeout_ms: float | None, positive: bool
) -> None:
    third = Service("third", "go", 1, "1.0")
    hanging = operation(third, Sometimes(0.02, (constant(60_000),)))
    system = small_system(Call(operation(back, Call(hanging)), timeout_ms=timeout_ms), services=(front, back, third))

    found = {one.subject: one.positive for one in waiting_truths(run_of(system, traces=2_000), 1.0)}

    assert found == {"front → back": positive, "back → third": True}


@pytest.mark.parametrize(("answered", "share"), [((True,), 1.0), ((False,), 0.0), ((True, False), 0.5)])
def test_of_messages_between_two_services_that_share_is_awaited_which_asks_for_an_answer(
    answered: tuple[bool, ...], share: float
) -> None:
    topics = [replace(ORDERS, destination=f"orders-{number}") for number in range(len(answered))]
    sent = [
        Publish(topic, QUICK, reply=replace(ORDERS, destination="answers") if awaits else None, awaits_reply=awaits)
        for topic, awaits in zip(topics, answered, strict=True)
    ]
    handlers = tuple(Consumer(back, topic, "packing", QUICK, (constant(1),)) for topic in topics)

    found = call_truths(Case("small", 1, 1, 100), run_of(small_system(*sent, consumers=handlers), traces=100))

    there = {one.detector: one for one in found if one.subject == "front → back"}
    assert there["awaited-share"].value == share
    assert ("sync-edge" in there) == (share in (0.0, 1.0))


def test_islands_scale_apart_from_the_rest_and_together_among_themselves() -> None:
    case = Case("random-scaling", 3, 1, 60_000)
    run = simulation_of(case)
    found = scaling_truths(case, run)

    island = set(run.system.planted["own_axes"][0]["services"])
    together = {one.subject for one in found if one.detector == "same-axis" and one.positive}
    apart = {one.subject for one in found if one.detector == "own-axis" and one.positive}
    assert " + ".join(sorted(island)) in together
    assert apart
    assert all(len(island & set(pair.split(" + "))) == 1 for pair in apart if island & set(pair.split(" + ")))


def test_pairs_that_nothing_links_and_releases_bind_are_coupled_unseen() -> None:
    found = truths(coupling_truths, "login")

    # Auth never calls permissions, but both are deployed together.
    assert found["hidden-coupling: auth + permissions"].positive is True
    assert found["hidden-coupling: auth + user"].positive is False
    assert found["hidden-coupling: gateway + profile"].positive is False


@pytest.mark.parametrize("system", ["healthy", "gateway", "trading", "train", "modular"])
def test_nothing_is_true_of_healthy_systems(system: str) -> None:
    sources = (data_truths, queue_truths, structure_truths, coupling_truths)

    found = [one for source in sources for one in truths(source, system, weeks=2, traces=6_000).values()]

    assert not [one for one in found if one.positive is True and one.detector != "shared-datastore"]


def test_every_rule_with_a_page_of_its_own_has_a_detector_that_knows_of_it() -> None:
    assert all(topic_of(rule) for rule in RULES)
    assert len(RULES) == len(set(RULES))
    assert all(
        one.rules or one.kind == "estimate" or one.topic in ("calls", "alarms")
        for one in DETECTORS
        if one.name not in KNOWN
    )


KNOWN = ("tail-hop", "shared-datastore", "hard-dependency", "own-axis")
"""Claims that no finding makes: they are read off tables."""
