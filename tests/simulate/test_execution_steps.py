"""Steps within a service leave the spans and take the time that their descriptions say."""

from collections import Counter, defaultdict
from itertools import pairwise

import duckdb
import numpy as np
import pytest

from small_systems import LEDGERS, QUICK, children, constant, front, operation, run_of, small_system, traces_in
from stories import Seen, attribute, chosen, root_of
from tracelith.simulate import Simulation
from tracelith.simulate.flow import Answer, Cached, Call, Entry, Parallel, Query, Repeat, Stall, Step, Task, Wait
from tracelith.simulate.latency import Episodes, Queueing
from tracelith.simulate.topology import Database, Scaling, Service
from tracelith.simulate.traffic_shape import Cycle, Rush

CACHE = Database("redis", "cache.internal", 6379, "0")
LOOK = Query(LEDGERS, "SELECT", "prices", QUICK)


def pages(*steps: Step, traces: int = 2_000) -> list[list[Seen]]:
    return traces_in(run_of(small_system(*steps), traces=traces))


def test_a_cache_is_asked_by_all_and_only_misses_go_on() -> None:
    traces = pages(Cached(CACHE, 0.8, QUICK, (LOOK,)))

    asked = [chosen(trace, name="GET") for trace in traces]
    missed = sum(bool(chosen(trace, name="SELECT prices")) for trace in traces)

    assert {len(found) for found in asked} == {1}
    assert attribute(asked[0][0].span, "db.system.name") == "redis"
    assert abs(missed / len(traces) - 0.2) < 4 * (0.2 * 0.8 / len(traces)) ** 0.5


def test_a_loop_runs_its_number_of_times_one_after_another() -> None:
    traces = pages(Repeat(2, 5, (LOOK, constant(1))))

    rounds = Counter()
    for trace in traces:
        queries = chosen(trace, name="SELECT prices")
        rounds[len(queries)] += 1
        for earlier, later in pairwise(queries):
            assert later.span.start_time_unix_nano == earlier.span.end_time_unix_nano + 1_000_000

    assert set(rounds) == {2, 3, 4, 5}
    assert all(abs(count / len(traces) - 0.25) < 4 * (0.25 * 0.75 / len(traces)) ** 0.5 for count in rounds.values())


def test_a_loop_ends_with_its_first_failure() -> None:
    traces = pages(Repeat(4, 4, (LOOK, Answer(0.5, 409))))

    outcomes = Counter(
        (attribute(root_of(trace).span, "http.response.status_code"), len(chosen(trace, name="SELECT prices")))
        for trace in traces
    )

    expected = {(409, 1): 0.5, (409, 2): 0.25, (409, 3): 0.125, (409, 4): 0.0625, (200, 4): 0.0625}
    assert set(outcomes) == set(expected)
    for outcome, share in expected.items():
        assert abs(outcomes[outcome] / len(traces) - share) < 4 * (share * (1 - share) / len(traces)) ** 0.5


@pytest.mark.parametrize("action", ["SELECT", "INSERT", "UPDATE", "DELETE"])
def test_a_statement_with_joins_has_a_text_that_a_parser_reads(action: str) -> None:
    joined = Query(LEDGERS, action, "orders", QUICK, joins=("users", "plans"))

    (query,) = children(*_only(pages(joined, traces=1)))

    text = str(attribute(query.span, "db.query.text"))
    assert len(duckdb.extract_statements(text)) == 1
    assert "JOIN plans" in text
    assert text.startswith(action)
    assert query.span.name == attribute(query.span, "db.query.summary") == f"{action} orders users plans"
    assert attribute(query.span, "db.collection.name") is None


def _only(traces: list[list[Seen]]) -> tuple[list[Seen], Seen]:
    (trace,) = traces
    return trace, root_of(trace)


