"""What a simulation promises: reproducible, ordinary OTLP, true to its description."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from stories import CONSUMER, SERVER, UNTIL, Seen, attribute, read_spans
from tracelith.model.errors import ConfigurationError
from tracelith.model.semantic_conventions import RESOURCE_KEYS, SPAN_KEYS
from tracelith.simulate import JSON, SYSTEMS, Simulation, simulate


@cache
def run(system: str, traces: int = 1_500) -> Simulation:
    return simulate(system, seed=7, weeks=12, traces=traces, until=UNTIL)


@cache
def spans_of(system: str) -> list[Seen]:
    return read_spans(run(system))


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_same_seed_gives_the_same_bytes_however_often_it_is_asked(system: str) -> None:
    first = list(run(system, 300).payloads())

    again = list(run(system, 300).payloads())
    afresh = list(simulate(system, seed=7, weeks=12, traces=300, until=UNTIL).payloads())
    other = list(simulate(system, seed=8, weeks=12, traces=300, until=UNTIL).payloads())

    assert first == again == afresh
    assert first != other


@pytest.mark.parametrize("system", SYSTEMS)
def test_batches_are_no_larger_than_asked_for_and_count_their_spans(system: str) -> None:
    batches = list(run(system).batches(batch_spans=1_000))

    counted = [
        sum(
            len(scope.spans)
            for resource in ExportTraceServiceRequest.FromString(batch.payload).resource_spans
            for scope in resource.scope_spans
        )
        for batch in batches
    ]

    assert counted == [batch.spans for batch in batches]
    assert max(counted) == 1_000
    assert [batch.traces_done for batch in batches][-1] == 1_500


@pytest.mark.parametrize("system", SYSTEMS)
def test_json_says_the_same_as_protobuf(system: str) -> None:
    simulation = run(system, 200)
    binary = [ExportTraceServiceRequest.FromString(batch.payload) for batch in simulation.batches()]

    # protobuf's own JSON form has ids in base64, OTLP's in hex: as bytes of base64 digits they come out longer
    text = [Parse(batch.payload, ExportTraceServiceRequest()) for batch in simulation.batches(JSON)]

    for expected, read in zip(binary, text, strict=True):
        assert len(expected.resource_spans) == len(read.resource_spans)
        for wanted, got in zip(_all_spans(expected), _all_spans(read), strict=True):
            assert _hex_of_misread(got.trace_id) == wanted.trace_id.hex()
            assert _hex_of_misread(got.span_id) == wanted.span_id.hex()
            assert _hex_of_misread(got.parent_span_id) == wanted.parent_span_id.hex()
            assert [_hex_of_misread(link.span_id) for link in got.links] == [
                link.span_id.hex() for link in wanted.links
            ]
            for message in (wanted, got):
                for field in ("trace_id", "span_id", "parent_span_id", "links"):
                    message.ClearField(field)
            assert got == wanted


def _all_spans(request: ExportTraceServiceRequest) -> list[Span]:
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]


def _hex_of_misread(raw: bytes) -> str:
    import base64

    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_trace_is_a_tree_with_one_root(system: str) -> None:
    traces: dict[bytes, list[Span]] = defaultdict(list)
    for seen in spans_of(system):
        traces[seen.span.trace_id].append(seen.span)

    for members in traces.values():
        ids = {span.span_id for span in members}
        assert len(ids) == len(members)
        assert sum(not span.parent_span_id for span in members) == 1
        assert all(span.parent_span_id in ids for span in members if span.parent_span_id)
        assert all(span.end_time_unix_nano > span.start_time_unix_nano for span in members)


@pytest.mark.parametrize("system", SYSTEMS)
def test_awaited_work_lies_within_the_span_that_waits(system: str) -> None:
    by_id = {seen.span.span_id: seen.span for seen in spans_of(system)}

    for span in by_id.values():
        parent = by_id.get(span.parent_span_id)
        if parent is None or span.kind == CONSUMER or attribute(parent, "error.type") == "timeout":
            continue  # deferred, or waited for no longer
        assert parent.start_time_unix_nano <= span.start_time_unix_nano
        assert span.end_time_unix_nano <= parent.end_time_unix_nano


@pytest.mark.parametrize("system", SYSTEMS)
def test_calls_between_services_are_the_ones_the_truth_lists(system: str) -> None:
    owner = {seen.span.span_id: seen.service for seen in spans_of(system)}

    found = set()
    for seen in spans_of(system):
        linked_from = "async" if seen.span.kind == CONSUMER else "reply"
        callers = [(owner.get(seen.span.parent_span_id), "sync")]
        callers += [(owner[link.span_id], linked_from) for link in seen.span.links]
        for caller, mode in callers:
            if caller and caller != seen.service:
                found.add((caller, seen.service, "async" if seen.span.kind == CONSUMER else mode))

    services = set(run(system).truth["services"])
    calls = [call for call in run(system).truth["calls"] if call["callee"] in services]
    listed = {(call["caller"], call["callee"], call["mode"]) for call in calls}
    assert found == listed


@pytest.mark.parametrize("system", SYSTEMS)
def test_spans_carry_the_attributes_a_reader_needs(system: str) -> None:
    for seen in spans_of(system):
        resource, span = seen.resource, seen.span
        for field in ("service", "version", "instance", "environment", "language", "host"):
            assert any(resource.get(key) for key in RESOURCE_KEYS[field]), field
        fields = {
            Span.SPAN_KIND_SERVER: ("http_method", "http_route", "http_status"),
            Span.SPAN_KIND_CLIENT: ("peer_address", "peer_port"),
            Span.SPAN_KIND_PRODUCER: ("messaging_system", "messaging_destination", "messaging_action"),
            Span.SPAN_KIND_CONSUMER: ("messaging_destination", "consumer_group"),
            Span.SPAN_KIND_INTERNAL: (),
        }[span.kind]
        assert all(any(attribute(span, key) for key in SPAN_KEYS[field]) for field in fields), span
        assert not any("~" in item.value.string_value or "^" in item.value.string_value for item in span.attributes)


@pytest.mark.parametrize("system", SYSTEMS)
def test_only_server_errors_fail_a_server_span_and_most_requests_succeed(system: str) -> None:
    served = [seen for seen in spans_of(system) if seen.span.kind == SERVER]

    statuses = np.array([int(attribute(seen.span, "http.response.status_code") or 0) for seen in served])

    assert [seen.failed for seen in served] == (statuses >= 500).tolist()
    assert 0.9 < (statuses == 200).mean() < 1


@pytest.mark.parametrize("system", SYSTEMS)
def test_versions_in_the_traces_are_the_ones_deployed_and_never_early(system: str) -> None:
    deployed: dict[tuple[str, str], int] = {}
    for row in reversed(run(system).deployments):
        deployed[row.service, row.version] = row.at_us * 1_000  # of several, the first

    first_seen: dict[tuple[str, str], int] = {}
    for seen in spans_of(system):
        key = (seen.service, seen.resource["service.version"])
        first_seen[key] = min(first_seen.get(key, seen.span.start_time_unix_nano), seen.span.start_time_unix_nano)

    before = Counter(service for service, version in first_seen if (service, version) not in deployed)
    assert set(before.values()) == {1}  # what ran when the period began
    assert len(first_seen) - before.total() > 0.8 * len(deployed)
    assert all(first_seen[key] >= at_ns for key, at_ns in deployed.items() if key in first_seen)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_process_has_one_version_and_versions_change_only_by_restart(system: str) -> None:
    versions: dict[str, set[str]] = defaultdict(set)

    for seen in spans_of(system):
        versions[seen.resource["service.instance.id"]].add(seen.resource["service.version"])

    assert all(len(of_instance) == 1 for of_instance in versions.values())
    assert len(versions) > len(run(system).truth["services"])


@pytest.mark.parametrize("system", SYSTEMS)
def test_requests_fill_the_whole_period_and_follow_the_day(system: str) -> None:
    simulation = run(system)
    entries = {entry["operation"] for entry in simulation.truth["entry_operations"]}
    roots = [seen.span for seen in spans_of(system) if not seen.span.parent_span_id and seen.span.name in entries]
    starts = np.array([span.start_time_unix_nano for span in roots])

    hours = starts // 3_600_000_000_000 % 24
    days = {int(day) for day in starts // 86_400_000_000_000}

    assert starts.size == simulation.traces
    assert starts.min() >= simulation.start.timestamp() * 1e9
    assert starts.max() < simulation.end.timestamp() * 1e9
    assert len(days) == 84
    assert (abs(hours - 14) <= 3).sum() > 2.5 * ((hours <= 3) | (hours >= 23)).sum()


def test_deployments_fall_into_working_time_and_keep_their_distance() -> None:
    by_service = defaultdict(list)
    for row in run("login").deployments:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row.at_us)
        assert moment.weekday() < 5
        assert 8 <= moment.hour <= 17
        by_service[row.service].append(moment)

    for moments in by_service.values():
        assert all(later - earlier >= timedelta(hours=1) for earlier, later in pairwise(moments))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"system": "nowhere"}, "nowhere"),
        ({"weeks": 0}, "weeks"),
        ({"traces": 0}, "traces"),
        ({"seed": -1}, "seed"),
    ],
)
def test_an_impossible_run_is_refused_by_name(arguments: dict[str, object], named: str) -> None:
    wanted = {"system": "login", "until": UNTIL} | arguments

    with pytest.raises(ConfigurationError, match=named):
        simulate(**wanted)  # type: ignore[arg-type]  # wrong on purpose
