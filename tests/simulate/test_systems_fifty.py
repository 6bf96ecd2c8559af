"""The story of fifty is in the data: fifty services that deploy, fail and store together, and eight businesses."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np

from stories import (
    CLIENT,
    SERVER,
    Seen,
    alone,
    attribute,
    database_servers,
    root_of,
    story,
    together,
    traces_of,
    within,
)


def spans() -> list[Seen]:
    return [seen for trace in traces_of("fifty").values() for seen in trace]


def businesses() -> dict[str, str]:
    """The business of each service."""
    planted: dict[str, list[str]] = story("fifty").truth["capabilities"]
    return {service: business for business, members in planted.items() for service in members}


def own_schema(service: str) -> str:
    return f"company.{service.replace('-', '_')}"


def restart() -> tuple[datetime, float]:
    """When everything went down, and for how many minutes."""
    outage, _ = story("fifty").system.incidents
    length = story("fifty").end - story("fifty").start
    return story("fifty").start + outage.moments.at[0] * length, outage.minutes


def test_there_are_fifty_services_in_eight_businesses() -> None:
    of_service = businesses()

    assert len(story("fifty").truth["services"]) == 50
    assert of_service.keys() == set(story("fifty").truth["services"]) == {seen.service for seen in spans()}
    assert len(set(of_service.values())) == 8


def test_all_of_them_use_one_server_and_each_has_a_schema() -> None:
    schemas = {seen.service: set() for seen in spans()}
    for seen in spans():
        if attribute(seen.span, "db.namespace"):
            schemas[seen.service].add(str(attribute(seen.span, "db.namespace")))

    assert {server: len(users) for server, users in database_servers(traces_of("fifty").values()).items()} == {
        "company-db.internal": 50
    }
    assert all(own_schema(service) in used for service, used in schemas.items())


def test_many_services_read_and_write_what_is_not_theirs_mostly_within_their_business() -> None:
    of_service = businesses()
    of_schema = {own_schema(service): service for service in of_service}

    foreign = Counter(
        (seen.service, of_schema[str(attribute(seen.span, "db.namespace"))], attribute(seen.span, "db.operation.name"))
        for seen in spans()
        if attribute(seen.span, "db.namespace") not in (None, own_schema(seen.service))
    )

    writes = {(user, owner) for user, owner, action in foreign if action != "SELECT"}
    assert len({user for user, _, _ in foreign}) >= 15
    assert ("shipment", "order-status") in writes
    assert ("invoice", "ledger") in writes
    assert sum(of_service[user] == of_service[owner] for user, owner, _ in foreign) > 0.7 * len(foreign)


def test_some_join_tables_of_others_to_their_own() -> None:
    joins = {
        seen.service: str(attribute(seen.span, "db.query.text"))
        for seen in spans()
        if " JOIN " in str(attribute(seen.span, "db.query.text"))
    }

    assert joins.keys() == {"sales-order", "category", "payment-method", "parcel", "newsletter", "vat-return"}
    assert "JOIN order_line.order_line ON order_line.id = sales_order.order_line_id" in joins["sales-order"]


def test_the_truth_knows_who_joins_a_table_of_another_schema() -> None:
    (lines,) = [table for table in story("fifty").truth["tables"] if table["table"] == "order_line"]

    assert (lines["namespace"], lines["owner"]) == ("company.order_line", "order-line")
    assert set(lines["readers"]) == {"order-line", "sales-order"}


def test_services_mostly_call_their_own_business() -> None:
    of_service = businesses()
    by_id = {seen.span.span_id: seen for seen in spans()}

    pairs = [
        (of_service[by_id[seen.span.parent_span_id].service], of_service[seen.service])
        for seen in spans()
        if seen.span.kind == SERVER and seen.span.parent_span_id
    ]

    assert 0.8 < np.mean([caller == callee for caller, callee in pairs]) < 0.97


def test_most_is_deployed_on_tuesday_afternoon_and_nothing_alone() -> None:
    deployments = story("fifty").deployments

    moments = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row.at_us) for row in deployments]
    on_the_day = [at.weekday() == 1 and 14 <= at.hour < 16 for at in moments]

    assert np.mean(on_the_day) > 0.5
    assert alone(deployments, minutes=60) < 0.03


def test_what_cannot_wait_goes_out_with_its_business() -> None:
    of_service = businesses()
    rest = [
        row
        for row in story("fifty").deployments
        if (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row.at_us)).weekday() != 1
    ]
    busy = [service for service, count in Counter(row.service for row in rest).items() if count >= 3]

    shares = {
        same: np.mean(
            [together(rest, a, b) for a in busy for b in busy if a != b and (of_service[a] == of_service[b]) == same]
        )
        for same in (True, False)
    }

    assert shares[True] > 0.7
    assert shares[False] < 0.2


def test_when_the_server_restarts_everything_is_down_for_twenty_five_minutes() -> None:
    begin, minutes = restart()
    stopped = within(begin, minutes, traces_of("fifty").values())
    before = within(begin - timedelta(days=1), 1_410, traces_of("fifty").values())

    entries = {root_of(trace).service for trace in stopped}

    assert minutes == 25
    assert np.mean([root_of(trace).failed for trace in stopped]) > 0.93
    assert len(entries) >= 6
    assert np.mean([root_of(trace).failed for trace in before]) < 0.05


def test_requests_need_several_services_of_a_business() -> None:
    orders = [trace for trace in traces_of("fifty").values() if root_of(trace).span.name == "GET /sales-order/{id}"]
    whole = [trace for trace in orders if not root_of(trace).failed]

    involved = [
        sum(businesses()[service] == "ordering" for service in {seen.service for seen in trace}) for trace in whole
    ]

    assert set(involved) == {7}
    assert all(any(seen.span.kind == CLIENT for seen in trace) for trace in whole)
