"""All that spans say, kept: the same from every format, within bounds, and nothing unless asked for."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest.otlp_requests import START_NS, make_request, make_span, requests, taken_spans
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.detail_messages import MAX_LIST_BYTES, MAX_PART_BYTES, read_details
from tracelith.ingest.encode import encode_request
from tracelith.ingest.otlp_json import decode_json_request
from tracelith.ingest.readers import ReadBatch, read_file
from tracelith.model.details import SpanDetails
from tracelith.model.errors import UnreadableFile
from tracelith.model.schema import DETAIL, RawSpans

TRACE, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def told(raw: RawSpans) -> list[SpanDetails]:
    assert raw.details is not None
    assert raw.details.schema == DETAIL
    return [read_details(*row) for row in raw.details.iter_rows()]


def kept(*spans: Span, resource: Mapping[str, str] | None = None) -> list[SpanDetails]:
    return told(decode_requests([make_request(*spans, resource=resource)], keep_attributes=True).raw)


def value(plain: Any) -> AnyValue:
    match plain:
        case list():
            return AnyValue(array_value=ArrayValue(values=map(value, plain)))
        case dict():
            pairs = [KeyValue(key=key, value=value(inner)) for key, inner in plain.items()]
            return AnyValue(kvlist_value=KeyValueList(values=pairs))
        case bytes():
            return AnyValue(bytes_value=plain)
    return AnyValue()


def talkative_span() -> Span:
    """A span with attributes of every type, an exception, a link with attributes, and a message."""
    span = make_span({"url.full": "http://shop/?q=ü", "count": 7, "cold": True, "share": 0.25}, status=2)
    nested = {"list": [[], {"a": b"\x0a\xff"}], "none": None}
    span.attributes.extend(KeyValue(key=key, value=value(plain)) for key, plain in nested.items())
    span.events.add(name="exception", time_unix_nano=START_NS + 5).attributes.add(
        key="exception.stacktrace"
    ).value.string_value = "Error\n\tat a.b"
    link = span.links.add(trace_id=b"\1" * 16, span_id=b"\2" * 8)
    link.attributes.add(key="why").value.string_value = "batch"
    span.status.message = "no stock"
    return span


def in_json(*spans: Span) -> bytes:
    """A request in OTLP/JSON, which has hexadecimal ids and numbers for enums."""
    group = json_format.MessageToDict(Resource(attributes=[]))
    described = [json_format.MessageToDict(span, use_integers_for_enums=True) for span in spans]
    for each, span in zip(described, spans, strict=True):
        each |= {"traceId": span.trace_id.hex(), "spanId": span.span_id.hex()}
        for link, came in zip(each.get("links", ()), span.links, strict=True):
            link |= {"traceId": came.trace_id.hex(), "spanId": came.span_id.hex()}
    return json.dumps({"resourceSpans": [{"resource": group, "scopeSpans": [{"spans": described}]}]}).encode()


def test_everything_a_span_and_its_resource_say_is_kept() -> None:
    (details,) = kept(talkative_span(), resource={"service.name": "shop", "k8s.pod.name": "shop-1"})

    assert dict(details.attributes) == {
        "url.full": "http://shop/?q=ü",
        "count": "7",
        "cold": "true",
        "share": "0.25",
        "list": '[[], {"a": "0aff"}]',
        "none": "",
    }
    assert details.resource == (("service.name", "shop"), ("k8s.pod.name", "shop-1"))
    (event,) = details.events
    assert (event.name, event.at_ns) == ("exception", START_NS + 5)
    assert event.attributes == (("exception.stacktrace", "Error\n\tat a.b"),)
    (link,) = details.links
    assert (link.trace_id, link.span_id, link.attributes) == ("01" * 16, "02" * 8, (("why", "batch"),))
    assert details.status_message == "no stock"
    assert details.left_out == 0


@settings(max_examples=60, deadline=None)
@given(requests())
def test_what_is_kept_is_what_the_generated_classes_read(request: Any) -> None:
    raw = decode_requests([request.SerializeToString()], keep_attributes=True).raw

    assert raw.details is not None
    taken = taken_spans(request)
    assert raw.details.height == len(taken)
    for (body, about, left_out), (group, span) in zip(raw.details.iter_rows(), taken, strict=True):
        message = Span.FromString(body)
        assert (message.attributes, message.events) == (span.attributes, span.events)
        assert (message.links, message.status) == (span.links, span.status)
        assert Resource.FromString(about).attributes == group.resource.attributes
        assert left_out == 0


def test_nothing_is_kept_unless_asked_for() -> None:
    assert decode_requests([make_request(talkative_span())]).raw.details is None
    assert decode_json_request(in_json(talkative_span())).raw.details is None


def test_json_says_the_same_as_protobuf() -> None:
    (binary,) = kept(talkative_span(), resource={})

    (details,) = told(decode_json_request(in_json(talkative_span()), keep_attributes=True).raw)

    assert details.attributes == binary.attributes
    assert (details.events, details.links, details.status_message) == (
        binary.events,
        binary.links,
        binary.status_message,
    )


def test_keeping_attributes_refuses_no_span_of_json_that_is_taken_without() -> None:
    span = {"traceId": TRACE, "spanId": SPAN_ID, "startTimeUnixNano": "1544712660000000000"}
    odd = {
        "events": ["no event", {"timeUnixNano": "soon"}, {"name": "fine", "attributes": 7}],
        "attributes": [{"key": "list", "value": {"arrayValue": "?"}}, {"key": "bytes", "value": {"bytesValue": "?"}}],
        "links": [{"traceId": TRACE, "spanId": SPAN_ID, "attributes": {"no": "list"}}],
        "status": {"message": 12},
    }  # fmt: skip
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span | odd]}]}]}).encode()

    plain = decode_json_request(body)
    decoded = decode_json_request(body, keep_attributes=True)

    assert plain.accepted == decoded.accepted == 1
    (details,) = told(decoded.raw)
    assert [event.name for event in details.events] == ["fine"]
    assert details.left_out == 2
    assert len(details.links) == 1


def test_spans_that_were_refused_leave_their_details_behind() -> None:
    bad = make_span({"mine": "bad"}, trace_id=b"")
    good = make_span({"mine": "good"})

    assert [dict(each.attributes) for each in kept(bad, good)] == [{"mine": "good"}]
    from_json = decode_json_request(in_json(bad, good, make_span({"mine": "too"})), keep_attributes=True).raw
    assert [dict(each.attributes) for each in told(from_json)] == [{"mine": "good"}, {"mine": "too"}]


def test_badly_encoded_text_hides_nothing_else() -> None:
    span = make_span({"a key of ours": "XXXX", "other": "fine"})
    body = make_request(span).replace(b"XXXX", b"\xff\xfe\xfd\xfc")

    (details,) = told(decode_requests([body], keep_attributes=True).raw)

    assert dict(details.attributes) == {"a key of ours": "\ufffd" * 4, "other": "fine"}


# --- bounds --------------------------------------------------------------------------------------------------------


def large_span() -> Span:
    span = make_span({"long": "ü" * 20_000, "short": "fine"})
    span.attributes.add(key="list").value.CopyFrom(value([{}] * MAX_PART_BYTES))
    for number in range(40):
        span.events.add(name=f"event {number}").attributes.add(key="text").value.string_value = "x" * 3_000
    return span


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_large_values_are_cut_and_what_is_still_too_much_is_left_out(encoding: str) -> None:
    span = large_span()

    if encoding == "protobuf":
        (details,) = kept(span)
    else:
        (details,) = told(decode_json_request(in_json(span), keep_attributes=True).raw)

    attributes = dict(details.attributes)
    assert attributes["long"].startswith("üüü")
    assert attributes["long"].endswith("… [cut: 40,000 bytes]")
    assert attributes["short"] == "fine"
    assert "list" not in attributes
    assert len(details.events) == MAX_LIST_BYTES // 3_024
    assert details.left_out == 1 + 40 - len(details.events)


def test_the_message_of_a_status_is_cut_too() -> None:
    span = make_span(status=2)
    span.status.message = "m" * 30_000

    (details,) = kept(span)

    assert details.status_message.endswith("… [cut: 30,000 bytes]")


def test_crumbs_are_counted_and_not_kept() -> None:
    span = make_span({"mine": "fine"})
    for _ in range(5_000):
        span.events.add()

    crumbs, other = kept(span, make_span({"mine": "other"}))

    assert (crumbs.events, crumbs.left_out) == ((), 5_000)
    assert dict(crumbs.attributes) == {"mine": "fine"}
    assert (dict(other.attributes), other.left_out) == ({"mine": "other"}, 0)


def test_a_part_that_only_the_details_look_at_costs_only_the_details_of_its_request() -> None:
    odd = make_span({"mine": "odd"}).SerializeToString() + b"\x5d\1\2\3\4"  # field 11, events, as a 32-bit number
    scoped = b"\x12" + bytes([len(odd)]) + odd
    group = b"\x12" + bytes([len(scoped)]) + scoped
    request = b"\x0a" + bytes([len(group)]) + group

    decoded = decode_requests([make_request(make_span({"mine": "fine"})), request], keep_attributes=True)

    assert [verdict.accepted for verdict in decoded.verdicts] == [1, 1]
    fine, _ = told(decoded.raw)
    assert dict(fine.attributes) == {"mine": "fine"}


# --- files ---------------------------------------------------------------------------------------------------------


def from_file(path: Path, content: object) -> SpanDetails:
    path.write_text(json.dumps(content))
    (batch,) = read_file(path, keep_attributes=True)
    (details,) = told(batch.raw)
    (again,) = told(decode_requests([encode_request(batch.raw)], keep_attributes=True).raw)
    assert set(details.attributes) <= set(again.attributes), "a server that gets the file from us knows as much"
    assert (details.events, details.links) == (again.events, again.links)
    return details


def test_tags_and_logs_of_jaeger_are_kept(tmp_path: Path) -> None:
    span = {
        "traceID": TRACE, "spanID": SPAN_ID, "operationName": "work", "startTime": 1_700_000_000_000_000, "duration": 5,
        "processID": "p1", "tags": [{"key": "http.method", "value": "GET"}, {"key": "ours", "value": [1, "two"]}],
        "logs": [
            {"timestamp": 1_700_000_000_000_002, "fields": [
                {"key": "event", "value": "retry"}, {"key": "attempt", "value": 2}]}],
    }  # fmt: skip
    process = {"serviceName": "shop", "tags": [{"key": "zone", "value": "b"}]}

    details = from_file(
        tmp_path / "t.json", {"data": [{"traceID": TRACE, "spans": [span], "processes": {"p1": process}}]}
    )

    assert dict(details.attributes) == {"http.method": "GET", "ours": '[1, "two"]'}
    assert dict(details.resource) == {"zone": "b", "service.name": "shop"}
    (event,) = details.events
    assert (event.name, event.at_ns, event.attributes) == ("retry", 1_700_000_000_000_002_000, (("attempt", "2"),))


def test_tags_and_annotations_of_zipkin_are_kept(tmp_path: Path) -> None:
    span = {
        "traceId": TRACE, "id": SPAN_ID, "name": "work", "timestamp": 1_700_000_000_000_000, "duration": 5,
        "kind": "CLIENT", "localEndpoint": {"serviceName": "shop"}, "remoteEndpoint": {"serviceName": "stock"},
        "tags": {"ours": "yes", "http.method": "GET"},
        "annotations": [{"timestamp": 1_700_000_000_000_001, "value": each} for each in ("retry", "ws")],
    }  # fmt: skip

    details = from_file(tmp_path / "t.json", [span])

    assert dict(details.attributes) == {"peer.service": "stock", "ours": "yes", "http.method": "GET"}
    assert [(event.name, event.at_ns) for event in details.events] == [("retry", 1_700_000_000_000_001_000)]
    assert dict(details.resource) == {"service.name": "shop"}


def test_every_real_file_is_read_as_before_and_in_full(shared_data: Path) -> None:
    files = [path for folder in ("otlp", "jaeger", "zipkin") for path in sorted((shared_data / folder).glob("*.json"))]
    assert files
    for path in files:
        plain, full = list(_readable(path)), list(_readable(path, keep_attributes=True))

        assert [batch.problems for batch in full] == [batch.problems for batch in plain]
        for batch, before in zip(full, plain, strict=True):
            assert batch.raw.spans.equals(before.raw.spans)
            assert len(told(batch.raw)) == batch.raw.spans.height or not batch.raw.spans.height


def _readable(path: Path, *, keep_attributes: bool = False) -> Iterator[ReadBatch]:
    try:
        yield from read_file(path, keep_attributes=keep_attributes)
    except UnreadableFile:
        return
