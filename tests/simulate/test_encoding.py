"""Spans as bytes: what was put in is what the reference classes and our own reader find."""

import json
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracelith.simulate import JSON, PROTOBUF, Encoding, simulate
from tracelith.simulate.batching import Batcher
from tracelith.simulate.byte_columns import big_endian, decimal, hexadecimal, little_endian, varint
from tracelith.simulate.instrumentation import NUMBER, PARTITION, SpanShape
from tracelith.simulate.span_table import SpanTable

SHAPES = (
    SpanShape("GET /carts/{id}", 2, "scope a", (("server.port", 8080), ("server.address", "cart")), root=True),
    SpanShape("POST", 3, "scope b", (("url.full", f"http://x/{NUMBER}/y"),), failed=True, trace_state="ot=th:8"),
    SpanShape("process größe", 5, "scope b", (("partition", PARTITION), ("key", NUMBER)), root=True, linked=True),
    SpanShape("Ω" * 200, 0, "scope a", ()),
)
WORD = st.integers(1, 2**64 - 1)


@st.composite
def tables(draw: st.DrawFn) -> SpanTable:
    count, rng = draw(st.integers(1, 40)), np.random.default_rng(draw(st.integers(0, 2**32)))
    ids = [rng.integers(0, 2**64, count, dtype=np.uint64) for _ in range(7)]
    start = rng.integers(10**15, 4 * 10**15, count)
    end = start + rng.integers(0, 10**9, count)
    resource = rng.integers(-3, 3, count)
    return SpanTable(
        SHAPES,
        rng.integers(0, len(SHAPES), count),
        *ids[:4],
        start,
        end,
        resource,
        rng.integers(0, 10**6, count),
        rng.integers(0, 10, count),
        *ids[4:],
    )


def requests_of(spans: SpanTable, encoding: Encoding, batch_spans: int = 7) -> list[tuple[bytes, int]]:
    batcher = Batcher(encoding, lambda number: (("service.name", "s"), ("number", number)), batch_spans)
    return list(batcher.requests(spans, spans.end_us))


def described(spans: SpanTable) -> set[tuple[object, ...]]:
    """What each span should say, as read_protobuf and read_json find it."""
    found = set()
    for row in range(spans.size):
        shape = spans.shapes[spans.shape[row]]
        trace = f"{spans.trace_hi[row]:016x}{spans.trace_lo[row]:016x}"
        parent = "" if shape.root else f"{spans.parent_id[row]:016x}"
        link = ""
        if shape.linked:
            link = f"{spans.linked_hi[row]:016x}{spans.linked_lo[row]:016x}{spans.linked_span[row]:016x}"
        times = int(spans.start_us[row]) * 1_000, int(spans.end_us[row]) * 1_000
        texts = {
            key: value.replace(NUMBER, f"{spans.number[row]:06d}").replace(PARTITION, str(spans.partition[row]))
            if isinstance(value, str)
            else value
            for key, value in shape.attributes
        }
        found.add(
            (
                int(spans.resource[row]),
                shape.scope,
                trace,
                f"{spans.span_id[row]:016x}",
                parent,
                *times,
                shape.name,
                shape.kind,
                2 if shape.failed else 0,
                shape.trace_state,
                link,
                tuple(texts.items()),
            )
        )
    return found


