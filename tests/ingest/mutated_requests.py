"""Real requests, damaged on purpose: the same damage for the same seed, and what the reference decoder makes of it."""

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)
NOT_UTF8 = (b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"ok\x80")
ID_LENGTHS = (0, 1, 7, 8, 9, 15, 16, 17, 24, 32)
DEEPEST = 20_000


class Field(NamedTuple):
    """One field of a message as it is on the wire; data is bytes, a number, or the fields of a group."""

    number: int
    wire: int
    data: Any


def split(message: bytes) -> list[Field]:
    """The fields of a message in their order."""
    found = UnknownFieldSet(Empty.FromString(message))
    return [Field(one.field_number, one.wire_type, one.data) for one in found]


def join(field: Field) -> bytes:
    tag = varint(field.number << 3 | field.wire)
    if field.wire == VARINT:
        return tag + varint(field.data)
    if field.wire == BYTES:
        return tag + varint(len(field.data)) + field.data
    if field.wire == GROUP:
        inner = b"".join(join(Field(one.field_number, one.wire_type, one.data)) for one in field.data)
        return tag + inner + varint(field.number << 3 | END_GROUP)
    return tag + field.data.to_bytes(8 if field.wire == FIXED64 else 4, "little")


def varint(number: int, *, padding: int = 0) -> bytes:
    """A number in as few bytes as it takes, or with up to a few needless ones."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    for _ in range(padding):
        out[-1] |= 128
        out.append(0)
    return bytes(out)


# --- damage to one message -----------------------------------------------------------------------------------------


def _duplicate(rng: random.Random, parts: list[bytes]) -> None:
    parts.insert(rng.randrange(len(parts) + 1), rng.choice(parts))


def _reorder(rng: random.Random, parts: list[bytes]) -> None:
    rng.shuffle(parts)


def _drop(rng: random.Random, parts: list[bytes]) -> None:
    del parts[rng.randrange(len(parts))]


def _unknown(rng: random.Random, parts: list[bytes]) -> None:
    number = rng.choice((17, 100, 2**29 - 1, rng.randrange(1, 40)))
    wire = rng.choice((VARINT, FIXED64, BYTES, FIXED32))
    data = rng.randbytes(rng.randrange(20)) if wire == BYTES else rng.getrandbits(32)
    parts.insert(rng.randrange(len(parts) + 1), join(Field(number, wire, data)))


def _nest(rng: random.Random, parts: list[bytes]) -> None:
    """Groups within groups, or values within values, which is where parsers run out of stack."""
    depth = rng.choice((1, 20, 90, 110, 1_000, DEEPEST))
    if rng.random() < 0.5:
        number = rng.choice((1, 9, 100))
        nested = varint(number << 3 | GROUP) * depth + varint(number << 3 | END_GROUP) * (depth - rng.randrange(2))
    else:
        nested = b""
        for _ in range(min(depth, 1_000)):
            nested = join(Field(5, BYTES, join(Field(1, BYTES, nested))))  # AnyValue.array_value.values
    parts.insert(rng.randrange(len(parts) + 1), nested)


def _replace(rng: random.Random, parts: list[bytes]) -> None:
    """Another value of the same wire type."""
    at = rng.randrange(len(parts))
    field = split(parts[at])[0]
    if field.wire == BYTES:
        length = rng.choice(ID_LENGTHS)
        data = rng.choice((*NOT_UTF8, field.data + rng.choice(NOT_UTF8), rng.randbytes(length), bytes(length)))
    elif field.wire == GROUP:
        data = field.data
    else:
        bits = {VARINT: 64, FIXED64: 64, FIXED32: 32}[field.wire]
        small = rng.randrange(12)  # enums end there
        data = rng.choice((0, small, small, 2 ** (bits - 1), 2**bits - 1, rng.getrandbits(bits), rng.getrandbits(31)))
    parts[at] = join(field._replace(data=data))


def _retype(rng: random.Random, parts: list[bytes]) -> None:
    """A field number whose value has another wire type than the schema says."""
    number = split(rng.choice(parts))[0].number
    wire = rng.choice((VARINT, FIXED64, BYTES, FIXED32))
    data = rng.randbytes(rng.choice(ID_LENGTHS)) if wire == BYTES else rng.getrandbits(32)
    parts.insert(rng.randrange(len(parts) + 1), join(Field(number, wire, data)))


def _lie_about_length(rng: random.Random, parts: list[bytes]) -> None:
    at = rng.randrange(len(parts))
    field = split(parts[at])[0]
    if field.wire == BYTES:
        length = rng.choice((len(field.data) + rng.choice((-1, 1, 2, 100)), 2**31 - 1, 2**32 + 1, 2**64 - 1))
        parts[at] = varint(field.number << 3 | BYTES) + varint(max(0, length)) + field.data


def _pad_numbers(rng: random.Random, parts: list[bytes]) -> None:
    """Tags, lengths and values in more bytes than they take, up to more than there may be."""
    at = rng.randrange(len(parts))
    field = split(parts[at])[0]
    tag = varint(field.number << 3 | field.wire, padding=rng.randrange(3))
    if field.wire == BYTES:
        parts[at] = tag + varint(len(field.data), padding=rng.randrange(4)) + field.data
    elif field.wire == VARINT:
        parts[at] = tag + varint(field.data, padding=rng.randrange(11))


def _regroup(rng: random.Random, parts: list[bytes]) -> None:
    """A message as the group it could have been in protobuf's youth."""
    at = rng.randrange(len(parts))
    field = split(parts[at])[0]
    if field.wire == BYTES:
        end = varint((field.number + (rng.random() < 0.1)) << 3 | END_GROUP)
        parts[at] = varint(field.number << 3 | GROUP) + field.data + end


