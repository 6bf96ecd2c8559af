"""The story of trading is in the data: one half grows and shrinks with the exchanges, the other keeps office hours."""

from collections import defaultdict

import numpy as np

from stories import SERVER, Seen, alone, awaited_hops, database_servers, root_of, story, traces_of

MARKET = ("ticks", "quotes", "candles")


def spans() -> list[Seen]:
    return [seen for trace in traces_of("trading").values() for seen in trace]


def instances(service: str, hours: range) -> float:
    """Hosts of a service that were busy in these hours, mean over working days between two deployments or more."""
    busy: dict[str, set[str]] = defaultdict(set)
    for seen in spans():
        if seen.service == service and seen.started_at.weekday() < 5 and seen.started_at.hour in hours:
            busy[seen.resource["service.version"]].add(seen.resource["host.name"])
    return max(len(hosts) for hosts in busy.values())


def test_market_data_runs_on_few_machines_at_night_and_on_many_in_the_afternoon() -> None:
    for service in MARKET:
        assert instances(service, range(3, 5)) <= 3
        assert instances(service, range(14, 17)) >= 6


def test_the_back_office_runs_on_the_same_machines_all_day() -> None:
    fixed = {service.name: service.instances for service in story("trading").system.services if not service.scaling}

    assert fixed.keys() == {"orders", "accounts", "statements", "onboarding"}
    for service, count in fixed.items():
        assert instances(service, range(9, 18)) == count


def test_market_data_rests_on_weekends_and_the_back_office_less_so() -> None:
    roots = [root_of(trace) for trace in traces_of("trading").values()]
    weekend = {
        half: np.mean([seen.started_at.weekday() >= 5 for seen in roots if (seen.service in MARKET) == half])
        for half in (True, False)
    }

    assert weekend[True] < 0.03
    assert weekend[False] > 0.12


def test_each_half_belongs_to_a_team() -> None:
    owners = {(seen.service, seen.resource["service.namespace"]) for seen in spans()}

    assert {service for service, team in owners if team == "market-data"} == set(MARKET)
    assert {team for _, team in owners} == {"market-data", "brokerage"}
    assert len(owners) == 7


def test_the_halves_never_call_each_other_and_only_orders_waits_for_anybody() -> None:
    waiting = {root_of(trace).span.name for trace in traces_of("trading").values() if awaited_hops(trace) > 0}
    mixed = [{seen.service in MARKET for seen in trace} for trace in traces_of("trading").values()]

    assert waiting == {"POST /orders"}
    assert all(len(halves) == 1 for halves in mixed)


def test_everybody_keeps_their_own_data_and_time() -> None:
    users = database_servers(traces_of("trading").values())

    assert all(len(services) == 1 for services in users.values())
    assert alone(story("trading").deployments) > 0.75


def test_few_requests_fail() -> None:
    failed = [seen.failed for seen in spans() if seen.span.kind == SERVER]

    assert np.mean(failed) < 0.01
