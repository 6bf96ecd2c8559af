"""The story of train is in the data: services that could go their own way, and a Wednesday."""

from datetime import UTC, datetime, timedelta

import numpy as np

from stories import SERVER, alone, awaited_hops, chosen, database_servers, root_of, story, traces_of


def test_most_requests_need_one_service_and_an_order_needs_two() -> None:
    depths: dict[str, set[int]] = {}
    for trace in traces_of("train").values():
        depths.setdefault(root_of(trace).span.name, set()).add(awaited_hops(trace))

    assert {name for name, hops in depths.items() if max(hops) > 0} == {"POST /orders"}
    assert depths["POST /orders"] == {1}


def test_each_service_has_a_database_server_of_its_own() -> None:
    users = database_servers(traces_of("train").values())

    assert len(users) == len(story("train").truth["services"]) == 8
    assert all(len(services) == 1 for services in users.values())


def test_failures_stay_where_they_are() -> None:
    failed = [
        {seen.service for seen in chosen(trace, kind=SERVER) if seen.failed} for trace in traces_of("train").values()
    ]

    assert max(len(services) for services in failed) <= 2
    assert np.mean([len(services) > 0 for services in failed]) < 0.01


def test_nearly_everything_is_released_within_half_an_hour_on_wednesday() -> None:
    moments = [
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row.at_us) for row in story("train").deployments
    ]

    on_the_day = [at.weekday() == 2 and at.hour == 14 and at.minute <= 26 for at in moments]

    assert 0.8 < np.mean(on_the_day) < 1
    assert alone(story("train").deployments) < 0.2


def test_a_service_that_could_not_wait_went_alone() -> None:
    moments = [
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row.at_us), row)
        for row in story("train").deployments
    ]
    urgent = [row for at, row in moments if at.weekday() != 2]

    assert len(urgent) >= 3
    assert alone(urgent) > 0.8
