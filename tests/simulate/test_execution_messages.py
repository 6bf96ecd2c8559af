"""Messages are processed once by every group, later or while somebody waits for the answer."""

from small_systems import ORDERS, QUICK, back, children, constant, front, run_of, small_system, traces_in
from stories import CLIENT, CONSUMER, PRODUCER, Seen, Trace, attribute, chosen, root_of
from tracelith.simulate.flow import Answer, Consumer, Publish, Sometimes, Step
from tracelith.simulate.latency import Latency
from tracelith.simulate.topology import Service, System, Topic

ANSWERS = Topic("kafka", "broker.internal", 9092, "answers")
DELAY = Latency(20, 60)
ship = Service("ship", "python", 2, "3.0")


def asking(*steps: Step, timeout_ms: float | None = None, own_trace: bool = True) -> System:
    """Front sends an order and waits for what back says of it."""
    sent = Publish(ORDERS, QUICK, reply=ANSWERS, awaits_reply=True, timeout_ms=timeout_ms)
    handler = Consumer(back, ORDERS, "packing", DELAY, steps, own_trace=own_trace)
    return small_system(constant(3), sent, constant(2), consumers=(handler,))


def indexed(traces: list[Trace]) -> dict[bytes, Seen]:
    return {seen.span.span_id: seen for trace in traces for seen in trace}


def test_every_group_of_a_topic_processes_every_message() -> None:
    groups = tuple(
        Consumer(service, ORDERS, service.name, DELAY, (constant(5),), own_trace=own)
        for service, own in ((back, True), (ship, False))
    )
    system = small_system(Publish(ORDERS, QUICK), consumers=groups, services=(front, back, ship))

    traces = traces_in(run_of(system, traces=500))

    spans = indexed(traces)
    for service in ("back", "ship"):
        processed = chosen(spans.values(), service=service, kind=CONSUMER)
        senders = [seen.span.links[0].span_id if seen.span.links else seen.span.parent_span_id for seen in processed]
        assert len(set(senders)) == len(senders) == 500
        for seen, sender in zip(processed, senders, strict=True):
            assert seen.span.start_time_unix_nano > spans[sender].span.end_time_unix_nano
            assert attribute(seen.span, "messaging.consumer.group.name") == service


def test_a_request_that_awaits_the_answer_lasts_until_it_is_back() -> None:
    traces = traces_in(run_of(asking(constant(50)), traces=300))

    spans = indexed(traces)
    for received in chosen(spans.values(), name="receive answers", kind=CLIENT):
        replied = spans[received.span.links[0].span_id]
        processed = spans[replied.span.parent_span_id]
        sent = spans[processed.span.links[0].span_id]
        root = spans[received.span.parent_span_id]
        assert (replied.span.kind, sent.span.kind) == (PRODUCER, PRODUCER)
        assert sent.span.parent_span_id == root.span.span_id
        assert received.span.start_time_unix_nano == sent.span.end_time_unix_nano
        assert replied.span.start_time_unix_nano >= processed.span.start_time_unix_nano + 50_000_000
        assert replied.span.end_time_unix_nano == processed.span.end_time_unix_nano
        assert received.span.end_time_unix_nano > replied.span.end_time_unix_nano
        assert root.span.end_time_unix_nano == received.span.end_time_unix_nano + 2_000_000
    assert len(chosen(spans.values(), name="receive answers")) == 300


def test_the_slowest_of_several_answers_is_waited_for() -> None:
    quick, slow = (
        Consumer(service, ORDERS, service.name, DELAY, (constant(time),)) for service, time in ((back, 5), (ship, 300))
    )
    sent = Publish(ORDERS, QUICK, reply=ANSWERS, awaits_reply=True)
    system = small_system(sent, consumers=(quick, slow), services=(front, back, ship))

    for trace in traces_in(run_of(system, traces=50)):
        waits = sorted(seen.milliseconds for seen in chosen(trace, name="receive answers"))
        assert waits[0] < 250
        assert waits[1] > 300
        assert root_of(trace).milliseconds > waits[1]


def test_an_answer_that_does_not_come_in_time_is_given_up() -> None:
    system = asking(constant(5), Sometimes(0.2, (constant(900),)), timeout_ms=400)

    traces = traces_in(run_of(system, traces=1_000))

    late = [trace for trace in traces if attribute(root_of(trace).span, "http.response.status_code") == 504]
    assert abs(len(late) / len([t for t in traces if root_of(t).service == "front"]) - 0.2) < 0.06
    for trace in late:
        (received,) = chosen(trace, name="receive answers")
        assert received.milliseconds == 400
        assert attribute(received.span, "error.type") == "timeout"
        assert not received.span.links


def test_a_consumer_that_fails_answers_so() -> None:
    traces = traces_in(run_of(asking(Answer(0.3, 422), own_trace=False), traces=1_000))

    failed = [trace for trace in traces if root_of(trace).failed]

    assert abs(len(failed) / len(traces) - 0.3) < 0.06
    for trace in failed:
        assert attribute(root_of(trace).span, "http.response.status_code") == 500
        assert chosen(trace, name="receive answers")


def test_processing_in_the_same_trace_hangs_below_the_message() -> None:
    (trace, *_) = traces_in(run_of(asking(constant(5), own_trace=False), traces=5))

    (sent,) = chosen(trace, name="send orders")
    (processed,) = children(trace, sent)

    assert processed.span.kind == CONSUMER
    assert not processed.span.links
