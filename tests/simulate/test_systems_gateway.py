"""The story of gateway is in the data: a hub that asks many at once and can do without most of them."""

from datetime import datetime

import numpy as np

from stories import (
    CLIENT,
    SERVER,
    Seen,
    Trace,
    alone,
    attribute,
    awaited_hops,
    chosen,
    database_servers,
    requests,
    root_of,
    story,
    within,
)
from stories import traces_of as read_traces


def product_pages() -> list[Trace]:
    return requests("gateway", "GET /product/{id}")


def first_calls(trace: Trace) -> list[Seen]:
    return chosen(trace, service="gateway", kind=CLIENT)


def test_nothing_is_deeper_than_one_hop() -> None:
    assert {awaited_hops(trace) for trace in read_traces("gateway").values()} == {0, 1}
    assert all(entry["awaited_hops"] == 1 for entry in story("gateway").truth["entry_operations"])


def test_all_calls_come_from_the_gateway() -> None:
    callers = {(call["caller"], call["mode"]) for call in story("gateway").truth["calls"] if call["mode"] == "sync"}

    assert callers == {("gateway", "sync")}
    assert len({call["callee"] for call in story("gateway").truth["calls"]}) == 9


def test_a_product_page_asks_six_services_at_once() -> None:
    for trace in product_pages():
        calls = first_calls(trace)
        starts, ends = zip(*((c.span.start_time_unix_nano, c.span.end_time_unix_nano) for c in calls), strict=True)
        if len(calls) == 6:
            assert max(starts) < min(ends)

    assert np.mean([len(first_calls(trace)) == 6 for trace in product_pages()]) > 0.98


def test_a_page_takes_as_long_as_its_slowest_part() -> None:
    whole = np.array([root_of(trace).milliseconds for trace in product_pages()])
    slowest = np.array([max(call.milliseconds for call in first_calls(trace)) for trace in product_pages()])
    summed = np.array([sum(call.milliseconds for call in first_calls(trace)) for trace in product_pages()])

    assert np.median(whole) < 2 * np.median(slowest) < np.median(summed)


def test_a_page_is_shown_when_a_part_of_it_fails() -> None:
    needed = {"catalogue", "basket"}
    shown = [
        root_of(trace).failed
        for trace in read_traces("gateway").values()
        for seen in chosen(trace, kind=SERVER)
        if seen.failed and seen.service not in needed | {"gateway"}
    ]

    assert len(shown) > 5
    assert not any(shown)


def test_customers_buy_on_while_reviews_is_gone() -> None:
    (gone,) = story("gateway").truth["incidents"][0]["times"]
    pages = within(datetime.fromisoformat(gone["start"]), 40, product_pages())

    asked = [
        call for trace in pages for call in first_calls(trace) if attribute(call.span, "server.address") == "reviews"
    ]

    assert len(pages) > 10
    assert len(asked) >= 0.9 * len(pages)
    assert all(attribute(call.span, "error.type") == "connection_refused" for call in asked)
    assert not any(chosen(trace, service="reviews") for trace in pages)
    assert not any(root_of(trace).failed for trace in pages)


def test_every_database_has_one_user() -> None:
    users = database_servers(read_traces("gateway").values())

    assert all(len(services) == 1 for services in users.values())
    assert {service for services in users.values() for service in services} == {
        service for service in story("gateway").truth["services"] if service != "gateway"
    }


def test_everybody_deploys_at_their_own_time() -> None:
    assert alone(story("gateway").deployments) > 0.7
