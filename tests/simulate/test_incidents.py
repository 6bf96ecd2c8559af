"""Incidents happen at moments of their own, to all requests that meet them."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from small_systems import (
    LEDGERS,
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
from stories import CLIENT, CONSUMER, Seen, Trace, attribute, chosen, root_of
from tracelith.simulate import Simulation
from tracelith.simulate.flow import Call, Consumer, Entry, Job, Publish, Query
from tracelith.simulate.incidents import (
    GroupStall,
    Incident,
    Moments,
    Occurrences,
    Outage,
    Slowdown,
    TableLock,
    draw_occurrences,
)
from tracelith.simulate.latency import Latency
from tracelith.simulate.traffic_shape import Rush

MIDDLE = Moments(at=(0.5,))
RUSH = Rush(at=0.5, minutes=30, share=0.5)
CALL = Call(operation(back, constant(5)))
HANDLER = Consumer(back, ORDERS, "packing", QUICK, (constant(5),), own_trace=True)
SEND = Publish(ORDERS, QUICK)


def during(simulation: Simulation, traces: list[Trace]) -> tuple[list[Trace], list[Trace]]:
    """Traces that begin in the (only) incident, and the others."""
    (times,) = simulation.truth["incidents"][0]["times"]
    start, end = datetime.fromisoformat(times["start"]), datetime.fromisoformat(times["end"])
    inside = [start <= root_of(trace).started_at < end for trace in traces]
    return (
        [trace for trace, hit in zip(traces, inside, strict=True) if hit],
        [trace for trace, hit in zip(traces, inside, strict=True) if not hit],
    )


def failed_roots(traces: list[Trace]) -> list[bool]:
    return [root_of(trace).failed for trace in traces]


def processing(traces: list[Trace]) -> list[Seen]:
    return sorted((seen for trace in traces for seen in chosen(trace, kind=CONSUMER)), key=lambda seen: seen.started_at)


def test_a_broken_service_answers_500_at_once_and_its_callers_fail() -> None:
    outage = Outage(("back",), MIDDLE, minutes=10)
    simulation = run_of(small_system(CALL, incidents=(outage,), rushes=(RUSH,)))

    inside, outside = during(simulation, traces_in(simulation))

    assert len(inside) > 200
    assert all(failed_roots(inside))
    assert not any(failed_roots(outside))
    for trace in inside:
        (served,) = chosen(trace, service="back")
        assert attribute(served.span, "http.response.status_code") == 500
        assert served.milliseconds < 20


def test_a_refused_connection_leaves_no_span_of_the_callee_and_no_status() -> None:
    outage = Outage(("back",), MIDDLE, minutes=10, refused=True)
    simulation = run_of(small_system(CALL, incidents=(outage,), rushes=(RUSH,)))

    inside, _ = during(simulation, traces_in(simulation))

    assert all(failed_roots(inside))
    for trace in inside:
        (asked,) = chosen(trace, kind=CLIENT)
        assert not chosen(trace, service="back")
        assert attribute(asked.span, "error.type") == "connection_refused"
        assert attribute(asked.span, "http.response.status_code") is None
        assert asked.milliseconds < 10
        assert attribute(root_of(trace).span, "http.response.status_code") == 503


def test_requests_to_an_entry_that_is_gone_leave_no_trace() -> None:
    outage = Outage(("front",), MIDDLE, minutes=10, refused=True)
    simulation = run_of(small_system(constant(5), incidents=(outage,), rushes=(RUSH,)))

    inside, outside = during(simulation, traces_in(simulation))

    assert not inside
    assert 1_500 < len(outside) < 1_800


def test_services_fail_in_a_common_outage_each_on_its_own() -> None:
    outage = Outage(("front", "back"), MIDDLE, minutes=30, share=0.5)
    system = small_system(constant(1), CALL, incidents=(outage,), rushes=(RUSH,))

    simulation = run_of(system, traces=4_000)
    inside, _ = during(simulation, traces_in(simulation))

    # half fail in front before they call; half of the others fail in back
    assert abs(np.mean(failed_roots(inside)) - 0.75) < 0.04
    assert abs(np.mean([bool(chosen(trace, service="back")) for trace in inside]) - 0.5) < 0.05


def test_a_job_of_a_service_that_is_gone_does_not_run() -> None:
    job = Entry(Job(front, "sum up", (constant(5),)), nightly_hour=3)
    away = Outage(("front",), Moments(at=(0.0,)), minutes=7 * 24 * 60, refused=True)

    ran = traces_in(run_of(small_system(entry=job), traces=5))
    not_run = traces_in(run_of(small_system(entry=job, incidents=(away,)), traces=5))

    assert len(ran) == 5
    assert not_run == []


def test_everything_a_slowed_service_does_takes_longer() -> None:
    slowdown = Slowdown(("back",), MIDDLE, 10, Latency(300, 301))
    simulation = run_of(small_system(CALL, incidents=(slowdown,), rushes=(RUSH,)))

    inside, outside = during(simulation, traces_in(simulation))

    assert min(chosen(trace, service="back")[0].milliseconds for trace in inside[5:-5]) > 300
    assert max(chosen(trace, service="back")[0].milliseconds for trace in outside[5:-5]) < 20
    assert not any(failed_roots(inside))


LOCK = TableLock(LEDGERS, "users", MIDDLE, 85, "back", "ALTER TABLE users ADD COLUMN nickname text", patience_s=30)


def test_statements_wait_for_a_locked_table_as_long_as_their_patience_lasts() -> None:
    queries = Query(LEDGERS, "UPDATE", "users", QUICK), Query(LEDGERS, "SELECT", "prices", QUICK)
    rush = Rush(at=0.5, minutes=4, share=0.5)
    simulation = run_of(small_system(*queries, incidents=(LOCK,), rushes=(rush,)))
    (times,) = simulation.truth["incidents"][0]["times"]
    end = datetime.fromisoformat(times["end"])

    inside, _ = during(simulation, [t for t in traces_in(simulation) if root_of(t).span.name == "GET /pages"])

    waited = gave_up = 0
    for trace in inside:
        (update,) = chosen(trace, name="UPDATE users")
        left_ms = (end - update.started_at).total_seconds() * 1_000
        if left_ms > 30_000:
            gave_up += 1
            assert update.milliseconds == 30_000
            assert attribute(update.span, "error.type") == "55P03"
            assert root_of(trace).failed
        else:
            waited += 1
            assert left_ms <= update.milliseconds < left_ms + 100
            assert not root_of(trace).failed
            assert chosen(trace, name="SELECT prices")[0].milliseconds < 50
    assert gave_up > 100
    assert waited > 50


def test_statements_that_join_a_locked_table_wait_too_and_others_do_not() -> None:
    joined = Query(LEDGERS, "SELECT", "prices", QUICK, joins=("users",))
    rush = Rush(at=0.5, minutes=4, share=0.5)

    def slowest(query: Query) -> float:
        simulation = run_of(small_system(query, incidents=(LOCK,), rushes=(rush,)))
        return max(seen.milliseconds for trace in traces_in(simulation) for seen in chosen(trace, name=query_name))

    query_name = "SELECT prices users"
    assert slowest(joined) == 30_000
    query_name = "SELECT prices"
    assert slowest(Query(LEDGERS, "SELECT", "prices", QUICK)) < 100


def test_the_statement_that_holds_the_lock_has_a_span_of_its_service() -> None:
    simulation = run_of(small_system(constant(1), incidents=(LOCK,)))
    (times,) = simulation.truth["incidents"][0]["times"]

    (migration,) = [trace for trace in traces_in(simulation) if root_of(trace).service == "back"]

    root, statement = migration
    assert (root.span.name, statement.span.name) == ("migrate", "ALTER TABLE users")
    assert statement.span.parent_span_id == root.span.span_id
    assert statement.milliseconds == 85_000
    assert statement.started_at == datetime.fromisoformat(times["start"])
    assert attribute(statement.span, "db.query.text") == LOCK.statement


STALL = GroupStall(ORDERS, "packing", MIDDLE, minutes=12, handler_s=70)


def stalled() -> tuple[Simulation, list[Seen], datetime, datetime]:
    system = small_system(SEND, consumers=(HANDLER,), incidents=(STALL,), rushes=(Rush(0.5, 60, 0.9),))
    simulation = run_of(system)
    (times,) = simulation.truth["incidents"][0]["times"]
    start, end = (datetime.fromisoformat(times[side]) for side in ("start", "end"))
    return simulation, processing(traces_in(simulation)), start, end


def test_a_stalled_group_takes_nothing_but_the_slow_message_until_the_stall_is_over() -> None:
    simulation, processed, start, end = stalled()

    taken = [seen for seen in processed if start <= seen.started_at < end]

    assert len(processed) == simulation.traces
    assert len(taken) == 1
    assert taken[0].started_at - start < timedelta(seconds=10)
    assert 70_000 < taken[0].milliseconds < 70_100
    assert max(seen.milliseconds for seen in processed if seen is not taken[0]) < 100


def test_a_backlog_is_worked_off_in_order_and_not_all_at_once() -> None:
    simulation, processed, _, end = stalled()
    spans = {seen.span.span_id: seen for trace in traces_in(simulation) for seen in trace}
    after = [seen for seen in processed if end <= seen.started_at < end + timedelta(minutes=2)]

    sent = [spans[seen.span.links[0].span_id].span.end_time_unix_nano for seen in after]
    gaps_s = np.diff([seen.span.start_time_unix_nano for seen in after]) / 1e9

    # each is taken after its own delay, a few milliseconds, a fifth of which is left
    assert (np.diff(sent) > -20e6).all()
    assert len(after) > 100
    assert gaps_s.max() < 5
    assert np.median(gaps_s) > 0.05


@pytest.mark.parametrize("refused", [True, False])
def test_messages_wait_until_their_consumer_is_back(refused: bool) -> None:
    outage = Outage(("back",), MIDDLE, minutes=10, refused=refused)
    system = small_system(SEND, consumers=(HANDLER,), incidents=(outage,), rushes=(RUSH,))
    simulation = run_of(system)
    (times,) = simulation.truth["incidents"][0]["times"]

    processed = processing(traces_in(simulation))

    start, end = (datetime.fromisoformat(times[side]) for side in ("start", "end"))
    assert len(processed) == simulation.traces
    assert not any(start <= seen.started_at < end or seen.failed for seen in processed)
    assert sum(end <= seen.started_at < end + timedelta(minutes=2) for seen in processed) > 100


def test_other_groups_of_the_topic_go_on() -> None:
    other = Consumer(front, ORDERS, "billing", QUICK, (constant(5),), own_trace=True)
    system = small_system(SEND, consumers=(other,), incidents=(STALL,), rushes=(RUSH,))

    simulation = run_of(system)

    inside, _ = during(simulation, traces_in(simulation))
    assert len(processing(inside)) > 200


def test_incidents_come_as_often_as_described_and_do_not_move_each_other() -> None:
    often = Slowdown(("back",), Moments(at=(0.25, 0.75), per_week=3), 5, QUICK)
    rare = Outage(("back",), Moments(per_week=0.5), 5)

    one, both = (run_of(small_system(CALL, incidents=incidents), weeks=8) for incidents in ((often,), (often, rare)))

    assert len(one.truth["incidents"][0]["times"]) == 2 + 24
    assert one.truth["incidents"] == both.truth["incidents"][:1]
    assert len(both.truth["incidents"][1]["times"]) == 4
    starts = [datetime.fromisoformat(times["start"]) for times in one.truth["incidents"][0]["times"]]
    assert one.start + (one.end - one.start) * 0.25 in starts
    assert starts == sorted(starts)


@pytest.mark.parametrize("incident", [STALL, Outage(("back",), MIDDLE, minutes=12)])
def test_messages_are_never_taken_early_nor_out_of_order(incident: Incident) -> None:
    occurrences = Occurrences(incident, np.array([1_000_000_000, 2_000_000_000]), 720_000_000)
    ready_us = np.sort(np.random.default_rng(1).integers(0, 5_000_000_000, 5_000))

    taken_us = occurrences.taken_us(ready_us)

    assert (taken_us >= ready_us).all()
    assert (np.diff(taken_us) >= 0).all()
    assert not occurrences.end_us(taken_us).any()
    assert (taken_us == ready_us)[ready_us > 2_900_000_000].all()


def test_one_incident_does_not_begin_while_another_of_its_kind_goes_on() -> None:
    crowded = Outage(("back",), Moments(at=(0.5,), per_week=200), minutes=60)

    (occurrences,) = draw_occurrences((crowded,), (1,), 0, 7 * 86_400_000_000)

    assert occurrences.starts_us.size > 50
    assert np.diff(occurrences.starts_us).min() > 1.25 * occurrences.length_us


def test_an_incident_without_moments_does_not_happen() -> None:
    never = Outage(("back",), Moments(), 5)

    assert draw_occurrences((never,), (1,), 0, 10**12) == ()
