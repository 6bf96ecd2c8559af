"""The story of healthy is in the data: two services that leave each other alone."""

from stories import CONSUMER, PRODUCER, awaited_hops, chosen, database_servers, story, traces_of


def test_nobody_in_the_healthy_shop_waits_for_another_service() -> None:
    for trace in traces_of("healthy").values():
        assert awaited_hops(trace) == 0
        assert len({seen.service for seen in trace}) == 1

    assert all(call["mode"] == "async" for call in story("healthy").truth["calls"])


def test_messages_in_the_healthy_shop_are_processed_later_in_traces_of_their_own() -> None:
    spans = {seen.span.span_id: seen.span for trace in traces_of("healthy").values() for seen in trace}
    processed = [span for span in spans.values() if span.kind == CONSUMER]
    sent = [span for span in spans.values() if span.kind == PRODUCER]

    for span in processed:
        (link,) = span.links
        message = spans[link.span_id]
        assert link.trace_id == message.trace_id != span.trace_id
        assert span.start_time_unix_nano > message.end_time_unix_nano

    assert len(processed) == len(sent) > 1_000


def test_each_healthy_service_has_a_database_server_of_its_own() -> None:
    users = database_servers(traces_of("healthy").values())

    assert all(len(services) == 1 for services in users.values())
    assert len(users) == 2


def test_only_few_requests_to_the_healthy_shop_fail() -> None:
    spans = [seen for trace in traces_of("healthy").values() for seen in trace]

    failed = [seen for seen in chosen(spans) if seen.failed]

    assert 0 < len(failed) < 0.01 * len(spans)
