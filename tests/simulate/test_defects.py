"""What defects do to the spans of a run, measured on the spans that come out."""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import chain, combinations

import numpy as np
import polars as pl
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tracelith.ingest.sampling import adjusted_counts
from tracelith.model.errors import ConfigurationError
from tracelith.simulate import NO_DEFECTS, Defects, HeadSampling, Simulation, TailSampling, simulate
from tracelith.simulate.delivery import threshold
from tracelith.simulate.flow import GRPC, Answer, Call, Consumer, Entry, Operation, Publish, Query, Work
from tracelith.simulate.latency import Latency
from tracelith.simulate.releases import ReleaseHabit
from tracelith.simulate.topology import Database, Service, System, Topic

UNTIL = datetime(2026, 3, 2, tzinfo=UTC)
TRACES = 5_000  # more than one slice

FRONT = Service("front", "nodejs", 3, "1.0")
MIDDLE = Service("middle", "java", 3, "1.0")
BACK = Service("back", "go", 2, "1.0")
MAILER = Service("mailer", "python", 2, "1.0")
_mails = Topic("kafka", "broker", 9092, "mails")
_table = Query(Database("postgresql", "db", 5432, "main"), "SELECT", "rows", Latency(2, 40))
_find = Operation(BACK, GRPC, "rows.Rows/Find", (Work(Latency(1, 5)), _table, Answer(0.02, 500)))
_compose = Operation(MIDDLE, "GET", "/rows/{id}", (Call(_find), Publish(_mails, Latency(1, 4)), Work(Latency(1, 20))))
_page = Operation(FRONT, "GET", "/page", (Work(Latency(1, 5)), Call(_compose)))
SYSTEM = System(
    name="small",
    title="three services in a row and one behind a queue",
    readme="# small\n",
    services=(FRONT, MIDDLE, BACK, MAILER),
    entries=(Entry(_page, share=1),),
    consumers=(Consumer(MAILER, _mails, "mailer", Latency(200, 900), (Work(Latency(5, 50)),), own_trace=True),),
    habits=tuple(ReleaseHabit((service.name,), 4) for service in (FRONT, MIDDLE, BACK, MAILER)),
    network=Latency(0.5, 3),
)


@dataclass(frozen=True)
class Seen:
    """One span as it arrived, in which request, and from where."""

    service: str
    host: str
    scope: str
    request: int
    span: Span


def run(defects: Defects = NO_DEFECTS, seed: int = 11) -> Simulation:
    return simulate(SYSTEM, seed=seed, weeks=4, traces=TRACES, until=UNTIL, defects=defects)


@cache
def seen(defects: Defects = NO_DEFECTS) -> list[Seen]:
    found = []
    for number, payload in enumerate(run(defects).payloads()):
        for resource in ExportTraceServiceRequest.FromString(payload).resource_spans:
            said = {item.key: item.value.string_value for item in resource.resource.attributes}
            found += [
                Seen(said["service.name"], said["host.name"], scope.scope.name, number, span)
                for scope in resource.scope_spans
                for span in scope.spans
            ]
    return found


def by_trace(spans: list[Seen]) -> dict[bytes, list[Seen]]:
    traces = defaultdict(list)
    for one in spans:
        traces[one.span.trace_id].append(one)
    return traces


def ids(spans: list[Seen]) -> set[bytes]:
    return {one.span.span_id for one in spans}


def assert_share(count: int, of: int, share: float) -> None:
    """Within five standard errors: one false alarm in two million."""
    assert abs(count - of * share) <= 5 * math.sqrt(of * share * (1 - share)), (count / of, share)


def attribute(span: Span, key: str) -> str | int | None:
    return next((item.value.string_value or item.value.int_value for item in span.attributes if item.key == key), None)


