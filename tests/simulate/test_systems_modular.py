"""The story of modular is in the data: one program, started twice."""

from collections import defaultdict

import numpy as np

from stories import CONSUMER, awaited_hops, database_servers, deployed_at, root_of, story, traces_of


def test_a_request_needs_one_service() -> None:
    for trace in traces_of("modular").values():
        assert awaited_hops(trace) == 0
        assert len({seen.service for seen in trace}) == 1


def test_the_worker_does_later_what_the_app_has_put_on_the_queue() -> None:
    processed = [seen for trace in traces_of("modular").values() for seen in trace if seen.span.kind == CONSUMER]
    sent = {seen.span.span_id: seen for trace in traces_of("modular").values() for seen in trace}

    assert {seen.service for seen in processed} == {"worker"}
    assert len(processed) > 400
    for seen in processed:
        (link,) = seen.span.links
        assert sent[link.span_id].service == "app"
        assert sent[link.span_id].span.end_time_unix_nano < seen.span.start_time_unix_nano


def test_both_use_the_one_database() -> None:
    users = database_servers(traces_of("modular").values())

    assert users == {"shop-db.internal": {"app", "worker"}}


def test_both_are_built_from_one_commit_and_restarted_one_after_the_other() -> None:
    versions: dict[str, set[str]] = defaultdict(set)
    for row in story("modular").deployments:
        versions[row.service].add(row.version)

    app, worker = (deployed_at(story("modular").deployments, service) for service in ("app", "worker"))

    assert versions["app"] == versions["worker"]
    assert app.size == worker.size >= 30
    assert np.abs(app - worker).max() < 15 * 60e6


def test_modules_are_steps_of_one_request_and_cost_no_hop() -> None:
    orders = [trace for trace in traces_of("modular").values() if root_of(trace).span.name == "POST /orders"]

    modules = {seen.span.name for trace in orders for seen in trace if "." in seen.span.name}

    assert modules == {"basket.read", "payments.charge", "orders.place"}
