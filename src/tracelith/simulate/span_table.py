"""All spans of a slice of requests as columns: what defects change and encodings write."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.execution import SpanBlock
from tracelith.simulate.instrumentation import SpanShape
from tracelith.simulate.latency import Micros

__all__ = ["SpanTable"]

Ids = NDArray[np.uint64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SpanTable:
    """Spans of many shapes. Every array has one entry per span.

    Attributes:
        shapes: what the codes in shape stand for, each once.
        trace_hi ... linked_span: as in SpanBlock.
    """

    shapes: tuple[SpanShape, ...]
    shape: Ints
    trace_hi: Ids
    trace_lo: Ids
    span_id: Ids
    parent_id: Ids
    start_us: Micros
    end_us: Micros
    resource: Ints
    number: Ints
    partition: Ints
    linked_hi: Ids
    linked_lo: Ids
    linked_span: Ids

    @classmethod
    def of(cls, blocks: Sequence[SpanBlock]) -> "SpanTable":
        """The spans of at least one block, one block after another."""
        codes: dict[SpanShape, int] = {}
        code = np.array([codes.setdefault(block.shape, len(codes)) for block in blocks], np.int64)
        shape = np.repeat(code, [block.span_id.size for block in blocks])
        columns = [np.concatenate([getattr(block, field.name) for block in blocks]) for field in fields(SpanBlock)[1:]]
        return cls(tuple(codes), shape, *columns)

    @property
    def size(self) -> int:
        """Number of spans."""
        return self.span_id.size

    def take(self, rows: Ints | Bools) -> "SpanTable":
        """Only these spans."""
        columns = [getattr(self, field.name)[rows] for field in fields(self)[1:]]
        return SpanTable(self.shapes, *columns)

    def reshaped(self, shape: Ints, shapes: Sequence[SpanShape]) -> "SpanTable":
        """The same spans with other shapes: codes into shapes, of which some may be equal and some not used."""
        codes: dict[SpanShape, int] = {}
        used = np.bincount(shape, minlength=len(shapes)).tolist()
        code = [codes.setdefault(one, len(codes)) if count else -1 for one, count in zip(shapes, used, strict=True)]
        recoded = np.array(code, np.int64)[shape]
        return replace(self, shapes=tuple(codes), shape=recoded)

    def joined(self, other: "SpanTable") -> "SpanTable":
        """These spans and then those of the other."""
        columns = [
            np.concatenate([getattr(self, field.name), getattr(other, field.name)]) for field in fields(self)[2:]
        ]
        both = np.concatenate([self.shape, other.shape + len(self.shapes)])
        table = SpanTable(self.shapes, both, *columns)
        return table.reshaped(both, self.shapes + other.shapes)
