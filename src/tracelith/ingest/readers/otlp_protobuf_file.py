"""OTLP protobuf files as RawSpans: one message, or a sequence of messages with their lengths before them.

Three framings are told apart by their first bytes. A message whose fields are all ``resource_spans`` begins with that
field's tag (0x0a) and is nothing but such fields, so a single message of any size is read a few fields at a time: each
run of fields is a message of its own. Otherwise a length comes first, in four bytes, most significant first (the
Collector's file exporter), or as a varint (protobuf's own "delimited" streams), and the tag after it.
"""

from collections.abc import Iterator
from enum import Enum

from tracelith.ingest.decode import decode_requests
from tracelith.ingest.readers.batch import BATCH_BYTES, Decoded, Problem
from tracelith.ingest.readers.source import ByteSource

__all__ = ["Framing", "decode_protobuf", "frame_of"]

_RESOURCE_SPANS = 0x0A  # field 1, length-delimited
# First tag inside resource_spans: resource, scope_spans, schema_url, instrumentation_library_spans (before OTLP 0.15).
_INSIDE_RESOURCE_SPANS = frozenset({0x0A, 0x12, 0x1A, 0xC2})
_MAX_MESSAGE_BYTES = 1 << 29
"""No exporter writes half a gigabyte in one message; a longer length is a damaged file, not a reason to allocate."""
_MAX_VARINT_BYTES = 5


class Framing(Enum):
    """How the parts of a file are told apart; the value is the word for one part."""

    FIELDS = "resource spans"
    FOUR_BYTES = "message (four-byte length)"
    VARINT = "message (varint length)"


class _Torn(Exception):
    """The file ends or stops making sense here; everything before was read."""


def frame_of(head: bytes) -> Framing | None:
    """The framing of a file with this beginning; None if it is not OTLP protobuf."""
    if _begins_resource_spans(head, 0):
        return Framing.FIELDS
    if _begins_resource_spans(head, 4) and int.from_bytes(head[:4]) <= _MAX_MESSAGE_BYTES:
        return Framing.FOUR_BYTES
    length, at = _varint(head, 0)
    return Framing.VARINT if 0 < length <= _MAX_MESSAGE_BYTES and _begins_resource_spans(head, at) else None


def decode_protobuf(source: ByteSource, framing: Framing, *, keep_attributes: bool = False) -> Iterator[Decoded]:
    """Spans of a protobuf file, about BATCH_BYTES of it at a time; what is damaged is named and left out."""
    payloads: list[bytes] = []
    number, size = 1, 0
    torn: tuple[Problem, ...] = ()
    parts = _parts(_Window(source), framing)
    while not torn:
        try:
            part = next(parts, None)
        except _Torn as error:
            part, torn = None, (Problem(_place(framing, number + len(payloads)), str(error)),)
        if part is not None:
            payloads.append(part)
            size += len(part)
        if size >= BATCH_BYTES or part is None:
            yield _decode(framing, number, payloads, torn, keep_attributes=keep_attributes)
            number, payloads, size = number + len(payloads), [], 0
        if part is None:
            return


def _decode(
    framing: Framing, first: int, payloads: list[bytes], torn: tuple[Problem, ...], *, keep_attributes: bool
) -> Decoded:
    decoded = decode_requests(payloads, keep_attributes=keep_attributes)
    problems = [
        Problem(_place(framing, number), str(verdict.error) if verdict.error else verdict.reason)
        for number, verdict in enumerate(decoded.verdicts, start=first)
        if verdict.error or verdict.rejected
    ]
    return Decoded(decoded.raw, (*problems, *torn))


def _place(framing: Framing, number: int) -> str:
    return f"{framing.value.partition(' (')[0]} {number}"


class _Window:
    """Takes exact numbers of bytes from a source."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._bytes = b""
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next bytes; fewer only at the end of the file."""
        end = self._at + count
        if end > len(self._bytes):
            pieces = [self._bytes[self._at :]]
            have = len(pieces[0])
            while have < count and (piece := self._source.read()):
                pieces.append(piece)
                have += len(piece)
            self._bytes, self._at, end = b"".join(pieces), 0, count
        taken = self._bytes[self._at : end]
        self._at += len(taken)
        return taken


def _parts(window: _Window, framing: Framing) -> Iterator[bytes]:
    """Each part as a message of its own.

    Raises:
        _Torn: the rest of the file makes no sense.
    """
    while first := window.take(1):
        if framing is Framing.FIELDS:
            if first[0] != _RESOURCE_SPANS:
                raise _Torn("expected another resource_spans field here; the file is damaged from this place on")
            length_bytes = _take_varint(window, b"")
            payload = _take_message(window, _varint(length_bytes, 0)[0])
            yield first + length_bytes + payload
        elif framing is Framing.VARINT:
            yield _take_message(window, _varint(_take_varint(window, first), 0)[0])
        else:
            prefix = first + window.take(3)
            if len(prefix) < 4:
                raise _Torn("the file ends inside a length; it was cut off")
            yield _take_message(window, int.from_bytes(prefix))


def _take_message(window: _Window, length: int) -> bytes:
    if not 0 <= length <= _MAX_MESSAGE_BYTES:
        raise _Torn("a length here makes no sense; the file is damaged from this place on")
    message = window.take(length)
    if len(message) < length:
        raise _Torn(f"the file ends {length - len(message):,} bytes before this part does; it was cut off")
    return message


def _take_varint(window: _Window, taken: bytes) -> bytes:
    while not taken or taken[-1] & 0x80:
        more = window.take(1)
        if not more or len(taken) == _MAX_VARINT_BYTES:
            raise _Torn("the file ends or is damaged inside a length")
        taken += more
    return taken


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A varint's value and the place after it; value -1 if there is none."""
    value = 0
    for shift, byte in enumerate(data[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * shift)
        if not byte & 0x80:
            return value, at + shift + 1
    return -1, at


def _begins_resource_spans(head: bytes, at: int) -> bool:
    """Whether a resource_spans field that holds something sensible begins here."""
    if head[at : at + 1] != bytes([_RESOURCE_SPANS]):
        return False
    length, inside = _varint(head, at + 1)
    return length == 0 or (length > 0 and inside < len(head) and head[inside] in _INSIDE_RESOURCE_SPANS)
