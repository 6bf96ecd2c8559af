"""The stories are in the data: what each system's README tells can be measured in its spans."""

from collections import defaultdict
from datetime import UTC, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracelith.simulate import Deployment, Simulation, simulate

UNTIL = datetime(2026, 3, 2, tzinfo=UTC)


@cache
def run(system: str) -> Simulation:
    return simulate(system, seed=3, traces=4_000, until=UNTIL)


@cache
def traces_of(system: str) -> dict[bytes, list[tuple[str, Span]]]:
    traces: dict[bytes, list[tuple[str, Span]]] = defaultdict(list)
    for payload in run(system).payloads():
        for resource in ExportTraceServiceRequest.FromString(payload).resource_spans:
            service = next(i.value.string_value for i in resource.resource.attributes if i.key == "service.name")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    traces[span.trace_id].append((service, span))
    return traces


def awaited_hops(trace: list[tuple[str, Span]]) -> int:
    """Longest chain of services that call each other, by following parents."""
    spans = {span.span_id: (service, span) for service, span in trace}
    deepest = 0
    for service, span in trace:
        hops, below = 0, (service, span)
        while below is not None and below[1].kind != Span.SPAN_KIND_CONSUMER:
            above = spans.get(below[1].parent_span_id)
            hops += above is not None and above[0] != below[0]
            below = above
        deepest = max(deepest, hops if below is None else 0)
    return deepest


def logins() -> list[list[tuple[str, Span]]]:
    return [
        trace
        for trace in traces_of("login").values()
        if any(span.name == "POST /login" and not span.parent_span_id for _, span in trace)
    ]


def milliseconds(trace: list[tuple[str, Span]], name: str) -> float:
    return sum((s.end_time_unix_nano - s.start_time_unix_nano) / 1e6 for _, s in trace if s.name == name)


def latencies(name: str, traces: list[list[tuple[str, Span]]]) -> NDArray[np.float64]:
    return np.array([milliseconds(trace, name) for trace in traces])


def test_a_login_waits_for_four_hops_unless_the_password_is_wrong() -> None:
    depths = np.array([awaited_hops(trace) for trace in logins()])

    truth = run("login").truth["entry_operations"][0]

    assert truth["operation"] == "POST /login"
    assert depths.max() == truth["awaited_hops"] == 4
    assert np.isin(depths, [1, 4]).mean() > 0.995  # the others ended early because a statement failed
    assert 0.92 < (depths == 4).mean() < 0.98


def test_a_login_involves_all_seven_services() -> None:
    involved = [{service for service, _ in trace} for trace in logins()]

    assert max(len(services) for services in involved) == 7
    assert max(involved, key=len) == set(run("login").truth["services"])


def test_every_hop_is_fine_at_the_median_and_the_slow_percent_is_not() -> None:
    traces = logins()
    names = ["POST /sessions", "GET /users/{id}", "GET /accounts/{id}/plan", "POST /permissions/evaluate"]

    medians = {name: np.median(latencies(name, traces)) for name in names}
    whole = latencies("POST /login", traces)

    assert medians["POST /permissions/evaluate"] < medians["GET /users/{id}"] < 25
    assert medians["POST /sessions"] < 80
    assert np.median(whole) < 90
    assert np.quantile(whole, 0.99) > 800


def test_the_slow_logins_are_slow_in_permissions() -> None:
    traces = logins()
    whole, inside = latencies("POST /login", traces), latencies("POST /permissions/evaluate", traces)

    slow = whole >= np.quantile(whole, 0.95)
    ordinary = (whole >= np.quantile(whole, 0.4)) & (whole <= np.quantile(whole, 0.6))
    share = (inside[slow].mean() - inside[ordinary].mean()) / (whole[slow].mean() - whole[ordinary].mean())

    assert run("login").truth["tail"]["hop"] == "permissions"
    assert share > 0.9


def test_the_rest_of_permissions_is_not_to_blame() -> None:
    database = [milliseconds(trace, "SELECT role_grants") for trace in logins()]

    assert np.quantile(database, 0.99) < 15


def group_times(deployments: tuple[Deployment, ...], service: str) -> NDArray[np.int64]:
    return np.array([row.at_us for row in deployments if row.service == service])


def test_the_planted_four_deploy_within_minutes_and_the_others_do_not() -> None:
    deployments = run("login").deployments
    (group,) = run("login").truth["codeploying_groups"]

    def together(a: str, b: str) -> float:
        left, right = group_times(deployments, a), group_times(deployments, b)
        return float((np.abs(left[:, None] - right).min(axis=1) <= 30 * 60e6).mean())

    inside = [together(a, b) for a in group for b in group if a != b]
    outside = [together(a, b) for a in ("gateway", "profile", "notification") for b in group]
    assert group == ["auth", "billing", "permissions", "user"]
    assert min(inside) > 0.8
    assert max(outside) < 0.3
    assert all(group_times(deployments, service).size >= 20 for service in group)


def test_everybody_in_the_login_system_uses_one_database_and_two_write_to_users() -> None:
    tables = run("login").truth["tables"]

    users = next(table for table in tables if table["table"] == "users")

    assert len({(table["server"], table["namespace"]) for table in tables}) == 1
    assert users["writers"] == ["auth"]
    assert set(users["readers"]) == {"billing", "notification", "user"}


def test_nobody_in_the_healthy_shop_waits_for_another_service() -> None:
    for trace in traces_of("healthy").values():
        assert awaited_hops(trace) == 0
        assert len({service for service, _ in trace}) == 1

    assert all(call["mode"] == "async" for call in run("healthy").truth["calls"])


def test_messages_in_the_healthy_shop_are_processed_later_in_traces_of_their_own() -> None:
    spans = {span.span_id: span for trace in traces_of("healthy").values() for _, span in trace}
    processed = [span for span in spans.values() if span.kind == Span.SPAN_KIND_CONSUMER]
    sent = [span for span in spans.values() if span.kind == Span.SPAN_KIND_PRODUCER]

    for span in processed:
        (link,) = span.links
        message = spans[link.span_id]
        assert link.trace_id == message.trace_id != span.trace_id
        assert span.start_time_unix_nano > message.end_time_unix_nano

    assert len(processed) == len(sent) > 1_000


def test_the_healthy_services_share_no_table_and_no_server() -> None:
    tables = run("healthy").truth["tables"]

    servers = defaultdict(set)
    for table in tables:
        servers[table["server"]] |= set(table["readers"]) | set(table["writers"])

    assert all(len(users) == 1 for users in servers.values())
    assert len(servers) == 2
