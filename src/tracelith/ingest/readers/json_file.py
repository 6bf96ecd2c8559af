"""JSON files as batches: one document, or one JSON text a line, each line of whatever format it is.

Lines are read in bounded memory. A document has to be read whole, but its parts are decoded a few megabytes at a time.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

import msgspec

from tracelith.ingest.raw_columns import empty_raw_spans
from tracelith.ingest.readers.batch import BATCH_BYTES, Decoded, DocumentDecoder, Problem, Record
from tracelith.ingest.readers.detect import EXPECTED, JsonFormat, Unrecognised, recognise
from tracelith.ingest.readers.jaeger import decode_jaeger
from tracelith.ingest.readers.otlp_json_file import decode_otlp, decode_resource_spans, decode_tempo
from tracelith.ingest.readers.source import ByteSource
from tracelith.ingest.readers.zipkin import decode_zipkin

__all__ = ["decode_json"]

_DECODERS: Mapping[JsonFormat, DocumentDecoder] = {
    JsonFormat.OTLP: decode_otlp,
    JsonFormat.RESOURCE_SPANS: decode_resource_spans,
    JsonFormat.TEMPO: decode_tempo,
    JsonFormat.JAEGER: decode_jaeger,
    JsonFormat.ZIPKIN: decode_zipkin,
}
# Where a document too large for a batch is cut: key of its list (None: it is a list), name and format of the parts.
_CUTS: Mapping[JsonFormat, tuple[str | None, str, JsonFormat]] = {
    JsonFormat.OTLP: ("resourceSpans", "resource spans", JsonFormat.RESOURCE_SPANS),
    JsonFormat.JAEGER: ("data", "trace", JsonFormat.JAEGER),
    JsonFormat.ZIPKIN: (None, "element", JsonFormat.ZIPKIN),
}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_VALUE = msgspec.json.Decoder(msgspec.Raw)

Recognised = tuple[JsonFormat, Record] | Problem


def decode_json(source: ByteSource, *, keep_attributes: bool = False) -> Iterator[tuple[JsonFormat, Decoded]]:
    """Spans of a JSON file with the format they came in.

    Raises:
        Unrecognised: nothing in the first batch is of any known format.
    """
    understood = False
    for batch in _batches(_recognised(_records(source))):
        problems = tuple(each for each in batch if isinstance(each, Problem))
        by_format: dict[JsonFormat, list[Record]] = {}
        for each in batch:
            if not isinstance(each, Problem):
                by_format.setdefault(each[0], []).append(each[1])
        if not understood and not by_format:
            raise Unrecognised(problems[0].text)
        understood = True
        if problems:
            yield JsonFormat.NOTHING, Decoded(empty_raw_spans(), problems)
        for json_format, records in by_format.items():
            if json_format is not JsonFormat.NOTHING:
                yield json_format, _DECODERS[json_format](records, keep_attributes=keep_attributes)


def _records(source: ByteSource) -> Iterator[Record]:
    """The JSON texts of a file in order."""
    lines = _numbered_lines(source)
    first = next(lines, None)
    if first is None:
        return
    if _is_beginning_of_document(first[1]):
        whole = b"\n".join(chain([first[1]], (text for _, text in lines)))
        if _is_complete(whole):
            yield Record("", whole)
            return
        lines = ((number, text) for number, text in enumerate(whole.split(b"\n"), start=first[0]) if text)
        first = next(lines)
    second = next(lines, None)
    if second is None:
        yield Record("", first[1])
        return
    for number, text in chain((first, second), lines):
        yield Record(f"line {number}", text)


def _numbered_lines(source: ByteSource) -> Iterator[tuple[int, bytes]]:
    """Lines that hold anything, with their numbers counted from 1."""
    for number, line in enumerate(source.lines(), start=1):
        text = (line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line).strip()
        if text:
            yield number, text


def _is_complete(text: bytes) -> bool:
    try:
        _VALUE.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _is_beginning_of_document(line: bytes) -> bool:
    """Whether a first line is valid as far as it goes, so that the document continues on the next.

    A first line that is broken (a rotated log cut off its beginning) is not: lines are read one by one then.
    """
    try:
        _VALUE.decode(line)
    except msgspec.DecodeError as error:
        return "truncated" in str(error)
    except (UnicodeDecodeError, RecursionError):
        return False
    return False


def _recognised(records: Iterable[Record]) -> Iterator[Recognised]:
    """Every record with its format, cut into parts where one record would be too much for a batch."""
    for record in records:
        try:
            json_format = recognise(record.body)
        except Unrecognised as error:
            yield Problem(record.where, f"{error}; {EXPECTED}")
            continue
        if json_format is JsonFormat.LIST:
            yield from _recognised(_elements(record, "element", _ELEMENTS.decode(record.body)))
        elif len(memoryview(record.body)) > BATCH_BYTES and json_format in _CUTS:
            yield from _cut(json_format, record)
        else:
            yield json_format, record


def _cut(json_format: JsonFormat, record: Record) -> Iterator[Recognised]:
    key, name, part_format = _CUTS[json_format]
    try:
        parts = _ELEMENTS.decode(record.body if key is None else _OBJECT.decode(record.body)[key])
    except (msgspec.DecodeError, KeyError):  # not a list after all: its decoder knows what to say
        yield json_format, record
        return
    for part in _elements(record, name, parts):
        yield part_format, part


def _elements(record: Record, name: str, parts: list[msgspec.Raw]) -> Iterator[Record]:
    return (Record(record.part(f"{name} {number}"), part) for number, part in enumerate(parts, start=1))


def _batches(recognised: Iterable[Recognised]) -> Iterator[list[Recognised]]:
    """Runs of about BATCH_BYTES, at least one even for an empty file."""
    batch: list[Recognised] = []
    size = 0
    for each in recognised:
        batch.append(each)
        size += 64 if isinstance(each, Problem) else len(memoryview(each[1].body))
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
