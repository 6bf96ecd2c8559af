"""Foreign formats become OTLP again without losing anything the analyses read."""

from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import DescribedSpans, describe
from tracelith.ingest.encode import encode_request
from tracelith.ingest.readers import read_file

ROOT = Path(__file__).resolve().parents[2]


def described_rows(described: DescribedSpans) -> list[dict[str, object]]:
    """The spans with the text their rows stand for, in an order that does not depend on row numbers."""
    resources, operations = described.resources, described.operations
    rows = [
        {**row, "resource_row": resources[row["resource_row"]], "operation_row": operations[row["operation_row"]]}
        for row in described.spans.iter_rows(named=True)
    ]
    return sorted(rows, key=lambda row: (row["trace_hi"], row["trace_lo"], row["span_id"], str(row)))


@pytest.mark.parametrize(
    "name",
    ["zipkin/yelp.json", "zipkin/messaging-kafka.json", "jaeger/hotel_load25.json.gz", "otlp/proto_example.json"],
)
def test_what_a_running_server_receives_is_what_the_file_said(shared_data: Path, name: str) -> None:
    for batch in read_file(shared_data / name):
        received = decode_requests([encode_request(batch.raw)])

        assert [verdict.rejected for verdict in received.verdicts] == [0]
        assert described_rows(describe(received.raw)) == described_rows(describe(batch.raw))


def test_links_survive() -> None:
    (batch, *_) = read_file(ROOT / "sample_traces" / "healthy" / "traces-0001.otlp.jsonl.gz")

    received = decode_requests([encode_request(batch.raw)]).raw

    ids = ["trace_hi", "trace_lo", "span_id"]
    assert batch.raw.links.height
    assert_frame_equal(received.links.select(ids).sort(ids), batch.raw.links.select(ids).sort(ids))
