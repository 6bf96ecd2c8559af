"""The story of kafka is in the data: hidden waiting over a queue, and a group that stands still for twelve minutes."""

from datetime import timedelta

import numpy as np

from stories import (
    CONSUMER,
    PRODUCER,
    SERVER,
    Seen,
    Trace,
    awaited_hops,
    chosen,
    latencies,
    requests,
    root_of,
    story,
    together,
    traces_of,
    within,
)

GROUPS = {"profile-view": "profile", "permissions-plans": "permissions"}


def spans() -> list[Seen]:
    return [seen for trace in traces_of("kafka").values() for seen in trace]


def logins() -> list[Trace]:
    return requests("kafka", "POST /login")


def events_of(service: str) -> list[Seen]:
    """Processing of account events by this service, in order of time."""
    found = chosen(spans(), service=service, name="process account-events", kind=CONSUMER)
    return sorted(found, key=lambda seen: seen.span.start_time_unix_nano)


def lag_seconds(processed: list[Seen]) -> np.ndarray:
    """From the end of sending to the start of processing."""
    sent = {seen.span.span_id: seen.span.end_time_unix_nano for seen in chosen(spans(), kind=PRODUCER)}
    return np.array([(seen.span.start_time_unix_nano - sent[seen.span.links[0].span_id]) / 1e9 for seen in processed])


def slow_handler() -> Seen:
    return max(events_of("profile"), key=lambda seen: seen.milliseconds)


def test_by_its_calls_a_sign_in_is_one_hop_deep() -> None:
    depths = [awaited_hops(trace) for trace in logins()]

    assert set(depths) == {1}


def test_yet_a_sign_in_ends_only_after_billing_and_permissions_have_answered() -> None:
    finished = [trace for trace in logins() if chosen(trace, service="permissions", kind=SERVER)]

    ends = [
        (chosen(trace, name="POST /sessions", kind=SERVER), chosen(trace, service="billing", kind=CONSUMER))
        for trace in finished
    ]

    assert len(finished) > 0.9 * len(logins())
    for (session,), (handled,) in ends:
        assert session.span.start_time_unix_nano < handled.span.start_time_unix_nano
        assert handled.span.end_time_unix_nano < session.span.end_time_unix_nano


def test_the_truth_counts_the_hop_that_is_dressed_as_an_event() -> None:
    login = story("kafka").truth["entry_operations"][0]

    assert login["operation"] == "POST /login"
    assert login["awaited_hops"] == 1
    assert login["awaited_hops_over_queues"] == 3
    assert login["chain_over_queues"] == ["gateway", "auth", "billing", "permissions"]


def test_the_slow_sign_ins_are_slow_in_permissions_behind_the_queue() -> None:
    traces = logins()
    whole, inside = latencies("POST /login", traces), latencies("POST /permissions/evaluate", traces)

    slow = whole >= np.quantile(whole, 0.95)
    ordinary = (whole >= np.quantile(whole, 0.4)) & (whole <= np.quantile(whole, 0.6))
    share = (inside[slow].mean() - inside[ordinary].mean()) / (whole[slow].mean() - whole[ordinary].mean())

    assert np.median(whole) < 110
    assert np.quantile(whole, 0.99) > 800
    assert share > 0.9


def test_one_message_takes_seventy_seconds_and_the_group_of_six_stands_still_for_twelve_minutes() -> None:
    slow = slow_handler()
    begin = slow.started_at
    processed = [seen for seen in events_of("profile") if seen is not slow]

    before = [seen for seen in processed if begin - timedelta(minutes=5) <= seen.started_at < begin]
    meanwhile = [seen for seen in processed if begin < seen.started_at < begin + timedelta(minutes=11.9)]
    after = [seen for seen in processed if seen.started_at >= begin + timedelta(minutes=11.9)]

    assert story("kafka").system.service("profile").instances == 6
    assert 69_000 < slow.milliseconds < 75_000
    assert len(before) > 5
    assert meanwhile == []
    assert after[0].started_at < begin + timedelta(minutes=14)


def test_pages_are_up_to_twelve_minutes_old_then_and_the_backlog_drains_afterwards() -> None:
    processed = events_of("profile")
    lag, began = lag_seconds(processed), np.array([seen.started_at for seen in processed])

    end = slow_handler().started_at + timedelta(minutes=12)
    drained = lag[(began >= end - timedelta(seconds=5)) & (began < end + timedelta(minutes=2))]

    assert np.median(lag) < 1
    assert drained.max() > 9 * 60
    assert lag[(began >= end + timedelta(minutes=5)) & (began < end + timedelta(minutes=8))].max() < 60


def test_other_groups_go_on_reading_the_same_topic() -> None:
    begin = slow_handler().started_at

    processed = [seen for seen in events_of("permissions") if begin < seen.started_at < begin + timedelta(minutes=12)]

    assert len(processed) > 10
    assert lag_seconds(processed).max() < 10


def test_no_request_fails_or_waits_while_the_group_stands_still() -> None:
    begin = slow_handler().started_at

    pages = within(begin, 12, requests("kafka", "GET /profile"))
    sign_ins = within(begin, 12, logins())

    assert len(pages) > 5
    assert all(not root_of(trace).failed for trace in pages + sign_ins)
    assert max(root_of(trace).milliseconds for trace in pages) < 500


def test_those_who_share_the_messages_deploy_within_minutes_of_each_other() -> None:
    deployments = story("kafka").deployments
    (group,) = story("kafka").truth["codeploying_groups"]

    inside = [together(deployments, a, b) for a in group for b in group if a != b]
    outside = [together(deployments, a, b) for a in ("gateway", "user", "notification") for b in group]

    assert group == ["auth", "billing", "permissions", "profile"]
    assert min(inside) > 0.75
    assert max(outside) < 0.3
