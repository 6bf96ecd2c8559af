"""The account of time is exact: it adds up, agrees with the spans, and says where requests waited."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_systems import (
    LEDGERS,
    NETWORK,
    ORDERS,
    QUICK,
    back,
    constant,
    front,
    operation,
    run_of,
    small_system,
    traces_in,
)
from stories import UNTIL, root_of
from tracelith.simulate import SYSTEMS, simulate
from tracelith.simulate.accounting import EntryAccount, Place, account
from tracelith.simulate.flow import (
    Answer,
    Cached,
    Call,
    Consumer,
    External,
    Parallel,
    Publish,
    Query,
    Repeat,
    Sometimes,
    Stall,
    Step,
    Wait,
)
from tracelith.simulate.incidents import Moments, Outage, Slowdown, TableLock
from tracelith.simulate.latency import Episodes, Latency, Queueing
from tracelith.simulate.topology import Database, Service, System, Topic
from tracelith.simulate.traffic_shape import Rush

ANSWERS = Topic("kafka", "broker.internal", 9092, "answers")
FRONT, BACK = Place("service", "front", "front"), Place("service", "back", "back")
BETWEEN = Place("network", "front", "back")
LEDGER = Place("datastore", "front", "postgresql ledgers.public")


def accounted(system: System, requests: int = 500) -> EntryAccount:
    (entry,) = account(system, seed=5, requests=requests, weeks=1, until=UNTIL).entries
    return entry


def spent_ms(entry: EntryAccount, place: Place) -> np.ndarray:
    return entry.spent_us[:, entry.places.index(place)] / 1_000


def assert_adds_up(entry: EntryAccount) -> None:
    assert (entry.spent_us >= 0).all()
    assert (entry.spent_us.sum(axis=1) == entry.latency_us).all()


LATENCIES = st.sampled_from([Latency(1, 4), Latency(8, 90), Latency(30, 30)])
QUEUE = Wait(Queueing("pool", 0.8, 30))
LEAVES = st.one_of(
    LATENCIES.map(lambda time: Query(LEDGERS, "SELECT", "prices", time, failure=0.05)),
    LATENCIES.map(lambda time: External("api.example", "GET", "/", time)),
    st.sampled_from([constant(7), QUEUE, Answer(0.1, 500), Stall(Episodes(60, 1, 8, 1.6)), Publish(ORDERS, QUICK)]),
    st.builds(lambda late: Publish(ORDERS, QUICK, ANSWERS, True, late), st.sampled_from([None, 40.0])),
)


def nested(steps: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    some = st.lists(steps, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(
            lambda inner, late, tries, kept, instead: Call(operation(back, *inner), late, tries, 10, kept, instead),
            some,
            st.sampled_from([None, 15.0, 60.0]),
            st.integers(1, 3),
            st.sampled_from([0.0, 0.5]),
            some,
        ),
        st.lists(some, min_size=2, max_size=3).map(lambda branches: Parallel(tuple(branches))),
        some.map(lambda inner: Sometimes(0.4, inner)),
        some.map(lambda inner: Repeat(0, 3, inner)),
        some.map(lambda inner: Cached(Database("redis", "cache", 6379, "0"), 0.5, QUICK, inner)),
    )


@given(st.lists(st.recursive(LEAVES, nested, max_leaves=8), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_the_places_of_every_request_add_up_to_its_latency_and_its_latency_is_that_of_its_span(
    steps: list[Step],
) -> None:
    handler = Consumer(back, ORDERS, "packing", QUICK, (constant(4), Answer(0.1, 500)), own_trace=True)
    incidents = (
        Outage(("back",), Moments(at=(0.5,)), 60, share=0.5, refused=True),
        Outage(("back",), Moments(at=(0.5,)), 60, share=0.5),
        Slowdown(("front",), Moments(at=(0.5,)), 60, Latency(5, 9)),
        TableLock(LEDGERS, "prices", Moments(at=(0.5,)), 20, "back", "ALTER TABLE prices", patience_s=5),
    )
    rush = Rush(0.5, 10, 0.5)
    system = small_system(*steps, consumers=(handler,), incidents=incidents, rushes=(rush,))

    entry = accounted(system, 120)
    roots = [root_of(trace) for trace in traces_in(run_of(system, traces=120))]

    assert_adds_up(entry)
    assert (entry.critical_hops <= entry.hops).all()
    assert (entry.call_hops <= entry.hops).all()
    pages = sorted(
        (root.span.start_time_unix_nano // 1_000, int(root.milliseconds * 1_000 + 0.5), root.failed)
        for root in roots
        if root.span.name == "GET /pages"
    )
    assert pages == sorted(zip(entry.at_us.tolist(), entry.latency_us.tolist(), entry.failed.tolist(), strict=True))


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_account_of_every_story_adds_up_and_its_hops_are_those_of_the_truth(system: str) -> None:
    entries = account(system, seed=3, requests=4_000).entries

    truth = simulate(system, seed=3, traces=10, until=datetime(2026, 3, 2, tzinfo=UTC)).truth["entry_operations"]

    listed = {(row["service"], row["operation"]): row for row in truth}
    for entry in entries:
        assert_adds_up(entry)
        if entry.at_us.size > 100:
            row = listed[entry.service, entry.operation]
            assert entry.call_hops.max() == row["awaited_hops"]
            assert entry.hops.max() == row["awaited_hops_over_queues"]


def test_time_is_spent_where_the_steps_say() -> None:
    query = Query(LEDGERS, "SELECT", "prices", Latency(20, 20))
    entry = accounted(small_system(constant(3), query, Call(operation(back, constant(50))), constant(4)))

    assert (spent_ms(entry, FRONT) == 7).all()
    assert (spent_ms(entry, LEDGER) == 20).all()
    assert (spent_ms(entry, BACK) == 50).all()
    assert np.median(spent_ms(entry, BETWEEN)) == pytest.approx(2 * NETWORK.median_ms, rel=0.15)
    assert set(entry.places) == {FRONT, LEDGER, BACK, BETWEEN}


def test_of_parallel_branches_only_the_last_to_finish_counts() -> None:
    branches = (Query(LEDGERS, "SELECT", "prices", Latency(20, 20)),), (constant(30),)

    entry = accounted(small_system(Parallel(branches), Parallel(tuple(reversed(branches)))))

    assert (spent_ms(entry, FRONT) == 60).all()
    assert (spent_ms(entry, LEDGER) == 0).all()


def test_a_callee_is_charged_until_its_caller_gives_up() -> None:
    shop_db = Query(LEDGERS, "SELECT", "prices", Latency(90, 90))
    served = operation(back, constant(10), shop_db)

    entry = accounted(small_system(Call(served, timeout_ms=60, tolerated=1.0), constant(5)))

    at_ledger = Place("datastore", "back", "postgresql ledgers.public")
    assert (entry.latency_us == 65_000).all()
    assert (spent_ms(entry, BACK) == 10).all()
    assert (spent_ms(entry, FRONT) == 5).all()
    assert (spent_ms(entry, BETWEEN) + spent_ms(entry, at_ledger) == 50).all()
    assert not entry.failed.any()


def test_what_begins_after_the_caller_has_given_up_is_no_hop() -> None:
    deep = Call(operation(Service("deep", "go", 1, "1.0"), constant(1)))
    services = (front, back, deep.operation.service)
    given_up = Call(operation(back, constant(100), deep), timeout_ms=50)
    awaited = Call(operation(back, constant(20), deep), timeout_ms=50)

    late, in_time = (accounted(small_system(step, services=services)) for step in (given_up, awaited))

    assert (late.hops == 1).all()
    assert (in_time.hops == 2).all()


def test_attempts_and_the_pauses_between_them_count() -> None:
    broken = Call(operation(back, constant(10), Answer(1.0, 500)), attempts=3, backoff_ms=40)

    entry = accounted(small_system(broken))

    assert (spent_ms(entry, FRONT) == 40 + 80).all()
    assert (spent_ms(entry, BACK) == 30).all()
    assert entry.failed.all()
    assert (entry.hops == 1).all()


def test_an_awaited_answer_counts_for_queue_and_consumer_and_is_a_hop_over_a_queue() -> None:
    handler = Consumer(back, ORDERS, "packing", Latency(20, 20), (constant(50),))
    asks = Publish(ORDERS, Latency(2, 2), reply=ANSWERS, awaits_reply=True)

    entry = accounted(small_system(asks, consumers=(handler,)))

    assert (spent_ms(entry, BACK) == 50).all()
    assert (spent_ms(entry, Place("destination", "front", "kafka orders")) == 22).all()
    assert (spent_ms(entry, Place("destination", "back", "kafka answers")) == 2).all()
    assert (spent_ms(entry, Place("destination", "front", "kafka answers")) == 20).all()
    assert (entry.hops == 1).all()
    assert (entry.call_hops == 0).all()


def test_work_that_nobody_waits_for_counts_nowhere() -> None:
    handler = Consumer(back, ORDERS, "packing", QUICK, (constant(50), Call(operation(front))))

    entry = accounted(small_system(Publish(ORDERS, Latency(2, 2)), consumers=(handler,)))

    assert (entry.latency_us == 2_000).all()
    assert (entry.hops == 0).all()


def test_requests_that_are_refused_are_no_part_of_the_account() -> None:
    away = Outage(("front",), Moments(at=(0.0,)), minutes=7 * 24 * 60, share=0.25, refused=True)

    entry = accounted(small_system(constant(5), incidents=(away,)), 2_000)

    assert 1_400 < entry.at_us.size < 1_600
    assert front.name == entry.service


def test_the_account_of_an_entry_is_found_by_its_name() -> None:
    found = account(small_system(constant(5)), seed=1, requests=10, weeks=1)

    assert found.entry("front", "GET /pages").at_us.size == 10
    with pytest.raises(KeyError):
        found.entry("front", "GET /nothing")
