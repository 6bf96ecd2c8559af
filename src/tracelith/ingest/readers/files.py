"""Reads one file of traces of any known format, told from its content, in batches of bounded size."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tracelith.ingest.raw_columns import empty_raw_spans
from tracelith.ingest.readers.batch import Decoded, Problem, ReadBatch
from tracelith.ingest.readers.detect import EXPECTED, Unrecognised, describe_text, is_binary
from tracelith.ingest.readers.json_file import decode_json
from tracelith.ingest.readers.otlp_protobuf_file import decode_protobuf, frame_of
from tracelith.ingest.readers.source import ByteSource
from tracelith.model.errors import UnreadableFile

__all__ = ["read_file"]

_PROTOBUF = "OTLP protobuf"
# What people hand over by mistake, by the first bytes.
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xfe", "UTF-16 text; convert it to UTF-8"),
    (b"\xfe\xff", "UTF-16 text; convert it to UTF-8"),
    (b"PAR1", "a Parquet file"),
    (b"PK\x03\x04", "a zip archive; unpack it"),
    (b"BZh", "a bzip2 file; unpack it"),
    (b"\xfd7zXZ", "an xz file; unpack it"),
)
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # at the start, or after the length of a message the Collector compressed


def read_file(path: Path, *, keep_attributes: bool = False) -> Iterator[ReadBatch]:
    """Batches of spans of a file, with what is wrong with its records and how far reading has come.

    Formats: OTLP as JSON, JSON lines or protobuf (one message or a delimited sequence), answers of Tempo's API, Jaeger
    JSON, Zipkin JSON v1 and v2; each also compressed with gzip. What is damaged is reported and the rest is kept.

    Args:
        path: the file. keep_attributes: also fill in the details of spans.

    Raises:
        UnreadableFile: the file cannot be opened, is empty, or is of no known format.
    """
    try:
        with ByteSource(path) as source:
            yield from _read(source, str(path), keep_attributes=keep_attributes)
    except OSError as error:
        raise UnreadableFile(str(path), f"cannot be read: {error.strerror or error}") from error


def _read(source: ByteSource, name: str, *, keep_attributes: bool) -> Iterator[ReadBatch]:
    try:
        for trace_format, decoded in _decode(source, keep_attributes=keep_attributes):
            yield _batch(source, name, trace_format, decoded)
    except Unrecognised as error:
        text = str(error)
        raise UnreadableFile(name, text if EXPECTED in text else f"{text}; {EXPECTED}") from error
    if source.damage:
        problem = Problem("", source.damage)
        yield _batch(source, name, "gzip", Decoded(empty_raw_spans(), (problem,)))


def _decode(source: ByteSource, *, keep_attributes: bool) -> Iterable[tuple[str, Decoded]]:
    if not source.head.strip():
        raise Unrecognised(source.damage or "the file is empty")
    if not is_binary(source.head):
        if text := describe_text(source.head):
            raise Unrecognised(text)
        return decode_json(source, keep_attributes=keep_attributes)
    framing = frame_of(source.head)
    if framing is None:
        raise Unrecognised(f"looks like {_beginning(source.head)}")
    parts = decode_protobuf(source, framing, keep_attributes=keep_attributes)
    return ((_PROTOBUF, decoded) for decoded in parts)


def _beginning(head: bytes) -> str:
    if _ZSTD_MAGIC in head[:8]:
        return "data compressed with zstd; decompress it, or let the Collector's file exporter write uncompressed"
    described = next((words for magic, words in _BEGINNINGS if head.startswith(magic)), None)
    return described or f"binary data ({head[:8].hex(' ')})"


def _batch(source: ByteSource, name: str, trace_format: str, decoded: Decoded) -> ReadBatch:
    problems = tuple(UnreadableFile(name, each.text, record=each.where) for each in decoded.problems)
    return ReadBatch(str(trace_format), decoded.raw, problems, source.bytes_done, source.bytes_total)
