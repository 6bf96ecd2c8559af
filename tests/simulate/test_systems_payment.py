"""The story of payment is in the data: layers that pass everything on, and six hours without a sale."""

from datetime import datetime, timedelta

import numpy as np

from stories import (
    CLIENT,
    SERVER,
    Trace,
    alone,
    awaited_hops,
    chosen,
    database_servers,
    requests,
    root_of,
    story,
    together,
    traces_of,
    within,
)

PAGES = ("GET /products/{id}", "GET /search", "PUT /basket", "GET /orders/{id}")


def checkouts() -> list[Trace]:
    return requests("payment", "POST /checkout")


def crash() -> tuple[datetime, float]:
    """When email went away, and for how many minutes."""
    (outage,) = story("payment").system.incidents
    length = story("payment").end - story("payment").start
    return story("payment").start + outage.moments.at[0] * length, outage.minutes


def without_email() -> list[Trace]:
    return within(*crash(), checkouts())


def with_email() -> list[Trace]:
    gone = {id(trace) for trace in without_email()}
    return [trace for trace in checkouts() if id(trace) not in gone]


def reaching(service: str, traces: list[Trace]) -> list[Trace]:
    return [trace for trace in traces if chosen(trace, service=service, kind=SERVER)]


def test_web_and_api_pass_every_page_on_to_one_service_and_add_nothing() -> None:
    traces = [trace for page in PAGES for trace in requests("payment", page)]

    own = []
    for trace in traces:
        for service in ("web", "api"):
            (served,), (called,) = (
                chosen(trace, service=service, kind=SERVER),
                chosen(trace, service=service, kind=CLIENT),
            )
            own.append(served.milliseconds - called.milliseconds)
    whole = [root_of(trace).milliseconds for trace in traces]

    assert all([seen.service for seen in trace if seen.span.kind == SERVER].count("data") == 1 for trace in traces)
    assert np.median(own) < 0.15 * np.median(whole)


def test_buying_takes_five_hops_down_to_email() -> None:
    bought = [trace for trace in with_email() if not root_of(trace).failed]

    depths = np.array([awaited_hops(trace) for trace in bought])

    assert story("payment").truth["entry_operations"][0]["awaited_hops"] == depths.max() == 5
    assert np.isin(depths, [2, 5]).all()  # two, where the card was turned down


def test_for_six_hours_nobody_can_buy_and_everything_else_works() -> None:
    begin, minutes = crash()
    reached = reaching("notification", without_email())
    pages = [trace for page in PAGES for trace in within(begin, minutes, requests("payment", page))]

    assert minutes == 360
    assert len(reached) > 40
    assert all(root_of(trace).failed for trace in reached)
    assert len(pages) > 60
    assert np.mean([root_of(trace).failed for trace in pages]) < 0.03


def test_before_and_after_these_hours_purchases_succeed() -> None:
    begin, minutes = crash()

    around = within(begin - timedelta(days=3), 3 * 1_440, checkouts())
    around += within(begin + timedelta(minutes=minutes), 3 * 1_440, checkouts())

    assert np.mean([root_of(trace).failed for trace in around]) < 0.1


def test_email_is_silent_while_it_is_away() -> None:
    begin, minutes = crash()

    seen = [
        seen.started_at
        for trace in traces_of("payment").values()
        for seen in trace
        if seen.service == "email" and begin <= seen.started_at < begin + timedelta(minutes=minutes)
    ]

    assert seen == []


def test_every_purchase_knocks_nine_times_and_waits_longer_than_one_that_is_turned_down() -> None:
    knocks = [
        len(chosen(trace, service="notification", kind=CLIENT, name="POST"))
        for trace in reaching("notification", without_email())
    ]
    usually = [
        len(chosen(trace, service="notification", kind=CLIENT, name="POST"))
        for trace in reaching("notification", with_email())
    ]

    assert set(knocks) == {9}
    assert np.mean(usually) < 1.1


def test_the_mail_provider_is_what_slow_purchases_wait_for() -> None:
    bought = [trace for trace in reaching("email", with_email()) if not root_of(trace).failed]
    whole = np.array([root_of(trace).milliseconds for trace in bought])
    inside = np.array(
        [max(seen.milliseconds for seen in chosen(trace, service="email", kind=CLIENT)) for trace in bought]
    )

    slow = whole >= np.quantile(whole, 0.95)
    ordinary = (whole >= np.quantile(whole, 0.4)) & (whole <= np.quantile(whole, 0.6))
    share = (inside[slow].mean() - inside[ordinary].mean()) / (whole[slow].mean() - whole[ordinary].mean())

    assert story("payment").truth["tail"]["hop"] == "smtp.mail-provider.example"
    assert share > 0.75


def test_every_database_server_has_one_user() -> None:
    users = database_servers(traces_of("payment").values())

    assert users == {
        "shop-db.internal": {"data"},
        "payment-db.internal": {"payment"},
        "inventory-db.internal": {"inventory"},
        "notification-db.internal": {"notification"},
    }


def test_the_three_layers_are_deployed_together_and_the_others_at_their_own_time() -> None:
    deployments = story("payment").deployments
    others = ("payment", "inventory", "notification", "email")

    inside = [
        together(deployments, a, b, minutes=60)
        for a in ("web", "api", "data")
        for b in ("web", "api", "data")
        if a != b
    ]

    assert min(inside) > 0.5
    assert alone([row for row in deployments if row.service in others]) > 0.8
