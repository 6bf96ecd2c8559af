"""Numbers as columns of bytes of fixed width, as the wire and JSON write them."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bytes", "big_endian", "decimal", "hexadecimal", "little_endian", "varint"]

Bytes = NDArray[np.uint8]

_HEX = np.frombuffer(b"".join(b"%02x" % value for value in range(256)), np.uint16)
_GROUP = 4  # decimal digits looked up at once
_DIGITS = np.frombuffer(b"".join(b"%04d" % value for value in range(10**_GROUP)), np.uint8).reshape(-1, _GROUP)


def big_endian(*words: NDArray[np.uint64]) -> Bytes:
    """uint8[n, 8 × words]: the words of each row one after another."""
    raw = np.empty((words[0].size, len(words)), ">u8")
    for place, word in enumerate(words):
        raw[:, place] = word
    return raw.view(np.uint8).reshape(-1, 8 * len(words))


def little_endian(values: NDArray[np.int64]) -> Bytes:
    """uint8[n, 8]: a fixed64 field."""
    return np.ascontiguousarray(values, "<i8").view(np.uint8).reshape(-1, 8)


def hexadecimal(raw: Bytes) -> Bytes:
    """uint8[n, 2 × width]: lower-case digits."""
    return _HEX[raw].view(np.uint8).reshape(raw.shape[0], -1)


def decimal(values: NDArray[np.int64], width: int) -> Bytes:
    """uint8[n, width]: the last ``width`` digits, zeros in front."""
    groups = -(-width // _GROUP)
    digits = np.empty((values.size, groups, _GROUP), np.uint8)
    rest = values
    for group in range(groups - 1, -1, -1):
        rest, low = np.divmod(rest, 10**_GROUP)
        digits[:, group] = _DIGITS[low]
    return digits.reshape(-1, groups * _GROUP)[:, groups * _GROUP - width :]


def varint(value: int) -> bytes:
    """A protobuf varint."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
