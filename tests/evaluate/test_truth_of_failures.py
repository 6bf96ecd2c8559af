"""What becomes of requests while services fail: by hand, and as the simulator has it."""

from datetime import UTC, datetime

import numpy as np
import pytest

from small_systems import back, constant, front, operation, small_system
from tracelith.evaluate.claims import Case, Truth
from tracelith.evaluate.one_case import simulation_of
from tracelith.evaluate.truth.failures import failure_truths
from tracelith.evaluate.truth.fate import EntryFate, entry_fates
from tracelith.simulate import simulate
from tracelith.simulate.accounting import account
from tracelith.simulate.flow import Answer, Call, Parallel, Publish, Repeat, Sometimes, Step
from tracelith.simulate.flow import Consumer as Consuming
from tracelith.simulate.latency import Latency
from tracelith.simulate.topology import Service, Topic

third = Service("third", "go", 1, "1.0")
ORDERS, ANSWERS = (Topic("kafka", "broker.internal", 9092, name) for name in ("orders", "answers"))


def fate(*steps: Step, failing: float = 0.5, **more: object) -> EntryFate:
    """Of requests to front while back fails this share of what it is asked."""
    system = small_system(*steps, services=(front, back, third), **more)
    return entry_fates(system, {"back": failing})[0]


def calling(**more: float) -> Call:
    return Call(operation(back, constant(1)), **more)  # type: ignore[arg-type]  # fields of Call


@pytest.mark.parametrize(
    ("steps", "failed", "stained"),
    [
        ((calling(),), 0.5, 0.0),
        ((calling(tolerated=1.0),), 0.0, 0.5),
        ((calling(tolerated=0.8),), 0.1, 0.4),
        ((calling(attempts=2),), 0.25, 0.25),
        ((calling(), calling()), 0.75, 0.0),
        ((calling(tolerated=1.0), calling()), 0.5, 0.25),
        ((Parallel(((calling(),), (calling(tolerated=1.0),))),), 0.5, 0.25),
        ((Sometimes(0.2, (calling(),)),), 0.1, 0.0),
        ((Repeat(1, 3, (calling(),)),), (0.5 + 0.75 + 0.875) / 3, 0.0),
        ((Answer(0.1, 404), calling()), 0.45, 0.0),
        ((Answer(0.1, 503), calling()), 0.55, 0.0),
        ((calling(tolerated=1.0), Answer(1.0, 404)), 0.0, 0.5),
        ((Call(operation(third, calling(tolerated=0.5))),), 0.25, 0.25),
        ((Call(operation(third, Answer(1.0, 404)), tolerated=1.0), calling()), 0.5, 0.0),
    ],
    ids=str,
)
def test_failures_are_passed_on_forgiven_and_tried_again(
    steps: tuple[Step, ...], failed: float, stained: float
) -> None:
    found = fate(*steps)

    assert (found.failed, found.stained) == pytest.approx((failed, stained))


def test_a_failed_answer_over_a_queue_fails_who_waits_for_it() -> None:
    asks = Publish(ORDERS, Latency(1, 2), reply=ANSWERS, awaits_reply=True)
    handler = Consuming(third, ORDERS, "packing", Latency(1, 2), (calling(),))

    assert fate(asks, consumers=(handler,)).failed == pytest.approx(0.5)
    assert fate(Publish(ORDERS, Latency(1, 2)), consumers=(handler,)).failed == 0


def test_edges_know_what_they_pass_on_and_what_would_have_failed_anyway() -> None:
    edges = fate(calling(tolerated=0.6), Call(operation(third, Answer(0.25, 500)))).edges

    edge = edges["front", "back"]
    assert (edge.calls, edge.failures) == pytest.approx((1.0, 0.5))
    assert edge.passed_on / edge.failures == pytest.approx(0.4)
    assert edge.anyway / edge.failures == pytest.approx(0.25)


def test_attempts_are_reckoned_for_each_place_of_a_call() -> None:
    edge = fate(calling(attempts=3), calling()).edges["front", "back"]

    assert edge.calls == pytest.approx(1 + 0.875)
    assert edge.again == pytest.approx(0.5 + 0.25)


def test_the_simulator_agrees_with_what_is_worked_out() -> None:
    until = datetime(2026, 3, 2, tzinfo=UTC)
    run = simulate("random-failures", seed=1, traces=40_000, weeks=1, until=until)
    done = account(run.system, seed=1, requests=40_000, weeks=1, until=until)

    truths = failure_truths(Case("random-failures", 1, 1, 40_000), run)

    expected = {one.subject: one.value for one in truths if one.detector == "availability"}
    assert len(expected) > 3
    for entry in done.entries:
        value = expected.get(f"{entry.service} {entry.operation}")
        if value is not None:
            expected_failures, requests = (1 - value) * entry.failed.size, entry.failed.size
            assert abs(entry.failed.sum() - expected_failures) < 5 * np.sqrt(expected_failures) + 3, requests


def story(name: str, weeks: int = 12, traces: int = 20_000) -> dict[tuple[str, str], Truth]:
    case = Case(name, 1, weeks, traces)
    return {(one.detector, one.subject): one for one in failure_truths(case, simulation_of(case))}


def test_nobody_can_buy_because_a_mail_cannot_be_sent() -> None:
    found = story("payment")

    assert found["failure-cascade", "email"].positive is True
    assert found["failure-cascade", "payment"].positive is False
    assert found["hard-dependency", "payment → inventory"].positive is True
    assert found["retry-storm", "notification → email"].positive is True
    assert found["retry-storm", "web → api"].positive is False
    # Checkouts are 46 of 100 requests; 3 in 100 cards are declined before anybody is asked for mail.
    assert found["blast-radius", "email"].value == pytest.approx(0.46 * 0.97, abs=0.02)


def test_a_database_that_is_out_for_all_is_nobodys_cascade() -> None:
    found = story("fifty", traces=8_000)

    assert not any(one.positive for (detector, _), one in found.items() if detector == "failure-cascade")
    assert not any(one.positive is True for (detector, _), one in found.items() if detector == "failing-together")


def test_healthy_systems_have_no_failures_to_tell_of() -> None:
    found = story("gateway", weeks=2, traces=6_000)

    told = ("failure-cascade", "failing-together", "retry-storm")
    assert not any(one.positive is not False for (detector, _), one in found.items() if detector in told)
