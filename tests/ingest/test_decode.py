"""Protobuf requests to RawSpans: the same rows as the reference decoder, one verdict per request, no way to crash."""

import os
import subprocess
import sys

import polars as pl
import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.otlp_requests import (
    MAX_TIME_NS,
    START_NS,
    Scalar,
    attribute_rows,
    make_request,
    make_span,
    readable_rows,
    reference_rows,
    requests,
)
from tracelith.ingest.decode import MAX_PART_BYTES, decode_requests
from tracelith.model.errors import InvalidRequest
from tracelith.model.schema import ATTRIBUTE, RAW_LINK, RAW_SPAN, Kind, Rejection, Status

# --- against the reference -----------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.lists(requests(), max_size=4))
@example([ExportTraceServiceRequest.FromString(make_request(make_span({"db.cassandra.table": 0.0, "db.name": 1e16})))])
def test_decoded_rows_equal_those_of_the_generated_classes(messages: list[ExportTraceServiceRequest]) -> None:
    expected = reference_rows(messages)

    decoded = decode_requests([message.SerializeToString() for message in messages])

    raw = decoded.raw
    assert raw.spans.rows() == expected["spans"]
    assert readable_rows(attribute_rows(raw.span_attributes)) == readable_rows(expected["attributes"])
    assert readable_rows(attribute_rows(raw.resource_attributes)) == readable_rows(expected["resources"])
    assert raw.links.rows() == expected["links"]
    assert raw.resource_count == sum(len(message.resource_spans) for message in messages)
    assert [(verdict.accepted, verdict.rejected) for verdict in decoded.verdicts] == expected["taken"]
    assert sum(rejection.spans for rejection in raw.rejections) == sum(refused for _, refused in expected["taken"])


@settings(max_examples=50, deadline=None)
@given(requests(), st.data())
def test_damaged_bytes_are_taken_as_the_reference_takes_them_or_refused(
    message: ExportTraceServiceRequest, data: st.DataObject
) -> None:
    sound = message.SerializeToString()
    at = data.draw(st.integers(0, len(sound)))
    damaged = sound[:at] + data.draw(st.binary(max_size=3)) + sound[at + data.draw(st.integers(0, 3)) :]

    decoded = decode_requests([damaged])

    try:
        expected = reference_rows([ExportTraceServiceRequest.FromString(damaged)])
    except DecodeError:
        return  # Tracelith may be more lenient: it does not look at text it never reads
    assert decoded.verdicts[0].error is None
    assert decoded.raw.spans.rows() == expected["spans"]


@settings(max_examples=25, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=4))
def test_decoding_together_gives_what_decoding_alone_gives(messages: list[ExportTraceServiceRequest]) -> None:
    payloads = [message.SerializeToString() for message in messages]

    together = decode_requests(payloads)
    alone = [decode_requests([payload]) for payload in payloads]

    assert together.verdicts == tuple(verdict for one in alone for verdict in one.verdicts)
    dropped = ["resource_row"]
    assert together.raw.spans.drop(dropped).rows() == [
        row for one in alone for row in one.raw.spans.drop(dropped).rows()
    ]


# --- shapes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payloads", [[], [b""], [b"", b"\x0a\x00"]])
def test_a_request_without_spans_is_accepted_and_gives_empty_frames_of_the_right_columns(payloads: list[bytes]) -> None:
    decoded = decode_requests(payloads)

    assert [(v.accepted, v.rejected, v.reason, v.error) for v in decoded.verdicts] == [(0, 0, "", None)] * len(payloads)
    assert decoded.raw.spans.schema == RAW_SPAN
    assert decoded.raw.span_attributes.schema == decoded.raw.resource_attributes.schema == ATTRIBUTE
    assert decoded.raw.links.schema == RAW_LINK


def test_frames_have_the_contracts_columns() -> None:
    span = make_span({"http.route": "/a", "http.response.status_code": 200})
    span.links.add(trace_id=b"t" * 16, span_id=b"s" * 8)

    raw = decode_requests([make_request(span)]).raw

    assert (raw.spans.schema, raw.span_attributes.schema, raw.links.schema) == (RAW_SPAN, ATTRIBUTE, RAW_LINK)


def test_every_scalar_attribute_becomes_text_and_unknown_keys_are_dropped() -> None:
    values: dict[str, Scalar] = {
        "http.route": "/a",
        "error": True,
        "server.port": -5,
        "db.system": 0.5,
        "user.id": "u1",
    }

    raw = decode_requests([make_request(make_span(values))]).raw

    assert attribute_rows(raw.span_attributes) == [
        (0, "db.system", "0.5"),
        (0, "error", "true"),
        (0, "http.route", "/a"),
        (0, "server.port", "-5"),
    ]


