"""Requests of almost nothing but empty parts are refused at once: they would cost gigabytes and minutes."""

import time

import pytest

from ingest.mutated_requests import BYTES, Field, join
from ingest.otlp_requests import make_request, make_span
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.otlp_json import decode_json_requests
from tracelith.model.errors import InvalidRequest

CRUMBS = 200_000
EMPTY = {number: join(Field(number, BYTES, b"")) for number in (1, 2, 9, 13)}
SPAN = make_span().SerializeToString()


def nested(*numbers: int, inside: bytes) -> bytes:
    for number in reversed(numbers):
        inside = join(Field(number, BYTES, inside))
    return inside


@pytest.mark.parametrize(
    "body",
    [
        EMPTY[1] * CRUMBS,
        nested(1, inside=EMPTY[2] * CRUMBS),
        nested(1, 2, inside=EMPTY[2] * CRUMBS),
        nested(1, 2, 2, inside=SPAN + EMPTY[9] * CRUMBS),
        nested(1, 2, 2, inside=SPAN + EMPTY[13] * CRUMBS),
        nested(1, 1, inside=EMPTY[1] * CRUMBS),
    ],
    ids=["resources", "scopes", "spans", "attributes", "links", "resource attributes"],
)
def test_a_request_of_empty_parts_is_refused_and_its_neighbours_are_taken(body: bytes) -> None:
    neighbour = make_request(make_span())

    verdicts = decode_requests([neighbour, body, neighbour]).verdicts

    assert [verdict.accepted for verdict in verdicts] == [1, 0, 1]
    assert isinstance(verdicts[1].error, InvalidRequest)
    assert "empty" in str(verdicts[1].error)


def test_a_flood_of_small_requests_of_empty_spans_is_refused_too() -> None:
    crumbs = nested(1, 2, inside=EMPTY[2] * 1_000)
    sound = make_request(make_span())

    verdicts = decode_requests([crumbs] * 20 + [sound]).verdicts

    assert all(verdict.error for verdict in verdicts[:-1])
    assert verdicts[-1].accepted == 1


def test_a_small_request_of_empty_spans_has_each_of_them_counted() -> None:
    verdict = decode_requests([nested(1, 2, inside=EMPTY[2] * 500)]).verdicts[0]

    assert (verdict.rejected, verdict.error) == (500, None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"resourceSpans":[' + b",".join([b"{}"] * CRUMBS) + b"]}",
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b",".join([b"{}"] * CRUMBS) + b"]}]}]}",
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b",".join([b"0"] * CRUMBS) + b"]}]}]}",
    ],
    ids=["resources", "spans", "spans that are no objects"],
)
def test_a_json_request_of_empty_parts_is_refused(body: bytes) -> None:
    verdict = decode_json_requests([body]).verdicts[0]

    assert isinstance(verdict.error, InvalidRequest)


@pytest.mark.parametrize("span", ['{"traceId":"%s"}', '{"traceId":"%s","spanId":7,"kind":"x"}'], ids=["read", "unread"])
def test_many_bad_spans_of_one_json_request_are_all_counted_in_little_time(span: str) -> None:
    spans = ",".join([span % ("z" * 24)] * 50_000)
    started = time.process_time()

    verdict = decode_json_requests(
        [f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}'.encode()]
    ).verdicts[0]

    assert verdict.rejected == 50_000
    assert "traceId is base64" in verdict.reason
    assert "(49000)" in verdict.reason
    assert time.process_time() - started < 1.5, "naming the defects of each took four seconds"
