"""What a simulation promises: reproducible, ordinary OTLP, true to its description."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tracelith.model.errors import ConfigurationError
from tracelith.model.semantic_conventions import RESOURCE_KEYS, SPAN_KEYS
from tracelith.simulate import JSON, SYSTEMS, Simulation, simulate

UNTIL = datetime(2026, 3, 2, tzinfo=UTC)


@cache
def run(system: str, traces: int = 1_500) -> Simulation:
    return simulate(system, seed=7, weeks=12, traces=traces, until=UNTIL)


@cache
def spans_of(system: str) -> list[tuple[dict[str, str], Span]]:
    """Every span with its resource attributes, read by the reference classes."""
    found = []
    for payload in run(system).payloads():
        for resource in ExportTraceServiceRequest.FromString(payload).resource_spans:
            described = {item.key: item.value.string_value for item in resource.resource.attributes}
            found += [(described, span) for scope in resource.scope_spans for span in scope.spans]
    return found


def attribute(span: Span, key: str) -> str | int | None:
    for item in span.attributes:
        if item.key == key:
            return item.value.string_value or item.value.int_value
    return None


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
    for _, span in spans_of(system):
        traces[span.trace_id].append(span)

    for members in traces.values():
        ids = {span.span_id for span in members}
        assert len(ids) == len(members)
        assert sum(not span.parent_span_id for span in members) == 1
        assert all(span.parent_span_id in ids for span in members if span.parent_span_id)
        assert all(span.end_time_unix_nano > span.start_time_unix_nano for span in members)


@pytest.mark.parametrize("system", SYSTEMS)
def test_awaited_work_lies_within_the_span_that_waits(system: str) -> None:
    by_id = {span.span_id: span for _, span in spans_of(system)}

    for span in by_id.values():
        parent = by_id.get(span.parent_span_id)
        if parent is None or span.kind == Span.SPAN_KIND_CONSUMER:
            continue
        assert parent.start_time_unix_nano <= span.start_time_unix_nano
        assert span.end_time_unix_nano <= parent.end_time_unix_nano


@pytest.mark.parametrize("system", SYSTEMS)
def test_calls_between_services_are_the_ones_the_truth_lists(system: str) -> None:
    owner = {span.span_id: resource["service.name"] for resource, span in spans_of(system)}

    seen = set()
    for resource, span in spans_of(system):
        callers = [(owner.get(span.parent_span_id), "sync")] + [(owner[link.span_id], "async") for link in span.links]
        for caller, mode in callers:
            if caller and caller != resource["service.name"]:
                deferred = span.kind == Span.SPAN_KIND_CONSUMER
                seen.add((caller, resource["service.name"], "async" if deferred else mode))

    services = set(run(system).truth["services"])
    listed = {(c["caller"], c["callee"], c["mode"]) for c in run(system).truth["calls"] if c["callee"] in services}
    assert seen == listed


@pytest.mark.parametrize("system", SYSTEMS)
def test_spans_carry_the_attributes_a_reader_needs(system: str) -> None:
    for resource, span in spans_of(system):
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
def test_only_server_errors_fail_a_server_span_and_some_occur(system: str) -> None:
    statuses = Counter()
    for _, span in spans_of(system):
        if span.kind == Span.SPAN_KIND_SERVER:
            status = int(attribute(span, "http.response.status_code") or 0)
            statuses[status] += 1
            assert (span.status.code == Status.STATUS_CODE_ERROR) == (status >= 500)

    assert statuses[500] > 0
    assert statuses[200] > 50 * statuses[500]


@pytest.mark.parametrize("system", SYSTEMS)
def test_versions_in_the_traces_are_the_ones_deployed_and_never_early(system: str) -> None:
    simulation = run(system)
    deployed = {(row.service, row.version): row.at_us * 1_000 for row in simulation.deployments}

    first_seen: dict[tuple[str, str], int] = {}
    for resource, span in spans_of(system):
        key = (resource["service.name"], resource["service.version"])
        first_seen[key] = min(first_seen.get(key, span.start_time_unix_nano), span.start_time_unix_nano)

    new = {key: at for key, at in first_seen.items() if not key[1].endswith(".0")}
    assert len(new) > 0.8 * len(deployed)
    for key, at_ns in new.items():
        assert at_ns >= deployed[key]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_process_has_one_version_and_versions_change_only_by_restart(system: str) -> None:
    versions: dict[str, set[str]] = defaultdict(set)

    for resource, _ in spans_of(system):
        versions[resource["service.instance.id"]].add(resource["service.version"])

    assert all(len(of_instance) == 1 for of_instance in versions.values())
    assert len(versions) > len(run(system).truth["services"])


@pytest.mark.parametrize("system", SYSTEMS)
def test_requests_fill_the_whole_period_and_follow_the_day(system: str) -> None:
    simulation = run(system)
    starts = np.array([s.start_time_unix_nano for _, s in spans_of(system) if not s.parent_span_id and not s.links])

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
