"""The story of login is in the data: what its README tells can be measured in its spans and deployments."""

from datetime import datetime, timedelta

import numpy as np

from stories import CLIENT, Trace, attribute, awaited_hops, chosen, latencies, requests, root_of, story, together
from stories import traces_of as read_traces


def logins() -> list[Trace]:
    return requests("login", "POST /login")


def migration() -> tuple[datetime, datetime]:
    spans = [seen for trace in read_traces("login").values() for seen in trace]
    (altering,) = [seen for seen in spans if str(attribute(seen.span, "db.operation.name")) == "ALTER TABLE"]
    return altering.started_at, altering.started_at + timedelta(milliseconds=altering.milliseconds)


def during_the_migration(traces: list[Trace]) -> list[Trace]:
    begin, end = migration()
    patience = timedelta(seconds=2)  # who comes so late waits for less than the whole patience
    return [trace for trace in traces if begin <= root_of(trace).started_at < end - patience]


def on_ordinary_days(traces: list[Trace]) -> list[Trace]:
    begin, end = migration()
    return [trace for trace in traces if not begin <= root_of(trace).started_at < end]


def test_a_login_waits_for_four_hops_unless_the_password_is_wrong() -> None:
    depths = np.array([awaited_hops(trace) for trace in on_ordinary_days(logins())])

    truth = story("login").truth["entry_operations"][0]

    assert truth["operation"] == "POST /login"
    assert depths.max() == truth["awaited_hops"] == 4
    assert np.isin(depths, [1, 4]).mean() > 0.995  # the others ended early because a statement failed
    assert 0.92 < (depths == 4).mean() < 0.98


def test_a_login_involves_all_seven_services() -> None:
    involved = [{seen.service for seen in trace} for trace in logins()]

    assert max(len(services) for services in involved) == 7
    assert max(involved, key=len) == set(story("login").truth["services"])


def test_every_hop_is_fine_at_the_median_and_the_slow_percent_is_not() -> None:
    traces = on_ordinary_days(logins())
    names = ["POST /sessions", "GET /users/{id}", "GET /accounts/{id}/plan", "POST /permissions/evaluate"]

    medians = {name: np.median(latencies(name, traces)) for name in names}
    whole = latencies("POST /login", traces)

    assert medians["POST /permissions/evaluate"] < medians["GET /users/{id}"] < 25
    assert medians["POST /sessions"] < 80
    assert np.median(whole) < 90
    assert np.quantile(whole, 0.99) > 800


def test_the_slow_logins_are_slow_in_permissions() -> None:
    traces = on_ordinary_days(logins())
    whole, inside = latencies("POST /login", traces), latencies("POST /permissions/evaluate", traces)

    slow = whole >= np.quantile(whole, 0.95)
    ordinary = (whole >= np.quantile(whole, 0.4)) & (whole <= np.quantile(whole, 0.6))
    share = (inside[slow].mean() - inside[ordinary].mean()) / (whole[slow].mean() - whole[ordinary].mean())

    assert story("login").truth["tail"]["hop"] == "permissions"
    assert share > 0.9


def test_the_rest_of_permissions_is_not_to_blame() -> None:
    database = latencies("SELECT role_grants", logins())

    assert np.quantile(database, 0.99) < 15


def test_the_four_of_a_feature_deploy_within_minutes_and_the_others_do_not() -> None:
    deployments = story("login").deployments
    (group,) = story("login").truth["codeploying_groups"]

    inside = [together(deployments, a, b) for a in group for b in group if a != b]
    outside = [together(deployments, a, b) for a in ("gateway", "profile", "notification") for b in group]

    assert group == ["auth", "billing", "permissions", "user"]
    assert min(inside) > 0.8
    assert max(outside) < 0.3
    assert all(sum(row.service == service for row in deployments) >= 20 for service in group)


def test_everybody_uses_one_schema_and_three_services_use_the_table_of_user() -> None:
    tables = story("login").truth["tables"]

    users = next(table for table in tables if table["table"] == "users")

    assert len({(table["server"], table["namespace"]) for table in tables}) == 1
    assert users["owner"] == "user"
    assert users["writers"] == ["auth"]
    assert set(users["readers"]) == {"billing", "notification", "user"}


def test_billing_joins_the_users_to_its_subscriptions() -> None:
    spans = [seen for trace in logins() for seen in trace]

    statements = {str(attribute(seen.span, "db.query.text")) for seen in chosen(spans, service="billing", kind=CLIENT)}

    assert any("JOIN users" in statement for statement in statements)


def test_nobody_signs_in_while_the_migration_holds_the_users_table() -> None:
    begin, end = migration()
    stopped, others = during_the_migration(logins()), on_ordinary_days(logins())

    waited = [root_of(trace).milliseconds for trace in stopped if awaited_hops(trace) > 1]

    assert end - begin == timedelta(seconds=85)
    assert len(stopped) >= 8
    assert np.mean([root_of(trace).failed for trace in stopped if awaited_hops(trace) > 1]) == 1
    assert min(waited) >= 500
    assert np.mean([root_of(trace).failed for trace in others]) < 0.02


def test_invoices_have_another_table_and_do_not_notice() -> None:
    stopped = during_the_migration(requests("login", "GET /invoices"))

    assert not any(root_of(trace).failed for trace in stopped)
    assert all(root_of(trace).milliseconds < 1_000 for trace in stopped)