# --- spans that cannot be used -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": b""}, "trace_id must be 16 bytes and not all zero"),
        ({"trace_id": bytes(16)}, "trace_id must be 16 bytes and not all zero"),
        ({"trace_id": b"x" * 24}, "trace_id must be 16 bytes and not all zero"),
        ({"span_id": b"x" * 7}, "span_id must be 8 bytes and not all zero"),
        ({"span_id": bytes(8)}, "span_id must be 8 bytes and not all zero"),
        ({"parent_span_id": b"x" * 16}, "parent_span_id must be empty or 8 bytes"),
        ({"start_time_unix_nano": 0}, "start_time_unix_nano must be set"),
        ({"start_time_unix_nano": MAX_TIME_NS + 1}, "times must lie before the year 2262"),
        ({"end_time_unix_nano": 2**64 - 1}, "times must lie before the year 2262"),
    ],
)
def test_an_unusable_span_is_refused_alone_and_with_its_reason(fields: dict[str, bytes | int], reason: str) -> None:
    bad, good = make_span({"http.route": "/bad"}, **fields), make_span({"http.route": "/good"}, name="good")
    good.links.add(trace_id=b"t" * 16, span_id=b"s" * 8)

    decoded = decode_requests([make_request(bad, good)])

    (verdict,) = decoded.verdicts
    assert (verdict.accepted, verdict.rejected, verdict.error) == (1, 1, None)
    assert verdict.reason == f"1 span refused: {reason} (1)"
    assert decoded.raw.rejections == (Rejection(reason, 1),)
    assert decoded.raw.spans["name"].to_list() == ["good"]
    assert attribute_rows(decoded.raw.span_attributes) == [(0, "http.route", "/good")]
    assert decoded.raw.links["row"].to_list() == [0]


def test_the_reason_counts_each_cause_once() -> None:
    bad = [make_span(trace_id=b""), make_span(trace_id=b"x", span_id=b""), make_span(span_id=b"")]

    (verdict,) = decode_requests([make_request(*bad, make_span())]).verdicts

    assert verdict.reason == (
        "3 spans refused: trace_id must be 16 bytes and not all zero (2), span_id must be 8 bytes and not all zero (1)"
    )


def test_a_parent_of_eight_zero_bytes_is_no_parent() -> None:
    decoded = decode_requests([make_request(make_span(parent_span_id=bytes(8)))])

    assert decoded.raw.spans["parent_id"].to_list() == [0]


def test_an_end_before_the_start_is_kept_as_it_came() -> None:
    decoded = decode_requests([make_request(make_span(end_time_unix_nano=START_NS - 7))])

    assert decoded.raw.spans["end_ns"].to_list() == [START_NS - 7]


@pytest.mark.parametrize(("kind", "status"), [(len(Kind), len(Status)), (17, 9)], ids=["the first", "any"])
def test_numbers_of_later_protocol_versions_read_as_unspecified(kind: int, status: int) -> None:
    decoded = decode_requests([make_request(make_span(kind=kind, status=status))])

    assert decoded.raw.spans.select("kind", "status").rows() == [(0, 0)]


@pytest.mark.parametrize("field", [b"SPANNAME", b"ROUTEVAL"], ids=["in the name", "in an attribute that is read"])
def test_a_span_whose_text_is_not_utf8_is_refused_alone(field: bytes) -> None:
    odd = make_span({"http.route": "ROUTEVAL"}, name="SPANNAME")
    payload = make_request(make_span(name="before"), odd, make_span(name="after")).replace(field, b"\xff" * 8)

    decoded = decode_requests([payload])

    assert decoded.verdicts[0].reason == "1 span refused: text must be UTF-8 (1)"
    assert decoded.raw.spans["name"].to_list() == ["before", "after"]


def test_a_large_span_whose_text_is_not_utf8_is_refused_alone_too() -> None:
    odd = make_span({"db.query.text": "x" * (4 * MAX_PART_BYTES)}, name="SPANNAME")
    payload = make_request(make_span(name="before"), odd, make_span(name="after")).replace(b"SPANNAME", b"\xff" * 8)

    decoded = decode_requests([payload])

    assert decoded.verdicts[0].reason == "1 span refused: text must be UTF-8 (1)"
    assert decoded.raw.spans["name"].to_list() == ["before", "after"]


def test_text_nobody_reads_may_be_badly_encoded() -> None:
    payload = make_request(make_span({"user.note": "NOTE"})).replace(b"NOTE", b"\xff" * 4)

    decoded = decode_requests([payload])

    assert decoded.verdicts[0].accepted == 1


