"""OTLP/JSON requests: what is taken, what is refused, and how a sender learns why."""

import json
import re
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.otlp_requests import make_request, make_span
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.otlp_json import decode_json_request, decode_json_requests
from tracelith.model.errors import InvalidRequest
from tracelith.model.schema import ATTRIBUTE, RAW_LINK, RAW_SPAN, RawSpans

TRACE_ID = "5b8efff798038103d269b633813fc60c"
SPAN_ID = "eee19b7ec3c1b174"


def span(**fields: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE_ID,
        "spanId": SPAN_ID,
        "name": "GET /cart",
        "startTimeUnixNano": "1544712660000000000",
        "endTimeUnixNano": "1544712661000000000",
        **fields,
    }


def request(*spans: Any, **resource_spans: Any) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}], **resource_spans}]}).encode()


def only_row(raw: RawSpans) -> dict[str, Any]:
    assert raw.spans.height == 1
    return raw.spans.row(0, named=True)


def attributes(frame: pl.DataFrame) -> dict[str, str]:
    return dict(frame.select("key", "value").iter_rows())


def test_a_span_arrives_with_every_field() -> None:
    body = request(
        span(
            parentSpanId="eee19b7ec3c1b173",
            kind=2,
            flags=257,
            traceState="ot=th:8",
            status={"code": 2, "message": "no"},
            attributes=[{"key": "http.route", "value": {"stringValue": "/cart"}}],
            links=[{"traceId": TRACE_ID, "spanId": "00000000000000ff"}],
        ),
        resource={"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
    )

    decoded = decode_json_request(body)

    assert (decoded.accepted, decoded.rejected, decoded.reason) == (1, 0, "")
    assert decoded.raw.spans.schema == RAW_SPAN
    assert only_row(decoded.raw) == {
        "trace_hi": 0x5B8EFFF798038103,
        "trace_lo": 0xD269B633813FC60C,
        "span_id": 0xEEE19B7EC3C1B174,
        "parent_id": 0xEEE19B7EC3C1B173,
        "start_ns": 1544712660000000000,
        "end_ns": 1544712661000000000,
        "name": "GET /cart",
        "kind": 2,
        "status": 2,
        "trace_state": "ot=th:8",
        "flags": 257,
        "scope": "",
        "resource_row": 0,
    }
    assert decoded.raw.span_attributes.rows() == [(0, "http.route", "/cart")]
    assert decoded.raw.resource_attributes.rows() == [(0, "service.name", "shop")]
    assert decoded.raw.links.rows() == [(0, 0x5B8EFFF798038103, 0xD269B633813FC60C, 0xFF)]


def test_ids_may_be_of_either_case() -> None:
    decoded = decode_json_request(request(span(traceId=TRACE_ID.upper(), spanId="EeE19b7eC3c1b174")))

    row = only_row(decoded.raw)
    assert (row["trace_hi"], row["span_id"]) == (0x5B8EFFF798038103, 0xEEE19B7EC3C1B174)


@pytest.mark.parametrize("written", [1544712660000000001, "1544712660000000001"])
def test_64_bit_numbers_come_as_numbers_or_as_text_without_losing_digits(written: object) -> None:
    decoded = decode_json_request(request(span(startTimeUnixNano=written)))

    assert only_row(decoded.raw)["start_ns"] == 1544712660000000001


def test_null_means_a_missing_field() -> None:
    nulls = dict.fromkeys(
        ["parentSpanId", "name", "kind", "status", "attributes", "links", "flags", "traceState", "endTimeUnixNano"]
    )

    decoded = decode_json_request(request(span(**nulls), resource=None))

    row = only_row(decoded.raw)
    assert (row["parent_id"], row["name"], row["kind"], row["status"]) == (0, "", 0, 0)


def test_unknown_fields_are_skipped_whatever_they_hold() -> None:
    body = request(span(events=[{"attributes": [{"value": {"arrayValue": {"values": [1]}}}]}], future={"deep": [[{}]]}))

    assert decode_json_request(body).accepted == 1


def test_scalars_become_text_and_arrays_and_maps_are_left_out() -> None:
    values = {
        "http.route": {"stringValue": "null"},
        "http.response.status_code": {"intValue": "503"},
        "server.port": {"intValue": 8080},
        "error": {"boolValue": True},
        "http.resend_count": {"doubleValue": 0.5},
        "db.name": {"arrayValue": {"values": [{"stringValue": "a"}]}},
        "db.system": {"kvlistValue": {"values": []}},
        "db.operation": {},
        "messaging.system": None,
        "user.email": {"stringValue": "secret@example.com"},
    }

    decoded = decode_json_request(request(span(attributes=[{"key": k, "value": v} for k, v in values.items()])))

    assert decoded.raw.span_attributes.schema == ATTRIBUTE
    assert attributes(decoded.raw.span_attributes) == {
        "http.route": "null",
        "http.response.status_code": "503",
        "server.port": "8080",
        "error": "true",
        "http.resend_count": "0.5",
    }


def test_scopes_of_old_and_new_name_are_read() -> None:
    body = json.dumps(
        {
            "resourceSpans": [
                {
                    "scopeSpans": [{"scope": {"name": "new"}, "spans": [span(spanId="0" * 15 + "1")]}],
                    "instrumentationLibrarySpans": [
                        {"instrumentationLibrary": {"name": "old"}, "spans": [span(spanId="0" * 15 + "2")]}
                    ],
                }
            ]
        }
    ).encode()

    decoded = decode_json_request(body)

    assert decoded.raw.spans.select("span_id", "scope").rows() == [(1, "new"), (2, "old")]


def test_an_enum_number_from_a_later_otlp_reads_as_unspecified() -> None:
    decoded = decode_json_request(request(span(kind=9, status={"code": 7})))

    row = only_row(decoded.raw)
    assert (row["kind"], row["status"]) == (0, 0)


def test_an_end_before_its_start_is_kept_for_the_next_step_to_flag() -> None:
    decoded = decode_json_request(request(span(endTimeUnixNano="1544712659000000000")))

    assert only_row(decoded.raw)["end_ns"] == 1544712659000000000


def test_a_link_with_empty_ids_links_to_nothing() -> None:
    decoded = decode_json_request(request(span(links=[{"traceId": "", "spanId": ""}, {}])))

    assert decoded.accepted == 1
    assert decoded.raw.links.height == 0
    assert decoded.raw.links.schema == RAW_LINK


@pytest.mark.parametrize("value", [500.0, 0.0, -0.0, 0.5, 1e9])
def test_a_whole_double_reads_as_from_protobuf(value: float) -> None:
    in_json = decode_json_request(
        request(span(attributes=[{"key": "http.status_code", "value": {"doubleValue": value}}]))
    )

    in_protobuf = decode_requests([make_request(make_span({"http.status_code": value}))])

    assert in_json.raw.span_attributes["value"].to_list() == in_protobuf.raw.span_attributes["value"].to_list()


@pytest.mark.parametrize("body", [b"{}", b'{"resourceSpans":[]}', b'{"resourceSpans":null}', request()])
def test_a_request_without_spans_is_fine(body: bytes) -> None:
    decoded = decode_json_request(body)

    assert (decoded.accepted, decoded.rejected, decoded.reason) == (0, 0, "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"7",
        b'"resourceSpans"',
        b'{"resourceSpans":{}}',
        b'{"resourceSpans":[1]}',
        b'{"resourceSpans":[{"scopeSpans":"x"}]}',
        b'{"resourceSpans":[{"resource":7}]}',
        request(span())[:-1],
        request(span()) + b"x",
        b'{"resourceSpans":' * 100_000,
        b"[" * 1_000_000,
        b'{"resourceSpans":[],"x":' + b"[" * 1_000_000,
        b"\xff\xfe{}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_a_trace_request_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode_json_request(body)


BAD_SPANS: dict[str, tuple[Any, str]] = {
    "base64 trace id": (
        span(traceId="6D8sFPGIUo1Buw1LMt1T1A=="),
        "traceId is base64 (24 characters); OTLP/JSON wants 32",
    ),
    "base64 span id": (span(spanId="ronuoHpPV54="), "spanId is base64 (12 characters); OTLP/JSON wants 16 hex digits"),
    "base64 parent": (span(parentSpanId="ronuoHpPV54="), "parentSpanId is base64 (12 characters)"),
    "base64 link": (
        span(links=[{"traceId": "6D8sFPGIUo1Buw1LMt1T1A==", "spanId": SPAN_ID}]),
        "links.traceId is base64",
    ),
    "short trace id": (span(traceId="5b8efff798038103"), "traceId has 16 hex digits; OTLP/JSON wants 32"),
    "white space in id": (span(traceId=" " + TRACE_ID[:-2] + " "), "traceId is text of 32 characters"),
    "zero trace id": (span(traceId="0" * 32), "traceId is all zeros"),
    "zero span id": (span(spanId="0" * 16), "spanId is all zeros"),
    "no trace id": (span(traceId=None), "traceId is missing"),
    "number as id": (span(spanId=7), "spanId is a number; OTLP/JSON wants 16 hex digits"),
    "kind by name": (
        span(kind="SPAN_KIND_CLIENT"),
        "kind is the enum name SPAN_KIND_CLIENT; OTLP/JSON wants the enum's",
    ),
    "status by name": (span(status={"code": "STATUS_CODE_ERROR"}), "status.code is the enum name STATUS_CODE_ERROR"),
    "no start": (span(startTimeUnixNano=None), "startTimeUnixNano is missing or 0"),
    "start in words": (span(startTimeUnixNano="yesterday"), "startTimeUnixNano is text that is no number"),
    "start before 1970": (span(startTimeUnixNano=-5), "startTimeUnixNano lies outside 1970 to 2262"),
    "end after 2262": (span(endTimeUnixNano=str(2**63)), "endTimeUnixNano lies outside 1970 to 2262"),
    "huge start": (span(startTimeUnixNano=10**30), "startTimeUnixNano lies outside 1970 to 2262"),
    "null span": (None, "a span must be an object, not null"),
    "list span": ([], "a span must be an object, not an array"),
    "number as name": (span(name=7), "name"),
    "attributes object": (span(attributes={"http.route": "/x"}), "attributes"),
}


@pytest.mark.parametrize(("bad", "reason"), BAD_SPANS.values(), ids=BAD_SPANS.keys())
def test_a_bad_span_costs_only_itself_and_its_defect_is_named(bad: Any, reason: str) -> None:
    good = [span(spanId=f"{number:016x}") for number in (1, 2)]

    decoded = decode_json_request(request(good[0], bad, good[1]))

    assert (decoded.accepted, decoded.rejected) == (2, 1)
    assert decoded.raw.spans["span_id"].to_list() == [1, 2]
    assert reason in decoded.reason
    assert [rejection.spans for rejection in decoded.raw.rejections] == [1]


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    names = [rb"cut \ud800", rb"whole \ud83d\ude00", rb"backslash \\ud800", rb"low \uDC00 high \ud800x"]
    body = request(*(span(spanId=f"{number:016x}", name=f"name{number}") for number in range(1, 5)))
    for number, name in enumerate(names, start=1):
        body = body.replace(b"name%d" % number, name)

    decoded = decode_json_request(body)

    assert (decoded.accepted, decoded.rejected) == (4, 0)
    assert decoded.raw.spans["name"].to_list() == [
        "cut \ufffd",
        "whole \U0001f600",
        r"backslash \ud800",
        "low \ufffd high \ufffdx",
    ]


def test_reasons_never_repeat_values_a_sender_put_in() -> None:
    private = "jane.doe@example.com"

    decoded = decode_json_request(request(span(traceId=private), span(kind=private), span(startTimeUnixNano=private)))

    assert decoded.rejected == 3
    assert private not in decoded.reason


def test_a_sender_is_told_the_same_sentence_whatever_the_encoding() -> None:
    in_json = request(span(startTimeUnixNano="0"), span(traceId="00" * 16), span(traceId="00" * 16))
    in_protobuf = make_request(make_span(start_time_unix_nano=0), make_span(trace_id=b""), make_span(trace_id=b""))

    told = decode_json_request(in_json).reason, decode_requests([in_protobuf]).verdicts[0].reason

    sentence = re.compile(r"3 spans refused: [^()]+ \(2\), [^()]+ \(1\)")
    assert [bool(sentence.fullmatch(reason)) for reason in told] == [True, True], told


def test_attributes_stay_with_their_spans_when_spans_between_them_are_refused() -> None:
    def routed(number: int) -> dict[str, Any]:
        route = {"key": "http.route", "value": {"stringValue": f"/{number}"}}
        return span(
            spanId=f"{number:016x}", attributes=[route], links=[{"traceId": TRACE_ID, "spanId": f"{number:016x}"}]
        )

    decoded = decode_json_request(request(routed(0), routed(1), span(kind="SPAN_KIND_SERVER"), routed(2)))

    assert decoded.raw.spans["span_id"].to_list() == [1, 2]
    assert decoded.raw.span_attributes.select("row", "value").rows() == [(0, "/1"), (1, "/2")]
    assert decoded.raw.links.select("row", "span_id").rows() == [(0, 1), (1, 2)]


def test_many_requests_share_a_batch_and_keep_their_own_verdicts() -> None:
    bodies = [
        request(span(spanId="0" * 15 + "1"), resource={"attributes": [_service("a")]}),
        b"not json",
        request(span(spanId="0" * 15 + "2"), span(spanId="bad"), resource={"attributes": [_service("b")]}),
        b"{}",
    ]

    decoded = decode_json_requests(bodies)

    assert [(verdict.accepted, verdict.rejected) for verdict in decoded.verdicts] == [(1, 0), (0, 0), (1, 1), (0, 0)]
    assert [verdict.error is not None for verdict in decoded.verdicts] == [False, True, False, False]
    assert decoded.raw.spans.select("span_id", "resource_row").rows() == [(1, 0), (2, 1)]
    assert decoded.raw.resource_attributes.rows() == [(0, "service.name", "a"), (1, "service.name", "b")]


def _service(name: str) -> dict[str, Any]:
    return {"key": "service.name", "value": {"stringValue": name}}


sound_spans = st.builds(
    lambda number, start, kind, parent: span(
        spanId=f"{number:016x}", startTimeUnixNano=start, kind=kind, parentSpanId=f"{parent:016x}" if parent else ""
    ),
    st.integers(1, 2**64 - 1),
    st.integers(1, 2**63 - 1) | st.integers(1, 2**63 - 1).map(str),
    st.integers(0, 5),
    st.integers(0, 2**64 - 1),
)
unsound_spans = st.sampled_from([bad for bad, _ in BAD_SPANS.values()])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), sound_spans, unsound_spans), max_size=8))
def test_refused_spans_change_nothing_for_the_others(mixed: list[tuple[bool, Any, Any]]) -> None:
    alone = decode_json_request(request(*(good for _, good, _ in mixed)))

    among_bad = decode_json_request(
        request(*(each for keep, good, bad in mixed for each in ([good] if keep else [good, bad])))
    )

    assert among_bad.raw.spans.equals(alone.raw.spans)
    assert among_bad.rejected == sum(not keep for keep, _, _ in mixed)


