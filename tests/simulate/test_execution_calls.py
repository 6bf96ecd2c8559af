"""Calls end as callers experience them: in time or not, answered or refused, once or again."""

from itertools import pairwise

import numpy as np
import pytest

from small_systems import (
    LEDGERS,
    NETWORK,
    QUICK,
    back,
    children,
    constant,
    operation,
    run_of,
    small_system,
    traces_in,
)
from stories import CLIENT, SERVER, Trace, attribute, chosen, root_of
from tracelith.simulate.flow import GRPC, Answer, Call, Operation, Parallel, Query, Sometimes, Step
from tracelith.simulate.latency import Latency

SLOW_NOW_AND_THEN = (constant(5), Sometimes(0.1, (constant(400),)))


def pages(*steps: Step, traces: int = 2_000) -> list[Trace]:
    return traces_in(run_of(small_system(*steps), traces=traces))


def assert_share(count: int, total: int, expected: float) -> None:
    """Within four standard errors of the binomial distribution."""
    assert abs(count / total - expected) < 4 * (expected * (1 - expected) / total) ** 0.5


def status_of(trace: Trace) -> int:
    return int(attribute(root_of(trace).span, "http.response.status_code") or 0)


def test_a_caller_gives_up_at_its_timeout_and_the_callee_goes_on() -> None:
    traces = pages(Call(operation(back, *SLOW_NOW_AND_THEN), timeout_ms=100))

    late = [trace for trace in traces if status_of(trace) == 504]

    assert_share(len(late), len(traces), 0.1)
    for trace in late:
        (asked,), (served,) = chosen(trace, kind=CLIENT), chosen(trace, kind=SERVER, service="back")
        assert asked.milliseconds == 100
        assert attribute(asked.span, "error.type") == "timeout"
        assert attribute(asked.span, "http.response.status_code") is None
        assert asked.failed
        assert served.milliseconds > 400
        assert attribute(served.span, "http.response.status_code") == 200


def test_failed_attempts_are_repeated_after_pauses_that_double() -> None:
    traces = pages(Call(operation(back, constant(5), Answer(0.5, 500)), attempts=3, backoff_ms=40))

    for trace in traces:
        attempts = chosen(trace, kind=CLIENT)
        statuses = [attribute(seen.span, "http.response.status_code") for seen in attempts]
        assert statuses[:-1] == [500] * (len(attempts) - 1)
        assert [attribute(seen.span, "http.request.resend_count") for seen in attempts] == [None, 1, 2][: len(attempts)]
        for number, (earlier, later) in enumerate(pairwise(attempts)):
            pause_ns = later.span.start_time_unix_nano - earlier.span.end_time_unix_nano
            assert pause_ns == 40_000_000 * 2**number

    tries = np.array([len(chosen(trace, kind=CLIENT)) for trace in traces])
    assert_share(int((tries == 1).sum()), len(traces), 0.5)
    assert_share(int((tries == 3).sum()), len(traces), 0.25)
    assert_share(sum(status_of(trace) == 500 for trace in traces), len(traces), 0.125)


def test_answers_below_500_are_not_asked_for_again() -> None:
    traces = pages(Call(operation(back, Answer(0.5, 404)), attempts=3), traces=300)

    assert all(len(chosen(trace, kind=CLIENT)) == 1 for trace in traces)
    assert {status_of(trace) for trace in traces} == {200, 404}


def test_a_tolerated_failure_is_answered_as_if_nothing_had_happened_after_the_fallback() -> None:
    fallback = Query(LEDGERS, "SELECT", "last_prices", QUICK)
    asked = Call(operation(back, Answer(0.4, 500)), tolerated=0.75, fallback=(fallback,))

    traces = pages(asked)

    failed = [trace for trace in traces if any(seen.failed for seen in chosen(trace, service="back"))]
    saved = [trace for trace in failed if status_of(trace) == 200]
    assert_share(len(failed), len(traces), 0.4)
    assert_share(len(saved), len(failed), 0.75)
    for trace in traces:
        assert bool(chosen(trace, name="SELECT last_prices")) == (trace in saved)
    assert {status_of(trace) for trace in failed} == {200, 500}


def test_grpc_is_described_by_its_own_conventions() -> None:
    method = Operation(back, GRPC, "pricing.Prices/Quote", (constant(5), Answer(0.2, 404), Answer(0.2, 500)))

    traces = pages(Call(method, timeout_ms=50))

    codes = {"OK": (False, False), "NOT_FOUND": (True, False), "INTERNAL": (True, True)}
    found = set()
    for trace in traces:
        (client,), (server,) = chosen(trace, kind=CLIENT), chosen(trace, kind=SERVER, service="back")
        code = str(attribute(client.span, "rpc.response.status_code"))
        found.add(code)
        assert (client.failed, server.failed) == codes[code]
        for seen in (client, server):
            assert seen.span.name == attribute(seen.span, "rpc.method") == "pricing.Prices/Quote"
            assert attribute(seen.span, "rpc.system.name") == "grpc"
            assert attribute(seen.span, "http.request.method") is None
            assert attribute(seen.span, "error.type") == (code if seen.failed else None)
    assert found == set(codes)


def test_a_grpc_deadline_is_a_code_of_the_client() -> None:
    method = Operation(back, GRPC, "pricing.Prices/Quote", (constant(90),))

    (client,) = chosen(pages(Call(method, timeout_ms=50), traces=1)[0], kind=CLIENT)

    assert attribute(client.span, "rpc.response.status_code") == "DEADLINE_EXCEEDED"
    assert attribute(client.span, "error.type") == "DEADLINE_EXCEEDED"


def test_parallel_branches_start_together_and_the_slowest_is_waited_for() -> None:
    branches = tuple((Call(operation(back, constant(time))),) for time in (5, 60, 20))

    for trace in pages(constant(3), Parallel(branches), constant(2), traces=50):
        root = root_of(trace)
        calls = children(trace, root)
        starts = {seen.span.start_time_unix_nano for seen in calls}
        ends = [seen.span.end_time_unix_nano for seen in calls]
        assert starts == {root.span.start_time_unix_nano + 3_000_000}
        assert root.span.end_time_unix_nano == max(ends) + 2_000_000


@pytest.mark.parametrize("network", [NETWORK, Latency(20, 60)])
def test_the_network_takes_its_time_on_both_ways(network: Latency) -> None:
    system = small_system(Call(operation(back, constant(5))), network=network)

    ways = []
    for trace in traces_in(run_of(system)):
        (asked,), (served,) = chosen(trace, kind=CLIENT), chosen(trace, kind=SERVER, service="back")
        ways.append((served.span.start_time_unix_nano - asked.span.start_time_unix_nano) / 1e6)
        ways.append((asked.span.end_time_unix_nano - served.span.end_time_unix_nano) / 1e6)

    assert np.median(ways) == pytest.approx(network.median_ms, rel=0.05)


def test_requests_reach_every_instance() -> None:
    served = chosen([seen for trace in pages(Call(operation(back))) for seen in trace], service="back")

    by_instance = np.unique([seen.resource["service.instance.id"] for seen in served], return_counts=True)[1]

    assert by_instance.size == back.instances
    for count in by_instance:
        assert_share(int(count), len(served), 1 / 3)


def test_equal_seeds_ask_alike_and_others_do_not() -> None:
    system = small_system(Call(operation(back, *SLOW_NOW_AND_THEN), timeout_ms=100, attempts=2, tolerated=0.5))

    first, again, other = (list(run_of(system, seed=seed, traces=300).payloads()) for seed in (5, 5, 6))

    assert first == again
    assert first != other