@pytest.mark.parametrize("part", [b"SERVICE!", b"SCOPE..!"])
def test_badly_encoded_resources_and_scopes_cost_their_spans_only(part: bytes) -> None:
    odd = make_request(make_span(), make_span(), resource={"service.name": "SERVICE!"}, scope="SCOPE..!")

    decoded = decode_requests([odd.replace(part, b"\xff" * 8), make_request(make_span())])

    assert [verdict.rejected for verdict in decoded.verdicts] == [2, 0]


# --- requests that are none ----------------------------------------------------------------------------------------


def test_broken_requests_cost_only_themselves() -> None:
    good = make_request(make_span(name="kept"))
    broken = [b"\xff\xff", good[:-3], b"<html>"]

    decoded = decode_requests([good, broken[0], good, broken[1], broken[2]])

    assert [verdict.accepted for verdict in decoded.verdicts] == [1, 0, 1, 0, 0]
    assert [isinstance(verdict.error, InvalidRequest) for verdict in decoded.verdicts] == [
        False,
        True,
        False,
        True,
        True,
    ]
    assert decoded.raw.spans["name"].to_list() == ["kept", "kept"]


def test_a_length_past_all_memory_costs_its_request_only() -> None:
    good = make_request(make_span(name="kept"))
    endless = b"\x0a" + b"\xff" * 9 + b"\x01"  # resource_spans of 2**64 - 1 bytes

    decoded = decode_requests([good, endless, good])

    assert [isinstance(verdict.error, InvalidRequest) for verdict in decoded.verdicts] == [False, True, False]
    assert decoded.raw.spans["name"].to_list() == ["kept", "kept"]


def test_the_error_of_a_broken_request_says_what_was_expected() -> None:
    (verdict,) = decode_requests([b"\xff\xff"]).verdicts

    assert verdict.error is not None
    assert "expected a serialised ExportTraceServiceRequest" in str(verdict.error)


def test_spans_larger_than_the_nesting_check_are_taken() -> None:
    large = make_span({"db.query.text": "x" * (4 * MAX_PART_BYTES)}, name="large")

    decoded = decode_requests([make_request(large)])

    assert decoded.raw.spans["name"].to_list() == ["large"]


_NESTING_ATTACK = """
from tracelith.ingest.decode import decode_requests

def field(number, body):
    length, prefix = len(body), b""
    while length > 127:
        prefix, length = prefix + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + prefix + bytes([length]) + body

groups = b"\\xa3\\x06" * 1_000_000 + b"\\xa4\\x06" * 1_000_000
small = field(1, b"")
span = field(2, field(9, field(2, groups)))
attacks = [
    groups,
    field(1, groups),
    field(1, field(1, groups) + field(1, b"")),
    field(1, field(2, groups)),
    field(1, field(2, field(1, groups) + small)),
    field(1, field(2, span)),
    field(1, field(2, span) + field(2, b"")),
]
print([verdict.error is not None for verdict in decode_requests(attacks).verdicts])
"""


def test_deeply_nested_groups_are_refused_instead_of_ending_the_process() -> None:
    # A crash cannot be caught, so the attack runs in a process of its own.
    result = subprocess.run(
        [sys.executable, "-c", _NESTING_ATTACK], capture_output=True, text=True, timeout=60, check=False
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str([True] * 7)


def test_too_many_bytes_for_one_call_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelith.ingest.decode.MAX_REQUEST_BYTES", 100)

    with pytest.raises(ValueError, match="decode fewer requests at a time"):
        decode_requests([b"x" * 60, b"x" * 60])


def test_spans_keep_the_order_in_which_they_came() -> None:
    names = [f"span {number}" for number in range(50)]

    decoded = decode_requests(
        [make_request(*(make_span(name=name) for name in names[at : at + 5])) for at in range(0, 50, 5)]
    )

    assert decoded.raw.spans["name"].to_list() == names
    assert decoded.raw.spans["resource_row"].to_list() == [number // 5 for number in range(50)]
    assert isinstance(decoded.raw.spans, pl.DataFrame)


_PANICS = """
from ingest.mutated_requests import BYTES, varint
from ingest.otlp_requests import make_request, make_span
from tracelith.ingest.decode import decode_requests
bad = varint(1 << 3 | BYTES) + varint(2**64 - 3)
sound = make_request(make_span({"http.response.status_code": -1}))
for _ in range(100):
    verdicts = decode_requests([sound, bad, sound]).verdicts
    assert [(one.accepted, one.error is None) for one in verdicts] == [(1, True), (0, False), (1, True)]
"""


def test_a_flood_of_impossible_lengths_does_not_flood_standard_error() -> None:
    # Native code writes there by itself when it panics: only another process can see it.
    result = subprocess.run(
        [sys.executable, "-c", _PANICS],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert result.returncode == 0, result.stderr
    assert result.stderr.count("panicked") <= 1