def _cut(rng: random.Random, parts: list[bytes]) -> None:
    """A message that ends in the middle of a field, with a length that says so."""
    at = rng.randrange(len(parts))
    field = split(parts[at])[0]
    if field.wire == BYTES and field.data:
        parts[at] = join(field._replace(data=field.data[: rng.randrange(len(field.data))]))


def _splice(rng: random.Random, parts: list[bytes]) -> None:
    """The content of one field in the place of another, and one message after another in the same field."""
    fields = [field for part in parts if (field := split(part)[0]).wire == BYTES]
    if fields:
        one, other = rng.choice(fields), rng.choice(fields)
        data = other.data if rng.random() < 0.5 else one.data + other.data
        parts.insert(rng.randrange(len(parts) + 1), join(one._replace(data=data)))


DAMAGES: tuple[Callable[[random.Random, list[bytes]], None], ...] = (
    _duplicate,
    _reorder,
    _drop,
    _unknown,
    _nest,
    _replace,
    _replace,
    _retype,
    _lie_about_length,
    _pad_numbers,
    _regroup,
    _cut,
    _splice,
)


def _damage_structure(rng: random.Random, message: bytes, kind: Descriptor) -> bytes:
    """One damage somewhere in the tree of messages; below a damage that broke the tree, none."""
    try:
        fields = split(message)
        parts = [join(field) for field in fields]
        inner = [at for at, field in enumerate(fields) if field.wire == BYTES and _message(kind, field.number)]
        if inner and rng.random() < 0.8:
            at = rng.choice(inner)
            damaged = _damage_structure(rng, fields[at].data, _message(kind, fields[at].number))
            parts[at] = join(fields[at]._replace(data=damaged))
        elif parts:
            rng.choice(DAMAGES)(rng, parts)
    except DecodeError:
        return message
    return b"".join(parts)


def _message(kind: Descriptor, number: int) -> Any:
    field = kind.fields_by_number.get(number)
    return field.message_type if field else None


# --- damage to bytes -----------------------------------------------------------------------------------------------


def _damage_bytes(rng: random.Random, message: bytes) -> bytes:
    """Flipped bits, a cut at the end, or some bytes taken out, put in or repeated."""
    if not message:
        return message
    damaged, at = bytearray(message), rng.randrange(len(message))
    width = rng.randrange(1, 9)
    match rng.randrange(5):
        case 0:
            for _ in range(rng.randrange(1, 4)):
                damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        case 1:
            del damaged[at:]
        case 2:
            del damaged[at : at + width]
        case 3:
            damaged[at:at] = rng.randbytes(width)
        case _:
            damaged[at:at] = damaged[at : at + width]
    return bytes(damaged)


def damage(rng: random.Random, request: bytes) -> bytes:
    """The request with one to three damages, three of four to its structure."""
    for _ in range(rng.randrange(1, 4)):
        if rng.random() < 3 / 4:
            request = _damage_structure(rng, request, ExportTraceServiceRequest.DESCRIPTOR)
        else:
            request = _damage_bytes(rng, request)
    return request


# --- what no descriptor tells --------------------------------------------------------------------------------------


def has_tags_only_protobuf_minds(message: bytes, kind: Any) -> bool:
    """Whether a group ends with another number than it began with, or a tag is too large, down to what is no message.

    Protobuf refuses both. OTLP has no groups nor such tags, and who skips them need not look at the number.
    """
    at, open_groups = 0, []
    while at < len(message):
        tag, at = _read_varint(message, at)
        number, wire = tag >> 3, tag & 7
        if tag >= 1 << 32:
            return True
        if wire == GROUP:
            open_groups.append(number)
        elif wire == END_GROUP and open_groups:
            if open_groups.pop() != number:
                return True
        elif wire == BYTES:
            length, at = _read_varint(message, at)
            inner = None if open_groups else _message(kind, number)
            if inner and has_tags_only_protobuf_minds(message[at : at + length], inner):
                return True
            at += length
        elif wire in (FIXED64, FIXED32):
            at += 8 if wire == FIXED64 else 4
        elif wire == VARINT:
            _, at = _read_varint(message, at)
        else:
            return False
    return False


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends; past the end of the message everything is zero."""
    number = 0
    for shift in range(0, 70, 7):
        byte = message[at] if at < len(message) else 0
        number, at = number | (byte & 127) << shift, at + 1
        if byte < 128:
            break
    return number, at


def tells_a_value_twice(message: bytes, kind: Any) -> bool:
    """Whether the value of an attribute is there twice, anywhere down to what is not a message.

    Of two values of different types protobuf keeps the last one; who reads types column by column keeps both.
    """
    try:
        fields = split(message)
    except DecodeError:
        return False
    if kind.name in {"AnyValue", "KeyValue"} and len(fields) > len({field.number for field in fields}):
        return True
    if kind.name == "AnyValue" and len(fields) > 1:
        return True
    return any(
        tells_a_value_twice(field.data, inner)
        for field in fields
        if field.wire == BYTES and (inner := _message(kind, field.number))
    )
