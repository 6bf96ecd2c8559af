"""OTLP protobuf files: one message, or messages with their lengths before them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from google.protobuf.internal.encoder import _VarintBytes
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.readers.reading import read, write
from tracelith.ingest.readers import otlp_protobuf_file, read_file
from tracelith.model.errors import UnreadableFile

Frame = Callable[[Sequence[bytes]], bytes]


def message(*numbers: int, service: str = "shop", padding: int = 0) -> bytes:
    request = ExportTraceServiceRequest()
    for number in numbers:
        resource_spans = request.resource_spans.add()
        attribute = resource_spans.resource.attributes.add()
        attribute.key, attribute.value.string_value = "service.name", service
        span = resource_spans.scope_spans.add().spans.add()
        span.trace_id, span.span_id = (7).to_bytes(16), number.to_bytes(8)
        span.name = "x" * padding
        span.start_time_unix_nano, span.end_time_unix_nano = 1700000000000000000, 1700000000000000009
    return request.SerializeToString()


def joined(messages: Sequence[bytes]) -> bytes:
    """Protobuf messages concatenate to one message."""
    return b"".join(messages)


def with_four_bytes(messages: Sequence[bytes]) -> bytes:
    return b"".join(len(each).to_bytes(4) + each for each in messages)


def with_varints(messages: Sequence[bytes]) -> bytes:
    return b"".join(_VarintBytes(len(each)) + each for each in messages)


every_framing = pytest.mark.parametrize("frame", [joined, with_four_bytes, with_varints])


@every_framing
@pytest.mark.parametrize("padding", [0, 3, 200, 70_000])
@pytest.mark.parametrize("name", ["traces.bin", "traces.json", "traces.gz"])
def test_every_framing_is_told_from_the_first_bytes(tmp_path: Path, frame: Frame, padding: int, name: str) -> None:
    content = frame([message(1, 2, padding=padding), message(3)])

    found = read(write(tmp_path / name, content))

    assert sorted(found.spans["span_id"]) == [1, 2, 3]
    assert found.services == {"shop"}
    assert found.problems == []
    assert {each.format for each in found.batches} == {"OTLP protobuf"}


@every_framing
def test_empty_messages_between_others_are_skipped(tmp_path: Path, frame: Frame) -> None:
    found = read(write(tmp_path / "t", frame([message(1), b"", message(2)])))

    assert sorted(found.spans["span_id"]) == [1, 2]
    assert found.problems == []


@every_framing
def test_a_file_cut_off_keeps_the_messages_before_the_cut(tmp_path: Path, frame: Frame) -> None:
    found = read(write(tmp_path / "t", frame([message(1), message(2), message(3)])[:-5]))

    assert sorted(found.spans["span_id"]) == [1, 2]
    (problem,) = found.problems
    assert "3: the file ends 5 bytes before this part does" in problem


@pytest.mark.parametrize("frame", [with_four_bytes, with_varints])
def test_a_damaged_message_costs_only_itself_and_is_numbered(tmp_path: Path, frame: Frame) -> None:
    damaged = bytearray(message(2))
    damaged[1] = 0x7F  # resource_spans now claims to be longer than its message

    found = read(write(tmp_path / "t", frame([message(1), bytes(damaged), message(3)])))

    assert sorted(found.spans["span_id"]) == [1, 3]
    (problem,) = found.problems
    assert "message 2: " in problem


def test_a_length_no_exporter_writes_ends_the_reading_instead_of_filling_the_memory(tmp_path: Path) -> None:
    content = with_four_bytes([message(1)]) + b"\xff\xff\xff\xff" + message(2)

    found = read(write(tmp_path / "t", content))

    assert found.spans["span_id"].to_list() == [1]
    assert "a length here makes no sense" in found.problems[0]


def test_rubbish_after_a_message_is_reported(tmp_path: Path) -> None:
    found = read(write(tmp_path / "t", message(1) + b"rubbish"))

    assert found.spans["span_id"].to_list() == [1]
    assert "resource spans 2: expected another resource_spans field" in found.problems[0]


@every_framing
def test_large_files_come_in_batches_with_nothing_lost(
    tmp_path: Path, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp_protobuf_file, "BATCH_BYTES", 500)

    found = read(write(tmp_path / "t", frame([message(number) for number in range(1, 101)])))

    assert len(found.batches) > 5
    assert found.spans["span_id"].to_list() == list(range(1, 101))


def test_a_bad_span_is_refused_with_the_message_it_is_in(tmp_path: Path) -> None:
    found = read(write(tmp_path / "t", with_four_bytes([message(1), message(0)])))

    assert (found.spans.height, found.rejected) == (1, 1)
    assert "message 2: 1 span refused" in found.problems[0]


def test_messages_the_collector_compressed_are_recognised(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="compressed with zstd"):
        list(read_file(write(tmp_path / "t", b"\x00\x00\x00\x20\x28\xb5\x2f\xfd\x04\x00")))