def test_a_file_of_a_naive_encoder_is_refused_with_its_defects_named(shared_data: Any) -> None:
    body = (shared_data / "otlp" / "wrong_base64_ids_and_enum_names.jsonl").read_bytes()

    decoded = decode_json_request(body)

    assert (decoded.accepted, decoded.rejected) == (0, 1)
    assert "traceId is base64 (24 characters)" in decoded.reason
    assert "kind is the enum name SPAN_KIND_CLIENT" in decoded.reason
    assert "generic protobuf-to-JSON encoder" in decoded.reason


def test_doubles_that_are_no_numbers_are_text_and_null_keys_are_none() -> None:
    def values(text: str) -> dict[str, Any]:
        return span(attributes=[{"key": "error", "value": {"doubleValue": text}}, {"key": None, "value": None}])

    decoded = decode_json_request(request(values("NaN"), values("Infinity"), values("-Infinity")))

    assert (decoded.accepted, decoded.rejected) == (3, 0)
    assert decoded.raw.span_attributes["value"].to_list() == ["nan", "inf", "-inf"]


def test_a_link_of_zeros_points_nowhere_and_is_left_out() -> None:
    decoded = decode_json_request(request(span(links=[{"traceId": "0" * 32, "spanId": SPAN_ID}])))

    assert (decoded.accepted, decoded.raw.links.height) == (1, 0)
