"""A file as a stream of bytes, unpacked if it is gzip, that remembers how far it got and why it stopped early."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

__all__ = ["ByteSource"]

_CHUNK_BYTES = 1 << 20
_HEAD_BYTES = 1 << 16
_GZIP_MAGIC = b"\x1f\x8b"


class ByteSource:
    """Bytes of a file, in order, with a head that can be looked at first.

    Attributes:
        head: the first bytes, still part of what is read.
        damage: why the stream ended early (a torn gzip member), empty while all is well.
        bytes_total: size of the file on disk.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.damage = ""
        self.bytes_total = path.stat().st_size
        packed = self._file.peek(2)[:2] == _GZIP_MAGIC
        self._stream = gzip.GzipFile(fileobj=self._file) if packed else self._file
        self.head = self._read_head()
        self._head_pending = True

    def __enter__(self) -> "ByteSource":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def bytes_done(self) -> int:
        """Position in the file on disk, for progress."""
        return min(self._file.tell(), self.bytes_total)

    def read(self) -> bytes:
        """The next bytes, at most about a megabyte; empty at the end."""
        if self._head_pending:
            self._head_pending = False
            return self.head
        return self._next_chunk()

    def lines(self) -> Iterator[bytes]:
        """Lines without their line break, the last one even if it lacks one."""
        pending: list[bytes] = []
        for chunk in iter(self.read, b""):
            first, *rest = chunk.split(b"\n")
            pending.append(first)
            if rest:
                yield b"".join(pending)
                yield from rest[:-1]
                pending = [rest[-1]]
        yield b"".join(pending)

    def _read_head(self) -> bytes:
        head = b""
        while len(head) < _HEAD_BYTES and (chunk := self._next_chunk()):
            head += chunk
        return head

    def _next_chunk(self) -> bytes:
        """One step of the stream; read1 loses nothing when a later byte turns out to be damaged."""
        if self.damage:
            return b""
        try:
            return self._stream.read1(_CHUNK_BYTES)
        except EOFError:
            self.damage = "the gzip stream is cut off; everything before the cut was read"
        except (gzip.BadGzipFile, zlib.error) as error:
            self.damage = f"the gzip stream is damaged ({error}); everything before the damage was read"
        return b""