def read_protobuf(payload: bytes) -> list[tuple[object, ...]]:
    return [
        (
            resource.resource.attributes[1].value.int_value,
            scope.scope.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            span.name,
            span.kind,
            span.status.code,
            span.trace_state,
            "".join(link.trace_id.hex() + link.span_id.hex() for link in span.links),
            tuple((item.key, item.value.string_value or item.value.int_value) for item in span.attributes),
        )
        for resource in ExportTraceServiceRequest.FromString(payload).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def read_json(payload: bytes) -> list[tuple[object, ...]]:
    return [
        (
            int(resource["resource"]["attributes"][1]["value"]["intValue"]),
            scope["scope"]["name"],
            span["traceId"],
            span["spanId"],
            span.get("parentSpanId", ""),
            int(span["startTimeUnixNano"]),
            int(span["endTimeUnixNano"]),
            span["name"],
            span.get("kind", 0),
            span.get("status", {}).get("code", 0),
            span.get("traceState", ""),
            "".join(link["traceId"] + link["spanId"] for link in span.get("links", [])),
            tuple(
                (item["key"], item["value"].get("stringValue") or int(item["value"]["intValue"]))
                for item in span.get("attributes", [])
            ),
        )
        for resource in json.loads(payload)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


@given(tables())
def test_both_encodings_say_all_that_the_spans_say(spans: SpanTable) -> None:
    binary = [row for payload, _ in requests_of(spans, PROTOBUF) for row in read_protobuf(payload)]
    text = [row for payload, _ in requests_of(spans, JSON) for row in read_json(payload)]

    assert binary == text
    assert len(binary) == spans.size
    assert set(binary) == described(spans)


@given(tables(), st.integers(1, 50))
def test_requests_are_full_in_order_of_time_and_name_each_process_and_scope_once(spans: SpanTable, size: int) -> None:
    requests = requests_of(spans, PROTOBUF, size)

    ends = []
    for payload, count in requests:
        request = ExportTraceServiceRequest.FromString(payload)
        processes = [resource.resource.SerializeToString() for resource in request.resource_spans]
        assert len(set(processes)) == len(processes)
        for resource in request.resource_spans:
            scopes = [scope.scope.name for scope in resource.scope_spans]
            assert scopes == sorted(set(scopes))
        ends.append([row[6] for row in read_protobuf(payload)])
        assert len(ends[-1]) == count
    assert [count for _, count in requests[:-1]] == [size] * (len(requests) - 1)
    assert all(max(before) <= min(after) for before, after in pairwise(ends))


@given(st.lists(st.integers(0, 10**19 // 2), min_size=1), st.integers(1, 19))
def test_decimal_digits_are_those_of_the_number(values: list[int], width: int) -> None:
    digits = decimal(np.array(values, np.int64), width)

    assert [bytes(row).decode() for row in digits] == [f"{value:019d}"[19 - width :] for value in values]


@given(st.lists(st.tuples(WORD, WORD), min_size=1))
def test_words_are_written_as_the_wire_has_them(words: list[tuple[int, int]]) -> None:
    high, low = (np.array(column, np.uint64) for column in zip(*words, strict=True))

    raw = big_endian(high, low)

    assert [bytes(row) for row in raw] == [one.to_bytes(8) + other.to_bytes(8) for one, other in words]
    assert [bytes(row).decode() for row in hexadecimal(raw)] == [f"{one:016x}{other:016x}" for one, other in words]
    small = np.array([one >> 1 for one, _ in words], np.int64)
    assert [bytes(row) for row in little_endian(small)] == [(one >> 1).to_bytes(8, "little") for one, _ in words]


@given(st.integers(0, 2**40))
def test_a_varint_has_seven_bits_a_byte_the_lowest_first(value: int) -> None:
    encoded = varint(value)

    assert sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(encoded)) == value
    assert all(byte & 0x80 for byte in encoded[:-1])
    assert not encoded[-1] & 0x80


@pytest.mark.parametrize("encoding", [PROTOBUF, JSON])
def test_two_runs_written_in_turns_do_not_mix(encoding: Encoding) -> None:
    until = datetime(2026, 3, 2, tzinfo=UTC)
    one, other = (simulate("healthy", seed=seed, weeks=1, traces=200, until=until) for seed in (1, 2))
    alone = [batch.payload for batch in one.batches(encoding, batch_spans=100)]

    turns = list(zip(one.batches(encoding, batch_spans=100), other.batches(encoding, batch_spans=100), strict=False))

    assert [batch.payload for batch, _ in turns] == alone[: len(turns)]
    assert len(turns) > 3
