"""What readers hand over: batches of spans with the problems met on the way, and the records they are made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from tracelith.model.errors import UnreadableFile
from tracelith.model.schema import RawSpans

__all__ = ["BATCH_BYTES", "Decoded", "DocumentDecoder", "Problem", "ReadBatch", "Record"]

BATCH_BYTES = 8 << 20
"""Input bytes in one batch: enough to make fixed costs vanish, little enough for any machine's memory."""


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """Some spans of a file.

    Attributes:
        format: what the records of this batch are, in words (``OTLP JSON``).
        raw: the spans; spans that were refused are counted in its rejections.
        problems: records that could not be used, in full or in part.
        bytes_done, bytes_total: progress in bytes of the file as it lies on disk.
    """

    format: str
    raw: RawSpans
    problems: tuple[UnreadableFile, ...]
    bytes_done: int
    bytes_total: int


@dataclass(frozen=True, slots=True)
class Record:
    """One JSON text of a file.

    Attributes:
        where: its place for messages (``line 7``), empty if it is the whole file.
        body: the JSON text.
    """

    where: str
    body: bytes | msgspec.Raw

    def part(self, name: str) -> str:
        """The place of something inside this record: ``line 7, span 2``."""
        return f"{self.where}, {name}" if self.where else name


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a place of the file."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a format's decoder makes of records."""

    raw: RawSpans
    problems: tuple[Problem, ...]


class DocumentDecoder(Protocol):
    """A decoder of one format: many records in, one batch out; it never raises on what a record holds."""

    def __call__(self, records: Sequence[Record], *, keep_attributes: bool = False) -> Decoded:
        """Spans of the records, with their details if attributes are kept, and what is wrong with them."""
        ...