@pytest.mark.parametrize(
    "step",
    [Stall(Episodes(60, 5, 20, 1.2)), Wait(Queueing("workers", 0.9, 400))],
    ids=["stalls", "queues"],
)
def test_two_services_are_slow_each_at_its_own_time(step: Step) -> None:
    one, two = (Service(name, "go", 1, "1.0") for name in ("one", "two"))
    asked = Parallel(tuple((Call(operation(service, step)),) for service in (one, two)))

    traces = traces_in(run_of(small_system(asked, services=(front, one, two)), traces=4_000))

    waits = [
        [seen.milliseconds for trace in traces for seen in chosen(trace, service=service.name)]
        for service in (one, two)
    ]
    assert (np.array(waits) > 1_000).mean() > 0.05
    assert abs(np.corrcoef(waits)[0, 1]) < 0.5  # stalls of the same rhythm keep their distance


def test_whoever_queues_for_the_same_worker_gets_it_in_order() -> None:
    queue = Queueing("ledger pool", utilisation=0.9, burst_ms=80, per_instance=False)
    rush = Rush(at=0.5, minutes=1, share=1.0)

    simulation = run_of(small_system(Wait(queue), rushes=(rush,)), traces=3_000)

    served = sorted((root_of(trace) for trace in traces_in(simulation)), key=lambda seen: seen.started_at)
    ends = np.array([seen.span.end_time_unix_nano for seen in served])
    waits = np.array([seen.milliseconds for seen in served])
    assert (np.diff(ends) >= -1_000).all()  # whole microseconds
    assert waits.max() > 100


def test_spans_of_every_length_are_read_as_they_were_written() -> None:
    names = ["x" * length for length in range(1, 150)]

    (trace,) = pages(*(Task(name, (constant(1),)) for name in names), traces=1)

    assert [seen.span.name for seen in trace if seen.span.parent_span_id] == names
    assert all(seen.milliseconds == 1 for seen in trace if seen.span.parent_span_id)


def test_a_rush_brings_its_share_of_all_requests() -> None:
    rush = Rush(at=0.25, minutes=10, share=0.3)

    simulation = run_of(small_system(constant(1), rushes=(rush,)), traces=4_000)

    starts = np.array([root_of(trace).started_at for trace in traces_in(simulation)])
    middle = simulation.start + (simulation.end - simulation.start) * 0.25
    close = np.array([abs((start - middle).total_seconds()) <= 300 for start in starts])
    assert 1_200 <= close.sum() <= 1_220
    assert starts.size == 4_000


def test_each_entry_follows_its_own_cycle() -> None:
    morning, evening = (
        Entry(operation(front, constant(1), route=f"/{hour}"), share=1, cycle=Cycle(peak_hour=hour, swing=0.9))
        for hour in (6, 18)
    )

    simulation = run_of(small_system(entry=morning), traces=3_000)
    later = run_of(small_system(entry=evening), traces=3_000)

    def share_before_noon(run: Simulation) -> float:
        return float(np.mean([root_of(trace).started_at.hour < 12 for trace in traces_in(run)]))

    assert share_before_noon(simulation) > 0.7
    assert share_before_noon(later) < 0.3


def test_a_scaling_service_runs_more_instances_when_its_axis_is_busy() -> None:
    axis = Cycle(peak_hour=12, swing=0.9, weekend=1.0)
    worker = Service("worker", "go", 8, "1.0", namespace="trading", scaling=Scaling(axis, least=2))

    system = small_system(Call(operation(worker, constant(1))), services=(front, worker))

    instances: dict[int, set[str]] = defaultdict(set)
    for trace in traces_in(run_of(system, traces=6_000)):
        (served,) = chosen(trace, service="worker")
        instances[served.started_at.hour].add(served.resource["host.name"])
        assert served.resource["service.namespace"] == "trading"
        assert "service.namespace" not in root_of(trace).resource
    assert len(instances[12]) == 8
    assert len(instances[0]) == 2
    assert len(instances[6]) in (5, 6)
