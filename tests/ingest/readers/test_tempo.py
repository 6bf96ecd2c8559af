"""Answers of Tempo's and Jaeger's APIs: OTLP in an envelope, with the ids and enums of a generic encoder."""

import base64
from pathlib import Path
from typing import Any

import pytest

from ingest.readers.reading import otlp_request, otlp_span, read, write


def tempo_id(number: int, size: int) -> str:
    return base64.b64encode(number.to_bytes(size)).decode()


def answered_span(**fields: Any) -> dict[str, Any]:
    return otlp_span(
        0,
        traceId=tempo_id(0xABCDEF, 16),
        spanId=tempo_id(2, 8),
        parentSpanId=tempo_id(1, 8),
        kind="SPAN_KIND_CLIENT",
        status={"code": "STATUS_CODE_ERROR"},
        links=[{"traceId": tempo_id(5, 16), "spanId": tempo_id(6, 8)}],
        **fields,
    )


@pytest.mark.parametrize(
    "envelope",
    [
        lambda resource_spans: {"batches": resource_spans},
        lambda resource_spans: {"trace": {"resourceSpans": resource_spans}, "metrics": {}},
        lambda resource_spans: {"trace": {"batches": resource_spans}},
        lambda resource_spans: {"result": {"resourceSpans": resource_spans}},
    ],
)
def test_base64_ids_and_enum_names_are_understood_inside_an_apis_envelope(tmp_path: Path, envelope: Any) -> None:
    document = envelope(otlp_request(answered_span())["resourceSpans"])

    found = read(write(tmp_path / "t", document))

    span = found.span(span_id=2)
    assert (span["trace_hi"], span["trace_lo"], span["parent_id"]) == (0, 0xABCDEF, 1)
    assert (span["kind"], span["status"], span["service"]) == (3, 2, "shop")
    assert found.batches[0].raw.links.rows() == [(0, 0, 5, 6)]
    assert found.problems == []


def test_hexadecimal_ids_and_enum_numbers_are_understood_there_as_well(tmp_path: Path) -> None:
    document = {"batches": otlp_request(otlp_span(2, kind=3))["resourceSpans"]}

    found = read(write(tmp_path / "t", document))

    assert found.span(span_id=2)["kind"] == 3


def test_old_answers_with_instrumentation_library_spans_are_understood(tmp_path: Path) -> None:
    document = {"batches": [{"instrumentationLibrarySpans": [{"spans": [answered_span()]}]}]}

    assert read(write(tmp_path / "t", document)).spans["span_id"].to_list() == [2]


def test_the_same_spelling_outside_an_envelope_is_refused(tmp_path: Path) -> None:
    found = read(write(tmp_path / "t", otlp_request(answered_span())))

    assert found.rejected == 1
    assert "traceId is base64" in found.problems[0]


def test_a_span_with_an_id_of_the_wrong_length_costs_only_itself(tmp_path: Path) -> None:
    bad = answered_span() | {"spanId": tempo_id(3, 9)}

    found = read(write(tmp_path / "t", {"batches": otlp_request(answered_span(), bad, None, 7)["resourceSpans"]}))

    assert found.spans["span_id"].to_list() == [2]
    assert found.rejected == 3