# --- sampling ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probability", "written"),
    [(1, "0"), (0.5, "8"), (0.25, "c"), (0.125, "e"), (0.1, "e6666"), (0.01, "fd70a4"), (0.001, "ffbe76d")],
)
def test_2_1_threshold_oracle(probability: float, written: str) -> None:
    number, digits = threshold(probability)

    count = adjusted_counts(pl.Series([f"ot=th:{digits}"]))[0]

    assert digits == written
    assert number == int(digits.ljust(14, "0"), 16)
    assert count == pytest.approx(1 / probability, rel=1e-5)


@pytest.mark.parametrize("probability", [1e-16, 3e-9, 0.999999, 1 - 1e-16])
def test_a_threshold_stays_below_rejecting_everything(probability: float) -> None:
    number, digits = threshold(probability)

    assert 0 <= number < 2**56
    assert int(digits.ljust(14, "0"), 16) == number
    assert 1 - number / 2**56 == pytest.approx(probability, rel=0.12)  # 1e-16 is a few steps of 2^-56


@pytest.mark.parametrize("probability", [0.5, 0.1, 0.01])
def test_head_sampling_keeps_whole_traces_by_their_ids_and_writes_the_threshold(probability: float) -> None:
    all_traces = by_trace(seen())
    kept = by_trace(seen(Defects(head=HeadSampling(probability))))

    number, digits = threshold(probability)

    wanted = {trace for trace in all_traces if int.from_bytes(trace[-7:]) >= number}
    assert set(kept) == wanted
    assert all(ids(kept[trace]) == ids(all_traces[trace]) for trace in kept)
    assert {one.span.trace_state for one in chain(*kept.values())} == {f"ot=th:{digits}"}
    assert_share(len(kept), len(all_traces), probability)


def test_a_smaller_sample_is_part_of_a_larger_one() -> None:
    large, small = (set(by_trace(seen(Defects(head=HeadSampling(share))))) for share in (0.5, 0.1))

    assert small < large


def test_sampling_that_tells_nobody_keeps_the_same_traces_and_writes_no_threshold() -> None:
    told = seen(Defects(head=HeadSampling(0.1)))

    untold = seen(Defects(head=HeadSampling(0.1, threshold_written=False)))

    assert ids(untold) == ids(told)
    assert {one.span.trace_state for one in untold} == {""}


def test_a_trace_that_a_consumer_starts_is_sampled_by_its_own_id() -> None:
    kept = seen(Defects(head=HeadSampling(0.5)))
    arrived = ids(kept)
    receiving = [one.span for one in kept if one.span.links]

    with_sender = sum(span.links[0].span_id in arrived for span in receiving)

    assert_share(len(receiving), sum(bool(one.span.links) for one in seen()), 0.5)
    assert_share(with_sender, len(receiving), 0.5)


def test_tail_sampling_keeps_failed_and_slow_traces_and_a_share_of_the_others() -> None:
    slower_ms, base = 60.0, 0.2
    all_traces = by_trace(seen())
    kept = by_trace(seen(Defects(tail=TailSampling(slower_ms, base))))

    def wanted(members: list[Seen]) -> bool:
        first = min(one.span.start_time_unix_nano for one in members)
        last = max(one.span.end_time_unix_nano for one in members)
        failed = any(one.span.status.code == Status.STATUS_CODE_ERROR for one in members)
        return failed or last - first > slower_ms * 1e6

    always = {trace for trace, members in all_traces.items() if wanted(members)}
    assert 100 < len(always) < len(all_traces) / 3
    assert always <= set(kept)
    assert_share(len(set(kept) - always), len(all_traces) - len(always), base)
    assert all(ids(kept[trace]) == ids(all_traces[trace]) for trace in kept)
    assert {one.span.trace_state for one in chain(*kept.values())} == {""}


# --- loss and repetition -----------------------------------------------------------------------------------


def test_spans_are_lost_each_on_its_own() -> None:
    everything, all_traces = ids(seen()), by_trace(seen())

    arrived = seen(Defects(lost_spans=0.1))

    assert ids(arrived) < everything
    assert_share(len(everything) - len(arrived), len(everything), 0.1)
    whole = sum(len(members) == len(all_traces[trace]) for trace, members in by_trace(arrived).items())
    expected = sum(0.9 ** len(members) for members in all_traces.values())
    assert abs(whole - expected) < 5 * math.sqrt(expected)  # a loss in one span tells nothing of the next


def batches(spans: list[Seen]) -> dict[tuple[str, int], list[Seen]]:
    """Spans of a process that end within the same two seconds; hardly ever cut by an export."""
    groups = defaultdict(list)
    for one in spans:
        groups[one.host, one.span.end_time_unix_nano // 2_000_000_000].append(one)
    return groups


def test_batches_are_lost_as_a_whole() -> None:
    arrived = ids(seen(Defects(lost_batches=0.1)))

    lost = [len(ids(members) - arrived) / len(members) for members in batches(seen()).values() if len(members) > 1]

    together = [share for share in lost if share in (0, 1)]
    assert len(together) > 0.99 * len(lost)
    assert 0.08 < np.mean(lost) < 0.12


def test_batches_arrive_twice_as_a_whole_and_later() -> None:
    arrived = seen(Defects(duplicated_batches=0.1))

    copies = Counter(one.span.span_id for one in arrived)

    assert set(copies) == ids(seen())
    assert set(copies.values()) == {1, 2}
    twice = [np.mean([copies[one.span.span_id] == 2 for one in group]) for group in batches(seen()).values()]
    assert sum(share in (0, 1) for share in twice) > 0.99 * len(twice)
    assert 0.08 < np.mean(twice) < 0.12
    assert all(len({one.span.SerializeToString() for one in group}) == 1 for group in _copies(arrived))


def _copies(spans: list[Seen]) -> list[list[Seen]]:
    groups = defaultdict(list)
    for one in spans:
        groups[one.span.span_id].append(one)
    return [group for group in groups.values() if len(group) > 1]


def test_some_copies_come_in_another_request_than_their_originals() -> None:
    simulation = run(Defects(duplicated_batches=0.3))
    requests = [
        Counter(
            span.span_id
            for resource in ExportTraceServiceRequest.FromString(batch.payload).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        )
        for batch in simulation.batches(batch_spans=10)
    ]

    within = sum(count > 1 for request in requests for count in request.values())
    across = Counter(chain.from_iterable(set(request) for request in requests))

    assert sum(count > 1 for count in across.values()) > within


# --- clocks ------------------------------------------------------------------------------------------------


def test_a_wrong_clock_is_wrong_by_the_same_on_all_spans_of_a_host_and_keeps_durations() -> None:
    skew_ms = 20.0
    right = {one.span.span_id: one.span for one in seen()}

    errors = defaultdict(set)
    for one in seen(Defects(skew_ms=skew_ms)):
        errors[one.host].add(one.span.start_time_unix_nano - right[one.span.span_id].start_time_unix_nano)
        errors[one.host].add(one.span.end_time_unix_nano - right[one.span.span_id].end_time_unix_nano)

    assert all(len(of_host) == 1 for of_host in errors.values())
    drawn_ms = np.array([next(iter(of_host)) for of_host in errors.values()]) / 1e6
    assert drawn_ms.size > 100
    # Both statistics within four standard errors.
    assert abs(drawn_ms.mean()) < 4 * skew_ms / math.sqrt(drawn_ms.size)
    assert abs(drawn_ms.std() / skew_ms - 1) < 4 / math.sqrt(2 * drawn_ms.size)


def test_clocks_of_other_seeds_are_other_clocks() -> None:
    def first_error(seed: int) -> int:
        defects = Defects(skew_ms=20)
        start = [next(iter(run(each, seed).batches(batch_spans=1))).payload for each in (NO_DEFECTS, defects)]
        spans = [
            ExportTraceServiceRequest.FromString(one).resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano
            for one in start
        ]
        return spans[1] - spans[0]

    assert len({first_error(seed) for seed in range(4)}) == 4


# --- what is written ---------------------------------------------------------------------------------------


def test_kindless_services_write_spans_without_a_kind_and_everything_else_alike() -> None:
    usual = {one.span.span_id: one.span for one in seen()}

    for one in seen(Defects(kindless=("middle",))):
        expected = Span.FromString(usual[one.span.span_id].SerializeToString())
        if one.service == "middle":
            expected.kind = Span.SPAN_KIND_UNSPECIFIED
        expected.flags = one.span.flags  # whether the parent is remote is not known without a kind
        assert one.span == expected

    assert len(seen(Defects(kindless=("middle",)))) == len(usual)


@pytest.mark.parametrize(("name", "kind"), [("middle", "http"), ("back", "grpc"), ("front", "root")])
def test_a_sidecar_stands_between_caller_and_service(name: str, kind: str) -> None:
    spans = {one.span.span_id: one for one in seen(Defects(sidecars=(name,)))}
    usual = {one.span.span_id: one for one in seen()}

    served = [one for one in spans.values() if one.service == name and one.span.kind == Span.SPAN_KIND_SERVER]

    assert len(spans) == len(usual) + 2 * len(served)
    for one in served:
        client = spans[one.span.parent_span_id]
        server = spans[client.span.parent_span_id]
        for proxy in (client, server):
            assert (proxy.service, proxy.scope, proxy.host) == (f"{name}.default", "envoy", one.host)
            assert proxy.span.trace_id == one.span.trace_id
            assert attribute(proxy.span, "component") == "proxy"
        assert (server.span.kind, client.span.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT)
        assert server.span.parent_span_id == usual[one.span.span_id].span.parent_span_id
        times = [(each.span.start_time_unix_nano, -each.span.end_time_unix_nano) for each in (server, client, one)]
        assert times == sorted(times)
        assert sorted(times, key=lambda pair: pair[1]) == times
        if kind != "root":
            caller = spans[server.span.parent_span_id].span
            assert caller.start_time_unix_nano <= server.span.start_time_unix_nano
            assert server.span.end_time_unix_nano <= caller.end_time_unix_nano
        failed = attribute(one.span, "rpc.response.status_code") == "INTERNAL"
        assert attribute(server.span, "grpc.status_code") == ((("0", "13")[failed]) if kind == "grpc" else None)


def test_a_silent_service_leaves_what_it_calls_below_what_called_it() -> None:
    usual = {one.span.span_id: one for one in seen()}

    spans = {one.span.span_id: one for one in seen(Defects(silent=("middle",)))}

    assert set(spans) == {span_id for span_id, one in usual.items() if one.service != "middle"}
    for span_id, one in spans.items():
        assert one.span.trace_id == usual[span_id].span.trace_id
        if one.service == "back" and one.span.kind == Span.SPAN_KIND_SERVER:
            caller = spans[one.span.parent_span_id]
            assert (caller.service, caller.span.kind) == ("front", Span.SPAN_KIND_CLIENT)
        elif one.span.links:
            sender = spans[one.span.links[0].span_id]
            assert sender.service == "front"
            assert sender.span.trace_id == one.span.links[0].trace_id
        else:
            assert one.span.parent_span_id == usual[span_id].span.parent_span_id


def test_a_silent_first_service_lets_each_of_its_calls_begin_a_trace() -> None:
    usual = {one.span.span_id: one for one in seen()}

    traces = by_trace(seen(Defects(silent=("front",))))

    roots = 0
    for members in traces.values():
        heads = [one for one in members if not one.span.parent_span_id]
        assert len(heads) == 1
        assert {one.span.parent_span_id for one in members} <= ids(members) | {b""}
        roots += heads[0].service == "middle"
        assert not heads[0].span.flags & 0x200  # no parent, so none from elsewhere
    assert roots == TRACES
    assert ids(list(chain(*traces.values()))) == {span_id for span_id, one in usual.items() if one.service != "front"}


def test_messages_of_a_system_that_is_silent_above_them_link_to_nothing() -> None:
    spans = seen(Defects(silent=("front", "middle", "back")))

    assert {one.service for one in spans} == {"mailer"}
    assert not any(one.span.links or one.span.parent_span_id for one in spans)


def test_a_sidecar_speaks_for_a_silent_service() -> None:
    spans = {one.span.span_id: one for one in seen(Defects(silent=("middle",), sidecars=("middle",)))}

    called = [one for one in spans.values() if one.service == "back" and one.span.kind == Span.SPAN_KIND_SERVER]

    assert len(called) == TRACES
    for one in called:
        proxy = spans[one.span.parent_span_id]
        assert (proxy.service, proxy.span.kind) == ("middle.default", Span.SPAN_KIND_CLIENT)


# --- all together ------------------------------------------------------------------------------------------

EACH = {
    "head": HeadSampling(0.5),
    "tail": TailSampling(50, 0.5),
    "lost_spans": 0.05,
    "lost_batches": 0.05,
    "duplicated_batches": 0.05,
    "skew_ms": 10.0,
    "kindless": ("back",),
    "sidecars": ("middle",),
    "silent": ("front",),
}


@pytest.mark.parametrize("pair", list(combinations(EACH, 2)), ids="-".join)
def test_any_two_defects_go_together_and_the_same_seed_gives_the_same_bytes(pair: tuple[str, str]) -> None:
    defects = Defects(**{name: EACH[name] for name in pair})  # type: ignore[arg-type]  # values of many types

    first, again = (
        list(simulate(SYSTEM, seed=4, weeks=1, traces=150, until=UNTIL, defects=defects).payloads()) for _ in range(2)
    )

    assert first == again
    assert sum(len(payload) for payload in first) > 1_000


def test_all_defects_at_once_change_the_spans_and_not_the_requests() -> None:
    everything = Defects(**EACH)  # type: ignore[arg-type]  # values of many types

    spans = seen(everything)

    assert {one.service for one in spans} == {"middle", "middle.default", "back", "mailer"}
    assert {one.span.trace_state for one in spans} == {"ot=th:8"}
    assert {one.service for one in spans if one.span.kind == 0} == {"back"}
    assert 0.05 * len(seen()) < len(spans) < 0.5 * len(seen())


def test_the_truth_lists_the_defects() -> None:
    assert run().truth["defects"] == {}
    assert run(Defects(head=HeadSampling(0.1), lost_spans=0.2, silent=("back",))).truth["defects"] == {
        "head": {"probability": 0.1, "threshold_written": True},
        "lost_spans": 0.2,
        "silent": ["back"],
    }


@pytest.mark.parametrize(
    ("defects", "named"),
    [
        (Defects(head=HeadSampling(0.0)), "probability"),
        (Defects(head=HeadSampling(1.1)), "probability"),
        (Defects(tail=TailSampling(10, -0.1)), "base share"),
        (Defects(lost_spans=2), "lost spans"),
        (Defects(lost_batches=-1), "lost batches"),
        (Defects(duplicated_batches=1.5), "duplicated batches"),
        (Defects(skew_ms=-1), "clock skew"),
        (Defects(silent=("nobody", "back")), "no service nobody; there are back, front"),
        (Defects(sidecars=("nobody",), kindless=("noone",)), "kindless: .*noone.*sidecars: .*nobody"),
    ],
)
def test_impossible_defects_are_refused_by_name(defects: Defects, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        run(defects)


def test_losing_everything_leaves_no_requests() -> None:
    assert list(run(Defects(lost_spans=1)).payloads()) == []
    assert list(run(Defects(lost_batches=1)).payloads()) == []
